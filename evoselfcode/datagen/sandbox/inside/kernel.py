"""System calls that Python does not offer, by number; Linux on x86_64 and aarch64.

Numbers: ``asm/unistd_64.h`` (x86_64) and ``asm-generic/unistd.h`` (aarch64) of Linux 6.1.
"""

from __future__ import annotations

import ctypes
import os

NUMBERS = {
    "x86_64": {"capset": 126, "mount": 165, "pivot_root": 155, "prctl": 157, "seccomp": 317, "umount2": 166}
    | {"landlock_create_ruleset": 444, "landlock_add_rule": 445, "landlock_restrict_self": 446, "unshare": 272},
    "aarch64": {"capset": 91, "mount": 40, "pivot_root": 41, "prctl": 167, "seccomp": 277, "umount2": 39}
    | {"landlock_create_ruleset": 444, "landlock_add_rule": 445, "landlock_restrict_self": 446, "unshare": 97},
}
NO_NEW_PRIVILEGES = 38
"""``PR_SET_NO_NEW_PRIVS``, ``linux/prctl.h``."""

PARENT_DEATH_SIGNAL = 1
"""``PR_SET_PDEATHSIG``."""

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long


def machine() -> str:
    """Return the machine's architecture as the kernel names it."""
    return os.uname().machine


def call(name: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """Make a system call.

    Args:
        name: A key of :data:`NUMBERS`.
        arguments: Integers, and bytes or buffers, which are passed by address.

    Raises:
        OSError: The kernel refused, or this architecture is not in the table.
    """
    numbers = NUMBERS.get(machine(), {})
    if name not in numbers:
        raise OSError(38, f"{name}: no number known on {machine()}")
    passed = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    result = int(_LIBC.syscall(ctypes.c_long(numbers[name]), *passed))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")
    return result


def take_no_new_privileges() -> None:
    """Let no later program gain privileges; what Landlock and seccomp ask of a process without any."""
    call("prctl", NO_NEW_PRIVILEGES, 1, 0, 0, 0)


def drop_capabilities() -> None:
    """Give up every capability (``capset``, version 3 of its header)."""
    header = (0x20080522).to_bytes(4, "little") + bytes(4)
    call("capset", header, bytes(24))
