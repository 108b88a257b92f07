"""Intervals and tests: the published numbers, statsmodels as the oracle, and what holds for every input."""

from __future__ import annotations

import math
from random import Random

import pytest
from golden import GOLDEN
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.regression.linear_model import OLS
from statsmodels.stats import proportion

from evoselfcode.stats import intervals

CONFIDENCES = (0.8, 0.9, 0.95, 0.99)


@st.composite
def shares(draw: st.DrawFn) -> tuple[int, int]:
    """Some successes of some draws."""
    n = draw(st.integers(1, 200_000))
    return draw(st.integers(0, n)), n


def limits(interval: intervals.Interval) -> tuple[float, float]:
    return interval.low, interval.high


@pytest.mark.parametrize(("x", "n", "low", "high"), GOLDEN["wilson95"])
def test_wilson_gives_the_published_limits(x: int, n: int, low: float, high: float) -> None:
    """Sabotage: divide by 2n instead of 4n² under the root."""
    assert limits(intervals.wilson(x, n)) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(("x1", "n1", "x2", "n2", "low", "high"), GOLDEN["newcombe10_95"])
def test_newcombe_gives_the_published_limits(x1: int, n1: int, x2: int, n2: int, low: float, high: float) -> None:
    """Sabotage: swap the limits of the second share, u₂ − p₂ and p₂ − l₂."""
    assert limits(intervals.newcombe(x1, n1, x2, n2)) == pytest.approx((low, high), abs=1e-4)


def test_the_z_test_gives_the_published_statistic() -> None:
    """Sabotage: do not pool the two shares."""
    known, found = GOLDEN["two_prop_z"]["56/70_vs_48/80"], intervals.two_proportion_z(56, 70, 48, 80)
    assert (found.statistic, found.p) == pytest.approx((known["z"], known["p"]), abs=1e-7)


def test_the_published_funnel_shows_no_difference() -> None:
    """78.3 % against 78.6 % of 8,600 rows: half a point with an interval of 2.4. Sabotage: add a half to a count."""
    known = GOLDEN["user_funnel"]
    counts = (known["fim"][-1], known["fim"][0], known["l2r"][-1], known["l2r"][0])
    found = intervals.newcombe(*counts)
    assert (found.estimate, *limits(found)) == pytest.approx((known["diff"], *known["newcombe95"]), abs=1e-4)
    assert intervals.two_proportion_z(*counts).p == pytest.approx(known["p"], abs=1e-4)


def test_statsmodels_agrees_on_200_random_shares() -> None:
    """Sabotage: use quantile(confidence) for quantile(0.5 + confidence / 2)."""
    random = Random("shares")
    for _ in range(200):
        n1, n2 = (int(10 ** random.uniform(0.3, 5)) for _ in range(2))
        x1, x2, confidence = random.randint(0, n1), random.randint(0, n2), random.choice(CONFIDENCES)
        alpha = 1.0 - confidence
        wilson = proportion.proportion_confint(x1, n1, alpha, method="wilson")
        assert limits(intervals.wilson(x1, n1, confidence)) == pytest.approx(wilson, abs=1e-9)
        newcombe = proportion.confint_proportions_2indep(x1, n1, x2, n2, "newcomb", "diff", alpha)
        assert limits(intervals.newcombe(x1, n1, x2, n2, confidence)) == pytest.approx(newcombe, abs=1e-9)
        if 0 < x1 + x2 < n1 + n2:
            z, p = proportion.proportions_ztest([x1, x2], [n1, n2])
            found = intervals.two_proportion_z(x1, n1, x2, n2)
            assert (found.statistic, found.p) == pytest.approx((z, p), rel=1e-9, abs=1e-12)


@given(shares(), st.floats(0.01, 0.999))
def test_wilson_stays_within_0_and_1_and_holds_the_estimate(counts: tuple[int, int], confidence: float) -> None:
    """Sabotage: return centre ± half as computed; n of n then ends below 1."""
    found = intervals.wilson(*counts, confidence)
    assert 0.0 <= found.low <= found.estimate <= found.high <= 1.0
    assert found.low < found.high


