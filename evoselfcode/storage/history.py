"""The journal, read: what was written, and of each request what counts.

This file decides that the last entry of a key counts, for every reader alike. A damaged line is passed over and told
by its file and place; its request will be asked again. It refuses to know what entries are read for.
"""

from __future__ import annotations

import zlib
from binascii import Error as NotHexadecimal
from binascii import unhexlify
from collections.abc import Iterator
from pathlib import Path

import msgspec

from evoselfcode.errors import StorageError
from evoselfcode.storage import jsonl
from evoselfcode.storage.blocks import Block
from evoselfcode.storage.entries import Entry
from evoselfcode.storage.files import storage_errors
from evoselfcode.storage.jsonl import Damage
from evoselfcode.storage.keys import compact
from evoselfcode.storage.layout import Segment, journal_files, missing
from evoselfcode.storage.recap import LEAST_ROWS, SUFFIX, Recorder, crc32_of, known_blocks, write_blocks

FENCED = "written by a process that another had taken the folder over from"

_STRETCH = 1024
"""Entries that are summed up in some milliseconds."""

_decoder = msgspec.json.Decoder(Entry)


class _Keyed(msgspec.Struct):
    key: str


_key_decoder = msgspec.json.Decoder(_Keyed)


def read_entries(folder: Path) -> Iterator[Entry | Damage]:
    """Yield all entries of the journal in the folder of a run, in the order of writing; none if there is no journal.

    A request that was asked again, because it had been given up, has several.

    Raises:
        StorageError: A file cannot be read, or holds an entry of another version: its row is paid for, and must not
            be asked again because it cannot be read.
    """
    segments = journal_files(folder)
    for segment in segments:
        for found in _lines(segment):
            yield found if isinstance(found, Damage) else _entry(segment, *found)
    yield from missing(folder, segments)


def read_once(folder: Path) -> Iterator[Entry | Damage]:
    """Do as :func:`read_entries`, and yield of each key the entry that counts: the last.

    The files are read twice. What is appended meanwhile is not read. Memory holds about 8 bytes for each key.
    """
    for entry, counts in with_verdict(folder):
        if counts:
            yield entry


def with_verdict(folder: Path) -> Iterator[tuple[Entry | Damage, bool]]:
    """Do as :func:`read_entries`, and say of each entry whether it counts; a damage does.

    Raises:
        StorageError: See there.
    """
    segments = journal_files(folder)
    last = _last_places(segments)
    for number, segment in enumerate(segments):
        for found in _lines(segment):
            if isinstance(found, Damage):
                yield found, True
            else:
                entry = _entry(segment, *found)
                place = last.get(compact(entry.key)) if isinstance(entry, Entry) and last else None
                yield entry, place is None or place == (number, found[0])
    for damage in missing(folder, segments):
        yield damage, True


def recapped(folder: Path) -> Iterator[Block | Damage | None]:
    """Do as :func:`read_entries`, and yield what the entries come to instead of them, in blocks of many.

    A block is taken from the recap beside its segment, where there is one; other entries are read, and noted in a recap
    for the next time. Which entry of a key counts is for the caller to say: a key may be in several blocks.
    ``None`` comes now and then between: some milliseconds have passed.

    Args:
        folder: The folder of a run, whose lock the caller holds.

    Raises:
        StorageError: See there.
    """
    segments = journal_files(folder)
    for segment in segments:
        blocks, end = [], segment.begin
        for block in known_blocks(segment):
            blocks.append(block)
            end = block.end
            yield block
        known = len(blocks)
        for found in _summed_up(segment, end):
            if isinstance(found, Block) and found.begin == end and found.rows >= LEAST_ROWS:
                blocks.append(found)
                end = found.end
            yield found
        if len(blocks) > known:
            write_blocks(segment.path.with_suffix(SUFFIX), blocks)
    yield from missing(folder, segments)


