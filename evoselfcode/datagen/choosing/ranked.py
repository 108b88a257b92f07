"""The rows that say what was chosen and why: ``ranked.jsonl`` and ``chosen.jsonl``.

This file decides what a row looks like. It refuses to decide what is chosen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from evoselfcode.datagen.choosing.columns import COUNTS, Columns, digest
from evoselfcode.datagen.choosing.deciding import Decision
from evoselfcode.datagen.choosing.joining import Copies, Joined, Told
from evoselfcode.datagen.choosing.lines import Again, changed
from evoselfcode.datagen.choosing.quality import Quality
from evoselfcode.datagen.choosing.strata import Stratum
from evoselfcode.datagen.choosing.within import Standing
from evoselfcode.datagen.code.rows import CodeFileRow, row_id
from evoselfcode.stats.ranking import Floats, Fusion, Groups


class Ranked(msgspec.Struct, frozen=True):
    """Where a function stands in its stratum by one metric.

    Attributes:
        value: As it was measured.
        rank: From 1, the best; equal ones share their mean rank.
        percentile: Share of the stratum's known values that it is better than, 0 to 1, equal ones by half.
        weight: What the metric weighs.
    """

    value: float
    rank: float
    percentile: float
    weight: float


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Every number that led to a choice.

    Attributes:
        chosen: Whether it is.
        why: Why, in one word.
        rank: Its place among all that are chosen, from 1.
        place: Its place among the functions of its name, from 1.
        of: Functions of its name.
        group: Whether it is in the group that wins its name.
        copies: Draws of its name that are this same function, itself among them.
        draws: Draws of its name that nothing is against but that others are the same or nearly so.
        evidence: Which share of the draws its evidence is of: ``agreement`` or ``copies``.
        within: Its fused rank among the functions of its name that are in the winning group as it is, or are not.
        metrics_within: What that is made of; nothing where it is alone.
        topic: The topic of its stratum; ``any`` where several are joined.
        band: The band of complexity of its stratum; likewise.
        fused: Its fused rank in its stratum, the higher the better.
        standing: Share of its stratum that its fused rank is better than, 0 to 1.
        pareto: Whether it is on the short list.
        drawn: How often it was drawn from the tail.
        metrics: What that is made of; a metric that is not known of it is left out.
    """

    chosen: bool
    why: str
    rank: int | None
    place: int
    of: int
    group: bool
    copies: int | None
    draws: int | None
    evidence: str | None
    within: float
    metrics_within: dict[str, Ranked]
    topic: str
    band: str
    fused: float
    standing: float
    pareto: bool
    drawn: int | None
    metrics: dict[str, Ranked]


class RankedRow(CodeFileRow, frozen=True, kw_only=True):
    """A kept function, what it is worth, and what came of that.

    Attributes:
        id: What no other row is called.
        quality: Its static quality.
        scores: What datagen-score says of it.
        rating: What datagen-rate says of it.
        choice: What came of it.
    """

    id: str
    quality: Quality
    scores: dict[str, Any] | None
    rating: dict[str, Any] | None
    choice: Choice


class Known(NamedTuple):
    """All that rows are made of.

    Attributes:
        columns: The rows by column.
        copies: What the file of all draws says.
        standing: Which group wins each task.
        numbers: The metrics.
        weights: Of each metric.
        groups: The stratum of each row.
        strata: The strata.
        decision: What was decided.
    """

    columns: Columns
    copies: Copies | None
    standing: Standing
    numbers: Mapping[str, Floats]
    weights: Mapping[str, float]
    groups: Groups
    strata: list[Stratum]
    decision: Decision

    def order(self) -> npt.NDArray[np.int64]:
        """Return the rows: those that are chosen by their rank, then the others by their standing."""
        place, standing = self.decision.place, self.decision.standing
        first = np.where(place == 0, len(place) + 1, place)
        return np.lexsort((self.columns.ids, -standing, first))

    def choice(self, row: int) -> Choice:
        """Return every number that led to a choice."""
        decision, stratum = self.decision, self.strata[self.groups[row]]
        place, drawn = int(decision.place[row]), int(decision.drawn[row])
        decided = bool(self.standing.decided[row] and self.columns.flags["asserted"][row])
        known = not math.isnan(self.standing.evidence[row])
        copies = math.nan if self.copies is None else self.copies.copies[row]
        draws = math.nan if self.copies is None else self.copies.draws[row]
        return Choice(
            chosen=place > 0,
            why=decision.word(row),
            rank=place or None,
            place=int(decision.within.place[row]),
            of=int(decision.within.of[row]),
            group=bool(self.standing.member[row]),
            copies=None if math.isnan(copies) else int(copies),
            draws=None if math.isnan(draws) else int(draws),
            evidence=None if not known else "agreement" if decided else "copies",
            within=round(float(decision.within.fusion.fused[row]), 9),
            metrics_within=dict(self._metrics(row, decision.within.fusion)) if decision.within.of[row] > 1 else {},
            topic=stratum.topic,
            band=stratum.band,
            fused=round(float(decision.fusion.fused[row]), 9),
            standing=round(float(decision.standing[row]), 6),
            pareto=bool(decision.pareto[row]),
            drawn=None if drawn < 0 else drawn,
            metrics=dict(self._metrics(row, decision.fusion)),
        )

    def _metrics(self, row: int, fusion: Fusion) -> Iterator[tuple[str, Ranked]]:
        for name, column in fusion.ranks.items():
            rank, count = float(column[row]), int(fusion.counts[name][fusion.groups[row]])
            if not math.isnan(rank):
                percentile = round((count - rank + 0.5) / count, 6)
                yield name, Ranked(round(float(self.numbers[name][row]), 6), rank, percentile, self.weights[name])

    def quality(self, row: int) -> Quality:
        """Return the static quality of a row."""
        found = {name: _known(self.columns.numbers[name][row]) for name in Quality.__struct_fields__}
        whole = {name: None if (it := found[name]) is None else int(it) for name in COUNTS}
        return Quality(**(found | whole))  # type: ignore[arg-type]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


class Files(NamedTuple):
    """The files that rows are read from once more.

    Attributes:
        code: The kept functions.
        scores: The scores, and where the line of each row is.
        rating: The ratings, likewise.
    """

    code: Path
    scores: tuple[Path, Joined] | None
    rating: tuple[Path, Joined] | None


def ranked_rows(known: Known, files: Files, rows: npt.NDArray[np.int64]) -> Iterator[RankedRow]:
    """Yield rows as the files show them, one at a time.

    Raises:
        StorageError: A file cannot be read, or was changed meanwhile.
    """
    with ExitStack() as stack:
        code = stack.enter_context(Again(files.code, CodeFileRow))
        beside = [
            (stack.enter_context(Again(pair[0], Told)), pair[1].offsets) if pair else None
            for pair in (files.scores, files.rating)
        ]
        for row in map(int, rows):
            found = code.at(int(known.columns.offsets[row]))
            id_ = row_id(found)
            if digest(id_) != known.columns.ids[row]:
                raise changed(files.code)
            scores, rating = (
                pair[0].at(int(pair[1][row])) if pair is not None and pair[1][row] >= 0 else Told("") for pair in beside
            )
            yield RankedRow(
                **{name: getattr(found, name) for name in CodeFileRow.__struct_fields__},
                id=id_,
                quality=known.quality(row),
                scores=scores.scores,
                rating=rating.rating,
                choice=known.choice(row),
            )
