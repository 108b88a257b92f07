"""What retries may add: a tenth of the last minute's requests, and one a second for each endpoint."""

from __future__ import annotations

import pytest

from evoselfcode.wire.retry_budget import RetryBudget

RATIOS = [0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.99, 1.0]


@pytest.mark.parametrize("ratio", RATIOS)
def test_retries_add_a_tenth_and_the_floor(ratio: float) -> None:
    """R3, as Finagle tests it: 10,000 requests in a clock that stands still. Sabotage: ``SHARE = 5``."""
    budget, retries, due = RetryBudget(), 0, 0.0
    for _ in range(10_000):
        budget.requested(1000.0)
        due += ratio
        while due >= 1.0:  # each retry of a row that always fails fails again: as often as it may
            due -= 1.0
            retries += sum(budget.take(1000.0) for _ in range(4))
    floor = budget.SPAN * budget.FLOOR
    assert retries <= 1000 + floor
    assert abs(retries - min(4 * ratio * 10_000, 1000 + floor)) <= 4 + 0.1 * 4 * ratio * 10_000 * (ratio < 0.03)


@pytest.mark.parametrize("failing", [0.05, 0.3, 1.0])
def test_over_ten_minutes_too(failing: float) -> None:
    """100 requests a second. Sabotage: forget requests and keep retries, or the other way round."""
    budget, asked, retries, short = RetryBudget(), 0, 0, 0.0
    for second in range(600):
        for _ in range(100):
            asked += 1
            budget.requested(float(second))
            short += 4 * failing
        while short >= 1.0 and budget.take(float(second)):
            short -= 1.0
            retries += 1
    assert retries <= 0.1 * asked + 600 * budget.FLOOR + budget.SPAN * budget.FLOOR
    assert retries >= min(4 * failing * asked, 0.1 * asked) * 0.9


def test_all_endpoints_bring_their_floor() -> None:
    """Sabotage: pass over ``endpoints``."""
    budget = RetryBudget()
    budget.endpoints = 3
    assert sum(budget.take(5.0) for _ in range(1000)) == 180
    assert not budget.take(64.0)
    assert sum(budget.take(66.0) for _ in range(1000)) == 180


def test_a_part_of_a_retry_is_none() -> None:
    """Five requests pay for half a one. Sabotage: take what is left, if it is more than nothing."""
    budget = RetryBudget()
    for _ in range(5):
        budget.requested(5.0)
    assert sum(budget.take(5.0) for _ in range(1000)) == 60
    assert budget.left(5.0) == 0.5


def test_what_is_left_is_never_below_nothing_nor_above_what_was_put_in() -> None:
    """Whoever takes when, from whatever clock. Sabotage: ``self._sum -= self.SHARE`` twice."""
    budget, now, put = RetryBudget(), 123456.7, 0
    for step in range(20_000):
        now += 0.003 * (step % 7)
        for _ in range(step % 3):
            budget.requested(now)
            put += 1
        if step % 2:
            budget.take(now)
        assert 0.0 <= budget.left(now) <= 60 + put / 10
    assert budget.left(now + 61.0) == 60.0