def _summed_up(segment: Segment, begin: int) -> Iterator[Block | Damage | None]:
    """Read the entries from `begin` on, and yield what they come to; a block ends where a damage begins."""
    recorder: Recorder | None = None
    waiting: list[Entry] = []
    for found in _lines(segment, begin):
        offset = found.offset if isinstance(found, Damage) else found[0]
        entry = found if isinstance(found, Damage) else _entry(segment, *found)
        if recorder is not None and (len(waiting) >= _STRETCH or isinstance(entry, Damage)):
            recorder.add(waiting)
            waiting.clear()
            yield None
            if recorder.due(offset) or isinstance(entry, Damage):
                yield _block(segment, recorder, offset)
                recorder = None
        if isinstance(entry, Damage):
            yield entry
        else:
            recorder = recorder or Recorder(offset)
            waiting.append(entry)
    if recorder is not None:
        recorder.add(waiting)
        yield _block(segment, recorder, segment.size)


def _block(segment: Segment, recorder: Recorder, end: int) -> Block:
    with storage_errors(segment.path, "read"):
        return recorder.block(end, crc32_of(segment.path, recorder.begin, end))


def _last_places(segments: list[Segment]) -> dict[bytes, tuple[int, int]]:
    """Return the segment and offset of the last entry of each key that is there more than once.

    A key whose bit is set already may have been there: of those, few, the place is remembered. One that was not there
    after all does no harm, for its only place is its last.
    """
    bits = max(1 << 16, 1 << (sum(segment.size for segment in segments) // 256 * 64).bit_length())
    seen, mask = bytearray(bits >> 3), bits - 1
    last: dict[bytes, tuple[int, int]] = {}
    for number, segment in enumerate(segments):
        for offset, key in _keys(segment):
            bit = hash(key) & mask
            byte, bit = bit >> 3, 1 << (bit & 7)
            if seen[byte] & bit:
                last[key] = number, offset
            else:
                seen[byte] |= bit
    return last


def _lines(segment: Segment, begin: int | None = None) -> Iterator[tuple[int, bytes] | Damage]:
    """Yield where each line begins and what stands in it, from `begin` on; of all entries if left out."""
    name, end = segment.path.name, segment.size
    unframe = jsonl.unframe
    with storage_errors(segment.path, "read"), segment.path.open("rb") as file:
        offset = segment.begin if begin is None else begin
        file.seek(offset)
        for line in file:
            if offset >= end:
                break
            following = offset + len(line)
            if following > end:
                line = line[: end - offset]
            document = unframe(line) if line.endswith(b"\n") else None
            yield Damage(offset, len(line), file=name) if document is None else (offset, document)
            offset = following
    if segment.length > end:
        yield Damage(end, segment.length - end, FENCED, name)


def _keys(segment: Segment) -> Iterator[tuple[int, bytes]]:
    """Yield where each entry begins and its key; what is damaged is passed over.

    A line as this package writes it is checked and cut without a parser: a million are read in about a second.
    """
    offset, end = segment.begin, segment.size
    crc32 = zlib.crc32
    with storage_errors(segment.path, "read"), segment.path.open("rb", buffering=1 << 20) as file:
        file.seek(offset)
        for line in file:
            following = offset + len(line)
            if following > end:
                break
            comma = line.find(b",", 9, 21)
            document = line[comma + 9 : -2]
            whole = b'{"crc32":%d,"entry":' % crc32(document) == line[: comma + 9] and line[-2:] == b"}\n"
            if whole and document[:8] == b'{"key":"' and document[40:41] == b'"':
                try:
                    key: bytes | None = unhexlify(document[8:40])
                except NotHexadecimal:
                    key = _parsed_key(line)
            else:
                key = _parsed_key(line)
            if key is not None:
                yield offset, key
            offset = following


def _parsed_key(line: bytes) -> bytes | None:
    document = jsonl.unframe(line) if line.endswith(b"\n") else None
    try:
        return None if document is None else compact(_key_decoder.decode(document).key)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _entry(segment: Segment, offset: int, document: bytes) -> Entry | Damage:
    try:
        return _decoder.decode(document)
    except msgspec.ValidationError as error:
        if _is_json(document):
            raise StorageError(
                f"{segment.path} has an entry at byte {offset} that this version cannot read: {error}",
                hint="go on with the version that wrote it, or use --new-run to begin anew beside it",
            ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    return Damage(offset, len(document), file=segment.path.name)


def _is_json(document: bytes) -> bool:
    try:
        msgspec.json.decode(document, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
