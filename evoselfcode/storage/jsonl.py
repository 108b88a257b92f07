"""Append-only files of lines that survive a kill: each line carries a checksum, a torn tail is cut off.

This file decides how a line is framed, appended, synced, read and repaired. It refuses to know what a line says.
A line is ``{"crc32":N,"entry":{…}}`` and a newline: plain JSON for every reader, and a bit that flipped or a write
that was cut is noticed (``crc32`` is over the bytes of ``entry``). Files that others are meant to read and write
by the line can leave the envelope out (:func:`plain`); their torn tails are cut off all the same.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from evoselfcode.storage import disk
from evoselfcode.storage.files import storage_errors

T = TypeVar("T")


class Line(msgspec.Struct, frozen=True):
    """The envelope of one line; what stands in it is an entry, or says something of the file."""

    crc32: int
    entry: msgspec.Raw = msgspec.Raw()
    segment: msgspec.Raw = msgspec.Raw()


_decoder = msgspec.json.Decoder(Line)


def frame(document: bytes, label: bytes = b"entry") -> bytes:
    """Put a JSON document into its envelope; the result ends with a newline."""
    return b'{"crc32":%d,"%b":%b}\n' % (zlib.crc32(document), label, document)


def plain(entry: bytes) -> bytes:
    """Write a JSON document on a line of its own, without an envelope."""
    return entry + b"\n"


def unframe(line: bytes, label: bytes = b"entry") -> bytes | None:
    """Take the document out of a line, or return ``None`` if the line is damaged."""
    begin = line.find(b",", 9, 21) + 4 + len(label)
    document = line[begin:-2]
    if b'{"crc32":%d,"%b":' % (zlib.crc32(document), label) == line[:begin] and line[-2:] == b"}\n":
        return document  # it is as this file writes it: no parser is needed
    try:
        envelope = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    document = bytes(envelope.entry if label == b"entry" else envelope.segment)
    return document if document and zlib.crc32(document) == envelope.crc32 else None


class Damage(msgspec.Struct, frozen=True):
    """A line that could not be read; the lines around it are unharmed.

    Attributes:
        offset: Where it begins, in bytes.
        size: How long it is, in bytes.
        why: What is wrong with it, where that is known.
        file: The name of the file that it is in, where several are read.
    """

    offset: int
    size: int
    why: str = ""
    file: str = ""


def read(path: Path) -> Iterator[bytes | Damage]:
    """Yield the documents of a file in order; a damaged line yields a :class:`Damage`.

    Lines end at ``\\n`` bytes and nowhere else: U+2028 and its like are text. A last line without newline is
    torn, whatever it holds: its writer never acknowledged it.

    Raises:
        StorageError: The file cannot be read.
    """
    return read_as(path, lambda entry: entry)


def read_as(
    path: Path, decode: Callable[[bytes], T | None], *, unframe: Callable[[bytes], bytes | None] = unframe
) -> Iterator[T | Damage]:
    """Do as :func:`read`, and make of each document what `decode` makes of it; ``None`` is a damage too.

    Args:
        path: The file.
        decode: Told a document.
        unframe: Takes the document out of a line; ``bytes.strip`` does where the lines are :func:`plain`.

    Raises:
        StorageError: The file cannot be read.
    """
    offset = 0
    with storage_errors(path, "read"), path.open("rb") as file:
        for line in file:
            entry = unframe(line) if line.endswith(b"\n") else None
            found = None if entry is None else decode(entry)
            yield Damage(offset, len(line)) if found is None else found
            offset += len(line)


class Appender:
    """Appends framed lines to one file; :meth:`commit` makes them durable.

    Opening repairs a torn tail: a process that was killed may have left half a line, and a plain append would glue
    the next line to it. The bytes cut off are kept beside the file, in ``<name>.torn``.

    Args:
        path: The file; created if it is not there.
        frame: Makes a line of a document: this function, or :func:`plain`.

    Raises:
        StorageError: It cannot be opened, repaired or synced.
    """

    def __init__(self, path: Path, *, frame: Callable[[bytes], bytes] = frame) -> None:
        self._path = path
        self._frame = frame
        self._pending: list[bytes] = []
        with storage_errors(path, "open"):
            self._descriptor = disk.open_to_append(path)
            try:
                repair(path, self._descriptor)
                disk.sync_folder(path.parent)
            except BaseException:
                disk.close(self._descriptor)
                raise

    def append(self, entry: bytes) -> None:
        """Take one JSON document; nothing is durable before :meth:`commit`. Never blocks."""
        self._pending.append(self._frame(entry))

    @property
    def pending(self) -> int:
        """Lines taken since the last commit."""
        return len(self._pending)

    def commit(self) -> None:
        """Write what was taken and sync it. Blocks for the disk: call it off the event loop.

        Raises:
            StorageError: Disk full, failed sync. The lines are *not* acknowledged, and this appender must not be
                used again: after a failed fsync the kernel may call the same pages clean (fsyncgate).
        """
        lines, self._pending = self._pending, []
        if not lines:
            return
        with storage_errors(self._path, "append to"):
            disk.write_all(self._descriptor, b"".join(lines))
            disk.sync(self._descriptor)

    def close(self) -> None:
        """Close the file; what was not committed is dropped."""
        with storage_errors(self._path, "close"):
            disk.close(self._descriptor)


def repair(path: Path, descriptor: int) -> int:
    """Cut half a line off the end of the file that `descriptor` has open; return how long it is then.

    The bytes cut off are kept beside the file, in ``<name>.torn``.

    Raises:
        OSError: It cannot be read, cut or synced.
    """
    size = os.fstat(descriptor).st_size
    good = _end_of_last_line(descriptor, size)
    if good < size:
        torn = os.pread(descriptor, size - good, good)
        beside = disk.open_to_append(path.with_name(path.name + ".torn"))
        try:
            disk.write_all(beside, torn + b"\n")
        finally:
            disk.close(beside)
        disk.cut(descriptor, good)
        disk.sync(descriptor)
    return good


def _end_of_last_line(descriptor: int, size: int, step: int = 65_536) -> int:
    """Find the offset behind the last newline, reading backwards."""
    end = size
    while end > 0:
        begin = max(0, end - step)
        found = os.pread(descriptor, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0
