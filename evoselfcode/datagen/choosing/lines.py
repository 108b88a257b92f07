"""Lines of a file that are read twice: once for their numbers, and those that are written once more.

This file decides what of a file is passed over. It refuses to know what a line says.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Generic, Self, TypeVar

import msgspec

from evoselfcode.errors import StorageError
from evoselfcode.storage import storage_errors

T = TypeVar("T")


class Lines(Generic[T]):
    """Reads a file of JSON objects by the line, and counts what is none.

    Args:
        path: The file.
        kind: What a line is read as.
    """

    def __init__(self, path: Path, kind: type[T]) -> None:
        self._path = path
        self._decode = msgspec.json.Decoder(kind).decode
        self.damaged = 0

    def __iter__(self) -> Iterator[tuple[int, T]]:
        """Yield the lines that are such, each with where it begins; blank ones are passed over.

        Raises:
            StorageError: The file cannot be read.
        """
        offset = self.damaged = 0
        with storage_errors(self._path, "read"), self._path.open("rb") as file:
            for line in file:
                if line.strip():
                    try:
                        found = self._decode(line)
                    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                        self.damaged += 1
                    else:
                        yield offset, found
                offset += len(line)


class Again(Generic[T]):
    """Reads single lines of a file that was read before.

    Args:
        path: The file.
        kind: What a line is read as.
    """

    def __init__(self, path: Path, kind: type[T]) -> None:
        self._path = path
        self._decode = msgspec.json.Decoder(kind).decode

    def __enter__(self) -> Self:
        """Open the file.

        Raises:
            StorageError: It cannot be.
        """
        with storage_errors(self._path, "read"):
            self._file: IO[bytes] = self._path.open("rb")
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def at(self, offset: int) -> T:
        """Return the line that begins there.

        Raises:
            StorageError: It cannot be read, or the file was changed meanwhile.
        """
        with storage_errors(self._path, "read"):
            self._file.seek(offset)
            line = self._file.readline()
        try:
            return self._decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise changed(self._path) from error


def changed(path: Path) -> StorageError:
    """Return what is to be raised where a file is another than it was."""
    return StorageError(f"{path} was changed while it was read", hint="run the same command again")
