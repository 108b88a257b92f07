"""Tokens per minute: they hold over every minute, large requests pass, and nobody is overtaken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.engine.budget import TokenBudget

arrivals = st.lists(st.tuples(st.floats(0, 30), st.floats(0, 5000)), min_size=1, max_size=80)
"""How long after the one before a request comes, and its tokens."""


def booked(per_minute: float, requests: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return when each request starts, and its tokens."""
    budget, now, starts = TokenBudget(per_minute, 0.0), 0.0, []
    for later, tokens in requests:
        now += later
        wait = budget.wait(now, tokens)
        assert wait >= 0
        starts.append((now + wait, tokens))
    return starts


@given(st.floats(60, 1e6), arrivals)
def test_no_minute_has_more_than_its_tokens_and_one_burst(
    per_minute: float, requests: list[tuple[float, float]]
) -> None:
    """Sabotage: begin with a bucket of a whole minute (``BURST = 60``)."""
    starts = booked(per_minute, requests)
    burst = max(per_minute / 60, *(tokens for _, tokens in requests))
    for first, _ in starts:
        within = sum(tokens for at, tokens in starts if first <= at < first + 60 - 1e-6)
        assert within <= (per_minute + burst) * (1 + 1e-9) + 1e-3


@given(st.floats(60, 1e6), arrivals)
def test_nobody_is_overtaken_and_nobody_starves(per_minute: float, requests: list[tuple[float, float]]) -> None:
    """First come, first served, and no later than all before it are paid for. Sabotage: serve small ones at once."""
    starts = booked(per_minute, requests)
    assert [at for at, _ in starts] == sorted(at for at, _ in starts)
    now = paid = 0.0
    for (later, tokens), (at, _) in zip(requests, starts, strict=True):
        now += later
        assert at <= max(now, paid) + 1e-6 * (1 + paid)
        paid = max(now, paid) + tokens * 60 / per_minute


def test_a_request_larger_than_the_bucket_passes() -> None:
    """100 tokens a second; one of 1,000 waits for a full bucket only, and the next one for it. Sabotage: refuse it."""
    budget = TokenBudget(6000, 0.0)
    assert budget.wait(0.0, 50) == 0.0
    assert budget.wait(0.0, 1000) == pytest.approx(0.5)
    assert budget.wait(0.0, 10) == pytest.approx(9.6)
    assert budget.wait(30.0, 100) == 0.0


def test_a_first_second_is_no_minute() -> None:
    """aiolimiter's bucket of a minute gives all of it at once. Sabotage: ``BURST = 60``."""
    budget = TokenBudget(6000, 0.0)
    starts = [budget.wait(0.0, 10) for _ in range(100)]
    assert sum(start == 0 for start in starts) == 10
    assert starts[-1] == pytest.approx(9.0)


def test_what_was_used_is_what_counts() -> None:
    """Booked 4,096, used 600. Sabotage: leave ``used`` empty: a sixth of the tokens is all that is ever used."""
    budget, now = TokenBudget(6000, 0.0), 0.0
    for _ in range(1000):
        now += budget.wait(now, 4096) + 1.0
        budget.used(now, 4096, 600)
    assert now == pytest.approx(1000 * 6.0, rel=0.01)


def test_more_than_was_booked_is_owed() -> None:
    """From the time on at which it is told. Sabotages: give back only; drop the ``max`` of ``used``."""
    budget = TokenBudget(6000, 0.0)
    budget.wait(0.0, 100)
    budget.used(5.0, 100, 1100)
    assert budget.wait(5.0, 100) == pytest.approx(10.0)


def test_what_comes_back_lets_nobody_overtake() -> None:
    """Sabotage: book without ``_last``: who comes after the refund starts before who waits."""
    budget = TokenBudget(6000, 0.0)
    budget.wait(0.0, 1000)
    waits = budget.wait(0.0, 10)
    budget.used(1.0, 1000, 0)
    assert 1.0 + budget.wait(1.0, 10) >= waits > 9


def test_an_idle_minute_is_no_burst() -> None:
    """What was not used in time is lost. Sabotage: drop the ``max`` of ``paid``."""
    budget = TokenBudget(6000, 0.0)
    budget.wait(0.0, 1000)
    budget.used(60.0, 1000, 0)
    assert sum(budget.wait(60.0, 50) == 0 for _ in range(20)) == 2


@given(st.floats(60, 1e6), st.lists(st.tuples(st.floats(0, 5), st.floats(1, 4000), st.floats(0, 1)), max_size=80))
def test_what_is_given_back_is_no_burst(per_minute: float, requests: list[tuple[float, float, float]]) -> None:
    """Estimates that were too high give no more than a bucket, whenever they come back.

    Sabotage: drop both ``max`` with ``paid``.
    """
    budget, now, starts = TokenBudget(per_minute, 0.0), 0.0, []
    for later, tokens, part in requests:
        now += later
        now += budget.wait(now, tokens)
        starts.append((now, tokens * part))
        budget.used(now, tokens, tokens * part)
    burst = max([per_minute / 60, *(tokens for _, tokens, _ in requests)])
    for first, _ in starts:
        within = sum(tokens for at, tokens in starts if first <= at < first + 60 - 1e-6)
        assert within <= (per_minute + 2 * burst) * (1 + 1e-9) + 1e-3
