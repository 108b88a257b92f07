"""The verdict of the A/B test: which arm finds more good names, by one metric that was chosen beforehand.

This file decides the primary metric (accepted new canonical names per 1,000 draws, both arms at the same number of
draws), how uncertain it is, and what may be concluded. It refuses to know how a draw was judged, or what it cost.

A count of *distinct* names has a variance of its own. Resampling draws with replacement sees only 63 % of the names
that were drawn once, so no bootstrap here; :func:`distinct` says what is done instead.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate

import msgspec

from evoselfcode.stats.compare import equivalent
from evoselfcode.stats.intervals import Interval, quantile, two_sided, upper_point

METRIC = "accepted new canonical names per 1,000 draws at equal draws"
MARGIN = 10.0
"""Names per 1,000 draws, one point: a smaller difference changes nobody's choice of an arm."""

EQUIVALENT, UNDECIDED = "equivalent", "undecided"
FEWEST_REQUESTS = 20
"""Requests an arm must have for a verdict: below that the spread between requests is itself a guess."""

POWER = 0.8
"""Chance that the draws named in ``more_draws`` are enough."""

Requests = tuple[tuple[str | None, ...], ...]
"""Per request, in plan order, for each of its draws the canonical name if it was accepted, else ``None``."""


class ArmDraws(msgspec.Struct, frozen=True):
    """All draws of one arm, rejected and repeated ones too.

    Attributes:
        arm: Its name, any but ``equivalent`` and ``undecided``.
        requests: Its draws by request; a request that was given up has none.
    """

    arm: str
    requests: Requests


class Distinct(msgspec.Struct, frozen=True):
    """A count of distinct names and how far it would move if the run were repeated.

    Attributes:
        draws: Draws counted, rejected ones too.
        requests: Requests with at least one draw.
        names: Distinct accepted names among them.
        once: Names that only one request found.
        variance: Estimated variance of `names`, in squared names; infinite with fewer than two requests.
    """

    draws: int
    requests: int
    names: int
    once: int
    variance: float


class Verdict(msgspec.Struct, frozen=True):
    """What the A/B test says.

    Attributes:
        metric: What was compared.
        arm_a: Name of the first arm.
        arm_b: Name of the second arm.
        draws: Draws of each arm that were compared.
        a: The metric of the first arm.
        b: The metric of the second arm.
        difference: `a` − `b` with its limits at `confidence`.
        p: Two-sided p-value of no difference.
        verdict: The name of the better arm, ``equivalent`` or ``undecided``.
        margin: Largest difference that counts as equivalent, in names per 1,000 draws.
        confidence: Of `difference`.
        more_draws: When undecided, about how many draws each arm needs in all for a verdict, if the difference
            is as estimated; ``None`` when decided, or when nothing is known.
    """

    metric: str
    arm_a: str
    arm_b: str
    draws: int
    a: float
    b: float
    difference: Interval
    p: float
    verdict: str
    margin: float
    confidence: float
    more_draws: int | None


def distinct(requests: Requests) -> Distinct:
    """Count distinct accepted names and estimate the variance of that count over repetitions of the run.

    Let u_r be the names that only request r found, Q_k the names found by exactly k requests, n the draws. Leaving
    out one request at a time gives J = (R−1)/R · Σ (u_r − ū)² (Tukey's jackknife; Heltshe and Forrester 1983,
    Biometrics 39), which knows of all that makes draws of one request alike but is too large for a distinct count: for
    independent draws it expects f₁ − f₁²/n where the truth is E[S_2n] − E[S_n] − f₁²/n, the Poisson variance of a
    species count minus what a fixed n takes away. The new names of a second run of equal length are f₁ − f₂ + f₃ − …
    (Good and Toulmin 1956, Biometrika 43), so with ρ = (Q₁ − Q₂ + Q₃ − …)/Q₁, held between Chao and Jost's lower bound
    (1 − e^−x)/x, x = 2Q₂/Q₁ (2012, Ecology 93), and 1,

        V = ρ·J − (1 − ρ)·Q₁²/n,

    which is exact in expectation for independent draws and carries the design effect of the requests otherwise.
    V is never below 1: where every name was found often, one name more or less must not pass for a difference.

    Args:
        requests: The draws. Their order is of no importance.
    """
    sizes = [len(draws) for draws in requests if draws]
    seen = [frozenset(name for name in draws if name is not None) for draws in requests if draws]
    found_by = Counter(name for names in seen for name in names)
    alone = [sum(found_by[name] == 1 for name in names) for names in seen]
    n, total, once = sum(sizes), len(seen), sum(alone)
    if total < 2:
        return Distinct(n, total, len(found_by), once, math.inf)
    jackknife = (total - 1) / total * (sum(u * u for u in alone) - once * once / total)
    second_run = sum(1 if k % 2 else -1 for k in found_by.values())
    x = 2.0 * sum(k == 2 for k in found_by.values()) / once if once else 0.0
    least = -math.expm1(-x) / x if x > 0.0 else 1.0
    rho = min(1.0, max(least, second_run / once)) if once else 1.0
    variance = rho * jackknife - (1.0 - rho) * once * once / n
    return Distinct(n, total, len(found_by), once, max(1.0, variance))


