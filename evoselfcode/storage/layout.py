"""The journal's files: how they are named, which of them count, and how far.

Every process that writes a journal writes files of its own, ``journal/RUN-SHARD-ATTEMPT-NNN.jsonl``: on a shared file
system two that append to one would overwrite each other. The attempt is a *fencing token*, higher than any before it.
The first line of an attempt says what it saw of the files before it; what an older writer appends later, because it
was stopped and its lock went to another, does not count. A rewritten journal is a *generation* of its own, which takes
the place of the one before in one rename.

This file decides what counts. It refuses to know what a line says, and writes nothing but the two small lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from evoselfcode.errors import StorageError
from evoselfcode.storage import jsonl
from evoselfcode.storage.files import atomic_write, storage_errors

JOURNAL = "journal"
"""Name of the folder of the journal's files, in the folder of a run."""

GENERATION = "generation.json"

_NAME = re.compile(r"([0-9a-z]+)-([0-9]+of[0-9]+)-([0-9]{4,})-([0-9]{3,})\.jsonl", re.ASCII)
_SEALS = ".sealed.json"

T = TypeVar("T")


class Name(NamedTuple):
    """What the name of a segment says; names sort in the order of writing.

    Attributes:
        attempt: Which writer of this folder, from 1.
        part: Which of its files, from 1.
        shard: Which shard of how many, such as ``0of1``.
        run: The run.
    """

    attempt: int
    part: int
    shard: str
    run: str

    def __str__(self) -> str:
        return f"{self.run}-{self.shard}-{self.attempt:04}-{self.part:03}.jsonl"

    @property
    def seals(self) -> str:
        """Name of the list of the attempt's sealed files."""
        return f"{self.run}-{self.shard}-{self.attempt:04}{_SEALS}"


def name_of(file: str) -> Name | None:
    """Read the name of a segment; ``None`` if it is another file's."""
    found = _NAME.fullmatch(file)
    return Name(int(found[3]), int(found[4]), found[2], found[1]) if found else None


