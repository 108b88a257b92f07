"""Ranks within groups, fusion of ranks, Pareto fronts, tail weights: many numbers in, as many out.

Nothing here depends on the order of rows: the same rows in another order get the same numbers, to the last bit. This
file decides how numbers are ranked and joined. It refuses to know what they measure. Higher is better throughout, and
not-a-number means that a value is not known.

Sources: reciprocal-rank fusion, Cormack, Clarke and Büttcher 2009 (SIGIR, doi 10.1145/1571941.1572114), k = 60;
weights of the tail, GiFT (arXiv 2502.11466).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from random import Random
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Groups = npt.NDArray[np.int64]
"""The group of each row: numbers from 0."""

K = 60
"""What is added to a rank before it is inverted. The more, the less the first places differ from the rest."""

DEPTH = 1000
"""Ranks of a group with more rows are scaled to this range, that of the lists for which k was chosen. Without, a row
of a group of a million that is first in one thing and last in all others would beat one that is in the best twentieth
of all."""


def ranks_within(values: Floats, groups: Groups) -> Floats:
    """Rank values within their groups: 1 is the highest, equal ones share their mean rank, unknown ones have none."""
    order = _order(values, groups)
    ranks = np.full(len(values), np.nan)
    if not len(order):
        return ranks
    value, group = values[order], groups[order]
    begins_group = np.append(True, group[1:] != group[:-1])
    begins_tie = begins_group | np.append(True, value[1:] != value[:-1])
    place = np.arange(len(order))
    within = place - np.maximum.accumulate(np.where(begins_group, place, 0))
    tie = np.cumsum(begins_tie) - 1
    size = np.bincount(tie)
    ranks[order] = (within[begins_tie] + (size + 1) / 2)[tie]
    return ranks


def _order(values: Floats, groups: Groups) -> npt.NDArray[np.int64]:
    """Return the rows with a known value: group by group, the highest first."""
    known = np.flatnonzero(~np.isnan(values))
    return known[np.lexsort((-values[known], groups[known]))]


def percentiles(ranks: Floats, groups: Groups) -> Floats:
    """Return the share of the group that a row is better than, itself and its equals by half: 0.5 in the middle.

    A row that is alone in its group gets 0.5: it has beaten nobody.
    """
    count = known_of(ranks, groups)[groups]
    return (count - ranks + 0.5) / np.where(count == 0, 1, count)


def known_of(ranks: Floats, groups: Groups) -> npt.NDArray[np.int64]:
    """Return how many rows of each group have a rank."""
    return np.bincount(groups[~np.isnan(ranks)], minlength=_number_of(groups))


def _number_of(groups: Groups) -> int:
    return int(groups.max()) + 1 if len(groups) else 0


class Fusion(NamedTuple):
    """Ranks, and what they come to together.

    Attributes:
        ranks: For each metric the ranks, as :func:`ranks_within` gives them, in half the memory.
        counts: For each metric, how many rows of each group have one.
        groups: The group of each row.
        fused: See :func:`fused`.
    """

    ranks: dict[str, npt.NDArray[np.float32]]
    counts: dict[str, npt.NDArray[np.int64]]
    groups: Groups
    fused: Floats


def fuse(values: Mapping[str, Floats], weights: Mapping[str, float], groups: Groups) -> Fusion:
    """Rank rows within their groups by each metric, and join the ranks.

    Args:
        values: The metrics, of which the higher is the better.
        weights: Of each of them; what has none is left out.
        groups: The group of each row.
    """
    ranks: dict[str, npt.NDArray[np.float32]] = {}
    counts: dict[str, npt.NDArray[np.int64]] = {}

    def one_by_one() -> Iterator[Floats]:
        for name in used:
            rank = ranks_within(values[name], groups)
            ranks[name] = rank.astype(np.float32)  # halves up to eight million are exact
            counts[name] = known_of(rank, groups)
            yield rank

    used = [name for name in values if weights[name]]
    joined = fused(one_by_one(), [weights[name] for name in used], groups)
    return Fusion(ranks, counts, groups, joined)


def fused(ranks: Iterable[Floats], weights: Sequence[float], groups: Groups) -> Floats:
    """Join the ranks of several metrics: the weighted sum of ``1 / (60 + rank)`` over the metrics.

    A metric that a row has no value of neither helps nor hurts it: it gets what the rows of its group that have one get
    on average, so that its distance to the group's mean is what the other metrics make it. A metric that no row of a
    group has adds nothing to any of it.

    Args:
        ranks: For each metric the ranks of all rows, as :func:`ranks_within` gives them.
        weights: Of each metric, zero or more.
        groups: The group of each row.
    """
    total = np.zeros(len(groups))
    for rank, weight in zip(ranks, weights, strict=True):
        if weight:
            total += weight * _contributions(rank, groups)
    return total


def _contributions(ranks: Floats, groups: Groups) -> Floats:
    counts = known_of(ranks, groups)
    scale = np.minimum(1.0, (DEPTH - 1) / np.maximum(1, counts - 1))[groups]
    given = 1 / (K + 1 + (ranks - 1) * scale)
    order = _order(-ranks, groups)  # summed by rank: the order of rows must not reach the last bit
    sums = np.bincount(groups[order], weights=given[order], minlength=len(counts))
    means = sums / np.where(counts == 0, 1, counts)
    return np.where(np.isnan(given), means[groups], given)


def pareto_front(points: Floats) -> npt.NDArray[np.bool_]:
    """Say of each point whether no other is at least as good in everything and better in something.

    Points are sorted, and a staircase of the second and third number is kept of those before: n log n for most data.
    What is not known counts as the least; equal points are on the front together.

    Args:
        points: Rows by one to three numbers.

    Raises:
        ValueError: There are more numbers, or none.
    """
    if points.ndim != 2 or not 1 <= points.shape[1] <= 3:
        raise ValueError(f"expected points of one to three numbers, got an array of shape {points.shape}")
    filled = np.where(np.isnan(points), -np.inf, points)
    x, y, z = np.pad(filled, ((0, 0), (0, 3 - filled.shape[1]))).T
    order = np.lexsort((-z, -y, -x))
    front = np.zeros(len(points), np.bool_)
    stairs = _Stairs()
    last: tuple[float, float, float] | None = None
    on = False
    for row, point in zip(order.tolist(), zip(x[order], y[order], z[order], strict=True), strict=True):
        if point != last:  # equal points come one after the other, and fare alike
            last, on = point, stairs.take(float(point[1]), float(point[2]))
        front[row] = on
    return front


class _Stairs:
    """Pairs of which none is at least as good as another in both: rising in the first, falling in the second."""

    def __init__(self) -> None:
        self._first: list[float] = []
        self._second: list[float] = []

    def take(self, first: float, second: float) -> bool:
        """Take a pair and say so, unless one that was taken is at least as good in both."""
        at = bisect_left(self._first, first)
        if at < len(self._first) and self._second[at] >= second:
            return False
        end = at + (at < len(self._first) and self._first[at] == first)
        while at and self._second[at - 1] <= second:
            at -= 1
        self._first[at:end] = [first]
        self._second[at:end] = [second]
        return True


def pareto_within(points: Floats, groups: Groups) -> npt.NDArray[np.bool_]:
    """Say of each point whether it is on the front of its group; see :func:`pareto_front`."""
    front = np.zeros(len(points), np.bool_)
    for rows in runs(np.argsort(groups, kind="stable"), groups):
        front[rows] = pareto_front(points[rows])
    return front


def runs(order: npt.NDArray[np.int64], groups: Groups) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the rows group by group.

    Args:
        order: Rows, those of a group one after the other.
        groups: The group of each row.
    """
    edges = [0, *(np.flatnonzero(np.diff(groups[order])) + 1).tolist(), len(order)]
    for begin, end in pairwise(edges):
        if begin < end:
            yield order[begin:end]


