"""What a report reads of ranked functions, of scores and ratings, and of what became of functions that were run.

This file decides which fields are read: all of them may be missing. It refuses to know what follows from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from evoselfcode.report.score_columns import MOST_ROWS, Sieve, number_of
from evoselfcode.report.score_comparison import FAILED, PASSED
from evoselfcode.report.score_metrics import FAMILIES
from evoselfcode.storage import Damage

ANY = "any"
"""What stands for the topic or the band of complexity of a stratum that is of several."""


class RowChoice(msgspec.Struct):
    """What led to choosing a function, as far as a report shows it.

    Attributes:
        chosen: Whether it is.
        why: Why, in one word.
        rank: Its place among all that are chosen, from 1.
        standing: Share of its stratum that its joined ranks are better than.
        topic: The topic of its stratum.
        band: The band of complexity of its stratum.
    """

    chosen: bool = False
    why: str = ""
    rank: int | None = None
    standing: float | None = None
    topic: str = ANY
    band: str = ANY

    @property
    def stratum(self) -> str:
        """What its stratum is called."""
        bands = [] if self.band == ANY else [f"complexity {self.band}"]
        return ", ".join([*([] if self.topic == ANY else [self.topic]), *bands]) or "any topic and complexity"


class RankedRow(msgspec.Struct):
    """A row of ``ranked.jsonl``."""

    func_name: str
    source: str
    id: str = ""
    code: str = ""
    quality: dict[str, Any] | None = None
    scores: dict[str, Any] | None = None
    rating: dict[str, Any] | None = None
    choice: RowChoice | None = None

    def values(self, families: Iterable[str] = tuple(FAMILIES)) -> dict[str, Any]:
        """Return its numbers by family and name."""
        return numbers({family: getattr(self, family) for family in families})


class ScoredRow(msgspec.Struct):
    """A row of ``scores.jsonl`` or ``ratings.jsonl``, or of ``replies.jsonl``: then `arm` says what was asked about."""

    id: str
    arm: str | None = None
    scores: dict[str, Any] | None = None
    rating: dict[str, Any] | None = None

    def values(self) -> dict[str, Any]:
        """Return its numbers by family and name; none of a second rating, or of a function with a bug."""
        if self.arm in ("retest", "mutant"):
            return {}
        return numbers({"scores": self.scores, "rating": self.rating})


def numbers(families: Mapping[str, Mapping[str, Any] | None]) -> dict[str, Any]:
    """Return the metrics of some families under ``family.name``."""
    return {f"{family}.{name}": value for family, values in families.items() for name, value in (values or {}).items()}


class Ran(msgspec.Struct):
    """A function that was run: which row it is, and whether it passed."""

    id: str
    func_name: str
    passed: bool


class Outcomes:
    """What became of each function that was run, by the id of its row, in bounded memory.

    Args:
        rows: The functions.
        most: How many are kept; of more, those of every second name are let go, as columns do.
    """

    def __init__(self, rows: Iterable[Ran | Damage], most: int = MOST_ROWS) -> None:
        sieve = Sieve()
        self.ran = {PASSED: 0, FAILED: 0}
        self._found: dict[str, tuple[str, str]] = {}
        for row in rows:
            if isinstance(row, Damage):  # told where draws are counted
                continue
            outcome = PASSED if row.passed else FAILED
            self.ran[outcome] += 1
            if sieve.passes(number_of(row.func_name)):
                self._found[row.id] = (outcome, row.func_name)
            while len(self._found) > most and sieve.one_in < 2**62:
                sieve.narrow()
                self._found = {
                    key: (outcome, name) for key, (outcome, name) in self._found.items()
                    if sieve.passes(number_of(name))
                }  # fmt: skip

    def of(self, row_id: str) -> tuple[str, str] | None:
        """Return whether the function of a row passed or failed, and its name; ``None`` if it is not known."""
        return self._found.get(row_id)