class Head(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The first line of a segment.

    Attributes:
        name: The segment's name.
        writer: Who writes it, for people: process and machine.
        generation: Which rewriting of the journal it belongs to; the first is 1.
        saw: In the first segment of an attempt: how many bytes of each earlier segment count.
    """

    name: str
    writer: str = ""
    generation: int = 1
    saw: dict[str, int] | None = None

    def line(self) -> bytes:
        """Return the line."""
        return jsonl.frame(msgspec.json.encode(self), b"segment")


class Seal(msgspec.Struct, frozen=True):
    """What a segment held when its writer was done with it.

    Attributes:
        rows: Its entries.
        bytes: Its length.
        sha256: The digest of all of it.
    """

    rows: int
    bytes: int
    sha256: str


class Seals(msgspec.Struct, frozen=True):
    """The sealed segments of one attempt, by name, and their generation."""

    generation: int
    sealed: dict[str, Seal]


class Generation(msgspec.Struct, frozen=True):
    """Which generation of the journal counts.

    Attributes:
        number: The generation.
        judged_by: Settings that its verdicts were made by, where they are others than those of the manifest.
    """

    number: int = 1
    judged_by: dict[str, Any] = {}


class Segment(NamedTuple):
    """One of the journal's files.

    Attributes:
        path: Where it is.
        name: What its name says.
        begin: Where its first entry begins, in bytes.
        size: How many bytes of it count.
        length: How long it is.
        generation: The generation that it belongs to; 0 where its head is damaged: it counts then, whichever does.
        sealed: Whether its writer was done with it, and it is whole.
    """

    path: Path
    name: Name
    begin: int
    size: int
    length: int
    generation: int
    sealed: bool


def journal_files(folder: Path) -> list[Segment]:
    """Return the files of the journal in the folder of a run, in the order of writing; none if there is no journal.

    Raises:
        StorageError: One cannot be read.
    """
    found = list(_segments(folder / JOURNAL))
    number = generation_of(folder, found).number
    return _fenced([one for one in found if one[0].generation in (0, number)])


def has_rows(folder: Path) -> bool:
    """Say whether the journal in the folder of a run holds any entry."""
    return any(segment.size > segment.begin for segment in journal_files(folder))


def missing(folder: Path, segments: list[Segment]) -> Iterator[jsonl.Damage]:
    """Yield a damage for each sealed segment that is not there, or is shorter than it was.

    One that was written on, or begun, after `segments` were looked at is there now.

    Raises:
        StorageError: Which generation counts cannot be read.
    """
    there = {segment.path.name: segment for segment in segments}
    number = generation_of(folder).number
    for path in sorted((folder / JOURNAL).glob(f"*{_SEALS}")):
        seals = read_seals(path)
        for file, seal in seals.sealed.items() if seals.generation == number else ():
            left = there[file].length if file in there else 0
            if left < seal.bytes and (left := _length(path.with_name(file))) < seal.bytes:
                why = f"{seal.bytes - left} of its {seal.bytes} bytes are gone; it held {seal.rows} rows"
                yield jsonl.Damage(left, seal.bytes - left, why, file)


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def generation_of(folder: Path, found: list[tuple[Segment, Head | None]] | None = None) -> Generation:
    """Return which generation of the journal counts.

    Where the file that says so is lost, it is the first that is there: it counted last, or what was to replace it has
    the same keys.

    Raises:
        StorageError: It cannot be read.
    """
    known = _read(folder / JOURNAL / GENERATION, Generation)
    if known is not None:
        return known
    found = list(_segments(folder / JOURNAL)) if found is None else found
    return Generation(min((segment.generation for segment, _ in found if segment.generation), default=1))


def every_segment(folder: Path) -> list[Segment]:
    """Return all segments that are there, those of other generations too, in the order of writing.

    Raises:
        StorageError: One cannot be read.
    """
    return [segment for segment, _ in _segments(folder / JOURNAL)]


def write_generation(folder: Path, generation: Generation) -> None:
    """Let another generation count, from one moment to the next.

    Raises:
        StorageError: It cannot be written; the one before counts.
    """
    atomic_write(folder / JOURNAL / GENERATION, [msgspec.json.format(msgspec.json.encode(generation)), b"\n"])


def read_seals(path: Path) -> Seals:
    """Read the list of an attempt's sealed segments; an empty one if there is none, or it is damaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Seals)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Seals(0, {})


def write_seals(path: Path, seals: Seals) -> None:
    """Write the list of an attempt's sealed segments.

    Raises:
        StorageError: It cannot be written; the one before stands.
    """
    atomic_write(path, [msgspec.json.format(msgspec.json.encode(seals)), b"\n"])


def _segments(journal: Path) -> Iterator[tuple[Segment, Head | None]]:
    """Yield all segments with their heads, in the order of writing."""
    if not journal.is_dir():
        return
    with storage_errors(journal, "read"):
        names = sorted(name for path in journal.iterdir() if (name := name_of(path.name)))
    seals = {name.seals: read_seals(journal / name.seals) for name in names}
    for name in names:
        path = journal / str(name)
        with storage_errors(path, "read"), path.open("rb") as file:
            first = file.readline()
            length = file.seek(0, 2)
        head = _head(first)
        own = seals[name.seals]
        known = head.generation if head else own.generation
        seal = own.sealed.get(str(name))
        sealed = seal is not None and seal.bytes == length
        yield Segment(path, name, len(first) if head else 0, length, length, known, sealed), head


def writer_of(path: Path) -> str:
    """Return who writes a segment, for people; nothing if it does not say."""
    try:
        with path.open("rb") as file:
            head = _head(file.readline())
    except OSError:
        return ""
    return head.writer if head else ""


def _head(line: bytes) -> Head | None:
    document = jsonl.unframe(line, b"segment") if line.endswith(b"\n") else None
    try:
        return None if document is None else msgspec.json.decode(document, type=Head)
    except msgspec.DecodeError:
        return None


def _fenced(found: list[tuple[Segment, Head | None]]) -> list[Segment]:
    """Cut from each segment what its writer appended after another had begun."""
    fences = [(segment.name, head.saw) for segment, head in found if head and head.saw is not None]
    counted = []
    for segment, _ in found:
        size, name = segment.size, segment.name
        for fence, saw in fences:
            if fence.attempt > name.attempt and (fence.run, fence.shard) == (name.run, name.shard):
                size = min(size, saw.get(str(name), 0))
        counted.append(segment._replace(size=size))
    return counted


def _read(path: Path, kind: type[T]) -> T | None:
    if not path.exists():
        return None
    with storage_errors(path, "read"):
        data = path.read_bytes()
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StorageError(
            f"{path} cannot be read: {error}", hint="put it back from a copy, or use --new-run to begin anew beside it"
        ) from error
