"""Ranks, fusion, fronts and tails: known answers, and the same to the last bit whatever the order of rows."""

from __future__ import annotations

import math
from itertools import product
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.stats import ranking
from evoselfcode.stats.intervals import wilson
from evoselfcode.stats.ranking import (
    fuse,
    fused,
    least_share,
    pareto_front,
    pareto_within,
    percentiles,
    ranks_within,
    separation,
    tail_draws,
    tail_weights,
)

NAN = math.nan
FEW = st.sampled_from([NAN, -2.0, -0.0, 0.0, 0.1, 0.2, 0.30000000000000004, 7.0, math.inf])
ROWS = st.lists(st.tuples(FEW, FEW, FEW, st.integers(0, 3)), min_size=1, max_size=24)


def columns(rows: list[tuple[float, float, float, int]]) -> tuple[list[np.ndarray], np.ndarray]:
    *values, groups = zip(*rows, strict=True)
    return [np.array(column) for column in values], np.array(groups, np.int64)


def test_ranks_are_within_groups_and_equal_ones_share_theirs() -> None:
    """Sabotage: give equal values their places in a row, or rank NaN as the lowest."""
    values = np.array([3.0, 1.0, 3.0, NAN, 5.0, 9.0])
    ranks = ranks_within(values, np.array([0, 0, 0, 0, 0, 1]))
    assert ranks.tolist()[:3] == [2.5, 4.0, 2.5]
    assert math.isnan(ranks[3])
    assert ranks.tolist()[4:] == [1.0, 1.0]
    assert ranks_within(np.array([]), np.array([], np.int64)).tolist() == []


def test_the_middle_of_a_group_is_at_one_half() -> None:
    """Sabotage: leave the half of a row itself out."""
    ranks = np.array([1.0, 2.0, 3.0, 1.0, NAN])
    found = percentiles(ranks, np.array([0, 0, 0, 1, 1])).tolist()
    assert found[:4] == [2.5 / 3, 0.5, 0.5 / 3, 0.5]
    assert math.isnan(found[4])


def test_fusion_is_the_weighted_sum_of_inverted_ranks() -> None:
    """Cormack's formula with k = 60. Sabotage: begin ranks at 0, or forget a weight."""
    ranks = [np.array([1.0, 2.0]), np.array([2.0, 1.0])]
    found = fused(ranks, [3.0, 0.5], np.zeros(2, np.int64))
    assert found.tolist() == pytest.approx([3 / 61 + 0.5 / 62, 3 / 62 + 0.5 / 61])
    assert fused(ranks, [0.0, 0.0], np.zeros(2, np.int64)).tolist() == [0.0, 0.0]


@given(ROWS)
def test_metrics_are_ranked_and_joined_in_one_go(rows: list[tuple[float, float, float, int]]) -> None:
    """Sabotage: join the ranks of metrics without weight too, or count what is not known."""
    values, groups = columns(rows)
    made = fuse(dict(zip("abc", values, strict=True)), {"a": 2.0, "b": 0.0, "c": 0.5}, groups)
    ranks = [ranks_within(value, groups) for value in values]
    assert made.fused.tolist() == fused(ranks, [2.0, 0.0, 0.5], groups).tolist()
    assert [repr(made.ranks[name].tolist()) for name in made.ranks] == [repr(ranks[i].tolist()) for i in (0, 2)]
    known = [np.sum((groups == group) & ~np.isnan(values[2])) for group in range(groups.max() + 1)]
    assert made.counts["c"].tolist() == known


@given(ROWS)
def test_what_is_not_known_neither_helps_nor_hurts(rows: list[tuple[float, float, float, int]]) -> None:
    """A row's distance to its group's mean is that of the metrics it has. Sabotage: give it 0, or the last rank."""
    values, groups = columns(rows)
    ranks = [ranks_within(value, groups) for value in values]
    every, without = fused(ranks, [1.0, 2.0, 1.0], groups), fused(ranks, [1.0, 0.0, 1.0], groups)
    for group in set(groups.tolist()):
        members = groups == group
        for row in np.flatnonzero(members & np.isnan(values[1])):
            told = every[row] - every[members].mean()
            assert told == pytest.approx(without[row] - without[members].mean(), abs=1e-12)


def test_the_size_of_a_group_does_not_change_what_k_means() -> None:
    """First in one metric and last in two loses to the best twentieth of all three. Sabotage: raise ``DEPTH``."""
    n = 200_000
    extreme, good = np.array([1.0, n, n]), np.full(3, n / 20)
    ranks = [np.append(np.arange(1.0, n - 1), [extreme[i], good[i]]) for i in range(3)]
    found = fused(ranks, [1.0, 1.0, 1.0], np.zeros(n, np.int64))
    assert found[-1] > found[-2]


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_reaches_nothing(rows: list[tuple[float, float, float, int]], random: Random) -> None:
    """Sabotage: break ties of ranks by place."""
    order = list(range(len(rows)))
    random.shuffle(order)

    def numbers(rows: list[tuple[float, float, float, int]]) -> list[list[float]]:
        values, groups = columns(rows)
        ranks = [ranks_within(value, groups) for value in values]
        joined = fused(ranks, [0.1, 0.2, 0.3], groups)
        front = pareto_within(np.column_stack(values), groups)
        return [
            *(rank.tolist() for rank in ranks),
            joined.tolist(),
            front.tolist(),
            percentiles(ranks[0], groups).tolist(),
        ]

    before, after = numbers(rows), numbers([rows[i] for i in order])
    assert [repr([column[i] for i in order]) for column in before] == [repr(column) for column in after]
    (values, groups), (shuffled, others) = columns(rows), columns([rows[i] for i in order])
    assert separation(values[0], values[1] > 0, groups) == separation(shuffled[0], shuffled[1] > 0, others)


