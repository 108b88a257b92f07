"""How many different names are there, and how much of them is still unseen: species estimators.

In the words of ecology, whose formulae these are, a name is a species and a draw is an individual. This file decides
which formula estimates what, from one arm as it stands. It refuses to know what a name is, and what more draws would
bring: that is :mod:`evoselfcode.stats.forecast`.

Two pitfalls hold for all of it. Every draw counts, repeated names too: a set of names has lost the information. And
never resample the draws with replacement: such a resample holds only about 63 % of the names seen once, so that a
bootstrap of ``distinct``, ``f(1)`` or Chao1 is wrong by construction.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

import msgspec

from evoselfcode.stats.intervals import Interval, upper_point, wilson


class Frequencies(msgspec.Struct, frozen=True):
    """How many names were seen how often: all that these estimators need of the draws, whatever their order.

    Attributes:
        n: Draws.
        distinct: Different names among them.
        spectrum: Pairs ``(times, names)``: so many names were seen exactly so many times; rising, without empty pairs.
    """

    n: int
    distinct: int
    spectrum: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, counts: Iterable[int]) -> Frequencies:
        """Make them from how often each name was seen; a zero is a name not seen.

        Raises:
            ValueError: A count is negative.
        """
        return cls.of_spectrum(Counter(counts).items())

    @classmethod
    def of_names(cls, names: Iterable[Hashable]) -> Frequencies:
        """Make them from the names drawn, each as often as it was drawn."""
        return cls.of(Counter(names).values())

    @classmethod
    def of_spectrum(cls, pairs: Iterable[tuple[int, int]]) -> Frequencies:
        """Make them from pairs ``(times, names)`` in any order; pairs with a zero say nothing and are left out.

        Raises:
            ValueError: A number is negative, or two pairs are of the same ``times``.
        """
        spectrum = tuple(sorted((times, names) for times, names in pairs if times != 0 and names != 0))
        if any(times < 0 or names < 0 for times, names in spectrum):
            raise ValueError("a name cannot be seen a negative number of times")
        if len({times for times, _ in spectrum}) < len(spectrum):
            raise ValueError("two pairs of the spectrum are of the same number of times")
        return cls(
            n=sum(times * names for times, names in spectrum),
            distinct=sum(names for _, names in spectrum),
            spectrum=spectrum,
        )

    def among(self, draws: int) -> Frequencies:
        """Return the same names among more draws: the others gave no name, so the next draw may give none either.

        Unseen mass and rarefaction are then per draw instead of per accepted draw. Coverage and Hill numbers are
        shares of the accepted draws: ask those of the frequencies as they were.

        Raises:
            ValueError: There are fewer draws than draws with a name.
        """
        if draws < sum(times * names for times, names in self.spectrum):
            raise ValueError("fewer draws than names drawn")
        return msgspec.structs.replace(self, n=draws)

    def f(self, times: int) -> int:
        """Return how many names were seen exactly so many times."""
        return next((names for seen, names in self.spectrum if seen == times), 0)


def good_turing(freq: Frequencies, confidence: float = 0.95) -> Interval:
    """Estimate the unseen mass: the probability that the next draw gives a name not seen before.

    f₁/n ± z·√W with W = [f₁(n − f₁) + 2·n·f₂]/n³, cut to [0, 1]. Good 1953 (Biometrika 40), with the interval of
    Esty 1983 (Annals of Statistics 11:905). Without draws nothing is known: 1 within [0, 1].

    Pitfalls: it is the mass at n draws, so compare arms at equal draws. Where no name was seen once or twice, or all
    were seen once, Esty's interval has no width however few the draws are; Wilson's of f₁/n takes its place. And it
    takes the draws as independent; those of one request are, as long as its choices are.
    """
    z = upper_point(confidence)
    n, once, twice = freq.n, freq.f(1), freq.f(2)
    if n == 0:
        return Interval(1.0, 0.0, 1.0)
    half = z * math.sqrt((once * (n - once) + 2 * n * twice) / n**3)
    if half == 0.0:
        return wilson(once, n, confidence)
    return Interval(once / n, max(0.0, once / n - half), min(1.0, once / n + half))


def coverage(freq: Frequencies) -> float:
    """Estimate the share of future draws that the names seen so far make up.

    Ĉ = 1 − (f₁/n)·(n − 1)f₁ / [(n − 1)f₁ + 2f₂]. Chao & Jost 2012 (Ecology 93:2533, eq. 4a). It needs names seen
    twice: without them it is Good's coverage 1 − f₁/n.

    Pitfall: a high coverage is of draws, not of names. A law with a long tail has most of its names unseen at 0.95.
    """
    n, once, twice = freq.n, freq.f(1), freq.f(2)
    if n == 0:
        return 0.0
    if once == 0:
        return 1.0
    return 1 - once / n * ((n - 1) * once / ((n - 1) * once + 2 * twice) if twice else 1.0)


def chao1(freq: Frequencies, *, corrected: bool = True) -> float:
    """Estimate a lower bound of how many names there are.

    S + f₁(f₁ − 1)/[2(f₂ + 1)], bias-corrected; S + f₁²/(2f₂) with ``corrected=False`` where f₁ and f₂ are not 0.
    Chao 1984 (Scandinavian Journal of Statistics 11:265) and Chao 2005.

    Pitfall: a lower bound, and for names a loose one: 3,592 of 5,000 is usual. Show it, never stop on it.
    """
    once, twice = freq.f(1), freq.f(2)
    if not corrected and once and twice:
        return freq.distinct + once**2 / (2 * twice)
    return freq.distinct + once * (once - 1) / (2 * (twice + 1))


def chao1_interval(freq: Frequencies, confidence: float = 0.95, *, corrected: bool = True) -> Interval:
    """Return Chao1 within its log-normal interval: S + T/K to S + T·K, T = Chao1 − S, K = exp(z·√ln(1 + var/T²)).

    Chao 1987 (Biometrics 43:783), with the variances of the EstimateS manual (Colwell, eqs. 5–8, 13, 14), which tell
    four cases apart by whether names were seen once and twice.

    Pitfalls: an interval for the lower bound, not for the number of names. Without names seen once it is that of a
    law where all names are equally likely, and its middle is not Chao1.
    """
    z = upper_point(confidence)
    estimate, seen, once, twice = chao1(freq, corrected=corrected), freq.distinct, freq.f(1), freq.f(2)
    if seen == 0:
        return Interval(0.0, 0.0, 0.0)
    if once == 0:
        missed = math.exp(-freq.n / seen)
        middle, half = seen / (1 - missed), z * math.sqrt(seen * missed / (1 - missed))
        return Interval(estimate, max(float(seen), middle - half), middle + half)
    unseen = estimate - seen
    if unseen == 0:
        return Interval(estimate, float(seen), float(seen))
    spread = math.exp(z * math.sqrt(math.log1p(_chao1_variance(estimate, once, twice, corrected) / unseen**2)))
    return Interval(estimate, seen + unseen / spread, seen + unseen * spread)


def _chao1_variance(estimate: float, once: int, twice: int, corrected: bool) -> float:
    if twice == 0:
        return once * (once - 1) / 2 + once * (2 * once - 1) ** 2 / 4 - once**4 / (4 * estimate)
    if not corrected:
        ratio = once / twice
        return twice * (ratio**2 / 2 + ratio**3 + ratio**4 / 4)
    return (
        once * (once - 1) / (2 * (twice + 1))
        + once * (2 * once - 1) ** 2 / (4 * (twice + 1) ** 2)
        + once**2 * twice * (once - 1) ** 2 / (4 * (twice + 1) ** 4)
    )


def ace(freq: Frequencies, rare: int = 10) -> float:
    """Estimate how many names there are from those seen at most ``rare`` times (ACE).

    S_abundant + S_rare/C + (f₁/C)·γ², with C = 1 − f₁/N_rare and
    γ² = max(S_rare·Σ k(k−1)f_k / [C·N_rare(N_rare − 1)] − 1, 0). Chao & Lee 1992 (JASA 87:210).

    Pitfall: like Chao1 it is too low for a law with a long tail, and it moves with ``rare``.

    Raises:
        ValueError: All rare names were seen once: C is 0. Use :func:`chao1` then.
    """
    few = [(times, names) for times, names in freq.spectrum if times <= rare]
    names_rare = sum(names for _, names in few)
    draws_rare = sum(times * names for times, names in few)
    once = freq.f(1) if rare >= 1 else 0
    if names_rare == 0:
        return float(freq.distinct)
    if once == draws_rare:
        raise ValueError("ACE is undefined where all rare names were seen once; use Chao1")
    covered = 1 - once / draws_rare
    pairs = sum(times * (times - 1) * names for times, names in few)
    variation = max(names_rare * pairs / (covered * draws_rare * (draws_rare - 1)) - 1, 0.0)
    return freq.distinct - names_rare + names_rare / covered + once / covered * variation


def hill(freq: Frequencies, q: float) -> float:
    """Return the Hill number of order q: how many equally likely names would be as diverse as these.

    ᵠD = (Σ pᵢ^q)^{1/(1−q)} with pᵢ the shares of the draws; q = 0 counts names, q = 1 is e^entropy, q = 2 is 1/Σp²,
    q = ∞ is 1/max p. Hill 1973 (Ecology 54:427). The higher q, the less the rare names matter.

    Pitfall: it is of the draws seen, and low for q < 2 while names are unseen: compare arms at equal draws.

    Raises:
        ValueError: q is negative.
    """
    if not q >= 0:
        raise ValueError(f"the order of a Hill number is at least 0, and {q} is not")
    if q == 0 or not freq.spectrum:
        return float(freq.distinct)
    total = sum(times * names for times, names in freq.spectrum)
    largest = freq.spectrum[-1][0] / total
    # Shares are taken relative to the largest, so that no power of a high order is lost as 0.
    relative = [(times / freq.spectrum[-1][0], names) for times, names in freq.spectrum]
    if math.isinf(q):
        return 1 / largest
    # Near 1 the exponent 1/(1 − q) multiplies every rounding error; the limit there is the entropy.
    if abs(q - 1) < 1e-8:
        return math.exp(-sum(names * (times / total) * math.log(times / total) for times, names in freq.spectrum))
    log_sum = q * math.log(largest) + math.log(math.fsum(names * share**q for share, names in relative))
    return math.exp(log_sum / (1 - q))


def vendi(similarity: Sequence[Sequence[float]]) -> float:
    """Return the Vendi score: how many wholly different items would be as diverse as these.

    exp(−Σ λ ln λ), λ the eigenvalues of K/n. Friedman & Dieng 2023 (TMLR). It is 1 where all are alike and n where all
    are orthogonal. Needs numpy.

    Pitfalls: it grows with the number of items, so compare at equal n; and it costs n³, so at most some 5,000.

    Args:
        similarity: K, n rows of n: symmetric, positive semi-definite, with ones on the diagonal.

    Raises:
        ValueError: K is not square, not symmetric or has not ones on the diagonal.
    """
    import numpy as np

    kernel = np.asarray(similarity, dtype=float)
    if kernel.size == 0:
        return 0.0
    if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1]:
        raise ValueError("a similarity matrix is square")
    if not np.allclose(kernel, kernel.T) or not np.allclose(np.diag(kernel), 1):
        raise ValueError("a similarity matrix is symmetric, with ones on the diagonal")
    shares = np.linalg.eigvalsh(kernel / len(kernel))
    # Rounding leaves shares a little below 0, which carry no diversity.
    shares = shares[shares > 1e-12]
    return float(np.exp(-np.sum(shares * np.log(shares))))
