"""A root of one's own: new namespaces in which nothing is but what was bound, read-only, and a small folder in memory.

The order of calls is that of ``user_namespaces(7)``, ``mount_namespaces(7)`` and ``pivot_root(2)``.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable

from evoselfcode.datagen.sandbox.inside import kernel

MOUNTS, CGROUPS, HOSTNAME, IPC, USERS, PIDS, NETWORK = (
    0x00020000,
    0x02000000,
    0x04000000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
"""``CLONE_NEW*``, ``linux/sched.h``."""

_READ_ONLY, _NO_SUID, _NO_DEV, _NO_EXEC, _REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_DETACH = 2
_KEPT_FLAGS = 1 | 2 | 4 | 8 | 1024 | 2048 | 4096
"""Flags of a mount that somebody without privileges may not take off when mounting it anew."""


def unshare(own_users: bool, user: int) -> None:
    """Leave the host's namespaces: mounts, processes, network, IPC, host name, cgroups.

    Args:
        own_users: Take a namespace of users as well, which needs no privileges.
        user: The id to be seen as in it.

    Raises:
        OSError: The kernel, or whoever confined this container, refused.
    """
    uid, gid = os.getuid(), os.getgid()
    kinds = MOUNTS | PIDS | NETWORK | IPC | HOSTNAME | CGROUPS
    kernel.call("unshare", kinds | USERS if own_users else kinds)
    if own_users:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {uid} 1")
        _write("/proc/self/gid_map", f"{user} {gid} 1")


def enter(root: str, reads: Iterable[str], folder: str, mebibytes: int) -> None:
    """Make a new root, and leave the old one.

    Args:
        root: An empty folder; the new root is mounted on it.
        reads: What of the host is to be seen, at the same paths, read-only.
        folder: The one that may be written, in memory.
        mebibytes: Its size.

    Raises:
        OSError: A mount was refused.
    """
    _mount("none", "/", None, _RECURSIVE | _PRIVATE)
    _mount("tmpfs", root, "tmpfs", _NO_SUID | _NO_DEV, "size=1m,mode=755")
    for path in reads:
        _bind(path, root + path)
    os.mkdir(root + folder)  # noqa: PTH102 - pathlib is not loaded here
    _mount("tmpfs", root + folder, "tmpfs", _NO_SUID | _NO_DEV | _NO_EXEC, f"size={mebibytes}m,mode=1777")
    _mount("none", root, None, _REMOUNT | _BIND | _READ_ONLY | _NO_SUID | _NO_DEV)
    os.chdir(root)
    kernel.call("pivot_root", b".\0", b".\0")
    kernel.call("umount2", b".\0", _DETACH)
    os.chdir("/")


def become_init() -> None:
    """Go on as the first process of the new namespace of processes, whose end is everybody's; the caller waits for it.

    Returns in the new process only.
    """
    child = os.fork()
    if child:
        os.closerange(0, 256)  # the end of the pipes is the end of the child
        os.waitpid(child, 0)
        os._exit(0)
    kernel.call("prctl", kernel.PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)


def _bind(source: str, target: str) -> None:
    if os.path.isdir(source):  # noqa: PTH112
        os.makedirs(target, exist_ok=True)  # noqa: PTH103
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103,PTH120
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    _mount(source, target, None, _BIND | _RECURSIVE)
    kept = os.statvfs(target).f_flag & _KEPT_FLAGS
    device = 0 if source.startswith("/dev/") else _NO_DEV
    _mount("none", target, None, _REMOUNT | _BIND | _READ_ONLY | _NO_SUID | device | kept)


def _mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    named = kind.encode() + b"\0" if kind else None
    kernel.call("mount", source.encode() + b"\0", target.encode() + b"\0", named, flags, options.encode() + b"\0")


def _write(path: str, text: str) -> None:
    opened = os.open(path, os.O_WRONLY)
    try:
        os.write(opened, text.encode())
    finally:
        os.close(opened)
