"""Decide which functions are chosen, from their numbers alone.

Within a task the group that agrees comes first; between tasks the functions of a stratum are ranked by each metric, and
the ranks are joined. This file decides the steps and why a function is chosen or not. It refuses to know where numbers
come from and what files look like. Why ranks and not sums: docs/explanation/choosing.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from evoselfcode.config import Choose
from evoselfcode.datagen.choosing.columns import Columns, Flags
from evoselfcode.datagen.choosing.metrics import METRICS, oriented
from evoselfcode.datagen.choosing.within import Standing, Within, draw_tails, order_within
from evoselfcode.errors import UsageError
from evoselfcode.stats.ranking import Floats, Fusion, Groups, fuse, pareto_within, percentiles, ranks_within

CHOICE_REASONS: dict[str, str] = {
    "agreement": "chosen: it passes the same asserts as the group that wins its name, and is the first of that group",
    "copies": "chosen: more draws of its name are this same function than any other",
    "rank": "chosen: nothing but its ranks sets it apart from the others of its name",
    "only": "chosen: its name has no other function",
    "tail": "chosen: it was drawn among the verified functions of its name, towards high perplexity",
    "outvoted": "not chosen: another group of its name agrees, or has more copies",
    "outranked": "not chosen: others of its group come first",
    "copy": "not chosen: another of its name is the same function but for names",
    "not_drawn": "not chosen: others of its name were drawn",
    "beyond_top": "not chosen: the first of its name, and better ones filled the number that was asked for",
}
"""Every word that says why a function is chosen or not."""

_CODES = {word: code for code, word in enumerate(CHOICE_REASONS)}
_WORDS = tuple(CHOICE_REASONS)


class Decision(NamedTuple):
    """What was decided, by column.

    Attributes:
        fusion: Ranks in the strata.
        standing: The share of the stratum that a row's fused rank is better than.
        within: Where each row stands within its task.
        drawn: How often a row was drawn from the tail; -1 where nothing was drawn.
        pareto: Whether it is on the short list.
        place: Its place among all that are chosen, from 1; 0 if it is not.
        why: Codes of why.
    """

    fusion: Fusion
    standing: Floats
    within: Within
    drawn: npt.NDArray[np.int64]
    pareto: Flags
    place: npt.NDArray[np.int64]
    why: npt.NDArray[np.int8]

    def word(self, row: int) -> str:
        """Say in one word why a row is chosen or not."""
        return _WORDS[int(self.why[row])]


def decide(
    columns: Columns, known: Standing, numbers: Mapping[str, Floats], groups: Groups, settings: Choose
) -> Decision:
    """Decide which functions are chosen.

    Args:
        columns: The rows.
        known: Which group wins each task.
        numbers: The metrics that may be used, as they were measured.
        groups: The stratum of each row.
        settings: What counts how much, and how many are taken.

    Raises:
        UsageError: The tail is to be drawn from, and no function is verified and has a perplexity.
    """
    weights = {name: getattr(settings.weights, name) for name in METRICS}
    values = {name: oriented(METRICS[name], numbers[name]) for name in METRICS if name in numbers}
    within = order_within(columns, known, values, weights)
    fusion = fuse({name: values[name] for name in values if METRICS[name].scope != "name"}, weights, groups)
    standing = percentiles(ranks_within(fusion.fused, groups), groups)
    drawn = _drawn(columns, known, numbers, settings)
    why, taken = _taken(columns, known, within, drawn, settings.per_name)
    spanned = [values[name] for name in settings.pareto if name in values]
    pareto = np.zeros(len(columns), np.bool_)
    if spanned:
        pareto[taken] = pareto_within(np.column_stack(spanned)[taken], groups[taken])
    place = _places(columns, taken, standing, known.evidence, settings)
    why[taken & (place == 0)] = _CODES["beyond_top"]
    return Decision(
        fusion=fusion,
        standing=standing,
        within=within,
        drawn=drawn,
        pareto=pareto,
        place=place,
        why=why,
    )


def _drawn(columns: Columns, known: Standing, numbers: Mapping[str, Floats], settings: Choose) -> npt.NDArray[np.int64]:
    tail = settings.tail
    if not tail.enabled:
        return np.full(len(columns), -1, np.int64)
    perplexity = numbers.get("perplexity", np.full(len(columns), np.nan))
    drawn = draw_tails(columns, known.verified, perplexity, k=tail.k, sharpness=tail.sharpness, seed=tail.seed)
    if not (drawn >= 0).any():
        raise UsageError(
            "choose.tail draws among verified functions with a perplexity, and there is none",
            hint="run filter-code with filters.execute: true, and datagen-score",
        )
    return drawn


def _taken(
    columns: Columns, known: Standing, within: Within, drawn: npt.NDArray[np.int64], per_name: int
) -> tuple[npt.NDArray[np.int8], Flags]:
    """Return why each row is taken or not for its task, and which are taken."""
    by_tail = _somewhere(drawn >= 0, columns.tasks)
    agreeing = _somewhere(known.member & known.decided & columns.flags["agreed"], columns.tasks)
    copy = _copies(columns, within, drawn)
    place = _places_without(columns, within, copy)
    # Who is not in a group that agrees does something else than those who are; fewer copies say much less.
    best = (place <= per_name) & (known.member | ~agreeing) & ~copy
    reasons = [
        (by_tail & (drawn > 0) & ~copy, "tail"),
        (~known.member & ~(best & ~by_tail), "outvoted"),
        (copy, "copy"),
        (by_tail, "not_drawn"),
        (~best, "outranked"),
        (within.of == 1, "only"),
        (agreeing, "agreement"),
        (within.grouped & known.member, "copies"),
    ]
    words = np.select([flag for flag, _ in reasons], [_CODES[word] for _, word in reasons], _CODES["rank"])
    return words.astype(np.int8), np.where(by_tail, (drawn > 0) & ~copy, best)


def _somewhere(flags: Flags, groups: Groups) -> Flags:
    """Say of each row whether the flag is set for any row of its group."""
    return np.bincount(groups, weights=flags)[groups] > 0


def _copies(columns: Columns, within: Within, drawn: npt.NDArray[np.int64]) -> Flags:
    """Say of each row whether a better one of its task, or one that was drawn, is the same function but for names."""
    order = np.lexsort((within.place, drawn <= 0, columns.copy))
    copy = np.zeros(len(columns), np.bool_)
    copy[order[1:]] = columns.copy[order][1:] == columns.copy[order][:-1]
    return copy


def _places_without(columns: Columns, within: Within, copy: Flags) -> npt.NDArray[np.int64]:
    """Return each row's place in its task, copies left out."""
    order = np.lexsort((within.place, columns.tasks))
    counted = np.cumsum(~copy[order])
    tasks = columns.tasks[order]
    first = np.append(True, tasks[1:] != tasks[:-1]) if len(tasks) else np.zeros(0, np.bool_)
    before = np.maximum.accumulate(np.where(first, counted - ~copy[order], 0)) if len(tasks) else counted
    place = np.zeros(len(columns), np.int64)
    place[order] = counted - before
    return place


def _places(
    columns: Columns, taken: Flags, standing: Floats, evidence: Floats, settings: Choose
) -> npt.NDArray[np.int64]:
    """Number those that are taken, best first, as many as are asked for."""
    rows = np.flatnonzero(taken)
    proof = np.where(np.isnan(evidence), -1.0, evidence)
    order = rows[np.lexsort((columns.ids[rows], -proof[rows], -standing[rows]))]
    most = math.ceil(settings.share * len(order))
    if settings.top is not None:
        most = min(most, settings.top)
    place = np.zeros(len(columns), np.int64)
    place[order[:most]] = np.arange(1, len(order[:most]) + 1)
    return place
