"""C2, C3: the limit finds the knee of a server that only ever says 200 and queues, and does not run away from it.

The toy server of facts §2.1 in virtual time; the best static limit is found by a sweep in the same simulator. More
servers, and the rules that failed, are in ``benchmarks/governor.py``.
"""

from __future__ import annotations

from functools import cache

import pytest
from sim.toy import Client, Toy, drive, goodput, log_normal, queue

from evoselfcode.engine.governor import Governor, Limits


def client(*, numbers: bool, limits: Limits = Limits(), **how: object) -> Client:  # noqa: B008
    return Client(Governor(limits, 0.0), numbers=numbers, **how)  # type: ignore[arg-type]


@cache
def best(slots: int, most: int) -> float:
    """Return the goodput of the best limit that never moves."""
    found = []
    for limit in {min(most, round(slots * part)) for part in (0.8, 1.0, 1.1)}:
        static = client(numbers=False, limits=Limits(fixed=limit))
        drive(Toy(slots), [static], 900.0)
        found.append(goodput(static))
    return max(found)


@pytest.mark.parametrize("age", [0.0, 5.0], ids=["new", "old"])
@pytest.mark.parametrize("slots", [32, 256])
def test_with_numbers_it_finds_the_slots(slots: int, age: float) -> None:
    """Sabotage: grow by 2 instead of ``GROWTH`` (twice the slots for a tick); or never shrink (``CROWDED = 9``)."""
    ours = client(numbers=True, age=age)
    drive(Toy(slots), [ours], 900.0)
    assert goodput(ours) >= 0.95 * best(slots, 4096)
    assert max(limit for _, limit, _ in ours.limits) <= 1.25 * slots
    assert max(load.waiting / load.running for at, _, load in ours.limits if at >= 300) <= 0.25


@pytest.mark.parametrize("slots", [32, 256, 1024])
def test_without_numbers_it_finds_the_knee(slots: int) -> None:
    """Sabotage: never look below (``GOOD = 1.2``): at 32 slots it ends at the cap of 256."""
    ours = client(numbers=False)
    drive(Toy(slots), [ours], 900.0)
    assert goodput(ours) >= 0.95 * best(slots, 256)
    assert max(limit for _, limit, _ in ours.limits) <= 256
    assert queue(ours) <= 0.25


def test_a_thousand_slots_are_found_in_two_minutes() -> None:
    """Sabotage: grow by a twentieth a tick."""
    ours = client(numbers=True)
    drive(Toy(1024), [ours], 150.0)
    assert 1024 <= ours.governor.limit <= 1280


@pytest.mark.parametrize("numbers", [True, False])
def test_requests_of_several_choices(numbers: bool) -> None:
    """n = 4: 16 slots are not 16 requests. Sabotage: take sequences for requests (both ``room``)."""
    ours, static = client(numbers=numbers, n=4), client(numbers=False, limits=Limits(fixed=10), n=4)
    drive(Toy(16), [ours], 900.0)
    drive(Toy(16), [static], 900.0)
    assert goodput(ours) >= 0.9 * goodput(static)
    assert not numbers or queue(ours) <= 0.25


def test_two_clients_share_a_server_and_neither_swings() -> None:
    """Each sees the other's requests in the numbers. Sabotage: hold still between 5 and 10 % (``FAIR = inf``)."""
    first, second = client(numbers=True), client(numbers=True, begins=200.0, seed=1)
    drive(Toy(64), [first, second], 5400.0)
    both = [a + b for (at, a, _), (_, b, _) in zip(first.limits[-200:], second.limits[-200:], strict=True)]
    assert 60 <= min(both) <= max(both) <= 80
    assert second.governor.limit >= 0.6 * first.governor.limit


@pytest.mark.parametrize("numbers", [True, False])
def test_a_server_that_slows_down_is_no_reason_to_run_away(numbers: bool) -> None:
    """A brown-out: a third of its speed for five minutes. Sabotage: keep the first measurement of a limit."""
    ours = client(numbers=numbers)
    drive(Toy(64, speed=lambda now: 1 / 3 if 600 <= now < 900 else 1.0), [ours], 1800.0)
    assert max(limit for at, limit, _ in ours.limits if at >= 900) <= (80 if numbers else 256)
    assert 60 <= ours.governor.limit <= (80 if numbers else 112)
    assert goodput(ours, 1200.0, 1800.0) >= 0.9 * best(64, 256)


def test_half_the_slots_gone_are_noticed() -> None:
    """Sabotage: drop the cut of ``_by_queue``."""
    ours = client(numbers=True)
    drive(Toy(64, open_slots=lambda now: 64 if now < 300 else 32), [ours], 900.0)
    assert 32 <= ours.governor.limit <= 40


def test_longer_answers_are_no_other_knee() -> None:
    """The lengths become four times as long mid-run. Sabotage: measure requests a second, not tokens."""
    ours = client(numbers=False, lengths=lambda now: log_normal(200.0 if now < 900 else 800.0))
    drive(Toy(64), [ours], 2400.0)
    late = [limit for at, limit, _ in ours.limits if at >= 1500]
    assert 44 <= min(late) <= max(late) <= 96


@pytest.mark.parametrize("numbers", [True, False])
def test_a_server_that_refuses_is_not_asked_again_and_again(numbers: bool) -> None:
    """429 above its slots, so that nothing ever waits, with Retry-After. Sabotage: no ceiling (``_most``)."""
    ours = client(numbers=numbers, retry_after=10.0)
    drive(Toy(32, admission=32), [ours], 1800.0)
    assert ours.refused <= 12
    assert goodput(ours, 300.0, 1800.0) >= 0.9 * best(32, 256)
