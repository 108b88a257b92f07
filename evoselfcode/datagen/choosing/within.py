"""Which functions of each task come first: :mod:`evoselfcode.datagen.choosing.best_of` over many tasks.

This file decides what agreement and copies are where the rows of a run are at hand. A *task* is a name and what it was
said to do. It refuses to know what metrics weigh.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from evoselfcode.datagen.choosing.best_of import Candidate, in_order
from evoselfcode.datagen.choosing.columns import Columns, Flags
from evoselfcode.datagen.choosing.joining import Copies
from evoselfcode.datagen.choosing.metrics import METRICS
from evoselfcode.stats.ranking import Floats, Fusion, Groups, fuse, least_share, runs, tail_draws, tail_weights

Whole = npt.NDArray[np.int64]


class Standing(NamedTuple):
    """What is known of which functions are right.

    Attributes:
        decided: For each row, whether its task has a group that agrees, on asserts that notice something.
        member: Whether a row is in the group that wins its task: it agrees, or it has the most copies.
        evidence: The least share of the task's draws that agree with it (Wilson, 95 %); not a number if unknown.
        verified: Whether execution stands behind a row: it is in a group that agrees; or no group decides, and it was
            called or has examples, and did what it should.
    """

    decided: Flags
    member: Flags
    evidence: Floats
    verified: Flags


def standing(columns: Columns, copies: Copies | None) -> Standing:
    """Find the group that wins each task.

    Args:
        columns: The rows.
        copies: What the file of all draws says; ``None`` where there is none.
    """
    tasks, flags, size = columns.tasks, columns.flags, len(columns.task_digests)
    won = _any(flags["agreed"], tasks, size) | (copies.won if copies else False)
    decided = (won & ~_any(flags["vacuous"], tasks, size))[tasks]
    agreed = flags["agreed"] & decided
    copied = np.ones(len(columns)) if copies is None else np.where(np.isnan(copies.copies), 1.0, copies.copies)
    most = np.zeros(size)
    np.maximum.at(most, tasks, copied)
    # Those who agree may all have been dropped for others that say nearly the same and do not.
    left = _any(agreed, tasks, size)[tasks]
    member = np.where(left, agreed, copied == most[tasks])
    by_tree = np.full(len(columns), np.nan) if copies is None else least_share(copies.copies, copies.draws)
    by_asserts = np.where(agreed, least_share(columns.numbers["size_of"], columns.numbers["of"]), 0.0)
    evidence = np.where(decided & flags["asserted"], by_asserts, by_tree)
    return Standing(decided, member, evidence, agreed | (~decided & flags["passed"]))


def _any(flags: Flags, groups: Groups, size: int) -> Flags:
    found = np.zeros(size, np.bool_)
    found[groups[flags]] = True
    return found


def typical(columns: Columns, copies: Copies | None) -> Floats:
    """Return how near each length is to the middle of its task's draws, in letters: 0 is in the middle, else negative.

    The middle is the median of the lengths, each counted as often as it was drawn; of two, the shorter.
    """
    times = np.ones(len(columns)) if copies is None else np.where(np.isnan(copies.copies), 1.0, copies.copies)
    middle = np.zeros(len(columns.task_digests))
    order = np.lexsort((columns.lengths, columns.tasks))
    for rows in runs(order, columns.tasks):
        counted = np.cumsum(times[rows])
        middle[columns.tasks[rows[0]]] = columns.lengths[rows[np.searchsorted(counted, counted[-1] / 2)]]
    found: Floats = -np.abs(columns.lengths - middle[columns.tasks])
    return found


class Within(NamedTuple):
    """Where each function stands among those of its task.

    Attributes:
        fusion: Ranks among the functions of its task that are in the winning group as it is, or are not.
        place: Its place, from 1; the winning group comes first.
        of: Functions of its task.
        grouped: Whether the winning group is smaller than the task, so that it decided something.
    """

    fusion: Fusion
    place: Whole
    of: Whole
    grouped: Flags


def order_within(
    columns: Columns, known: Standing, values: Mapping[str, Floats], weights: Mapping[str, float]
) -> Within:
    """Put the functions of each task in order.

    Args:
        columns: The rows.
        known: Which group wins.
        values: For each metric its values, of which the higher is the better.
        weights: Of each metric.
    """
    groups = columns.tasks * 2 + ~known.member
    fusion = fuse({name: values[name] for name in values if METRICS[name].scope != "names"}, weights, groups)
    place, of = np.zeros(len(columns), np.int64), np.bincount(columns.tasks)[columns.tasks]
    lint, logprob = columns.numbers["lint"], columns.numbers["logprob"]
    order = np.lexsort((columns.ids, ~known.member, columns.tasks))
    for rows in runs(order, groups):
        begin = 0 if known.member[rows[0]] else int(of[rows[0]]) - len(rows)
        every = [
            Candidate(
                id=f"{columns.ids[row]:016x} {row}",
                alpha=None,
                length=int(columns.lengths[row]),
                fused=float(fusion.fused[row]),
                lint=float(lint[row]),
                logprob=float(logprob[row]),
            )
            for row in rows.tolist()
        ]
        for number, candidate in enumerate(in_order(every), begin + 1):
            place[int(candidate.id.partition(" ")[2])] = number
    members = np.bincount(columns.tasks, weights=known.member)[columns.tasks]
    return Within(fusion, place, of.astype(np.int64), members < of)


def draw_tails(
    columns: Columns, verified: Flags, perplexity: Floats, *, k: int, sharpness: float, seed: int
) -> npt.NDArray[np.int64]:
    """Draw among the verified functions of each task, and return how often each came; -1 where nothing was drawn.

    A function that has no perplexity is not drawn; where only one is left, it is.
    """
    times = np.full(len(columns), -1, np.int64)
    able = np.flatnonzero(verified & np.isfinite(perplexity))
    order = able[np.lexsort((columns.ids[able], columns.tasks[able]))]
    for rows in runs(order, columns.tasks):
        task = int(columns.task_digests[columns.tasks[rows[0]]])
        weights = tail_weights(perplexity[rows].tolist(), sharpness)
        times[rows] = tail_draws(weights, k, Random(f"{seed}/{task}"))
    return times
