"""What other files say of the rows: scores, ratings, copies that were dropped as duplicates, topics of names.

This file decides which line is about which row. It refuses to rank.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from evoselfcode.datagen.choosing.columns import Columns, Flags, digest, number_of, task_digest
from evoselfcode.datagen.choosing.lines import Lines
from evoselfcode.datagen.choosing.metrics import METRICS, Source
from evoselfcode.datagen.filters import canonical
from evoselfcode.datagen.filters.duplicates import DUPLICATE_REASONS
from evoselfcode.stats.ranking import Floats
from evoselfcode.storage import Entry, read_once

AT_ONCE = 4096
"""Lines that are looked up together."""

T = TypeVar("T")


class Told(msgspec.Struct):
    """A line about a row: its scores, or its rating."""

    id: str
    scores: dict[str, Any] | None = None
    rating: dict[str, Any] | None = None


class Joined(NamedTuple):
    """What a file says of the rows.

    Attributes:
        offsets: Where the line of each row begins; -1 where there is none.
        numbers: Its metrics by name; not a number where one is not known.
        damaged: Lines that are none.
        strangers: Lines about rows that are not there.
    """

    offsets: npt.NDArray[np.int64]
    numbers: dict[str, Floats]
    damaged: int
    strangers: int


def join(columns: Columns, path: Path, source: Source) -> Joined:
    """Read scores or ratings and find the rows they are about.

    Of several lines about a row the same one counts, in whatever order they come.

    Raises:
        StorageError: The file cannot be read.
    """
    wanted = {name: metric.key for name, metric in METRICS.items() if metric.source == source}
    numbers = {name: np.full(len(columns), np.nan) for name in wanted}
    offsets = np.full(len(columns), -1, np.int64)
    taken = np.zeros(len(columns), np.uint64)
    lines, strangers = Lines(path, Told), 0
    for chunk in _chunks(lines):
        places = columns.places([digest(line.id) for _, line in chunk]).tolist()
        for place, (offset, line) in zip(places, chunk, strict=True):
            strangers += place < 0
            which = digest(msgspec.json.encode(line).decode())
            if place < 0 or (offsets[place] >= 0 and taken[place] >= which):
                continue
            offsets[place], taken[place] = offset, which
            told = getattr(line, source) or {}
            for name, key in wanted.items():
                numbers[name][place] = number_of(told.get(key))
    return Joined(offsets, numbers, lines.damaged, strangers)


def _chunks(lines: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(lines)
    while chunk := list(islice(iterator, AT_ONCE)):
        yield chunk


class _Alpha(msgspec.Struct):
    alpha: str


class _Drawn(msgspec.Struct):
    func_name: str
    description: str
    reasons: tuple[str, ...]
    hashes: _Alpha | None
    agreement: dict[str, Any] | None = None


class Copies(NamedTuple):
    """What the file of all draws says of the rows.

    Attributes:
        copies: Draws that are the same function as the row, itself among them; not a number where it is not there.
        draws: Draws for the row's task that nothing is against but that others are the same or nearly so.
        won: For each task, whether some of its draws agree: they may all have been dropped for others since.
    """

    copies: Floats
    draws: Floats
    won: Flags


def count_copies(columns: Columns, path: Path) -> Copies:
    """Count, for each row, its copies among all draws for its task.

    Raises:
        StorageError: The file cannot be read.
    """
    known, of = np.unique(columns.copy, return_inverse=True)
    copies, draws = np.zeros(len(known)), np.zeros(len(columns.task_digests))
    won = np.zeros(len(columns.task_digests), np.bool_)
    harmless = frozenset(DUPLICATE_REASONS)
    for chunk in _chunks(Lines(path, _Drawn)):
        fine = [draw for _, draw in chunk if draw.hashes and harmless.issuperset(draw.reasons)]
        tasks = columns.places([task_digest(draw.func_name, draw.description) for draw in fine], columns.task_digests)
        alphas = columns.places([digest(d.func_name, d.description, d.hashes.alpha) for d in fine if d.hashes], known)
        np.add.at(draws, tasks[tasks >= 0], 1)
        np.add.at(copies, alphas[alphas >= 0], 1)
        chosen = np.array([bool(draw.agreement and draw.agreement.get("chosen")) for draw in fine], np.bool_)
        won[tasks[(tasks >= 0) & chosen]] = True
    found = copies[of]
    return Copies(np.where(found == 0, np.nan, found), draws[columns.tasks], won)


def topics_of(columns: Columns, folder: Path) -> list[str | None]:
    """Return the topic of each of `columns.canonicals`: that which most of its draws were asked about.

    Args:
        columns: The rows.
        folder: The folder of a names run; one that is not there knows no topic.

    Raises:
        StorageError: It cannot be read.
    """
    found: Counter[tuple[int, str]] = Counter()
    for entry in read_once(folder):
        if isinstance(entry, Entry) and entry.topic is not None:
            keys = [digest(canonical(draw.text)) for draw in entry.draws if draw.accepted]
            for place in columns.places(keys, columns.canonicals).tolist():
                found[place, entry.topic] += 1
    topics: list[str | None] = [None] * len(columns.canonicals)
    for place, topic in sorted(found, key=lambda key: (found[key], key[1]), reverse=True):
        topics[place] = topic if place >= 0 and topics[place] is None else topics[place]
    return topics