@given(shares(), shares(), st.floats(0.01, 0.999))
def test_a_difference_changes_its_sign_with_its_sides(a: tuple[int, int], b: tuple[int, int], level: float) -> None:
    """Sabotage: take |p1 − p2|."""
    there, back = intervals.newcombe(*a, *b, level), intervals.newcombe(*b, *a, level)
    assert (there.estimate, there.low, there.high) == (-back.estimate, -back.high, -back.low)
    assert -1.0 <= there.low <= there.estimate <= there.high <= 1.0
    z, reverse = intervals.two_proportion_z(*a, *b), intervals.two_proportion_z(*b, *a)
    assert z.statistic == pytest.approx(-reverse.statistic)
    assert z.p == pytest.approx(reverse.p)
    assert 0.0 <= z.p <= 1.0


def test_two_shares_of_nothing_or_of_everything_are_the_same() -> None:
    """Sabotage: divide without asking whether the pooled share varies."""
    assert intervals.two_proportion_z(0, 9, 0, 7) == intervals.Test(0.0, 1.0)
    assert intervals.two_proportion_z(9, 9, 7, 7) == intervals.Test(0.0, 1.0)


@pytest.mark.parametrize(("x", "n"), [(1, 0), (0, 0), (-1, 5), (6, 5), (math.nan, 5), (1, math.inf)])
def test_what_is_no_share_is_refused(x: float, n: float) -> None:
    """Sabotage: drop the check in share()."""
    for call in (intervals.wilson, lambda x, n: intervals.newcombe(1, 2, x, n), lambda x, n: intervals.share(x, n)):
        with pytest.raises(ValueError, match="not a share"):
            call(x, n)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0, math.nan])
def test_a_confidence_is_no_percentage(confidence: float) -> None:
    """Sabotage: drop the check in upper_point()."""
    with pytest.raises(ValueError, match="confidence"):
        intervals.wilson(1, 2, confidence)


def test_clustered_is_the_sandwich_of_statsmodels() -> None:
    """50 random sets. Sabotage: sum the squares of values instead of squares of the sums of clusters."""
    random = Random("clusters")
    for _ in range(50):
        k = random.randint(2, 40)
        clusters = [*range(k), *(random.randrange(k) for _ in range(random.randint(1, 300)))]
        values = [random.gauss(0.1 * cluster, 1.0) for cluster in clusters]
        found = intervals.clustered(values, clusters)
        cov = {"groups": clusters, "use_correction": False}
        oracle = OLS(values, [1.0] * len(values)).fit(cov_type="cluster", cov_kwds=cov)
        assert found.interval.estimate == pytest.approx(oracle.params[0])
        assert found.se == pytest.approx(oracle.bse[0] * math.sqrt(k / (k - 1)))
        assert found.clusters == k


def test_clusters_of_one_value_give_the_ordinary_interval() -> None:
    """Student's own table value, t₀.₉₇₅ with 4 degrees of freedom = 2.7764. Sabotage: leave out k/(k − 1)."""
    found = intervals.clustered([1.0, 2.0, 3.0, 4.0, 5.0], range(5))
    assert found.se == pytest.approx(math.sqrt(2.5 / 5))
    assert limits(found.interval) == pytest.approx((3 - 2.7764 * found.se, 3 + 2.7764 * found.se), abs=1e-4)
    assert found.design_effect == pytest.approx(1.0)


def test_fourfold_repetition_is_seen_as_one_draw() -> None:
    """The design effect of four equal draws a request is 4, near enough. Sabotage: return se / independent."""
    random = Random(4)
    values = [float(random.random() < 0.3) for _ in range(500)]
    found = intervals.clustered(
        [value for value in values for _ in range(4)], [n for n in range(500) for _ in range(4)]
    )
    assert found.design_effect == pytest.approx(4.0, rel=0.01)
    assert found.se == pytest.approx(intervals.clustered(values, range(500)).se)


def test_clustered_refuses_what_has_no_spread_between_clusters() -> None:
    """Sabotage: drop either check."""
    with pytest.raises(ValueError, match="two clusters"):
        intervals.clustered([1.0, 2.0], ["a", "a"])
    with pytest.raises(ValueError, match="2 values but 1"):
        intervals.clustered([1.0, 2.0], ["a"])
    with pytest.raises(ValueError, match="two clusters"):
        intervals.clustered([], [])
    assert intervals.clustered([1.0, 1.0], "ab").design_effect == 1.0
