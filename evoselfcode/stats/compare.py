"""Comparisons: paired differences, several tests at once, equivalence, effect sizes, how many draws are enough.

This file decides how two sets of numbers are set against each other. It refuses to know what was counted. Sources are
given per function; limits and p-values come from :mod:`evoselfcode.stats.intervals`.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from random import Random

import msgspec
import numpy as np

from evoselfcode.stats.intervals import Interval, Test, quantile, two_sided, upper_point


class Paired(msgspec.Struct, frozen=True):
    """What a set of paired differences says.

    Attributes:
        interval: Mean difference with its Student t limits.
        se: Standard error of the mean difference.
        test: The t statistic and its p-value.
        permutation_p: Two-sided p-value of the sign-flip test, which assumes no law of the differences but symmetry.
        pairs: Number of pairs.
    """

    interval: Interval
    se: float
    test: Test
    permutation_p: float
    pairs: int


class Equivalence(msgspec.Struct, frozen=True):
    """Whether a difference is too small to matter.

    Attributes:
        interval: The difference with the limits that are held against the margin.
        margin: Largest difference that does not matter, in the unit of the difference.
        p: The larger p-value of the two one-sided tests.
        equivalent: Whether the whole interval lies strictly between −`margin` and `margin`.
    """

    interval: Interval
    margin: float
    p: float
    equivalent: bool


def paired(
    differences: Sequence[float], random: Random, *, confidence: float = 0.95, permutations: int = 9_999
) -> Paired:
    """Compare two arms over the same topics, names or requests: one difference per pair.

    SE = sd/√k with k − 1 degrees of freedom (Student 1908), and the sign-flip test of Fisher (1935), "The Design of
    Experiments", section 21: all 2^k signs where there are no more than `permutations` of them, else that many random
    ones with (hits + 1)/(permutations + 1) (Phipson and Smyth 2010).

    Args:
        differences: First minus second, one per pair, at least two.
        random: Where the signs come from.
        confidence: Between 0 and 1.
        permutations: Sign vectors tried.

    Raises:
        ValueError: There are fewer than two pairs, or `confidence` is out of range.
    """
    k = len(differences)
    if k < 2:
        raise ValueError(f"paired needs at least two differences, not {k}")
    mean, se = statistics.fmean(differences), statistics.stdev(differences) / math.sqrt(k)
    half = upper_point(confidence, k - 1) * se
    t = mean / se if se > 0.0 else math.copysign(math.inf, mean) if mean else 0.0
    test = Test(t, two_sided(t, k - 1))
    return Paired(Interval(mean, mean - half, mean + half), se, test, sign_flip(differences, random, permutations), k)


def sign_flip(differences: Sequence[float], random: Random, permutations: int) -> float:
    """Return the two-sided p-value of the mean of `differences` under random signs; see :func:`paired`."""
    values = np.asarray(differences, dtype=float)
    k = len(values)
    # Sums that are equal but for the order of summation count as equally far from zero.
    far = abs(float(values.sum())) - 1e-12 * float(np.abs(values).sum())
    if k < 63 and 2**k <= permutations:
        signs = 1 - 2 * (np.arange(2**k)[:, None] >> np.arange(k) & 1)
        return float(np.mean(np.abs(signs @ values) >= far))
    rng, hits, left = np.random.default_rng(random.getrandbits(64)), 0, permutations
    while left > 0:
        rows = min(left, max(1, 1_000_000 // k))  # a million signs at a time bound the memory
        signs = rng.integers(0, 2, (rows, k), dtype=np.int8) * 2 - 1
        hits += int(np.sum(np.abs(signs @ values) >= far))
        left -= rows
    return (hits + 1) / (permutations + 1)


def holm(ps: Sequence[float]) -> tuple[float, ...]:
    """Adjust the p-values of one family of tests so that any false alarm among them stays as rare as `alpha`.

    The i-th smallest of m becomes min(1, max over j ≤ i of (m − j + 1) p_(j)): Holm (1979), Scandinavian Journal of
    Statistics 6. Uniformly better than Bonferroni, under any dependence.

    Args:
        ps: Raw p-values, in any order.

    Returns:
        The adjusted p-values, in the order of `ps`.

    Raises:
        ValueError: A p-value is outside [0, 1].
    """
    if not all(0.0 <= p <= 1.0 for p in ps):
        raise ValueError(f"p-values must lie in [0, 1]: {list(ps)}")
    adjusted, highest = [0.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = highest
    return tuple(adjusted)


def equivalent(
    difference: float, se: float, margin: float, confidence: float = 0.90, *, df: float = math.inf
) -> Equivalence:
    """Ask whether a difference is practically nil: two one-sided tests (TOST).

    Equivalent if the interval at `confidence` lies in (−margin, margin); 0.90 is the test at 5 % (Schuirmann 1987,
    Journal of Pharmacokinetics and Biopharmaceutics 15). A difference can be significant *and* equivalent, or neither.

    Args:
        difference: The estimate.
        se: Its standard error, not negative.
        margin: Largest difference that does not matter, positive, in the unit of `difference`.
        confidence: Between 0 and 1.
        df: Degrees of freedom of `se`.

    Raises:
        ValueError: `se` is negative, `margin` not positive, or `confidence` out of range.
    """
    if not (se >= 0.0 and margin > 0.0):
        raise ValueError(f"equivalent needs se >= 0 and margin > 0, not {se} and {margin}")
    half = upper_point(confidence, df) * se
    interval = Interval(difference, difference - half, difference + half)
    room = margin - abs(difference)  # to the nearer bound, whose one-sided test has the larger p-value
    if se > 0.0:
        one_sided = two_sided(room / se, df) / 2.0
        p = one_sided if room >= 0.0 else 1.0 - one_sided
    else:
        p = 0.0 if room > 0.0 else 1.0
    return Equivalence(interval, margin, p, -margin < interval.low and interval.high < margin)


def mann_whitney_effect(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Return P(X > Y) + P(X = Y)/2 for ratings: the chance that a random x beats a random y.

    U/(m·n) of Mann and Whitney (1947), also the area under the ROC curve. 0.5 means no difference; it needs no
    distances between ratings, unlike :func:`cohen_d`.

    Raises:
        ValueError: `xs` or `ys` is empty.
    """
    if not xs or not ys:
        raise ValueError("mann_whitney_effect needs values on both sides")
    others = np.sort(np.asarray(ys, dtype=float))
    below, not_above = (np.searchsorted(others, xs, side) for side in ("left", "right"))
    return float((below + not_above).sum()) / (2.0 * len(xs) * len(ys))


