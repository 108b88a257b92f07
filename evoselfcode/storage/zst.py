"""Compressed files of lines, ``.jsonl.zst``, in which damage is noticed and costs no more than the part it is in.

This file decides how lines are put into frames, where a file ends, and what is read past a bad place. It refuses to
know what a line says.

A file is a row of independent zstd frames (RFC 8878), each of some lines that are whole, with a checksum of them, and
at the end a *mark*: a skippable frame that says how many lines and frames there were. Every zstd reader passes over
it; without it, a file that was cut between two frames would look like a shorter one. The frames of this file write
their size in eight bytes, where other writers take as few as will do: so a reader knows which files must have a mark,
and takes those of ``zstd`` without one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from evoselfcode.errors import StorageError, UsageError
from evoselfcode.storage.files import storage_errors
from evoselfcode.storage.jsonl import Damage

FRAME_BYTES = 256 * 1024
"""Bytes of lines in a frame: what a bad bit costs. One frame for all of a file takes 5 % less space."""

LEVEL = 3
"""What ``zstd`` does if it is not told otherwise."""

LARGEST = 1 << 30
"""Bytes that one frame may hold, and a reader has to: no line is longer, and a flipped bit cannot ask for more."""

MAGIC = b"\x28\xb5\x2f\xfd"
_MARK = b"\x5e\x2a\x4d\x18"
_SKIPPED = frozenset(bytes([low]) + _MARK[1:] for low in range(0x50, 0x60))
_EIGHT_BYTES, _SINGLE, _CHECKED = 0xC0, 0x20, 0x04
"""Bits of a frame header's descriptor: a size of eight bytes; no byte that says how large a window is; a checksum."""

_BLOCK = 128 * 1024
"""Most bytes that a block of a frame can become."""

_STEP = 1 << 20


def _zstandard() -> Any:
    try:
        import zstandard
    except ImportError as error:
        raise UsageError("files that end in .zst need zstandard", hint='pip install "evoselfcode[export]"') from error
    return zstandard


class Framer:
    """Makes frames of lines; writes nothing.

    Args:
        level: How hard zstd tries, 1 to 19.
        frame_bytes: Bytes of lines after which a frame is made; a longer line makes a frame of its own.

    Raises:
        UsageError: zstandard is not installed.
    """

    def __init__(self, *, level: int = LEVEL, frame_bytes: int = FRAME_BYTES) -> None:
        self._compress = _zstandard().ZstdCompressor(level=level, write_checksum=True).compress
        self._frame_bytes = frame_bytes
        self._lines: list[bytes] = []
        self._size = 0
        self._count, self._frames = 0, 0

    @property
    def pending(self) -> int:
        """Bytes of lines that wait for a frame."""
        return self._size

    def add(self, line: bytes) -> bytes:
        """Take a line, its newline included; return a frame if one is full, else nothing.

        Raises:
            ValueError: It is no line, or several.
        """
        if not line or line.find(b"\n") != len(line) - 1:
            raise ValueError("a line ends with its only newline")
        done = self._frame() if self._lines and self._size + len(line) > self._frame_bytes else b""
        self._lines.append(line)
        self._size += len(line)
        return done

    def end(self) -> bytes:
        """Return what is left, and the mark; what is added later begins a file that can be put behind this one."""
        last = self._frame() if self._lines or not self._frames else b""
        ended = last + _mark(self._count, self._frames)
        self._count = self._frames = 0
        return ended

    def _frame(self) -> bytes:
        lines = b"".join(self._lines)
        frame: bytes = self._compress(lines)
        single = frame[4] & _SINGLE
        window = b"" if single else frame[5:6]
        sized = 5 + len(window) + (bool(single), 2, 4, 8)[frame[4] >> 6]
        header = MAGIC + bytes([frame[4] | _EIGHT_BYTES]) + window + len(lines).to_bytes(8, "little")
        self._count += len(self._lines)
        self._frames += 1
        self._lines, self._size = [], 0
        return header + frame[sized:]


def _mark(lines: int, frames: int) -> bytes:
    said = b'{"lines":%d,"frames":%d}' % (lines, frames)
    return _MARK + len(said).to_bytes(4, "little") + said


def _is_mark(part: bytes) -> bool:
    return part[:4] == _MARK and part[8:].startswith(b'{"lines":')


def compressed(lines: Iterable[bytes], *, level: int = LEVEL, frame_bytes: int = FRAME_BYTES) -> Iterator[bytes]:
    """Yield the bytes of a file of `lines`, which end with their newlines; for :func:`.atomic_write`.

    Raises:
        UsageError: zstandard is not installed.
    """
    framer = Framer(level=level, frame_bytes=frame_bytes)
    for line in lines:
        if done := framer.add(line):
            yield done
    yield framer.end()


def read_lines(path: Path, *, strict: bool = False) -> Iterator[bytes | Damage]:
    """Yield the lines of a file in order; what cannot be read yields a :class:`Damage`, and reading goes on behind it.

    A missing end is a damage of no bytes. What is yielded was checked: no line of a frame comes before all of it is
    good. Lines of other programs' files that cross frames are not read.

    Args:
        path: The file.
        strict: Whether to raise at the first damage.

    Raises:
        StorageError: The file cannot be read, or is damaged and `strict`.
        UsageError: zstandard is not installed.
    """
    for found in _frames(path):
        if isinstance(found, Damage):
            if strict:
                raise StorageError(
                    f"{path} is damaged: {found.size} bytes at {found.offset} cannot be read"
                    if found.size
                    else f"{path} is cut off at {found.offset}",
                    hint="write it again, or read it without the damaged part",
                )
            yield found
        else:
            yield from _lines(found)


