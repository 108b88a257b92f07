"""The names to review, in a fixed order, with how often each was drawn.

This file decides which names there are and how they are searched. What is decided about them is
:mod:`evoselfcode.review.decisions`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from evoselfcode.datagen.filters import canonical
from evoselfcode.errors import StorageError, UsageError
from evoselfcode.storage import Damage, Entry, read_once, read_rows

SOURCES = ("selected.jsonl", "combined_raw.jsonl")
"""Where the names come from: the first of these files that is there."""


class Name(msgspec.Struct):
    """One name, in all its spellings.

    Attributes:
        position: Place in the catalog, from 0.
        func_name: The spelling that came first.
        spellings: The others.
        draws: Draws by arm, of any spelling.
        score: Score of the selection, if there is one.
        key: The canonical form.
    """

    position: int
    func_name: str
    spellings: list[str]
    draws: dict[str, int]
    score: float | None
    key: str


class _Row(msgspec.Struct):
    func_name: str
    source: str | None = None
    score: float | None = None
    arms: Any = None


class Catalog:
    """The names of a run.

    Args:
        names: In their order.
        source: Name of the file that they came from.
    """

    def __init__(self, names: list[Name], source: str) -> None:
        self.names = names
        self.source = source
        self.arms = sorted({arm for name in names for arm in name.draws})
        self._by_key = {name.key: name for name in names}
        self._texts = [" ".join([name.func_name, *name.spellings, name.key]).lower() for name in names]

    def find(self, func_name: str) -> Name | None:
        """Return the name that is counted as `func_name`."""
        return self._by_key.get(canonical(func_name))

    def matching(self, text: str, arm: str, keep: Callable[[Name], bool]) -> list[int]:
        """Return the positions of the names that hold `text`, were drawn by `arm` alone and are to be kept.

        Args:
            text: Part of any spelling, in any case; underscores may be left out.
            arm: An arm: names that no other arm found; ``both``: names that more than one found; empty: all.
            keep: Says whether a name is kept.
        """
        text = text.lower()
        return [
            name.position
            for name, texts in zip(self.names, self._texts, strict=True)
            if text in texts and (not arm or _of(name, arm)) and keep(name)
        ]


def source_of(folder: Path) -> Path:
    """Return the file that the names of the run in `folder` come from.

    Raises:
        UsageError: There is none.
    """
    path = next((folder / name for name in SOURCES if (folder / name).exists()), None)
    if path is None:
        raise UsageError(
            f"{folder} holds no names: it has neither {SOURCES[0]} nor {SOURCES[1]}",
            hint="name the folder of a run that has ended, such as data/generated/names",
        )
    return path


def read_catalog(folder: Path, decided: Iterable[str] = ()) -> Catalog:
    """Read the names of the run in `folder`.

    Args:
        folder: The run's folder.
        decided: Names to put at the end if they are not in the file, so that no decision is out of reach: a name that
            was rejected is not selected again.

    Raises:
        UsageError: There are no names.
        StorageError: A file cannot be read.
    """
    path = source_of(folder)
    names: dict[str, Name] = {}
    for row in _rows(path):
        name = _enter(names, row.func_name)
        name.score = row.score if name.score is None else name.score
        found = [row.source] if row.source else row.arms if isinstance(row.arms, list | dict) else []
        for arm in found:
            name.draws.setdefault(str(arm), 0)
    for func_name in decided:
        if canonical(func_name) not in names:
            _enter(names, func_name)
    for (key, arm), count in _draws(folder).items():
        if key in names:
            names[key].draws[arm] = count
    if not names:
        raise UsageError(f"{path} holds no names", hint="a run that keeps no name says why in its report")
    return Catalog(list(names.values()), path.name)


def _enter(names: dict[str, Name], func_name: str) -> Name:
    key = canonical(func_name)
    name = names.get(key)
    if name is None:
        name = names[key] = Name(len(names), func_name, [], {}, None, key)
    elif func_name != name.func_name and func_name not in name.spellings:
        name.spellings.append(func_name)
    return name


def _rows(path: Path) -> Iterator[_Row]:
    for number, row in enumerate(read_rows(path, _Row), 1):
        if isinstance(row, Damage):
            raise StorageError(
                f"{path} line {number} is no row with a func_name",
                hint="the command that wrote the file writes it again from the journal, without a request",
            )
        yield row


def _draws(folder: Path) -> Counter[tuple[str, str]]:
    """Count the draws of each name in each arm, the duplicates too."""
    counted: Counter[tuple[str, str]] = Counter()
    for entry in read_once(folder):
        if isinstance(entry, Entry):
            counted.update((canonical(draw.text), entry.arm) for draw in entry.draws if draw.accepted)
    return counted


def _of(name: Name, arm: str) -> bool:
    return len(name.draws) > 1 if arm == "both" else list(name.draws) == [arm]
