"""One file of the journal while it is written: whole lines or nothing, and what was synced is never doubted.

This file decides what is left of a write that failed. It refuses to know when to write, and what to do then.
"""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from evoselfcode.storage import disk
from evoselfcode.storage.layout import Seal


class OpenSegment:
    """A new file that one process appends to. All calls block for the disk.

    Args:
        path: Where; another process's file is never opened.

    Attributes:
        rows: Entries that are durable.
        size: Bytes that are durable.
        usable: Whether it can be trusted with more: not after a failed sync, or half a line that stayed.

    Raises:
        FileExistsError: The name is taken.
        OSError: It cannot be created.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self.size = 0
        self.usable = True
        self._digest = sha256()
        self._descriptor = disk.create(path)
        self._inode = os.fstat(self._descriptor).st_ino

    def append(self, data: bytes, rows: int) -> None:
        """Append lines and make them durable.

        Raises:
            OSError: They are not; what was durable before is.
        """
        try:
            disk.write_all(self._descriptor, data)
        except OSError:
            self._cut_back()
            raise
        try:
            disk.sync(self._descriptor)
        except OSError:
            self.usable = False
            raise
        self.size += len(data)
        self.rows += rows
        self._digest.update(data)

    def _cut_back(self) -> None:
        """Take half a line off again, so that the next one is not glued to it."""
        try:
            disk.cut(self._descriptor, self.size)
        except OSError:
            self.usable = False

    @property
    def in_place(self) -> bool:
        """Whether the file is still where it was made: nobody has moved it away."""
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    def abandon(self) -> None:
        """Close a file that is not trusted any more, and take away what is not durable of it, as far as possible."""
        self.usable = False
        if self._descriptor >= 0:
            with suppress(OSError):
                disk.cut(self._descriptor, self.size)
            with suppress(OSError):
                self.close()

    def close(self) -> None:
        """Close it.

        Raises:
            OSError: What was written last may be lost.
        """
        descriptor, self._descriptor, self.usable = self._descriptor, -1, False
        disk.close(descriptor)

    def seal(self) -> Seal:
        """Return what it holds."""
        return Seal(self.rows, self.size, self._digest.hexdigest())
