"""The folder of one stage's run: who may write in it, and how an old run makes way for a new one.

This file decides the names of the files and the lock. It refuses to know what they hold.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from evoselfcode.errors import RunMismatch
from evoselfcode.storage import disk
from evoselfcode.storage.files import make_folder, storage_errors, sweep
from evoselfcode.storage.layout import JOURNAL


def take_lock(path: Path, taken: str, *, hint: str) -> int:
    """Lock a file that is used for nothing else, and write this process's id into it.

    Args:
        path: The lock file; created if it is not there.
        taken: What to say if another process has the lock.
        hint: What to do then.

    Returns:
        A descriptor; the lock ends when it is closed, and with the process.

    Raises:
        StorageError: It cannot be created or locked.
        RunMismatch: Another process has the lock.
    """
    with storage_errors(path, "lock"):
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            if disk.lock(lock):
                os.ftruncate(lock, 0)
                os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
                return lock
            holder = os.pread(lock, 64, 0).decode(errors="replace").strip()
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)
    raise RunMismatch(f"{taken} (process {holder or 'unknown'})", hint=hint)


MANIFEST = "manifest.json"
"""Name of the file that says how a run was made; from it and the journal all others can be written again."""


class RunFolder:
    """A folder with a journal, a manifest, views, and one writer at a time.

    Enter it to take the lock; the lock ends with the process, however that ends. The lock file is never opened for
    anything else.

    Args:
        path: The folder; created if it is not there.

    Raises:
        StorageError: It cannot be created or locked.
        RunMismatch: Another process is writing in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = -1

    @property
    def manifest(self) -> Path:
        """The manifest: how the run is configured."""
        return self.path / MANIFEST

    def __enter__(self) -> Self:
        """Create the folder if needed, take the lock, and take away what killed processes had begun to write."""
        make_folder(self.path)
        self._lock = take_lock(
            self.path / ".lock",
            f"another run is writing in {self.path}",
            hint="wait for it, or set output.dir to another folder",
        )
        try:
            for folder in (self.path, self.path / JOURNAL):
                sweep(folder)
        except BaseException:
            os.close(self._lock)
            raise
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give the lock back."""
        os.close(self._lock)

    def set_aside(self) -> Path | None:
        """Move the files of the run that is there into a folder ``old-N`` beside them; return it, or ``None``.

        Raises:
            StorageError: A file cannot be moved.
        """
        journal = self.path / JOURNAL
        files = [path for path in self.path.iterdir() if path.is_file() and not path.name.startswith(".")]
        files += [journal] * journal.is_dir()
        # A kill half-way must not leave rows without the settings they were asked with.
        files.sort(key=lambda path: (path != journal, path == self.manifest))
        if not files:
            return None
        number = 1
        while (old := self.path / f"old-{number}").exists():
            number += 1
        make_folder(old)
        for path in files:
            with storage_errors(path, "set aside"):
                path.rename(old / path.name)
        return old
