"""Which level comes next, when the climb is over, which level is the knee: by levels that are made by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bench_climbs import FULL, level
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.bench.ladder import Ladder
from evoselfcode.bench.levels import Level, Queue, quantile

Gives = Callable[[int], Level]


def climb(gives: Gives, *, first: int = 1, most: int = 1024) -> tuple[Ladder, list[int]]:
    """Climb a server that gives so much at each level; return the ladder and the levels in their order."""
    ladder, order = Ladder(first, most), []
    while (limit := ladder.next()) is not None:
        order.append(limit)
        ladder.add(gives(limit))
    return ladder, order


def slots(count: int, *, each: float = 10.0) -> Gives:
    """A server that gives the same for each request in flight up to its slots, and no more above."""
    return lambda limit: level(limit, each * min(limit, count))


@pytest.mark.parametrize("count", [1, 3, 8, 32, 100, 256, 700])
def test_the_knee_of_slots_is_found_to_15_per_cent(count: int) -> None:
    """Sabotage: take the best level for the knee (``GOOD = 1``), or do not look between (``NARROW = 2``)."""
    ladder, _ = climb(slots(count), most=4096)
    assert ladder.knee is not None
    assert 0.85 * count <= ladder.knee.limit <= max(count, 1.15 * count)


def test_levels_double_until_two_doublings_give_no_more_and_then_halve_the_gap() -> None:
    """Sabotage: end the climb at the first doubling that gives no more."""
    _, order = climb(slots(32))
    assert order == [1, 2, 4, 8, 16, 32, 64, 128, 23, 27, 29]


def test_a_queue_that_the_server_tells_ends_the_climb_one_doubling_sooner() -> None:
    """What waits is paid for in latency. Sabotage: drop ``crowded`` in ``_why_over``."""

    def gives(limit: int) -> Level:
        return level(limit, 10.0 * min(limit, 32), server=Queue(min(limit, 32), max(0, limit - 32)))

    _, order = climb(gives)
    assert max(order) == 64


def test_a_full_client_that_still_gives_more_goes_on() -> None:
    """A core shared with others is full at once. Sabotage: end the climb at the first strained level."""
    ladder, _ = climb(lambda limit: level(limit, 10.0 * limit**0.5, client=FULL), most=256)
    assert ladder.over == "most"


def test_an_error_of_measurement_is_no_rise() -> None:
    """Three levels in a queue, one of them lucky. Sabotage: compare without ``error``: it climbs on to 1,024."""
    lucky = {128: 400.0, 256: 600.0}

    def gives(limit: int) -> Level:
        return level(limit, lucky.get(limit, 10.0 * min(limit, 32)), error=150.0 if limit > 64 else 0.0)

    ladder, order = climb(gives)
    assert max(order) == 128
    assert ladder.knee is not None
    assert 27 <= ladder.knee.limit <= 32


def test_what_the_server_refuses_is_never_the_knee_and_the_highest_that_it_takes_is() -> None:
    """It takes 100 and refuses more. Sabotage: look below a refusal only."""

    def gives(limit: int) -> Level:
        return level(limit, 10.0 * min(limit, 100), failures={"rate_limited": limit} if limit > 100 else {})

    ladder, order = climb(gives)
    assert order == [1, 2, 4, 8, 16, 32, 64, 128, 91, 108, 99]
    assert ladder.over == "trouble"
    assert ladder.knee is not None
    assert 85 <= ladder.knee.limit <= 100


def test_a_server_that_refuses_even_one_has_no_knee() -> None:
    ladder, order = climb(lambda limit: level(limit, 0.0, failures={"rate_limited": 500}))
    assert order == [1]
    assert ladder.knee is None


@pytest.mark.parametrize(("kind", "count", "trouble"), [
    ("rate_limited", 10, False), ("overloaded", 11, True), ("disconnect", 50, False), ("timeout", 51, True),
])  # fmt: skip
def test_one_refusal_in_a_hundred_or_five_failures_are_trouble(kind: str, count: int, trouble: bool) -> None:
    """Of 1,000 attempts. Sabotage: any single failure ends the climb."""
    assert level(8, 80.0, failures={kind: count}).in_trouble is trouble


def test_one_failure_of_few_attempts_is_no_trouble() -> None:
    """Sabotage: take a share of ten attempts for one."""
    assert not level(1, 1.0, attempts=10, failures={"disconnect": 1}).in_trouble


def test_a_rate_that_holds_requests_back_ends_the_climb() -> None:
    """Sabotage: drop ``unused``: levels go on to the highest, and none of them is in flight."""
    ladder, order = climb(lambda limit: level(limit, 10.0 * min(limit, 5), in_flight=min(limit, 5.0)))
    assert max(order) == 8
    assert ladder.over == "unused"


def test_the_highest_level_is_what_is_allowed() -> None:
    """Sabotage: double without a bound."""
    ladder, order = climb(slots(10**6), most=100)
    assert order == [1, 2, 4, 8, 16, 32, 64, 100]
    assert ladder.over == "most"


def test_the_first_level_is_one_request_for_each_replica() -> None:
    """Sabotage: begin with one, which cannot be divided."""
    _, order = climb(slots(12), first=3)
    assert order[:3] == [3, 6, 12]


@given(st.lists(st.floats(0.1, 1e6), min_size=24, max_size=24), st.sets(st.integers(0, 23)))
def test_whatever_a_server_does_there_are_at_most_six_levels_between_others(gives: list[float], bad: set[int]) -> None:
    """No two levels are asked for twice, either. Sabotage: halve down to neighbours (``NARROW = 1``)."""
    number = iter(range(24))

    def give(limit: int) -> Level:
        at = next(number)
        return level(limit, gives[at], failures={"rate_limited": 500} if at in bad else {})

    _, order = climb(give)
    doublings = [limit for limit in order if limit & (limit - 1) == 0]
    assert len(order) == len(set(order)) <= len(doublings) + 6


@pytest.mark.parametrize(("share", "wanted"), [(0.5, 2.0), (0.95, 4.0), (0.25, 1.0)])
def test_quantiles_are_by_nearest_rank(share: float, wanted: float) -> None:
    """Sabotage: round the rank down."""
    assert quantile([1.0, 2.0, 3.0, 4.0], share) == wanted
    assert quantile([], share) == 0.0
