"""What is kept in memory of the functions that are chosen among: some numbers of each, by column.

A million rows as objects would fill gigabytes; here a row is about 350 bytes, and is read again from its file when it
is written. Columns are sorted by the rows' ids, so that the order of the file reaches nothing. This file decides what
is kept of a row. It refuses to rank.
"""

from __future__ import annotations

import math
from array import array
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from evoselfcode.datagen.choosing.metrics import METRICS
from evoselfcode.datagen.choosing.quality import Quality
from evoselfcode.datagen.code.rows import CodeFileRow, row_id
from evoselfcode.datagen.filters import canonical
from evoselfcode.datagen.filters.hashes import raw_hash
from evoselfcode.errors import UsageError
from evoselfcode.stats.ranking import Floats, Groups

Digests = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

COUNTS = ("statements", "complexity", "cognitive")
"""Numbers of a row's quality that are no metrics."""


def digest(*parts: str | None) -> int:
    """Return 64 bits by which a text, or several, are known: no two of a million are alike but by chance of 1e-8."""
    text = "\0".join(part or "" for part in parts)
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def task_digest(func_name: str, description: str) -> int:
    """Return what a task is known by: functions of one name that are described alike are for the same task."""
    return digest(func_name, description)


def alpha_of(row: CodeFileRow) -> str:
    """Return what copies of a function have in common."""
    return row.hashes.alpha if row.hashes else raw_hash(row.code)


class Columns:
    """The rows by column: filled by :meth:`add` in any order, then sorted by :meth:`close`."""

    def __init__(self) -> None:
        self._whole: dict[str, array[int]] = {
            name: array("Q") for name in ("id", "offset", "task", "canonical", "copy", "length")
        }
        self._numbers: dict[str, array[float]] = {
            name: array("d") for name in ("logprob", "size_of", "of", *_gauged(), *COUNTS)
        }
        self._flags: dict[str, array[int]] = {name: array("b") for name in ("agreed", "asserted", "vacuous", "passed")}
        self.numbers: dict[str, Floats] = {}
        self.flags: dict[str, Flags] = {}

    def add(self, offset: int, row: CodeFileRow, quality: Quality) -> None:
        """Take a row, and where its line begins."""
        told = row.agreement or {}
        length = len(row.code.encode("utf-8", "surrogatepass"))
        whole = {
            "id": digest(row_id(row)),
            "offset": offset,
            "task": task_digest(row.func_name, row.description),
            "canonical": digest(canonical(row.func_name)),
            "copy": digest(row.func_name, row.description, alpha_of(row)),
            "length": len(row.code),
        }
        for name, value in whole.items():
            self._whole[name].append(value)
        known = {
            "logprob": None if row.logprob is None else row.logprob / max(1, length),
            "size_of": told.get("size"),
            "of": told.get("of"),
            **{name: getattr(quality, name) for name in (*_gauged(), *COUNTS)},
        }
        for name, number in known.items():
            self._numbers[name].append(number_of(number))
        flags = (told.get("chosen"), bool(told), told.get("vacuous"), _ran_well(row))
        for column, flag in zip(self._flags.values(), flags, strict=True):
            column.append(bool(flag))

    def close(self) -> None:
        """Sort the rows by their ids.

        Raises:
            UsageError: A row is there twice.
        """
        ids = np.frombuffer(self._whole["id"], np.uint64)
        order = np.argsort(ids)
        ids = ids[order]
        if (ids[1:] == ids[:-1]).any():
            raise UsageError(
                "a function is there twice", hint="filter-code joins several runs, each of their functions once"
            )
        self.ids: Digests = ids

        def column(name: str) -> Digests:  # one after the other: all twice would be much
            return np.frombuffer(self._whole.pop(name), np.uint64)[order]

        self.offsets = column("offset").astype(np.int64)
        self.lengths = column("length").astype(np.int64)
        self.copy: Digests = column("copy")
        self.canonicals, canonicals = np.unique(column("canonical"), return_inverse=True)
        self.canonical_of: Groups = canonicals.astype(np.int64)
        self.task_digests, tasks = np.unique(column("task"), return_inverse=True)
        self.tasks: Groups = tasks.astype(np.int64)
        self.numbers = {name: np.frombuffer(self._numbers.pop(name))[order] for name in [*self._numbers]}
        self.flags = {name: np.frombuffer(self._flags.pop(name), np.bool_)[order] for name in [*self._flags]}
        self._whole.clear()

    def __len__(self) -> int:
        return len(self.ids)

    def places(self, digests: list[int], of: Digests | None = None) -> npt.NDArray[np.int64]:
        """Return which rows have these ids, -1 for those that none has.

        Args:
            digests: What is looked for.
            of: What is looked among, sorted; the rows' ids if left out.
        """
        known = self.ids if of is None else of
        wanted = np.array(digests, np.uint64)
        at = np.searchsorted(known, wanted)
        found = (at < len(known)) & (known[np.minimum(at, max(0, len(known) - 1))] == wanted) if len(known) else at < 0
        return np.where(found, at, -1).astype(np.int64)


def _gauged() -> tuple[str, ...]:
    return tuple(name for name, metric in METRICS.items() if metric.source == "quality")


def number_of(value: object) -> float:
    """Return a finite number as it is, and not-a-number for whatever else a file may hold."""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300:
        return float(value)
    return math.nan


def _ran_well(row: CodeFileRow) -> bool:
    """Say whether it was called, or has an example, and did what it should."""
    told = row.execution or {}
    return told.get("status") == "pass" and bool(told.get("calls") or told.get("examples") == "pass")
