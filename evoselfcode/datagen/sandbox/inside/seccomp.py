"""Seccomp: which system calls a process may still make. What is not in the table is refused.

The table is what Python's own work takes: files, memory, threads, clocks, waiting. There is no new process, no new
program, no socket but a connected pair of one's own, no signal to others, no change of owner, mode or limits of others.
A call that came after the table was written (number above 450) answers ENOSYS, so that libraries fall back.
"""

from __future__ import annotations

import ctypes
import struct

from evoselfcode.datagen.sandbox.inside import kernel

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""``AUDIT_ARCH_*``, ``linux/audit.h``: a call of another architecture has other numbers and ends the process."""

ALLOWED = """
read 0 63  write 1 64  close 3 57  lseek 8 62  fstat 5 80  newfstatat 262 79  stat 4 -  lstat 6 -  statx 332 291
openat 257 56  open 2 -  access 21 -  faccessat 269 48  faccessat2 439 439  readlink 89 -  readlinkat 267 78
getdents 78 -  getdents64 217 61  getcwd 79 17  chdir 80 49  fchdir 81 50  pread64 17 67  pwrite64 18 68  readv 19 65
writev 20 66  preadv 295 69  pwritev 296 70  ftruncate 77 46  mkdir 83 -  mkdirat 258 34  rmdir 84 -  unlink 87 -
unlinkat 263 35  rename 82 -  renameat 264 38  renameat2 316 276  fsync 74 82  fdatasync 75 83  dup 32 23  dup2 33 -
dup3 292 24  pipe 22 -  pipe2 293 59  umask 95 166  flock 73 32  fallocate 285 47  fadvise64 221 223  sendfile 40 71
copy_file_range 326 285  statfs 137 43  fstatfs 138 44
mmap 9 222  munmap 11 215  mprotect 10 226  mremap 25 216  madvise 28 233  msync 26 227  brk 12 214  mincore 27 232
membarrier 324 283
rt_sigaction 13 134  rt_sigprocmask 14 135  rt_sigreturn 15 139  rt_sigsuspend 130 133  rt_sigpending 127 136
rt_sigtimedwait 128 137  sigaltstack 131 132  pause 34 -  alarm 37 -  setitimer 38 103  getitimer 36 102
restart_syscall 219 128
exit 60 93  exit_group 231 94  futex 202 98  set_robust_list 273 99  get_robust_list 274 100  set_tid_address 218 96
rseq 334 293  sched_yield 24 124  sched_getaffinity 204 123  sched_getparam 143 121  sched_getscheduler 145 120
sched_get_priority_max 146 125  sched_get_priority_min 147 126  getcpu 309 168
getpid 39 172  gettid 186 178  getppid 110 173  getuid 102 174  geteuid 107 175  getgid 104 176  getegid 108 177
getresuid 118 148  getresgid 120 150  getgroups 115 158  getpgrp 111 -  getpgid 121 155  getsid 124 156
getpriority 140 141  getrlimit 97 163  getrusage 98 165  times 100 153  uname 63 160  sysinfo 99 179  arch_prctl 158 -
clock_gettime 228 113  clock_getres 229 114  clock_nanosleep 230 115  nanosleep 35 101  gettimeofday 96 169  time 201 -
getrandom 318 278  timerfd_create 283 85  timerfd_settime 286 86  timerfd_gettime 287 87
poll 7 -  ppoll 271 73  select 23 -  pselect6 270 72  epoll_create 213 -  epoll_create1 291 20  epoll_ctl 233 21
epoll_wait 232 -  epoll_pwait 281 22  epoll_pwait2 441 441  eventfd 284 -  eventfd2 290 19
sendto 44 206  recvfrom 45 207  sendmsg 46 211  recvmsg 47 212  shutdown 48 210  getsockname 51 204
getpeername 52 205  getsockopt 55 209
"""
"""Calls that are allowed whatever their arguments, with their numbers on x86_64 and aarch64."""

CONDITIONAL = (
    "kill 62 129  tgkill 234 131  clone 56 220  socketpair 53 199  prlimit64 302 261  ioctl 16 29  fcntl 72 25"
)
"""Calls that are allowed to some arguments, see ``_conditions``."""

HARMLESS_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX (``asm-generic/ioctls.h``)."""

