"""Attempts to get out of a sandbox, or to bring it down: data for test_sandbox_escapes.py.

The body of an attempt is run as a function; if it returns something true, it got out. It may use OUTSIDE (a folder
that anybody may write), SECRET (a file that anybody may read), TARGET (a process of the same user as the tests, whose
environment holds the canary), TCP and UDP (ports of 127.0.0.1 that listen), UNIX and ABSTRACT (sockets that listen).

An attempt that gets out must do no harm: only TARGET is sent a signal that is one; what is forked ends by itself;
nothing of the host is changed. A wall that is broken, by mistake or on purpose, turns a test red, and that is all.
"""

from __future__ import annotations

from typing import NamedTuple

WALLS = ("bubblewrap", "namespaces", "landlock")
ALL = (*WALLS, "rlimits")
"""Without walls, only what uses up the process itself is tried: the rest would succeed, and some would do harm."""

REFUSED = {"exception:PermissionError"}
ABSENT = REFUSED | {"exception:FileNotFoundError", "exception:ProcessLookupError"}
FAILED = ABSENT | {"exception:OSError"}
SPENT = {"timeout"}
HELD = {"pass"}


class Escape(NamedTuple):
    """One attempt, the levels that claim to stop it, and how it must end."""

    name: str
    body: str
    status: set[str]
    levels: tuple[str, ...] = WALLS
    top: str = ""


CALLS = "import ctypes; libc = ctypes.CDLL(None, use_errno=True)\n"
CLONED = "import os\npid = libc.syscall({})\nif pid == 0: os._exit(0)\nreturn pid > 0"

NETWORK = [
    ("tcp", "import socket; return socket.create_connection(('127.0.0.1', TCP), 1)", REFUSED),
    ("tcp_to_the_internet", "import socket; return socket.create_connection(('192.0.2.1', 80), 1)", REFUSED),
    ("tcp_listen", "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); return True", REFUSED),
    (
        "udp",
        "import socket; return socket.socket(type=socket.SOCK_DGRAM).sendto(b'out', ('127.0.0.1', UDP))",
        REFUSED,
    ),
    ("ipv6", "import socket; return socket.create_connection(('::1', TCP), 1)", REFUSED),
    ("raw", "import socket; return socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)", REFUSED),
    ("netlink", "import socket; return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)", REFUSED),
    ("unix", "import socket; s = socket.socket(socket.AF_UNIX); s.connect(UNIX); return True", REFUSED),
    ("abstract", "import socket; s = socket.socket(socket.AF_UNIX); s.connect(ABSTRACT); return True", REFUSED),
    ("dns", "import socket; return socket.getaddrinfo('example.org', 80)", {"exception:gaierror"}),
    (
        "datagram_pair",
        "import socket; a, b = socket.socketpair(type=socket.SOCK_DGRAM); return a.sendto(b'out', UNIX + '.d')",
        REFUSED,
    ),
    (
        "connected_pair",
        "import socket; a, b = socket.socketpair(); b.connect(UNIX); return True",
        {"exception:PermissionError"},
    ),
]

FILES = [
    ("read_secret", "return open(SECRET).read()", ABSENT),
    ("read_passwd", "return open('/etc/passwd').read()", ABSENT),
    ("read_token", "return open('/var/run/secrets/kubernetes.io/serviceaccount/token').read()", ABSENT),
    ("list_home", "import os; return os.listdir('/root') + os.listdir('/home')", ABSENT),
    ("write_outside", "return open(OUTSIDE + '/written', 'w').write('x')", ABSENT),
    ("write_tmp", "return open('/tmp/evoselfcode-written', 'w').write('x')", FAILED),
    ("write_shm", "return open('/dev/shm/evoselfcode-written', 'w').write('x')", ABSENT),
    ("write_above", "return open('../../written', 'w').write('x')", FAILED),
    ("write_library", "import os; return open(os.__file__, 'r+')", FAILED),
    ("make_folder", "import os; os.mkdir(OUTSIDE + '/made'); return True", ABSENT),
    ("truncate", "import os; os.truncate(SECRET, 0); return True", ABSENT),
    ("chmod", "import os; os.chmod(SECRET, 0o777); return True", ABSENT),
    ("utime", "import os; os.utime(SECRET, (0, 0)); return True", ABSENT),
    ("unlink", "import os; os.unlink(SECRET); return True", ABSENT),
    ("rename_out", "import os; open('a', 'w').close(); os.rename('a', OUTSIDE + '/a'); return True", FAILED),
    ("symlink", "import os; os.symlink(SECRET, 'link'); return open('link').read()", REFUSED),
    ("hardlink", "import os; os.link(SECRET, 'link'); return open('link').read()", REFUSED | ABSENT),
    ("device", "import os; os.mknod('disk', 0o60600, os.makedev(254, 0)); return True", REFUSED),
    ("proc_self_environ", "return 'canary' in open('/proc/self/environ').read()", ABSENT),
    ("proc_1_environ", "return open('/proc/1/environ').read()", ABSENT),
    ("proc_target_environ", "return open(f'/proc/{TARGET}/environ').read()", ABSENT),
    ("proc_parent_memory", "import os; return open(f'/proc/{os.getppid()}/mem', 'r+b')", ABSENT),
    ("proc_target_root", "return open(f'/proc/{TARGET}/root' + SECRET).read()", ABSENT),
    ("other_jobs", "import os; return [n for n in os.listdir('..') if n != 'work']", HELD | REFUSED),
    (
        "inherited_fds",
        "import os, stat\nfor fd in range(3, 1024):\n    try: mode = os.fstat(fd).st_mode\n    except OSError: "
        "continue\n    if not stat.S_ISFIFO(mode): return True\n    try: os.set_blocking(fd, False); os.read(fd, 1)\n"
        "    except OSError: continue\n    return True",
        HELD,
    ),
]