def separation(values: Floats, good: npt.NDArray[np.bool_], groups: Groups) -> float | None:
    """Return the chance that a good row has a higher value than a bad one of its group; equal ones count by half.

    It is the area under the ROC curve, pairs of different groups left out. 0.5 is no better than a coin.

    Returns:
        ``None`` if no group has both.
    """
    known = ~np.isnan(values)
    groups, good, values = groups[known], good[known], values[known]
    size = _number_of(groups)
    goods = np.bincount(groups, weights=good, minlength=size)
    bads = np.bincount(groups, minlength=size) - goods
    up = np.bincount(groups, minlength=size)[groups] + 1 - ranks_within(values, groups)
    sums = np.bincount(groups, weights=up * good, minlength=size)  # exact, in any order: ranks are halves
    pairs = float((goods * bads).sum())
    return float((sums - goods * (goods + 1) / 2).sum()) / pairs if pairs else None


def least_share(found: Floats, of: Floats, confidence: float = 0.95) -> Floats:
    """Return the lower end of Wilson's interval of a share, 0 where nothing was found: few draws prove little.

    Args:
        found: How many were found.
        of: Of how many; not a number, or 0, where the share is not known.
        confidence: Of the two-sided interval.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    n = np.where(of > 0, of, np.nan)
    share = found / n
    middle = share + z**2 / (2 * n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low: Floats = np.where(found == 0, 0.0 * n, np.maximum(0.0, (middle - half) / (1 + z**2 / n)))
    return low


def tail_weights(perplexities: Sequence[float], sharpness: float = 2.0) -> list[float]:
    """Return how often each is to be drawn: in proportion to ``exp(sharpness · perplexity)``, to a sum of 1.

    GiFT draws so among functions that were verified, towards those that the model would seldom write.

    Args:
        perplexities: One or more finite numbers.
        sharpness: How much the improbable is preferred; 0 draws all alike. GiFT takes 2.
    """
    most = max(perplexities)
    weights = [math.exp(sharpness * (perplexity - most)) for perplexity in perplexities]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def tail_draws(weights: Sequence[float], k: int, random: Random) -> list[int]:
    """Draw `k` times with replacement, and return how often each came.

    Args:
        weights: Of each, one or more, to a sum of 1; in an order that does not depend on how they were found.
        k: Draws.
        random: Where chance comes from.
    """
    ends = list(accumulate(weights))
    times = [0] * len(weights)
    for _ in range(k):
        times[min(bisect_left(ends, random.random() * ends[-1]), len(weights) - 1)] += 1
    return times
