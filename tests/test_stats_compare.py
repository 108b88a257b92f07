"""Comparisons: the published numbers, statsmodels and scipy as oracles, and what holds for every input."""

from __future__ import annotations

import gc
import itertools
import math
import statistics
from random import Random

import numpy as np
import pytest
from golden import GOLDEN
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ztost

from evoselfcode.stats import compare
from evoselfcode.stats.intervals import two_sided

RATING_ROWS = (6750, 6835)
RATING_Z = (2.525, 1.420, 3.036, -0.311, 1.784)
RATING_AT_MAXIMUM = (0.91, 0.996, 0.958, 0.77, 0.92)
"""Share of fives per dimension, solved from mean and deviation; the other ratings are 3 or 4."""


def test_the_published_ratings_survive_holm_twice() -> None:
    """Problem and correctness stay below 5 %, and only they. Sabotage: multiply by the rank from 1."""
    published = (0.0463, 0.3111, 0.0120, 0.7555, 0.2234)
    # Each z is known to three decimals: its p lies between those of z ± 0.0005, and so does what Holm makes of it.
    most, least = (compare.holm([two_sided(abs(z) + step) for z in RATING_Z]) for step in (-0.0005, 0.0005))
    for low, value, high in zip(least, published, most, strict=True):
        assert low - 5e-5 <= value <= high + 5e-5
        assert high - low < 1.5e-3
    adjusted = compare.holm([two_sided(z) for z in RATING_Z])
    assert [p < 0.05 for p in adjusted] == [True, False, True, False, False]
    for row in GOLDEN["user_ratings"].values():
        assert two_sided(row["z"]) == pytest.approx(row["p"], abs=4e-4)


def test_the_published_ratings_are_equivalent_all_the_same() -> None:
    """Significant and nil: δ = 0.05 holds all five, with the largest spread that the share of fives allows.

    Sabotage: compare only one limit with the margin; or use the interval at 1 − 2·confidence.
    """
    correctness = GOLDEN["user_ratings"]["correctness"]
    found = compare.equivalent(correctness["diff"], correctness["se"], 0.05)
    assert found.equivalent
    assert (found.interval.low, found.interval.high) == pytest.approx((0.0073, 0.0247), abs=1e-4)
    for z, fives in zip(RATING_Z, RATING_AT_MAXIMUM, strict=True):
        widest = 2.0 * math.sqrt(fives * (1.0 - fives) * sum(1.0 / n for n in RATING_ROWS))
        assert compare.equivalent(z * widest, widest, 0.05).equivalent or z == 3.036
    for difference in (correctness["diff"], -correctness["diff"]):
        assert not compare.equivalent(difference, correctness["se"], 0.02).equivalent


def test_the_published_effect_is_a_twentieth_of_a_deviation() -> None:
    """Sabotage: divide by the sum of the two variances."""
    known = GOLDEN["user_ratings"]["correctness"]
    sd = known["se"] / math.sqrt(sum(1.0 / n for n in RATING_ROWS))
    a, b = (np.random.default_rng(n).normal(size=n) for n in RATING_ROWS)
    a, b = ((v - v.mean()) / v.std(ddof=1) * sd for v in (a, b))
    assert compare.cohen_d(list(a + known["diff"]), list(b)) == pytest.approx(known["d"], abs=1e-4)


@pytest.mark.parametrize(("n", "c", "k", "value"), [*GOLDEN["pass_at_k"], (5, 3, 3, 1.0), (4, 0, 2, 0.0)])
def test_pass_at_k_gives_the_published_values(n: int, c: int, k: int, value: float) -> None:
    """Sabotage: start the product at n − c."""
    assert compare.pass_at_k(n, c, k) == pytest.approx(value, abs=1e-9)


@given(st.integers(1, 60), st.data())
def test_pass_at_k_is_the_share_of_hands_that_hold_a_passing_program(n: int, data: st.DataObject) -> None:
    """Sabotage: return 1 − (1 − c/n)^k."""
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    assert compare.pass_at_k(n, c, k) == pytest.approx(1.0 - math.comb(n - c, k) / math.comb(n, k))


