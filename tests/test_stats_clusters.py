"""Values in clusters: the estimators for lists as the oracle, numbers by hand, limits that hold what they promise."""

from __future__ import annotations

from random import Random
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evoselfcode.stats import compare, intervals
from evoselfcode.stats.clusters import Clusters, Values, above, cohen_d, difference, mean, shares
from evoselfcode.stats.shares import Counts

RATING = st.floats(1, 5, width=16)
LABELLED = st.lists(st.tuples(RATING, st.integers(0, 9)), min_size=4, max_size=40)


def columns(labelled: list[tuple[float, int]]) -> tuple[Values, Clusters]:
    return np.array([value for value, _ in labelled]), np.array([label for _, label in labelled], np.int64)


def tuple_of(interval: intervals.Interval | None) -> tuple[float, float, float]:
    assert interval is not None
    return interval.estimate, interval.low, interval.high


@given(LABELLED)
def test_a_mean_is_that_of_lists(labelled: list[tuple[float, int]]) -> None:
    """Sabotage: leave the factor k/(k − 1) out of ``_error``."""
    values, labels = columns(labelled)
    found = mean(values, labels)
    if len(set(labels)) < 2:
        assert found is None
    else:
        known = intervals.clustered(list(values), list(labels)).interval
        assert tuple_of(found) == pytest.approx(tuple_of(known), abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), min_size=2, max_size=40))
def test_shares_are_those_of_counts(labelled: list[tuple[int, int]]) -> None:
    """Sabotage: hold the design effect at nothing: leave out ``max(1.0, …)``."""
    places, labels = (np.array(column, np.int64) for column in zip(*labelled, strict=True))
    for place, found in enumerate(shares(places, labels, 3)):
        by_label = [[int(a) == place for a, b in labelled if b == label] for label in sorted(set(labels))]
        counts = Counts.of(by_label)
        if 0 < counts.successes < counts.draws and len(by_label) > 1:
            assert tuple_of(found) == pytest.approx(tuple_of(intervals.wilson(*counts.independent)), abs=1e-9)
        assert found.estimate == pytest.approx(counts.successes / counts.draws)