def test_the_order_of_rows_does_not_reach_the_last_bit_of_a_mean() -> None:
    """0.1 + 0.2 + 0.3 is not 0.3 + 0.2 + 0.1. Sabotage: sum contributions as rows come."""
    values = np.append(np.random.default_rng(0).random(999), [NAN])
    separate = np.arange(1000) % 3 == 0
    groups = np.zeros(1000, np.int64)
    told = fused([ranks_within(values, groups)], [1.0], groups)[-1], separation(values, separate, groups)
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(1000)
        found = fused([ranks_within(values[order], groups)], [1.0], groups)
        assert (found[order == 999][0], separation(values[order], separate[order], groups)) == told


def on_front(points: list[tuple[float, ...]]) -> list[bool]:
    """Compare every point with every other."""
    known = [tuple(-math.inf if math.isnan(number) else number for number in point) for point in points]
    return [
        not any(all(b >= a for a, b in zip(one, other, strict=True)) and other != one for other in known)
        for one in known
    ]


@given(st.lists(st.tuples(FEW, FEW, FEW), max_size=30))
def test_the_front_is_what_comparing_all_pairs_finds(points: list[tuple[float, ...]]) -> None:
    """Sabotage: compare with ``>`` in the staircase, or take points off it from the wrong side."""
    for width in (1, 2, 3):
        cut = [point[:width] for point in points]
        array = np.array(cut, float).reshape(len(cut), width)
        assert pareto_front(array).tolist() == on_front(cut)


@pytest.mark.parametrize("width", [0, 4])
def test_a_front_of_other_widths_is_refused(width: int) -> None:
    with pytest.raises(ValueError, match="one to three numbers"):
        pareto_front(np.zeros((2, width)))


@given(st.lists(st.tuples(FEW, st.booleans(), st.integers(0, 2)), max_size=24))
def test_separation_is_the_share_of_pairs_in_order(rows: list[tuple[float, bool, int]]) -> None:
    """Sabotage: count equal values as won, or pairs of different groups."""
    pairs = [
        0.5 * (a == b) + (a > b)
        for (a, good, group), (b, bad, other) in product(rows, rows)
        if good and not bad and group == other and not math.isnan(a) and not math.isnan(b)
    ]
    values, goods, groups = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    found = separation(np.array(values, float), np.array(goods, bool), np.array(groups, np.int64))
    assert found == (pytest.approx(sum(pairs) / len(pairs)) if pairs else None)


@given(st.integers(0, 60), st.integers(1, 60))
def test_the_least_share_is_wilsons(found: int, of: int) -> None:
    """Sabotage: use the one-sided quantile."""
    found = min(found, of)
    low = least_share(np.array([float(found)]), np.array([float(of)]))[0]
    assert low == pytest.approx(wilson(found, of).low, abs=1e-9)


def test_a_share_of_nothing_is_not_known() -> None:
    assert np.isnan(least_share(np.array([0.0, 1.0, 0.0]), np.array([0.0, NAN, NAN]))).all()
    assert least_share(np.array([0.0]), np.array([5.0])).tolist() == [0.0]


def test_the_tail_is_weighted_by_the_exponential_of_perplexity() -> None:
    """Sabotage: leave ``- most`` out (overflow), or weigh by the log of perplexity."""
    assert tail_weights([1.0, 1.5]) == pytest.approx([1 / (1 + math.e), math.e / (1 + math.e)])
    assert tail_weights([1e6, 1e6]) == [0.5, 0.5]
    assert tail_weights([1.0, 5.0, 9.0], 0.0) == pytest.approx([1 / 3] * 3)


def test_draws_follow_the_weights_and_the_seed() -> None:
    """Sabotage: draw without replacement, or from one end of the ranges only."""
    weights = tail_weights([1.0, 1.2, 2.0])
    drawn = tail_draws(weights, 30_000, Random(1))
    assert drawn == tail_draws(weights, 30_000, Random(1))
    assert sum(drawn) == 30_000
    assert [times / 30_000 for times in drawn] == pytest.approx(weights, abs=0.01)
    assert tail_draws([1.0], 8, Random(0)) == [8]
    assert tail_draws([0.0, 1.0, 0.0], 8, Random(0)) == [0, 8, 0]


def test_many_points_have_their_front(monkeypatch: pytest.MonkeyPatch) -> None:
    """The staircase stays short: its steps are counted, not timed. Sabotage: never take a point off the staircase."""
    longest = 0

    class Watched(ranking._Stairs):
        def take(self, first: float, second: float) -> bool:
            nonlocal longest
            taken = super().take(first, second)
            longest = max(longest, len(self._first))
            return taken

    monkeypatch.setattr(ranking, "_Stairs", Watched)
    points = np.random.default_rng(0).random((100_000, 3))
    front = pareto_front(points)
    assert 50 < front.sum() < 300
    assert longest < 60
