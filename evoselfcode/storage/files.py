"""Whole files that appear at once or not at all, and errors of the disk in words.

This file decides how a file replaces another. It refuses to know what is in it.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from evoselfcode.errors import DiskFull, StorageError
from evoselfcode.storage import disk


@contextmanager
def storage_errors(path: Path, doing: str) -> Iterator[None]:
    """Turn an ``OSError`` into a :class:`StorageError` that names the path, the act and a way out.

    Raises:
        DiskFull: There is no space; more may be freed.
        StorageError: Any other.
    """
    try:
        yield
    except OSError as error:
        kind = DiskFull if error.errno in disk.FULL else StorageError
        hint = _HINTS.get(error.errno or 0)
        raise kind(f"cannot {doing} {path}: {error.strerror or error}", hint=hint) from error


_HINTS = {
    errno.ENOSPC: "the disk is full; free some space and run the same command again, nothing acknowledged is lost",
    errno.EDQUOT: "the disk quota is used up; free some space and run the same command again",
    errno.EFBIG: "a limit on file sizes was reached (ulimit -f)",
    errno.EACCES: "the folder is not writable; set output.dir to one that is",
    errno.EROFS: "the file system is read-only; set output.dir to one that is not",
    errno.ENOTDIR: "a part of the path is a file; set output.dir to a folder",
    errno.EEXIST: "a part of the path is a file; set output.dir to a folder",
}


def make_folder(path: Path) -> None:
    """Create the folder `path` and its parents, and make their names durable.

    Raises:
        StorageError: It cannot be created.
    """
    with storage_errors(path, "create the folder"):
        new = [folder for folder in (path, *path.parents) if not folder.exists()]
        path.mkdir(parents=True, exist_ok=True)
        for folder in reversed(new):
            disk.sync_folder(folder.parent)


def atomic_write(path: Path, lines: Iterable[bytes]) -> None:
    """Write `lines` to `path`, so that a reader sees the old file or the whole new one.

    The bytes go to a file beside it, are synced, renamed over it, and the folder is synced: without the last step
    the *name* may be lost in a power failure (fsync(2)).

    Raises:
        StorageError: Disk full, not writable, failed sync; the old file is untouched.
    """
    with storage_errors(path, "write"):
        partial, descriptor, holder = _beside(path)
        try:
            try:
                for block in _blocks(lines):
                    disk.write_all(descriptor, block)
                disk.sync(descriptor)
            finally:
                disk.close(descriptor)
            disk.replace(path, partial)
        except BaseException:
            disk.remove(partial)
            raise
        finally:
            os.close(holder)
        disk.sync_folder(path.parent)


_PARTIAL = re.compile(r"\..+\.\d+\.\d+\.partial", re.ASCII)


def _beside(path: Path) -> tuple[Path, int, int]:
    """Make a file that is to become `path`; return it, a descriptor of it, and one that holds it until it is closed."""
    number = 0
    while True:
        partial = path.with_name(f".{path.name}.{os.getpid()}.{number}.partial")
        number += 1
        try:
            descriptor = disk.open_anew(partial)
        except FileExistsError:  # of a process with our number that was killed, or is in another container
            continue
        holder = disk.hold(descriptor)
        if holder is not None:
            return partial, descriptor, holder
        disk.close(descriptor)


def sweep(folder: Path) -> None:
    """Take away the beginnings of files that :func:`atomic_write` left in `folder` when its process was killed.

    What a process still writes stays, whichever machine it runs on. What cannot be taken away stays too, and harms
    nobody.
    """
    with suppress(OSError):
        for path in [path for path in folder.iterdir() if _PARTIAL.fullmatch(path.name) and not path.is_dir()]:
            with disk.unheld(path) as left:
                if left:
                    disk.remove(path)


def _blocks(lines: Iterable[bytes], size: int = 1 << 18) -> Iterator[bytes]:
    """Join lines to blocks of at least `size` bytes, but for the last."""
    waiting: list[bytes] = []
    length = 0
    for line in lines:
        waiting.append(line)
        length += len(line)
        if length >= size:
            yield b"".join(waiting)
            waiting, length = [], 0
    yield b"".join(waiting)


class PassingFile:
    """A file that is there for as long as it is used, for what does not fit into memory.

    Args:
        path: Where; what is there, such as what a kill left, is written over.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        """Begin anew.

        Raises:
            StorageError: The file cannot be made.
        """
        with storage_errors(self._path, "write"):
            self._file: IO[bytes] = self._path.open("w+b")
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Take the file away, also where what is left of it cannot be written."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._path.unlink()


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    Raises:
        StorageError: It cannot be read.
    """
    found = sha256()
    with storage_errors(path, "read"), path.open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()