FOREIGN_FCNTLS = (8, 10, 15, 1024, 1026)
"""F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE, F_NOTIFY: ways to have the kernel signal somebody."""

_ALLOW, _KILL, _EPERM, _ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _MASK, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_NUMBER, _ARCHITECTURE = 0, 4
_CLONE3, _NEWEST = 435, 450
_THREAD = 0x00010000

Step = tuple[int, int, int, int]


def program(machine: str, pid: int) -> bytes:
    """Write the filter for a process.

    Args:
        machine: ``x86_64`` or ``aarch64``.
        pid: The process, as it sees itself: the only one it may signal.

    Raises:
        KeyError: Another architecture.
    """
    steps: list[Step] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    for number in _numbers(ALLOWED, machine).values():
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    conditions = _conditions(pid)
    for name, number in _numbers(CONDITIONAL, machine).items():
        steps += [(_EQUAL, 0, len(conditions[name]), number), *conditions[name]]
    steps += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _ENOSYS)]
    # On x86_64 the numbers of x32 begin at 2**30; what is above the table is unknown on either.
    steps += [(_AT_LEAST, 0, 1, _NEWEST + 1), (_RETURN, 0, 0, _ENOSYS), (_RETURN, 0, 0, _EPERM)]
    return b"".join(struct.pack("<HBBI", *step) for step in steps)


def install(pid: int) -> None:
    """Hold the calling process to the filter, for good.

    Args:
        pid: The process, as it sees itself.

    Raises:
        OSError: The kernel has no seccomp, or the architecture is not in the table.
    """
    if kernel.machine() not in ARCHITECTURES:
        raise OSError(38, f"no filter for {kernel.machine()}")
    steps = ctypes.create_string_buffer(program(kernel.machine(), pid))
    header = struct.pack("<HxxxxxxQ", (len(steps) - 1) // 8, ctypes.addressof(steps))
    kernel.call("seccomp", 1, 0, header)


def _numbers(table: str, machine: str) -> dict[str, int]:
    words = table.split()
    column = 1 if machine == "x86_64" else 2
    rows = [words[at : at + 3] for at in range(0, len(words), 3)]
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


def _argument(index: int) -> Step:
    return (_LOAD, 0, 0, 16 + 8 * index)  # the low half: both architectures are little-endian


def _conditions(pid: int) -> dict[str, list[Step]]:
    """Return, per call, steps that end in an answer; they are jumped over as one."""
    allow, refuse = (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _EPERM)
    own = [_argument(0), (_EQUAL, 0, 1, pid), allow, refuse]
    ioctls = [step for one in HARMLESS_IOCTLS for step in ((_EQUAL, 0, 1, one), allow)]
    fcntls = [step for one in FOREIGN_FCNTLS for step in ((_EQUAL, 0, 1, one), refuse)]
    unix, stream, kind = 1, 1, 0xF
    return {
        "kill": own,
        "tgkill": own,
        "clone": [_argument(0), (_ANY_BIT, 0, 1, _THREAD), allow, refuse],
        # Connected for good: a pair of datagrams could be sent to an address.
        "socketpair": [
            *(_argument(0), (_EQUAL, 0, 3, unix), _argument(1), (_MASK, 0, 0, kind), (_EQUAL, 1, 0, stream)),
            *(refuse, allow),
        ],
        "prlimit64": [_argument(0), (_EQUAL, 0, 1, 0), allow, refuse],
        "ioctl": [_argument(1), *ioctls, refuse],
        "fcntl": [_argument(1), *fcntls, allow],
    }