@pytest.mark.parametrize(("n", "c", "k"), [(3, 4, 1), (3, -1, 1), (3, 1, 0), (3, 1, 4)])
def test_pass_at_k_refuses_impossible_hands(n: int, c: int, k: int) -> None:
    """Sabotage: drop the check."""
    with pytest.raises(ValueError, match="pass_at_k"):
        compare.pass_at_k(n, c, k)


def test_statsmodels_agrees_on_200_random_families() -> None:
    """Sabotage: forget the running maximum."""
    random = Random("holm")
    gc.freeze()  # multipletests collects garbage each time, 0.1 s with all that pytest holds
    try:
        for _ in range(200):
            ps = [random.random() ** random.choice((1, 4)) for _ in range(random.randint(1, 30))]
            ps += random.choices(ps, k=random.randint(0, 3))
            assert compare.holm(ps) == pytest.approx(tuple(multipletests(ps, method="holm")[1]))
    finally:
        gc.unfreeze()


@given(st.lists(st.floats(0.0, 1.0), max_size=30))
def test_holm_raises_every_p_and_keeps_their_order(ps: list[float]) -> None:
    """Sabotage: forget the running maximum, or the cap at 1."""
    adjusted = compare.holm(ps)
    assert all(raw <= high <= 1.0 for raw, high in zip(ps, adjusted, strict=True))
    assert all(a <= b for (p, a), (q, b) in itertools.permutations(zip(ps, adjusted, strict=True), 2) if p < q)


def test_holm_refuses_what_is_no_p() -> None:
    """Sabotage: drop the check."""
    for ps in ([0.5, 1.5], [-0.1], [math.nan]):
        with pytest.raises(ValueError, match="p-values"):
            compare.holm(ps)


def test_statsmodels_agrees_on_200_random_equivalences() -> None:
    """Sabotage: take the smaller of the two one-sided p-values."""
    random = Random("tost")
    rng = np.random.default_rng(1)
    unit = rng.normal(size=50)
    unit = (unit - unit.mean()) / unit.std(ddof=1) * math.sqrt(50)  # mean 0 and standard error 1
    for _ in range(200):
        difference, se = random.gauss(0, 1), random.uniform(0.05, 1)
        margin, confidence = random.uniform(0.1, 2), random.choice((0.8, 0.9, 0.98))
        p = ztost(unit * se + difference, -margin, margin)[0]
        found = compare.equivalent(difference, se, margin, confidence)
        assert found.p == pytest.approx(float(p), rel=1e-9, abs=1e-12)
        assert found.equivalent == (float(p) < (1.0 - confidence) / 2.0)


def test_equivalence_at_its_edges() -> None:
    """Sabotage: let a limit on the margin pass; or divide by a standard error of zero."""
    assert compare.equivalent(0.0, 0.0, 1.0) == compare.Equivalence(compare.Interval(0.0, 0.0, 0.0), 1.0, 0.0, True)
    assert not compare.equivalent(1.0, 0.0, 1.0).equivalent
    assert compare.equivalent(-1.0, 0.1, 1.0).p == pytest.approx(0.5)
    assert compare.equivalent(0.0, 0.5, 1.0).equivalent != compare.equivalent(0.0, 0.5, 1.0, df=3).equivalent
    for se, margin in ((-1.0, 1.0), (1.0, 0.0), (math.nan, 1.0)):
        with pytest.raises(ValueError, match="margin > 0"):
            compare.equivalent(0.0, se, margin)


def test_paired_is_the_t_test_of_the_differences() -> None:
    """Sabotage: divide by the number of pairs, not by its root."""
    random = Random("pairs")
    for k in (2, 3, 10, 100):
        differences = [random.gauss(0.2, 1) for _ in range(k)]
        found, oracle = compare.paired(differences, Random(0), permutations=99), stats.ttest_1samp(differences, 0)
        assert (found.test.statistic, found.test.p) == pytest.approx((oracle.statistic, oracle.pvalue))
        limits = oracle.confidence_interval(0.95)
        assert (found.interval.low, found.interval.high) == pytest.approx((limits.low, limits.high))
        assert (found.pairs, found.interval.estimate) == (k, pytest.approx(statistics.fmean(differences)))