def test_a_share_of_nothing_or_all_is_as_sure_as_there_are_clusters() -> None:
    """Sabotage: leave out the branch ``elif k < n``."""
    none, every = shares(np.ones(40, np.int64), np.arange(40) // 8, 2)
    assert tuple_of(none) == pytest.approx(tuple_of(intervals.wilson(0, 5)))
    assert tuple_of(every) == pytest.approx(tuple_of(intervals.wilson(5, 5)))
    assert tuple_of(shares(np.array([], np.int64), np.array([], np.int64), 1)[0]) == (0.0, 0.0, 1.0)


def test_a_difference_of_shared_names_is_the_paired_one() -> None:
    """Sabotage: give the second set clusters of its own, ``of_ys + 1000`` in ``difference``."""
    random = Random(2)
    hard = [random.gauss(3, 1) for _ in range(30)]
    xs, ys = ([value + random.gauss(shift, 0.2) for value in hard] for shift in (0.1, 0.0))
    found = difference(np.array(xs), np.arange(30), np.array(ys), np.arange(30))
    known = compare.paired([x - y for x, y in zip(xs, ys, strict=True)], random)
    assert found is not None
    assert tuple_of(found.interval) == pytest.approx(tuple_of(known.interval))
    assert (found.se, found.clusters, found.p) == pytest.approx((known.se, 30, known.test.p))


def test_a_difference_by_hand() -> None:
    """Two names, of which the first is in both. Sabotage: divide by ``len(ys)`` on both sides."""
    found = difference(np.array([1.0, 3.0, 8.0]), np.array([0, 0, 1]), np.array([2.0, 6.0]), np.array([0, 2]))
    # x̄ = 4, ȳ = 4. Name 0: (−3 − 1)/3 + 2/2 = −1/3; name 1: 4/3; name 2: −2/2 = −1. SE² = 3/2 · (1/9 + 16/9 + 1).
    assert found is not None
    assert (found.interval.estimate, found.se, found.clusters) == pytest.approx((0.0, (3 / 2 * 26 / 9) ** 0.5, 3))
    assert found.p == 1.0


def test_what_differs_by_rounding_alone_does_not_differ() -> None:
    """Sabotage: leave ``rounding`` out of ``difference``."""
    rng = np.random.default_rng(0)
    xs, names = rng.random(90), np.arange(90) // 3
    order = rng.permutation(90)
    found = difference(xs, names, xs[order], names[order])
    assert found is not None
    assert (found.interval.low, found.interval.high, found.se, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_what_does_not_vary_is_surely_different_or_the_same() -> None:
    """Sabotage: take ``math.copysign(math.inf, gap)`` without asking whether there is a gap."""
    same, names = np.full(6, 2.0), np.arange(6)
    for shift, p in ((0.0, 1.0), (1.0, 0.0)):
        found = difference(same + shift, names, same, names)
        assert found is not None
        assert (found.interval.estimate, found.se, found.p) == (shift, 0.0, p)
    assert difference(same[:0], names[:0], same, names) is None
    assert difference(same[:1], names[:1], same[:1], names[:1]) is None


@given(LABELLED, LABELLED)
def test_the_effect_is_mann_whitneys_and_turns_around(a: list[tuple[float, int]], b: list[tuple[float, int]]) -> None:
    """Sabotage: count ties as wins, ``method="max"`` in ``rankdata``."""
    (xs, of_xs), (ys, of_ys) = columns(a), columns(b)
    found, turned = above(xs, of_xs, ys, of_ys), above(ys, of_ys, xs, of_xs)
    if min(len(set(of_xs)), len(set(of_ys))) < 2:
        assert found is turned is None
        return
    effect, low, high = tuple_of(found)
    assert effect == pytest.approx(compare.mann_whitney_effect(list(xs), list(ys)), abs=1e-9)
    assert 0.0 <= low <= effect + 1e-9
    assert effect - 1e-9 <= high <= 1.0
    assert tuple_of(turned) == pytest.approx((1 - effect, 1 - high, 1 - low), abs=1e-6)


def test_the_area_by_hand() -> None:
    """DeLong's variance where each cluster has one value. Sabotage: leave ``beating`` out of the influences."""
    xs, ys = np.array([3.0, 4.0, 1.0, 5.0]), np.array([2.0, 3.0, 0.0])
    effect, low, high = tuple_of(above(xs, np.arange(4), ys, np.arange(4, 7)))
    beaten = [2.5 / 3, 1.0, 1 / 3, 1.0]
    beating = [3 / 4, 2.5 / 4, 1.0]
    assert effect == pytest.approx(fmean(beaten)) == pytest.approx(fmean(beating))
    squares = sum(((a - effect) / 4) ** 2 for a in beaten) + sum(((b - effect) / 3) ** 2 for b in beating)
    half = stats.t.ppf(0.975, 2) * (7 / 6 * squares) ** 0.5 / (effect * (1 - effect))
    logit = np.log(effect / (1 - effect))
    assert (low, high) == pytest.approx((1 / (1 + np.exp(half - logit)), 1 / (1 + np.exp(-half - logit))))


def test_an_area_of_one_is_as_sure_as_the_fewer_names() -> None:
    """Sabotage: return ``Interval(effect, effect, effect)`` where there is no error to estimate."""
    found = above(np.array([4.0, 5.0] * 9), np.arange(18), np.array([1.0, 2.0, 2.0]), np.array([30, 31, 31]))
    assert tuple_of(found) == pytest.approx((1.0, intervals.wilson(2, 2).low, 1.0))


@given(st.lists(RATING, min_size=2, max_size=20), st.lists(RATING, min_size=2, max_size=20))
def test_the_effect_in_standard_deviations_is_that_of_lists(xs: list[float], ys: list[float]) -> None:
    """Sabotage: ``ddof=0``."""
    found, known = cohen_d(np.array(xs), np.array(ys)), compare.cohen_d(xs, ys)
    if len({*xs}) == len({*ys}) == 1:
        assert found is None
    else:
        assert found == pytest.approx(known, rel=1e-6, abs=1e-9)


def test_limits_hold_the_truth_as_often_as_they_say_though_names_are_alike() -> None:
    """Two arms that are the same, 4 alike functions for each of 40 names. Sabotage: hand ``above`` and ``difference``
    a cluster for each value.
    """
    rng, runs = np.random.default_rng(3), 300
    of_xs, of_ys = np.repeat(np.arange(40), 4), np.repeat(np.arange(40, 80), 4)
    missed = {"above": 0, "difference": 0}
    for _ in range(runs):
        values = np.repeat(rng.normal(size=80), 4) + 0.3 * rng.normal(size=320)
        _, low, high = tuple_of(above(values[:160], of_xs, values[160:], of_ys))
        missed["above"] += not low <= 0.5 <= high
        found = difference(values[:160], of_xs, values[160:], of_ys)
        assert found is not None
        missed["difference"] += found.p < 0.05
    assert all(0.01 <= count / runs <= 0.09 for count in missed.values()), missed
