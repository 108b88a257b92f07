"""The disk: every call that changes a file of results or locks one, one function each, called as ``disk.x(...)``.

This file decides nothing but how a call is made. It is the one place where a test puts another disk: one that is full,
that fails to sync, that loses power. It refuses to know what the bytes say, and retries nothing.

Locks are the kernel's (``flock``): they end with the process however that ends, and hold between containers and between
machines, where the number of a process says nothing. Of a file system without them, nobody is told that a file is left.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Errors of a disk without space for more, which somebody may free."""


def create(path: Path) -> int:
    """Create a file that was not there, and return a descriptor that appends to it.

    Raises:
        FileExistsError: It is there.
        OSError: It cannot be created.
    """
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)


def open_to_append(path: Path) -> int:
    """Open a file, created if it is not there, to read it and append to it.

    Raises:
        OSError: It cannot be opened.
    """
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)


def open_anew(path: Path) -> int:
    """Create a file that was not there, to write the whole of it; who may read it, the umask decides alone.

    Raises:
        FileExistsError: It is there.
        OSError: It cannot be created.
    """
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)


def append(descriptor: int, data: bytes | memoryview) -> int:
    """Write some of `data`, at least a byte of it, at the end of a file; return how many bytes.

    Raises:
        OSError: Nothing was written.
    """
    return os.write(descriptor, data)


def sync(descriptor: int) -> None:
    """Make what was written to a file durable (fdatasync).

    Raises:
        OSError: It may not be. It must not be asked again: the kernel may call the same pages clean (fsyncgate).
    """
    os.fdatasync(descriptor)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable; fsync of a file does not (fsync(2)).

    Raises:
        OSError: They may not be.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cut(descriptor: int, size: int) -> None:
    """Cut a file to `size` bytes.

    Raises:
        OSError: It is as it was.
    """
    os.ftruncate(descriptor, size)


def close(descriptor: int) -> None:
    """Close a file. On NFS this may be where an earlier write fails; it is not repeated (close(2)).

    Raises:
        OSError: What was written since the last sync may be lost.
    """
    os.close(descriptor)


def replace(path: Path, by: Path) -> None:
    """Let the file `by` take the place of `path`, at once.

    Raises:
        OSError: Both are as they were.
    """
    by.replace(path)


def remove(path: Path) -> None:
    """Remove a file; nothing happens if it is not there.

    Raises:
        OSError: It is still there.
    """
    path.unlink(missing_ok=True)


def write_all(descriptor: int, data: bytes) -> None:
    """Append all of `data`, in as many calls as the disk takes it in.

    Raises:
        OSError: Some of it may have been written.
    """
    rest = memoryview(data)
    while rest:
        rest = rest[append(descriptor, rest) :]


def lock(descriptor: int) -> bool:
    """Take a file or folder for whoever has this descriptor or a copy of it, and say whether nobody else has it.

    Raises:
        OSError: The file system has no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        return False
    return True


def hold(descriptor: int) -> int | None:
    """Hold what was just made, so that :func:`unheld` leaves it alone though its own descriptor is closed meanwhile.

    Returns:
        A copy of the descriptor, to be closed when all is done; ``None`` if it was taken for a dead process's before.

    Raises:
        OSError: Too many files are open.
    """
    copy, ours = os.dup(descriptor), True
    with suppress(OSError):  # no locks: nobody can find out that it is not held
        ours = lock(copy) and os.fstat(copy).st_nlink > 0
    if ours:
        return copy
    os.close(copy)
    return None


@contextmanager
def unheld(path: Path) -> Iterator[bool]:
    """Hold a file or folder meanwhile if nobody does, and yield whether that is so.

    It is not where that cannot be found out: it is gone, another user's, or on a file system without locks.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY if path.is_dir() else os.O_RDWR
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        yield False
        return
    free = False
    try:
        with suppress(OSError):
            free = lock(descriptor) and os.path.samestat(os.fstat(descriptor), path.stat())
        yield free
    finally:
        os.close(descriptor)
