"""What going on with a run needs to know of the journal, in a hundredth of its bytes: a cache beside each segment.

A *recap* is a list of blocks. Each speaks for some 65,000 entries of the segment: which requests they settle, what they
add to each count, and the texts that were kept. It holds the checksum of exactly the bytes that it speaks for, and is
believed only where these are there. Without it the entries themselves are read, which comes to the same, so that it may
be lost, and is never looked at by those who read what a model said.

This file decides what is noted and when a block ends. It refuses to know who goes on, and how.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from evoselfcode.errors import StorageError
from evoselfcode.records import Usage
from evoselfcode.storage import disk
from evoselfcode.storage.blocks import Block, Group
from evoselfcode.storage.entries import Entry
from evoselfcode.storage.files import atomic_write, storage_errors
from evoselfcode.storage.keys import Written
from evoselfcode.storage.layout import Segment

BLOCK_ROWS = 65_536
BLOCK_BYTES = 64 << 20
"""Entries and bytes after which a block ends: what is read entry by entry after a kill."""

LEAST_ROWS = 1024
"""Entries of a segment that are read within milliseconds, so that a block of fewer is not worth a file."""

LONGEST = 255
"""Letters of a text that is noted. Longer ones are code, which nothing is compared with when a run goes on."""

SUFFIX = ".recap"

_HEX, _MOST = 32, 1 << 63
_PART = re.compile(r"[0-9-]+", re.ASCII)
_MAGIC = b"recap 2 %08x %08x\n"
_HEAD = len(_MAGIC % (0, 0))


_decoder = msgspec.msgpack.Decoder(Block)


class _Sums:
    """What the entries of one group come to, so far."""

    __slots__ = (
        "answered", "completion_tokens", "dropped", "failed", "kept", "noted", "prompt_tokens", "reasons", "texts"
    )  # fmt: skip

    def __init__(self) -> None:
        self.answered, self.failed = Written(), Written()
        self.prompt_tokens = self.completion_tokens = 0
        self.dropped: list[str] = []
        self.reasons: Counter[str] = Counter()
        self.texts: list[str] = []
        self.kept = 0
        self.noted: list[msgspec.Raw] | None = []

    def pack(self) -> None:
        """Keep what was added in little space.

        Raises:
            ValueError: A key is not as keys are written.
        """
        self.reasons.update(self.dropped)
        self.dropped.clear()
        self.kept += len(self.texts)
        if max(map(len, self.texts), default=0) > LONGEST:
            self.noted = None
        elif self.noted is not None and self.texts:
            self.noted.append(msgspec.Raw(msgspec.msgpack.encode(self.texts)))
        self.texts.clear()
        self.answered.pack()
        self.failed.pack()


class Recorder:
    """Sums entries up, in the order of writing.

    Args:
        begin: Where the first one begins, in bytes.

    Attributes:
        begin: The same.
        rows: Entries so far.
    """

    def __init__(self, begin: int) -> None:
        self.begin = begin
        self.rows = 0
        self._sums: defaultdict[tuple[str, str, str], _Sums] = defaultdict(_Sums)
        self._odd = False

    def add(self, entries: list[Entry]) -> None:
        """Add entries."""
        self.rows += len(entries)
        known = self._sums
        for entry in entries:
            key = entry.key
            sums = known[entry.stage, entry.arm, "" if len(key) == _HEX else self._part(key)]
            if entry.failure is not None:
                sums.failed.add(key[:_HEX])
                self._odd |= bool(entry.draws) or entry.usage != _NOTHING
                continue
            sums.answered.add(key[:_HEX])
            usage = entry.usage
            sums.prompt_tokens += usage.prompt_tokens or 0
            sums.completion_tokens += usage.completion_tokens or 0
            for draw in entry.draws:
                reason = draw.reason
                if reason is None:
                    sums.texts.append(draw.text)
                else:
                    sums.dropped.append(reason)
        try:
            for sums in known.values():
                sums.pack()
        except ValueError:
            self._odd = True

    def _part(self, key: str) -> str:
        digest, dot, part = key.partition(".")
        self._odd |= len(digest) != _HEX or not dot or not _PART.fullmatch(part)
        return part

    def due(self, end: int) -> bool:
        """Say whether the block should end at `end`."""
        return self.rows >= BLOCK_ROWS or end - self.begin >= BLOCK_BYTES

    def block(self, end: int, crc32: int) -> Block:
        """Return what was added as a block that ends at `end`, of bytes with the checksum `crc32`."""
        digests = [(sums.answered.split(), sums.failed.split()) for sums in self._sums.values()]
        different: defaultdict[str, set[bytes]] = defaultdict(set)
        for (_, _, part), both in zip(self._sums, digests, strict=True):
            different[part].update(*both)
        odd = self._odd or sum(map(len, different.values())) < self.rows
        tokens = (count for it in self._sums.values() for count in (it.prompt_tokens, it.completion_tokens))
        odd |= any(not 0 <= count < _MOST for count in tokens)  # a server may claim more than MessagePack can write
        groups = None if odd else [
            _group(*name, sums, *both) for (name, sums), both in zip(self._sums.items(), digests, strict=True)
        ]  # fmt: skip
        return Block(self.begin, end, self.rows, crc32, groups)


_NOTHING = Usage()


def _group(stage: str, arm: str, part: str, sums: _Sums, answered: Iterable[bytes], failed: Iterable[bytes]) -> Group:
    return Group(
        stage=stage,
        arm=arm,
        part=part,
        answered=b"".join(sorted(answered)),
        failed=b"".join(sorted(failed)),
        draws=sums.kept + sums.reasons.total(),
        reasons=dict(sums.reasons),
        prompt_tokens=sums.prompt_tokens,
        completion_tokens=sums.completion_tokens,
        texts=sums.noted,
    )


class Recap:
    """The recap of a segment, while that is written.

    Args:
        segment: The segment's file.
        begin: Where its first entry begins, in bytes.
    """

    def __init__(self, segment: Path, begin: int) -> None:
        self._path = segment.with_suffix(SUFFIX)
        self._takes = True
        self._recorder = Recorder(begin)
        self._end, self._crc32 = begin, 0

    def add(self, entries: list[Entry], data: bytes) -> None:
        """Add entries that are durable, and the bytes that they were written as. Blocks for the disk, now and then."""
        self._recorder.add(entries)
        self._end += len(data)
        self._crc32 = zlib.crc32(data, self._crc32)
        if self._recorder.due(self._end):
            self.write()

    def write(self) -> None:
        """End the block and append it, if it is worth it; nothing follows one that the disk did not take."""
        if self._recorder.rows < LEAST_ROWS:
            return
        framed = _framed(self._recorder.block(self._end, self._crc32))
        self._recorder, self._crc32 = Recorder(self._end), 0
        if self._takes:
            try:
                descriptor = disk.open_to_append(self._path)
                try:
                    disk.write_all(descriptor, framed)
                finally:
                    disk.close(descriptor)
            except OSError:
                self._takes = False


def write_blocks(path: Path, blocks: Iterable[Block]) -> None:
    """Write a recap; it is a cache, and may stay unwritten."""
    with suppress(StorageError):
        atomic_write(path, map(_framed, blocks))


def _framed(block: Block) -> bytes:
    document = msgspec.msgpack.encode(block)
    return _MAGIC % (zlib.crc32(document), len(document)) + document


def known_blocks(segment: Segment) -> Iterator[Block]:
    """Yield the blocks of a segment's recap, as far as they speak for the bytes that are there and count.

    Raises:
        StorageError: The segment cannot be read.
    """
    blocks = _read_blocks(segment.path.with_suffix(SUFFIX))
    blocks.reverse()
    end = segment.begin
    with storage_errors(segment.path, "read"):
        while blocks and (block := blocks.pop()).begin == end and block.end <= segment.size:
            end = block.end
            if crc32_of(segment.path, block.begin, end) != block.crc32:
                break
            yield block


def crc32_of(path: Path, begin: int, end: int) -> int:
    """Return the checksum of the bytes of a file between two places.

    Raises:
        OSError: It cannot be read.
    """
    crc32, left = 0, end - begin
    with path.open("rb", buffering=0) as file:
        file.seek(begin)
        while left and (read := file.read(min(left, 1 << 18))):
            crc32 = zlib.crc32(read, crc32)
            left -= len(read)
    return crc32


def _read_blocks(path: Path) -> list[Block]:
    """Read a recap as far as it is whole; nothing if there is none, or another version wrote it."""
    found, at = list[Block](), 0
    with suppress(OSError, ValueError, msgspec.DecodeError, RecursionError):
        written = memoryview(path.read_bytes())
        while head := bytes(written[at : at + _HEAD]):
            document = written[at + _HEAD : (at := at + _HEAD + int(head[17:25], 16))]
            if head != _MAGIC % (zlib.crc32(document), len(document)):
                break
            found.append(_decoder.decode(document))
    return found
