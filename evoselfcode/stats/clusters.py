"""Means, differences and ranks of values that come in clusters, on arrays: many metrics of many rows, each fast.

This file decides how sure a number is when values of one cluster (the functions for one name) are alike. It refuses to
know what was measured. Clusters are small whole numbers, none below 0; the same number in two sets of values is the
same cluster, so that what both have in common cancels out. Limits are those of
:func:`~evoselfcode.stats.intervals.clustered`, which does the same for one list at a time.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from evoselfcode.stats.intervals import Interval, two_sided, upper_point, wilson

Values = NDArray[np.float64]
Clusters = NDArray[np.int64]


class Difference(msgspec.Struct, frozen=True):
    """A difference of two means.

    Attributes:
        interval: First minus second with its Student t limits.
        se: Its standard error.
        clusters: Clusters with values on either side.
        p: Two-sided p-value of no difference.
    """

    interval: Interval
    se: float
    clusters: int
    p: float


def count(clusters: Clusters) -> int:
    """Return how many clusters these are."""
    return int(np.count_nonzero(np.bincount(clusters)))


def mean(values: Values, clusters: Clusters, confidence: float = 0.95) -> Interval | None:
    """Return the mean with limits that know of clusters; ``None`` with fewer than two of them."""
    if count(clusters) < 2:
        return None
    centre = float(values.mean())
    se, df = _error((values - centre) / len(values), clusters)
    half = upper_point(confidence, df) * se
    return Interval(centre, centre - half, centre + half)


def shares(places: Clusters, clusters: Clusters, of: int, confidence: float = 0.95) -> list[Interval]:
    """Return which share of values lies in each of `of` places, as sure as clusters let it be.

    Wilson limits of counts divided by the design effect of the clusters, held at 1 or more, as
    :class:`~evoselfcode.stats.shares.Counts` has it.

    Args:
        places: The place of each value, from 0 to `of` − 1.
        clusters: The cluster of each value, in the same order.
        of: How many places there are.
        confidence: Between 0 and 1.
    """
    n = len(places)
    if not n:
        return [Interval(0.0, 0.0, 1.0)] * of
    sizes = np.bincount(clusters)
    k = count(clusters)
    found = []
    for place in range(of):
        inside = np.bincount(clusters[places == place], minlength=len(sizes))
        hits = int(inside.sum())
        p, effect = hits / n, 1.0
        if k > 1 and 0 < hits < n:
            variance = k / (k - 1) * float(((inside - p * sizes) ** 2).sum()) / n**2
            effect = max(1.0, variance / (p * (1.0 - p) / (n - 1)))
        elif k < n:
            effect = n / k  # nothing varies, so nothing can be measured: a cluster is worth one value
        found.append(wilson(hits / effect, n / effect, confidence))
    return found


def difference(xs: Values, of_xs: Clusters, ys: Values, of_ys: Clusters, confidence: float = 0.95) -> Difference | None:
    """Return how far the means of two sets of values are apart; ``None`` with fewer than two clusters.

    SE² = k/(k−1) · Σ_c (Σ_{i∈c} (x_i − x̄)/m − Σ_{j∈c} (y_j − ȳ)/n)² over the k clusters of both: the estimator of
    Liang and Zeger (1986), Biometrika 73, for a mean of x minus a mean of y. Where each cluster has one value of x and
    one of y it is the paired t test, with clusters of one value each it is that of two independent sets.

    Args:
        xs: Values of the first set, at least one.
        of_xs: The cluster of each.
        ys: Values of the second set, at least one.
        of_ys: The cluster of each.
        confidence: Between 0 and 1.
    """
    both = np.concatenate([of_xs, of_ys])
    k = count(both)
    if k < 2 or not len(xs) or not len(ys):
        return None
    x, y = float(xs.mean()), float(ys.mean())
    se, df = _error(np.concatenate([(xs - x) / len(xs), (y - ys) / len(ys)]), both)
    rounding = 1e-12 * max(abs(x), abs(y))
    gap, se = (0.0 if abs(number) <= rounding else number for number in (x - y, se))
    half = upper_point(confidence, df) * se
    t = gap / se if se > 0.0 else math.copysign(math.inf, gap) if gap else 0.0
    return Difference(Interval(gap, gap - half, gap + half), se, k, two_sided(t, df))


def above(xs: Values, of_xs: Clusters, ys: Values, of_ys: Clusters, confidence: float = 0.95) -> Interval | None:
    """Return P(X > Y) + P(X = Y)/2 with its limits: the area under the ROC curve if X are the positives.

    With A_i the share of y that x_i beats and B_j the share of x that beat y_j, ties half, the standard error is that
    of the sum of both means over clusters: Obuchowski (1997), "Nonparametric analysis of clustered ROC curve data",
    Biometrics 53, which is DeLong's (1988) where each cluster has one value. Limits are Student's on the logit, so they
    stay in [0, 1], with one degree of freedom less than the side with fewer clusters has of them. Where one side beats
    the other without exception there is no error to estimate: then the limits are Wilson's of as many values as the
    side with fewer clusters has of them.

    Args:
        xs: Values of the first set.
        of_xs: The cluster of each.
        ys: Values of the second set.
        of_ys: The cluster of each.
        confidence: Between 0 and 1.

    Returns:
        The effect, or ``None`` if one side has fewer than two clusters.
    """
    fewest = min(count(of_xs), count(of_ys))
    if fewest < 2:
        return None
    ranks = stats.rankdata(np.concatenate([xs, ys]))
    m, n = len(xs), len(ys)
    beaten = (ranks[:m] - stats.rankdata(xs)) / n
    beating = 1.0 - (ranks[m:] - stats.rankdata(ys)) / m
    effect = float(beaten.mean())
    influences = np.concatenate([(beaten - effect) / m, (beating - effect) / n])
    se, _ = _error(influences, np.concatenate([of_xs, of_ys]))
    if not (0.0 < effect < 1.0 and se > 0.0):
        return wilson(effect * fewest, fewest, confidence)
    half = upper_point(confidence, fewest - 1) * se / (effect * (1.0 - effect))
    low, high = (float(special.expit(special.logit(effect) + side * half)) for side in (-1.0, 1.0))
    return Interval(effect, low, high)


def cohen_d(xs: Values, ys: Values) -> float | None:
    """Return the difference of two means in pooled standard deviations; ``None`` where nothing varies.

    It is :func:`evoselfcode.stats.compare.cohen_d` for arrays.
    """
    m, n = len(xs), len(ys)
    if m < 2 or n < 2 or not (np.ptp(xs) or np.ptp(ys)):
        return None
    pooled = math.sqrt(((m - 1) * float(xs.var(ddof=1)) + (n - 1) * float(ys.var(ddof=1))) / (m + n - 2))
    return float(xs.mean() - ys.mean()) / pooled if pooled > 0.0 else None


def _error(influences: Values, clusters: Clusters) -> tuple[float, float]:
    """Return the standard error of a sum of influences whose clusters are independent, and its degrees of freedom."""
    sums, k = np.bincount(clusters, weights=influences), count(clusters)
    return math.sqrt(k / (k - 1) * float((sums**2).sum())), k - 1
