"""Intervals and tests for shares and means: numbers in, frozen records out.

This file decides how sure a single number is, or the difference of two shares. It refuses to know what was counted: an
arm, a name and a verdict are strangers here. Counts are plain numbers of draws; shares lie in [0, 1]; a `confidence`
is the share of intervals that cover the truth over many runs. Quantiles come from :mod:`scipy.special`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import ClassVar

import msgspec
from scipy import special


class Interval(msgspec.Struct, frozen=True):
    """An estimate and the limits it lies between, all in the unit of the estimate."""

    estimate: float
    low: float
    high: float


class Test(msgspec.Struct, frozen=True):
    """A test statistic and its two-sided p-value."""

    __test__: ClassVar[bool] = False  # pytest takes every class of this name for one of its own

    statistic: float
    p: float


class ClusteredMean(msgspec.Struct, frozen=True):
    """A mean whose uncertainty is that of its clusters.

    Attributes:
        interval: The mean and its Student t limits, with one degree of freedom less than there are clusters.
        se: Clustered standard error of the mean.
        clusters: Number of clusters.
        design_effect: Squared ratio of `se` and the standard error that independent values would have; 1 where neither
            varies. Values divided by it are the number of independent values worth as much.
    """

    interval: Interval
    se: float
    clusters: int
    design_effect: float


def quantile(probability: float, df: float = math.inf) -> float:
    """Return the Student t quantile; with infinite degrees of freedom that of the standard normal law."""
    return float(special.stdtrit(df, probability))


def two_sided(statistic: float, df: float = math.inf) -> float:
    """Return the two-sided p-value of a Student t statistic; of a normal one with infinite degrees of freedom."""
    return min(1.0, 2.0 * float(special.stdtr(df, -abs(statistic))))


def upper_point(confidence: float, df: float = math.inf) -> float:
    """Return the multiplier of a standard error in a two-sided interval: 1.96 for 0.95.

    Raises:
        ValueError: `confidence` is not between 0 and 1.
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    return quantile(0.5 + confidence / 2.0, df)


def share(successes: float, n: float) -> float:
    """Return ``successes / n`` after checking that it is a share.

    Raises:
        ValueError: `n` is not positive, or `successes` is not in [0, n].
    """
    if not (0.0 <= successes <= n and 0.0 < n < math.inf):
        raise ValueError(f"not a share: {successes} of {n}")
    return successes / n


def wilson(successes: float, n: float, confidence: float = 0.95) -> Interval:
    """Give the score interval of a share.

    Centre (p + z²/2n) / (1 + z²/n), half-width z/(1 + z²/n) · √(p(1 − p)/n + z²/4n²): Wilson (1927), "Probable
    inference, the law of succession, and statistical inference", JASA 22. It stays within [0, 1] and is not empty at
    0 or n successes. :func:`scipy.stats.binomtest` has it for whole counts; counts divided by a design effect are not.

    Args:
        successes: Draws that count, 0 to `n`.
        n: Draws.
        confidence: Between 0 and 1.

    Raises:
        ValueError: The counts are not a share, or `confidence` is out of range.
    """
    p, z = share(successes, n), upper_point(confidence)
    shrink = 1.0 + z * z / n
    centre = (p + z * z / (2.0 * n)) / shrink
    half = z / shrink * math.sqrt(p * (1.0 - p) / n + z * z / (4.0 * n * n))
    # At 0 and n one limit is the share itself; rounding must not put it on the wrong side.
    return Interval(p, 0.0 if p == 0.0 else min(p, centre - half), 1.0 if p == 1.0 else max(p, centre + half))


def newcombe(x1: float, n1: float, x2: float, n2: float, confidence: float = 0.95) -> Interval:
    """Give the interval of a difference of two independent shares, x1/n1 − x2/n2.

    With Wilson limits (l, u) of each share the limits are d − √((p₁−l₁)² + (u₂−p₂)²) and d + √((u₁−p₁)² + (p₂−l₂)²):
    Newcombe (1998), "Interval estimation for the difference between independent proportions", Statistics in Medicine
    17, method 10. It stays within [−1, 1].

    Args:
        x1: Draws of the first kind that count.
        n1: Draws of the first kind.
        x2: Draws of the second kind that count.
        n2: Draws of the second kind.
        confidence: Between 0 and 1.

    Raises:
        ValueError: The counts are not shares, or `confidence` is out of range.
    """
    a, b = wilson(x1, n1, confidence), wilson(x2, n2, confidence)
    difference = a.estimate - b.estimate
    below = math.hypot(a.estimate - a.low, b.high - b.estimate)
    above = math.hypot(a.high - a.estimate, b.estimate - b.low)
    return Interval(difference, max(-1.0, difference - below), min(1.0, difference + above))


def two_proportion_z(x1: float, n1: float, x2: float, n2: float) -> Test:
    """Test whether two independent shares are the same.

    z = (p₁ − p₂) / √(p̄(1 − p̄)(1/n₁ + 1/n₂)) with the pooled share p̄; Pearson's chi-squared is its square (Agresti,
    "Categorical Data Analysis", 3rd ed., section 3.2). Two shares that are both 0 or both 1 give z = 0 and p = 1.

    Args:
        x1: Draws of the first kind that count.
        n1: Draws of the first kind.
        x2: Draws of the second kind that count.
        n2: Draws of the second kind.

    Raises:
        ValueError: The counts are not shares.
    """
    p1, p2 = share(x1, n1), share(x2, n2)
    pooled = (x1 + x2) / (n1 + n2)
    se = math.sqrt(max(0.0, pooled * (1.0 - pooled)) * (1.0 / n1 + 1.0 / n2))
    z = (p1 - p2) / se if se > 0.0 else 0.0
    return Test(z, two_sided(z))


def clustered(values: Sequence[float], clusters: Sequence[Hashable], confidence: float = 0.95) -> ClusteredMean:
    """Give the mean of values that come in clusters: draws of one request, requests of one topic.

    SE² = k/(k−1) · n⁻² Σ_c (Σ_{i∈c} (y_i − ȳ))² over k clusters: Liang and Zeger (1986), Biometrika 73, in the form of
    Miller (2024), "Adding error bars to evals", with the factor k/(k−1) that makes clusters of one value each give the
    ordinary s/√n. It needs no equal sizes. Below about 20 clusters it is optimistic, t limits notwithstanding.

    Args:
        values: The values, at least two.
        clusters: The cluster of each value, in the same order.
        confidence: Between 0 and 1.

    Raises:
        ValueError: The lengths differ, there are fewer than two clusters, or `confidence` is out of range.
    """
    if len(values) != len(clusters):
        raise ValueError(f"{len(values)} values but {len(clusters)} cluster labels")
    n, mean = len(values), math.fsum(values) / max(1, len(values))
    sums: dict[Hashable, float] = {}
    for value, cluster in zip(values, clusters, strict=True):
        sums[cluster] = sums.get(cluster, 0.0) + (value - mean)
    k = len(sums)
    if k < 2:
        raise ValueError(f"clustered needs at least two clusters, not {k}")
    se = math.sqrt(k / (k - 1) * math.fsum(s * s for s in sums.values())) / n
    independent = math.fsum((value - mean) ** 2 for value in values) / (n - 1) / n
    half = upper_point(confidence, k - 1) * se
    effect = se * se / independent if independent > 0.0 else 1.0
    return ClusteredMean(Interval(mean, mean - half, mean + half), se, k, effect)
