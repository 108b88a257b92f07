"""Reliability of ratings: whether they are given alike twice, and whether they tell good from bad.

This file decides how agreement and separation are measured. It refuses to know what was rated, and from which number on
a rating is worth something. It needs no library: ratings are few, and those who rate need not install what reports
need. Limits are normal ones, as the sources below have them.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import permutations

import msgspec


class Estimate(msgspec.Struct, frozen=True):
    """A number and the limits that it lies between, all in one unit."""

    value: float
    low: float
    high: float


def weighted_kappa(pairs: Sequence[tuple[int, int]]) -> float | None:
    """Return Cohen's kappa with quadratic weights: how far two ratings of the same things agree beyond chance.

    κ = 1 − Σ (i−j)² observed / Σ (i−j)² expected, the expected ones from the margins: Cohen (1968), "Weighted kappa",
    Psychological Bulletin 70. 1 is full agreement, 0 is chance.

    Args:
        pairs: The two ratings of each thing.

    Returns:
        ``None`` where chance would agree fully too: there are no pairs, or all ratings are the same.
    """
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    expected = sum((a - b) ** 2 * n * m for a, n in first.items() for b, m in second.items())
    if not expected:
        return None
    return 1.0 - sum((a - b) ** 2 for a, b in pairs) * len(pairs) / expected


def ordinal_alpha(units: Sequence[Sequence[int]]) -> float | None:
    """Return Krippendorff's alpha for ratings that are ordered, and may be missing.

    α = 1 − D_o/D_e over the coincidences of values within units, with the ordinal metric
    δ²(c, k) = (Σ_{g=c..k} n_g − (n_c + n_k)/2)²: Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability".

    Args:
        units: The ratings of each thing; one that was rated once is passed over.

    Returns:
        ``None`` where all ratings are the same, or nothing was rated twice.
    """
    weighted: dict[tuple[int, int], float] = {}
    for values in units:
        if len(values) > 1:
            for pair, times in Counter(permutations(values, 2)).items():
                weighted[pair] = weighted.get(pair, 0.0) + times / (len(values) - 1)
    totals: dict[int, float] = {}
    for (value, _), weight in weighted.items():
        totals[value] = totals.get(value, 0.0) + weight
    n = sum(totals.values())

    def distance(c: int, k: int) -> float:
        between = sum(count for value, count in totals.items() if min(c, k) <= value <= max(c, k))
        return (between - (totals[c] + totals[k]) / 2.0) ** 2

    expected = sum(totals[c] * totals[k] * distance(c, k) for c in totals for k in totals if c != k)
    if not expected:
        return None
    observed = sum(weight * distance(c, k) for (c, k), weight in weighted.items() if c != k)
    return 1.0 - (n - 1.0) * observed / expected


def auc(good: Sequence[float], bad: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Return the chance that a good thing is rated above a bad one, ties counting half: the area under the ROC curve.

    Limits from the variance of DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44: V = S₁₀/m + S₀₁/n over the
    structural components, held within [0, 1]. Where every good one is above every bad one the variance is 0, and the
    limits are the number itself, which says more than few ratings can.

    Args:
        good: Ratings of good things, two at least.
        bad: Ratings of bad things, two at least.
        confidence: Between 0 and 1.

    Raises:
        ValueError: There are fewer than two on a side.
    """
    if min(len(good), len(bad)) < 2:
        raise ValueError("auc needs two ratings on each side")
    above, below = sorted(good), sorted(bad)
    wins = [(bisect_left(below, x) + bisect_right(below, x)) / (2 * len(below)) for x in good]
    losses = [1.0 - (bisect_left(above, y) + bisect_right(above, y)) / (2 * len(above)) for y in bad]
    area = statistics.fmean(wins)
    variance = statistics.variance(wins) / len(wins) + statistics.variance(losses) / len(losses)
    half = _upper(confidence) * math.sqrt(variance)
    return Estimate(area, max(0.0, area - half), min(1.0, area + half))


def mean(values: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Return a mean with its normal limits, s/√n to either side.

    Raises:
        ValueError: There are fewer than two values.
    """
    if len(values) < 2:
        raise ValueError("a mean has limits from two values on")
    centre = statistics.fmean(values)
    half = _upper(confidence) * statistics.stdev(values) / math.sqrt(len(values))
    return Estimate(centre, centre - half, centre + half)


def _upper(confidence: float) -> float:
    return statistics.NormalDist().inv_cdf(0.5 + confidence / 2.0)