PROCESSES = [
    ("fork_bomb", "import os\nfor _ in range(20):\n    if os.fork() == 0: os._exit(0)\nreturn True", REFUSED),
    (
        "daemon",
        "import os, time\nif os.fork() == 0:\n    os.setsid(); time.sleep(3); os._exit(0)\nreturn True",
        REFUSED,
    ),
    ("subprocess", "import subprocess; return subprocess.run(['/bin/true'])", ABSENT),
    ("spawn", "import os; return os.posix_spawn('/bin/true', ['true'], {})", ABSENT),
    ("exec", "import os; os.execv('/bin/sh', ['sh', '-c', 'true'])", ABSENT),
    ("system", "import os; return os.system('true') == 0", HELD),
    ("multiprocessing", "import multiprocessing as m; m.Process(target=print).start(); return True", FAILED),
    ("setsid", "import os; os.setsid(); return True", REFUSED),
    ("kill_parent", "import os; os.kill(os.getppid(), 0); return True", REFUSED),
    ("kill_target", "import os; os.kill(TARGET, 9); return True", REFUSED),
    ("kill_all", "import os; os.kill(-1, 0); return True", REFUSED),
    ("kill_group", "import os; os.killpg(os.getpgid(os.getppid()), 0); return True", REFUSED),
    ("kill_init", "import os; os.kill(1, 0); return True", REFUSED),
    ("pidfd", "import os, signal; signal.pidfd_send_signal(os.pidfd_open(TARGET), 9); return True", REFUSED),
    ("limits_of_others", "import resource; resource.prlimit(TARGET, resource.RLIMIT_NOFILE, (3, 3))", REFUSED),
    ("priority_of_others", "import os; os.setpriority(os.PRIO_PROCESS, TARGET, 19); return True", REFUSED),
    (
        "raise_own_limits",
        "import resource as r; r.setrlimit(r.RLIMIT_AS, (r.RLIM_INFINITY,) * 2); return True",
        {"exception:ValueError", "exception:PermissionError"},
    ),
    ("owner_of_pipe", "import fcntl, os; r, w = os.pipe(); fcntl.fcntl(r, fcntl.F_SETOWN, TARGET); return 1", REFUSED),
]

KERNEL = [
    ("setuid", "import os; os.setuid(0); return True", REFUSED),
    ("chroot", "import os; os.chroot('.'); return True", REFUSED),
    ("memfd", "import os; return os.memfd_create('x')", REFUSED),
    ("mount", CALLS + "return libc.mount(b'none', b'.', b'tmpfs', 0, None) == 0", HELD),
    ("unshare", CALLS + "return libc.unshare(0x10000000) == 0", HELD),
    ("ptrace", CALLS + "return libc.ptrace(16, TARGET, 0, 0) == 0", HELD),
    ("read_memory", CALLS + "return libc.process_vm_readv(TARGET, None, 0, None, 0, 0) == 0", HELD),
    ("clone_raw", CALLS + CLONED.format("NR['clone'], 17, 0, 0, 0, 0"), HELD),
    ("clone3", CALLS + CLONED.format("435, bytes(32) + b'\\x11' + bytes(55), 88"), HELD),
    ("io_uring", CALLS + "return libc.syscall(425, 8, bytes(120)) >= 0", HELD),
    ("keyctl", CALLS + "return libc.syscall(NR['keyctl'], 0, -3, 1) >= 0", HELD),
    ("bpf", CALLS + "return libc.syscall(NR['bpf'], 0, bytes(72), 72) >= 0", HELD),
    ("userfaultfd", CALLS + "return libc.syscall(NR['userfaultfd'], 1) >= 0", HELD),
    ("perf", CALLS + "return libc.syscall(NR['perf'], bytes(128), 0, -1, -1, 0) >= 0", HELD),
    ("x32", CALLS + "return libc.syscall(0x40000000 + 41, 2, 1, 0) >= 0", HELD),
    ("terminal", "import fcntl; fcntl.ioctl(1, 0x5412, b'x'); return True", REFUSED),
    ("undo_landlock", CALLS + "return libc.prctl(38, 0, 0, 0, 0) == 0 or libc.prctl(22, 0) == 0", HELD),
]