def cohen_d(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Return (x̄ − ȳ)/s in pooled standard deviations: 0.2 is small, 0.5 medium, 0.8 large.

    s² = ((m−1)s_x² + (n−1)s_y²)/(m+n−2): Cohen (1988), "Statistical Power Analysis", 2nd ed., section 2.5. Where
    nothing varies it is 0 for equal means, else infinite.

    Raises:
        ValueError: One side has fewer than two values.
    """
    if len(xs) < 2 or len(ys) < 2:
        raise ValueError("cohen_d needs two values on each side")
    difference = statistics.fmean(xs) - statistics.fmean(ys)
    squares = (len(xs) - 1) * statistics.variance(xs) + (len(ys) - 1) * statistics.variance(ys)
    pooled = math.sqrt(squares / (len(xs) + len(ys) - 2))
    if pooled > 0.0:
        return difference / pooled
    return math.copysign(math.inf, difference) if difference else 0.0


def pass_at_k(n: int, c: int, k: int) -> float:
    """Return the chance that at least one of `k` of the `n` programs passes when `c` of them do.

    1 − C(n−c, k)/C(n, k) = 1 − Π_{i=n−c+1}^{n} (1 − k/i), and 1 if n − c < k: Chen et al. (2021), arXiv 2107.03374,
    which shows it to be unbiased, unlike 1 − (1 − c/n)^k.

    Args:
        n: Programs drawn for one task.
        c: Programs of these that pass, 0 to `n`.
        k: Programs one may hand in, 1 to `n`.

    Raises:
        ValueError: The numbers are out of range.
    """
    if not (0 <= c <= n and 1 <= k <= n):
        raise ValueError(f"pass_at_k needs 0 <= c <= n and 1 <= k <= n, not n={n}, c={c}, k={k}")
    if n - c < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / i for i in range(n - c + 1, n + 1))


def detectable(p: float, n: int, *, confidence: float = 0.95, power: float = 0.8) -> float:
    """Return the smallest difference of two shares that `n` draws an arm find with `power`.

    (z_{1−α/2} + z_power) · √(2p(1−p)/n), Fleiss, Levin and Paik (2003), "Statistical Methods for Rates and
    Proportions", chapter 4, without continuity correction: 0.50 points at p = 0.8 and n = 100,000.

    Args:
        p: The share both arms have about.
        n: Draws of each arm.
        confidence: Of the two-sided interval that is to exclude zero.
        power: Wanted chance to find the difference.

    Raises:
        ValueError: `p` is outside [0, 1], `n` not positive, or `confidence` or `power` out of range.
    """
    if not (0.0 <= p <= 1.0 and n > 0):
        raise ValueError(f"detectable needs p in [0, 1] and n > 0, not {p} and {n}")
    return _reach(confidence, power) * math.sqrt(2.0 * p * (1.0 - p) / n)


def draws_for(difference: float, p: float, *, confidence: float = 0.95, power: float = 0.8) -> int:
    """Return how many draws an arm find the shares `p` and `p` + `difference` different with `power`.

    ((z_{1−α/2} + z_power)/d)² · (p₁(1−p₁) + p₂(1−p₂)), the source of :func:`detectable`: 80 against 81 % takes 24,638.

    Args:
        difference: What to find, not zero; may be negative.
        p: Share of the other arm.
        confidence: Of the two-sided interval that is to exclude zero.
        power: Wanted chance to find the difference.

    Raises:
        ValueError: `difference` is zero, a share is outside [0, 1], or `confidence` or `power` is out of range.
    """
    other = p + difference
    if difference == 0.0 or not (0.0 <= p <= 1.0 and 0.0 <= other <= 1.0):
        raise ValueError(f"draws_for needs two different shares in [0, 1], not {p} and {other}")
    spread = p * (1.0 - p) + other * (1.0 - other)
    return max(1, math.ceil(spread * (_reach(confidence, power) / difference) ** 2))


def _reach(confidence: float, power: float) -> float:
    """Return how many standard errors a difference must be away from zero to be found with `power`."""
    if not 0.0 < power < 1.0:
        raise ValueError(f"power must lie between 0 and 1, not {power}")
    return upper_point(confidence) + quantile(power)