def _lines(text: bytes) -> Iterator[bytes]:
    """Cut at ``\\n`` and nowhere else: U+2028 and its like are text."""
    *whole, last = text.split(b"\n")
    yield from (line + b"\n" for line in whole)
    if last:
        yield last


@dataclass(slots=True)
class _Seen:
    """What stands in a file since its last mark."""

    lines: int = 0
    frames: int = 0
    ours: bool = False
    damaged: bool = False


def _frames(path: Path) -> Iterator[bytes | Damage]:
    """Yield what is in the frames, a damage for each stretch between two good ones, and one for a missing end."""
    zstandard = _zstandard()
    with storage_errors(path, "read"), path.open("rb") as file:
        seen, bad, offset = _Seen(), -1, 0
        size = file.seek(0, 2)
        while offset < size or bad >= 0:
            found = _part(file, offset, zstandard, lost=bad >= 0) if offset < size else None
            if found is None and offset < size:
                bad = offset if bad < 0 else bad
                offset = _next_magic(file, offset + 1, size)
                continue
            if bad >= 0:
                yield Damage(bad, offset - bad)
                seen.damaged, bad = True, -1
            if found is None:
                break
            begun, offset = offset, found.end
            if found.mark is None:
                if found.content is not None:
                    seen.lines, seen.frames = seen.lines + found.content.count(b"\n"), seen.frames + 1
                    seen.ours |= found.ours
                    yield found.content
                continue
            if found.mark != _mark(seen.lines, seen.frames) and not seen.damaged:
                yield Damage(begun, 0)
            seen = _Seen()
        if (seen.ours and not seen.damaged) or not size:
            yield Damage(size, 0)


@dataclass(frozen=True, slots=True)
class _Part:
    """A frame that was read whole: its `content`, or the `mark` that it is, or neither of it is passed over."""

    end: int
    content: bytes | None = None
    mark: bytes | None = None
    ours: bool = False


def _part(file: IO[bytes], offset: int, zstandard: Any, *, lost: bool) -> _Part | None:
    """Read the frame at an offset; return ``None`` if it is none, or not whole.

    Whoever is `lost` in a damaged stretch takes only what can be checked: a skippable frame may be any bytes.
    """
    file.seek(offset)
    begin = file.read(8)
    if begin[:4] in _SKIPPED and len(begin) == 8:
        said = file.read(length) if (length := int.from_bytes(begin[4:], "little")) <= LARGEST else b""
        mark = begin + said if _is_mark(begin + said) else None
        return _Part(offset + 8 + length, mark=mark) if len(said) == length and (mark or not lost) else None
    if begin[:4] != MAGIC:
        return None
    try:
        file.seek(offset)
        frame = _whole(file, zstandard)
        if frame is None:
            return None
        decoder = zstandard.ZstdDecompressor(max_window_size=LARGEST).decompressobj()
        content = decoder.decompress(frame)
    except (zstandard.ZstdError, MemoryError):
        return None
    ours = frame[4] & ~_SINGLE == _EIGHT_BYTES | _CHECKED and len(content) < 1 << 32
    cut = content and not content.endswith(b"\n") and (ours or file.read(1))
    return _Part(offset + len(frame), content, ours=ours) if decoder.eof and not cut else None


def _whole(file: IO[bytes], zstandard: Any) -> bytes | None:
    """Read one frame by the sizes of its blocks; return ``None`` if they lead nowhere."""
    header = file.read(18)
    about = zstandard.get_frame_parameters(header)
    length = zstandard.frame_header_size(header)
    if LARGEST < about.content_size < zstandard.CONTENTSIZE_ERROR:
        return None
    parts = [header[:length]]
    blocks, last = 0, False
    file.seek(length - len(header), 1)
    while not last:
        block = file.read(3)
        if len(block) < 3:
            return None
        number = int.from_bytes(block, "little")
        last, kind, size = bool(number & 1), number >> 1 & 3, number >> 3
        size = 1 if kind == 1 else size
        blocks += 1
        body = file.read(size)
        if kind == 3 or size > _BLOCK or len(body) < size or blocks * _BLOCK > LARGEST:
            return None
        parts += [block, body]
    ending = file.read(4 if about.has_checksum else 0)
    return b"".join([*parts, ending]) if len(ending) == 4 * about.has_checksum else None


def _next_magic(file: IO[bytes], offset: int, size: int) -> int:
    """Return where the next frame may begin, or the end of the file."""
    file.seek(offset)
    kept = b""
    while block := file.read(_STEP):
        text = kept + block
        places = [text.find(magic) for magic in (MAGIC, _MARK)]
        found = min((place for place in places if place >= 0), default=-1)
        if found >= 0:
            return offset + found
        kept = text[-3:]
        offset += len(text) - len(kept)
    return size