EXHAUSTION = [
    ("allocate_10_gib", "return len(bytearray(10 << 30))", {"memory"}),
    ("allocate_slowly", "held = []\nwhile True: held.append(bytearray(64 << 20))", {"memory", "timeout"}),
    ("loop", "while True: pass", SPENT),
    ("loop_in_c", "return sum(range(10 ** 12)) < 0", SPENT),
    ("big_power", "return 7 ** 7 ** 9 < 0", SPENT | {"memory"}),
    ("sleep", "import time; time.sleep(60)", SPENT),
    (
        "loop_signals_blocked",
        "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass",
        SPENT,
    ),
    ("loop_signals_ignored", "import signal; signal.signal(signal.SIGPROF, signal.SIG_IGN)\nwhile True: pass", SPENT),
    ("loop_catching", "while True:\n    try:\n        while True: pass\n    except BaseException: pass", SPENT),
    ("stop_the_timer", "import signal; signal.setitimer(signal.ITIMER_PROF, 0)\nwhile True: pass", SPENT),
    ("recursion", "def f(): return f()\nreturn f()", {"exception:RecursionError"}),
    (
        "recursion_in_c",
        "import sys; sys.setrecursionlimit(10 ** 9)\nx = []\nfor i in range(10 ** 6): x = [x]\nreturn repr(x) == ''",
        {"crash", "exception:RecursionError", "memory", "timeout"},
    ),
    ("huge_file", "open('f', 'wb').write(bytes(1 << 20)); return True", {"exception:OSError"}),
    ("many_files", "i = 0\nwhile True:\n    open(f'f{i}', 'w').write('x' * 60000); i += 1", SPENT | FAILED),
    ("deep_folders", "import os\nwhile True: os.mkdir('d'); os.chdir('d')", SPENT | FAILED),
    ("closed_folder", "import os; os.mkdir('d', 0); os.mkdir('e', 0); raise OSError", {"exception:OSError"}),
    ("many_fds", "import os\nwhile True: os.pipe()", {"exception:OSError"}),
    (
        "threads",
        "import threading\nwhile True: threading.Thread(target=threading.Event().wait, daemon=True).start()",
        {"exception:RuntimeError", "memory", "timeout"},
    ),
    ("flood_stdout", "while True: print('x' * 65536)", SPENT),
    ("flood_stderr", "import os\nwhile True: os.write(2, b'x' * 65536)", SPENT),
    (
        "flood_results",
        "import os\nwhile True:\n    for fd in range(3, 70):\n        try: os.write(fd, b'x' * 4096)\n"
        "        except OSError: pass",
        SPENT,
    ),
    ("exit", "import sys; sys.exit(0)", {"exception:SystemExit"}),
    ("exit_at_once", "import os; os._exit(0)", {"crash"}),
    ("abort", "import os; os.abort()", {"crash"}),
    ("fault", "import ctypes; ctypes.string_at(0)", {"crash"}),
    ("exit_late", "import atexit, sys; atexit.register(sys.exit, 0); raise KeyError", {"exception:KeyError"}),
    ("close_everything", "import os; os.closerange(0, 1024)\nwhile True: pass", {"crash"}),
]

LYING = [
    ("change_builtins", "return 1", {"assert"}, "import builtins\nbuiltins.AssertionError = builtins.bool = int\n"),
    (
        "print_outcomes",
        "return 1",
        {"assert"},
        "print('\\n' + '0' * 16 + '[\"pass\",\"\",\"\",0.0]')\n",
    ),
    (
        "write_outcomes_everywhere",
        'import os\nfor fd in range(1, 70):\n    try: os.write(fd, b\'\\n0123456789abcdef["pass","","",0.0]\\n\')\n'
        "    except OSError: pass\nreturn 1",
        {"assert"},
    ),
    ("change_json", "return 1", {"assert"}, 'import json\njson.dumps = lambda *a, **k: \'["pass","","",0.0]\'\n'),
    ("change_os_write", "return 1", {"assert"}, "import os\nos.write = lambda fd, data: len(data)\n"),
    ("exit_on_definition", "return 1", {"crash"}, "import os\nos._exit(0)\n"),
    ("shadow_modules", "import json\nreturn json.dumps(1) == 'x'", HELD, "open('json.py', 'w').write('dumps = 1')\n"),
    ("replace_modules", "return 1", {"assert"}, "import sys\nsys.modules.clear()\n"),
    ("long_name", "raise type('x' * 9999, (Exception,), {})", {"exception:Exception"}),
    ("hostile_message", "class E(Exception):\n    def __str__(self): raise SystemExit\nraise E", {"exception:E"}),
    ("find_the_runner", "import sys; return [n for n in sys.modules if 'evoselfcode' in n]", HELD),
]

ESCAPES = [
    *(Escape(*one) for one in (*NETWORK, *FILES, *PROCESSES, *KERNEL)),
    *(Escape(*one, ALL) for one in EXHAUSTION),
    *(Escape(*one[:3], ALL, *one[3:]) for one in LYING),
]