def equal_draws(a: Requests, b: Requests) -> tuple[Requests, Requests]:
    """Cut two arms to the same number of draws, in plan order and by whole requests.

    Where requests lost draws so that no whole number of requests comes within 1 % of the shorter arm, the last request
    is cut too.
    """
    ends_a, ends_b = list(accumulate(map(len, a))), list(accumulate(map(len, b)))
    shorter = min(ends_a[-1] if a else 0, ends_b[-1] if b else 0)
    whole = max(set(ends_a) & set(ends_b), default=0)
    draws = whole if whole >= 0.99 * shorter else shorter
    return first(a, draws), first(b, draws)


def decide(a: ArmDraws, b: ArmDraws, *, margin: float = MARGIN, confidence: float = 0.95) -> Verdict:
    """Compare two arms by the primary metric.

    The difference of the two counts has the sum of their variances (:func:`distinct`) and Student t limits with
    Welch–Satterthwaite degrees of freedom. First that applies:

    - fewer than 20 requests in an arm: ``undecided``;
    - the interval with twice the error (0.90 for 0.95) lies within the margin: ``equivalent``, also where the
      difference is significant, for then it is real and does not matter;
    - the interval excludes zero: the better arm;
    - else ``undecided``.

    Swapping the arms mirrors the result. With arms of equal length the order of requests changes nothing; a longer arm
    is cut to its first requests. Pairing of topics between the arms is not used, which makes the interval wider than
    it need be, never narrower.

    Args:
        a: One arm.
        b: The other.
        margin: Largest difference that does not matter, in names per 1,000 draws; positive.
        confidence: Of the interval, above 0.5 and below 1.

    Raises:
        ValueError: The arms have the same name or that of another verdict, or a number is out of range.
    """
    if len({a.arm, b.arm, EQUIVALENT, UNDECIDED}) < 4:
        raise ValueError(f"arms need two names other than the other verdicts, not {a.arm!r} and {b.arm!r}")
    if not (margin > 0.0 and 0.5 < confidence < 1.0):
        raise ValueError(f"decide needs margin > 0 and 0.5 < confidence < 1, not {margin} and {confidence}")
    one, two = (distinct(requests) for requests in equal_draws(a.requests, b.requests))
    draws = one.draws
    scale = 1000.0 / draws if draws else 0.0
    value_a, value_b = one.names * scale, two.names * scale
    effect = (one.names - two.names) * scale
    fewest = min(one.requests, two.requests)
    if fewest < 2:
        return Verdict(METRIC, a.arm, b.arm, draws, value_a, value_b, Interval(effect, -1000.0, 1000.0), 1.0,
                       UNDECIDED, margin, confidence, None)  # fmt: skip
    se = math.sqrt(one.variance + two.variance) * scale
    df = _welch([one, two])
    half = upper_point(confidence, df) * se
    interval = Interval(effect, max(-1000.0, effect - half), min(1000.0, effect + half))
    if fewest < FEWEST_REQUESTS:
        verdict = UNDECIDED
    elif equivalent(effect, se, margin, 2.0 * confidence - 1.0, df=df).equivalent:
        verdict = EQUIVALENT
    elif interval.low > 0.0 or interval.high < 0.0:
        verdict = a.arm if effect > 0.0 else b.arm
    else:
        verdict = UNDECIDED
    settled_by = _settling(draws, effect, se, margin, confidence, fewest) if verdict == UNDECIDED else None
    p = two_sided(effect / se, df)
    return Verdict(METRIC, a.arm, b.arm, draws, value_a, value_b, interval, p, verdict, margin, confidence, settled_by)


def first(requests: Requests, draws: int) -> Requests:
    """Return the first requests up to `draws` draws in all; the last one may be cut."""
    kept, left = [], draws
    for request in requests:
        if left <= 0:
            break
        kept.append(request[:left])
        left -= len(request)
    return tuple(kept)


def _welch(counts: Sequence[Distinct]) -> float:
    """Return the degrees of freedom of a difference of two counts: Welch (1947), Biometrika 34."""
    return sum(c.variance for c in counts) ** 2 / sum(c.variance**2 / (c.requests - 1) for c in counts)


def _settling(draws: int, effect: float, se: float, margin: float, confidence: float, fewest: int) -> int:
    """Estimate the draws an arm needs in all for a verdict with 80 % power: the cheaper of a winner and equivalence.

    Assumes that the difference per 1,000 draws stays as it is and its standard error falls with √draws: an order of
    magnitude, not a promise, for both arms find fewer new names the longer they run.
    """
    power = quantile(POWER)
    factors = []
    if effect:
        factors.append((upper_point(confidence) + power) * se / abs(effect))
    if abs(effect) < margin:
        factors.append((upper_point(2.0 * confidence - 1.0) + power) * se / (margin - abs(effect)))
    needed = draws * min(factors) ** 2
    return math.ceil(max(needed, draws * FEWEST_REQUESTS / fewest))