def test_few_pairs_are_permuted_exactly() -> None:
    """All 2^6 signs: the share of means at least as far from zero. Sabotage: count only means further than it."""
    differences = [0.3, 0.5, 1.1, -0.2, 0.9, 0.4]
    means = [abs(sum(s * d for s, d in zip(signs, differences, strict=True))) for signs in
             itertools.product((1, -1), repeat=6)]  # fmt: skip
    exact = sum(mean >= abs(sum(differences)) - 1e-9 for mean in means) / len(means)
    assert compare.paired(differences, Random(1)).permutation_p == pytest.approx(exact)


def test_many_pairs_are_permuted_by_the_random_source() -> None:
    """Same source, same p; close to the t test; never zero. Sabotage: seed it with nothing, or take signs 0 and 1."""
    random = Random("many")
    differences = [random.gauss(0.0, 1) for _ in range(400)]
    first, again = (compare.paired(differences, Random(7), permutations=2_000) for _ in range(2))
    assert first == again
    assert 0.1 < first.test.p < 0.9
    assert first.permutation_p == pytest.approx(first.test.p, abs=0.03)
    assert compare.paired([1.0] * 60, Random(7), permutations=500).permutation_p == pytest.approx(1 / 501)


def test_scipy_flips_the_same_signs() -> None:
    """Exact p-values of random differences with ties. Sabotage: flip neighbours together."""
    random = Random("flips")
    for k in (2, 5, 9):
        differences = [random.choice((-0.1, 0.1, 0.2, 0.3)) for _ in range(k)]
        oracle = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
        assert compare.paired(differences, Random(1)).permutation_p == pytest.approx(oracle.pvalue)


def test_pairs_that_do_not_vary() -> None:
    """Sabotage: divide by a standard error of zero."""
    assert compare.paired([0.0, 0.0], Random(0)).test == compare.Test(0.0, 1.0)
    assert compare.paired([-1.0, -1.0], Random(0)).test == compare.Test(-math.inf, 0.0)
    with pytest.raises(ValueError, match="two differences"):
        compare.paired([1.0], Random(0))


ratings = st.lists(st.integers(1, 5), min_size=2, max_size=40)


@given(ratings, ratings)
def test_effects_mirror_each_other(xs: list[int], ys: list[int]) -> None:
    """The chance to beat, counted pair by pair. Sabotage: count ties whole, or leave out m(m + 1)/2."""
    wins = sum((x > y) + (x == y) / 2 for x in xs for y in ys) / (len(xs) * len(ys))
    assert compare.mann_whitney_effect(xs, ys) == pytest.approx(wins)
    assert compare.mann_whitney_effect(ys, xs) == pytest.approx(1.0 - wins)
    assert compare.cohen_d(xs, ys) == pytest.approx(-compare.cohen_d(ys, xs))


def test_effects_need_values() -> None:
    """Sabotage: drop a check."""
    with pytest.raises(ValueError, match="both sides"):
        compare.mann_whitney_effect([], [1.0])
    with pytest.raises(ValueError, match="each side"):
        compare.cohen_d([1.0], [1.0, 2.0])
    assert compare.cohen_d([2.0, 2.0], [1.0, 1.0]) == math.inf
    assert compare.cohen_d([1.0, 1.0], [1.0, 1.0]) == 0.0


def test_what_100_000_draws_detect_and_what_one_point_takes() -> None:
    """Sabotage: leave the power out of _reach()."""
    assert compare.detectable(0.8, 100_000) == pytest.approx(0.0050, abs=2e-5)
    assert compare.draws_for(0.01, 0.8) == 24_638
    assert compare.draws_for(-0.01, 0.81) == 24_638
    assert compare.draws_for(1.0, 0.0) == 1
    for difference, p in ((0.0, 0.5), (0.6, 0.5), (-0.1, 0.05), (math.nan, 0.5)):
        with pytest.raises(ValueError, match="draws_for"):
            compare.draws_for(difference, p)
    with pytest.raises(ValueError, match="detectable"):
        compare.detectable(1.1, 10)
    with pytest.raises(ValueError, match="power"):
        compare.detectable(0.5, 10, power=80)
