"""Agreement and separation of ratings, against published numbers, another library and the definitions."""

from __future__ import annotations

import math
import statistics
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa

from evoselfcode.stats.reliability import auc, mean, ordinal_alpha, weighted_kappa

RATINGS = st.integers(1, 5)
PAIRS = st.lists(st.tuples(RATINGS, RATINGS), min_size=2, max_size=60)

KRIPPENDORFF = [
    (1, 1, 1), (2, 2, 3, 2), (3, 3, 3, 3), (3, 3, 3, 3), (2, 2, 2, 2), (1, 2, 3, 4), (4, 4, 4, 4), (1, 1, 2, 1),
    (2, 2, 2, 2), (5, 5, 5), (1, 1), (3,),
]  # fmt: skip
"""Four observers, twelve units, some ratings missing: the example of Krippendorff (2011), section C."""

HANLEY = ((33, 6, 6, 11, 2), (3, 2, 2, 11, 33))
"""Ratings 1 to 5 of 58 normal and 51 abnormal tomograms: Hanley and McNeil (1982), Radiology 143."""


def test_alpha_is_the_published_one() -> None:
    """Sabotage: leave the half of the two ends out of the ordinal distance."""
    alpha = ordinal_alpha(KRIPPENDORFF)
    assert alpha is not None
    assert alpha == pytest.approx(0.815, abs=5e-4)


def test_auc_and_its_limits_are_the_published_ones() -> None:
    """Stata's manual (roctab) has 0.8932, 0.0307, 0.83295 to 0.95339. Sabotage: divide by n, not n − 1."""
    normal, abnormal = ([rating for rating, n in enumerate(counts, 1) for _ in range(n)] for counts in HANLEY)
    found = auc(abnormal, normal)
    assert (found.value, found.low, found.high) == pytest.approx((0.8932, 0.83295, 0.95339), abs=5e-5)


@given(PAIRS)
def test_kappa_is_that_of_statsmodels(pairs: list[tuple[int, int]]) -> None:
    """Sabotage: take |i − j| for its square."""
    kappa = weighted_kappa(pairs)
    if kappa is None:
        assert len({value for pair in pairs for value in pair}) == 1
        return
    table = [[sum(pair == (a, b) for pair in pairs) for b in range(1, 6)] for a in range(1, 6)]
    assert kappa == pytest.approx(cohens_kappa(table, wt="quadratic", return_results=False), abs=1e-9)


@given(PAIRS)
def test_alpha_is_symmetric_and_at_most_one(pairs: list[tuple[int, int]]) -> None:
    alpha = ordinal_alpha(pairs)
    if alpha is None:
        assert len({value for pair in pairs for value in pair}) == 1
        return
    assert alpha <= 1.0 + 1e-9
    assert alpha == pytest.approx(ordinal_alpha([(b, a) for a, b in reversed(pairs)]))
    assert (alpha == pytest.approx(1.0)) == all(a == b for a, b in pairs)


@given(st.lists(RATINGS, min_size=2, max_size=30), st.lists(RATINGS, min_size=2, max_size=30))
def test_auc_counts_pairs(good: list[int], bad: list[int]) -> None:
    """Sabotage: count a tie as a win."""
    wins = [(a > b) + (a == b) / 2 for a in good for b in bad]
    found = auc(good, bad)
    assert found.value == pytest.approx(statistics.fmean(wins))
    assert 0.0 <= found.low <= found.value <= found.high <= 1.0
    assert auc(bad, good).value == pytest.approx(1.0 - found.value)


def test_limits_of_the_auc_cover() -> None:
    """0.95 of intervals hold the truth, Φ(1/√2) for normals one apart. Sabotage: leave one of the two variances out."""
    random, truth, held = Random(4), statistics.NormalDist().cdf(1 / math.sqrt(2)), 0
    for _ in range(400):
        found = auc([random.gauss(1, 1) for _ in range(40)], [random.gauss(0, 1) for _ in range(40)])
        held += found.low <= truth <= found.high
    assert 0.91 <= held / 400 <= 0.98


def test_a_mean_has_limits() -> None:
    found = mean([1.0, 2.0, 3.0, 4.0])
    assert (found.value, found.high - found.value) == pytest.approx((2.5, 1.959964 * 1.2909944 / 2), abs=1e-6)
    for few in ([], [1.0]):
        with pytest.raises(ValueError, match="two values"):
            mean(few)
        with pytest.raises(ValueError, match="two ratings"):
            auc(few, [1.0, 2.0])


def test_what_never_varies_has_no_agreement_beyond_chance() -> None:
    assert weighted_kappa([]) is None
    assert weighted_kappa([(5, 5)] * 30) is None
    assert ordinal_alpha([(5, 5)] * 30) is None
    assert ordinal_alpha([(5,), (4,)]) is None
