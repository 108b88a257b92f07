"""The retry policy, driven by hand: no clock, no loop, no server."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evoselfcode.records import Choice, Completion, Failure, FailureKind
from evoselfcode.wire import retry
from evoselfcode.wire.retry import EXCUSED, Action, Send, Tried, Wait, attempts, drive, policy

DONE = Completion((Choice("x", "stop"),))


def play(
    answer: Callable[[int], Completion | Failure], *, seed: int = 0, limit: int = 10_000, **settings: float
) -> tuple[Completion | Failure, int, list[Wait]]:
    """Drive the policy: the result, the number of attempts, the waits."""
    steps = attempts(random=Random(seed), **settings)  # type: ignore[arg-type]
    sent: int = 0
    waits: list[Wait] = []
    try:
        step = next(steps)
        for _ in range(limit):
            if isinstance(step, Wait):
                waits.append(step)
                step = steps.send(None)
            else:
                sent += 1
                assert step.number == sent
                step = steps.send(Tried(answer(sent)))
    except StopIteration as ended:
        return ended.value, sent, waits
    raise AssertionError(f"no end after {limit} steps")


def always(kind: FailureKind, retry_after: float | None = None) -> Callable[[int], Failure]:
    return lambda _: Failure(kind, retry_after=retry_after)


KINDS = {action: [kind for kind in get_args(FailureKind) if policy(kind) == action] for action in get_args(Action)}
"""By action, the kinds that lead to it; a page says which these are: test_docs_reference.py."""


def test_a_completion_ends_it_at_once() -> None:
    assert play(lambda _: DONE) == (DONE, 1, [])


@pytest.mark.parametrize("kind", KINDS["give_up"] + KINDS["stop_run"])
def test_what_will_be_refused_again_is_not_asked_again(kind: FailureKind) -> None:
    """Sabotage: treat an unknown action as a retry."""
    assert play(always(kind))[1:] == (1, [])


@pytest.mark.parametrize("max_attempts", [1, 2, 5])
@pytest.mark.parametrize("kind", KINDS["retry"])
def test_a_row_costs_at_most_its_attempts(kind: FailureKind, max_attempts: int) -> None:
    """Sabotage: ``spent > max_attempts``."""
    result, sent, _ = play(always(kind), max_attempts=max_attempts)
    assert isinstance(result, Failure)
    assert sent == max_attempts


@settings(max_examples=100, deadline=None)
@given(st.integers(), st.sampled_from(KINDS["retry"][:1] + KINDS["wait"]))
def test_waits_are_bounded_by_full_jitter(seed: int, kind: FailureKind) -> None:
    """Wait k is at most min(60, 2^k). Sabotage: ``2.0 ** k`` without the cap; an additive jitter."""
    _, _, waits = play(always(kind), seed=seed, max_attempts=12, outage_limit=300)
    for k, wait in enumerate(waits):
        assert 0 < wait.seconds <= min(60.0, 2.0**k)
        assert wait.reason == kind


def test_the_jitter_is_spread_over_the_whole_range() -> None:
    """Kolmogorov-Smirnov distance of 1,000 waits from U(0, 8). Sabotage: ``uniform(bound / 2, bound)``."""
    waits = sorted(play(always("server_error"), seed=seed)[2][3].seconds / 8.0 for seed in range(1000))
    assert max(abs(wait - i / 1000) for i, wait in enumerate(waits)) < 1.63 / 1000**0.5  # p = 0.01


@settings(max_examples=100, deadline=None)
@given(st.integers(), st.floats(retry.MIN_HINT, 300))
def test_a_servers_wait_is_obeyed_and_lengthened_by_a_tenth_at_most(seed: int, asked: float) -> None:
    """Sabotage: ``min`` with the own jitter; no lengthening (all rows would come back at once)."""
    for kind in ("rate_limited", "server_error"):
        _, _, waits = play(always(kind, asked), seed=seed, max_attempts=3, outage_limit=5 * asked)  # type: ignore[arg-type]
        assert waits
        assert all(asked <= wait.seconds <= asked * 1.1 for wait in waits)
    assert len({play(always("server_error", 10.0), seed=seed)[2][0].seconds for seed in range(5)}) == 5


@pytest.mark.parametrize("asked", [0.0, 0.001, 0.0999])
def test_a_server_that_says_zero_is_not_asked_without_end(asked: float) -> None:
    """Sabotage: obey a Retry-After of 0: the loop never ends."""
    result, sent, waits = play(always("rate_limited", asked), limit=200, outage_limit=600.0)
    assert isinstance(result, Failure)
    assert sent == len(waits) + 1 < 60


@settings(max_examples=50, deadline=None)
@given(st.integers(), st.sampled_from(KINDS["wait"]), st.floats(0, 2000))
def test_an_outage_spends_no_attempts_and_ends_at_its_limit(seed: int, kind: FailureKind, limit: float) -> None:
    """Sabotage: count waits as attempts; ``outage_limit`` per wait."""
    result, sent, waits = play(always(kind), seed=seed, max_attempts=1, outage_limit=limit)
    assert isinstance(result, Failure)
    assert result.kind == kind
    assert sent == len(waits) + 1
    assert sum(wait.seconds for wait in waits) <= limit
    assert sum(wait.seconds for wait in waits) > limit - 60


def test_a_row_survives_an_outage_with_all_its_attempts() -> None:
    """Ten minutes of nothing, then four failures of its own, then a completion. Sabotage: count waits."""

    def answer(number: int) -> Completion | Failure:
        if number <= 15:
            return Failure("connect")
        return Failure("server_error") if number <= 19 else DONE

    result, sent, waits = play(answer, max_attempts=5)
    assert (result, sent, len(waits)) == (DONE, 20, 19)


def test_a_connection_that_breaks_at_the_first_attempt_is_tried_again_at_once() -> None:
    """The keep-alive race. Only then, and it is counted. Sabotage: at once at every attempt."""
    result, sent, waits = play(always("disconnect"), max_attempts=4)
    assert isinstance(result, Failure)
    assert (sent, len(waits)) == (4, 2)
    later = [Failure("server_error"), Failure("disconnect"), DONE]
    assert [wait.reason for wait in play(lambda n: later[n - 1])[2]] == ["server_error", "disconnect"]


def test_the_same_seed_waits_the_same() -> None:
    """A run can be repeated. Sabotage: use the module's ``random``."""
    assert play(always("server_error"), seed=5) == play(always("server_error"), seed=5)
    assert play(always("server_error"), seed=5)[2] != play(always("server_error"), seed=6)[2]


def test_an_attempt_that_gives_nothing_is_a_mistake_of_the_driver() -> None:
    steps = attempts(random=Random(0))
    next(steps)
    with pytest.raises(TypeError, match="completion or a failure"):
        steps.send(None)


@pytest.mark.parametrize("after", [0, 1])
def test_a_policy_may_be_dropped_at_any_step(after: int) -> None:
    """A cancelled request closes its generator: nothing is yielded any more."""
    steps = attempts(random=Random(0))
    assert next(steps) == Send(1)
    if after:
        assert isinstance(steps.send(Tried(Failure("overloaded"))), Wait)
    steps.close()
    with pytest.raises(StopIteration):
        next(steps)


async def test_drive_carries_the_steps_out() -> None:
    answers = [Failure("overloaded", retry_after=2.0), DONE]
    paused: list[Wait] = []

    async def attempt() -> Completion | Failure:
        return answers.pop(0)

    async def pause(wait: Wait) -> bool:
        paused.append(wait)
        return True

    assert await drive(attempts(random=Random(0)), attempt, pause) == DONE
    assert [wait.reason for wait in paused] == ["overloaded"]


async def test_drive_gives_up_where_the_caller_does() -> None:
    """Sabotage: ignore what ``pause`` returns: a preflight would ask once more."""
    attempts_made = 0

    async def attempt() -> Completion | Failure:
        nonlocal attempts_made
        attempts_made += 1
        return Failure("overloaded")

    async def pause(wait: Wait) -> bool:
        return False

    assert await drive(attempts(random=Random(0)), attempt, pause) == Failure("overloaded")
    assert attempts_made == 1


def follow(*tried: Tried, **settings: Any) -> Send | Completion | Failure:
    """Feed the policy what was tried, without waiting; return what it does next: another attempt, or the end."""
    steps = attempts(random=Random(0), **settings)
    try:
        step = next(steps)
        for one in tried:
            step = steps.send(one)
            while isinstance(step, Wait):
                step = steps.send(None)
    except StopIteration as ended:
        return ended.value  # type: ignore[no-any-return]
    assert isinstance(step, Send)
    return step


BOOM = Failure("server_error", "boom", 500)


def test_what_fails_at_an_endpoint_that_is_away_is_not_spent() -> None:
    """R2. Sabotage: count it."""
    away = Tried(Failure("disconnect"), counts=False)
    assert follow(*[away] * 1000, max_attempts=1) == Send(1001)
    assert follow(*[away] * 1000, Tried(BOOM), max_attempts=1) == BOOM


def test_only_a_retry_on_the_rows_own_account_is_paid() -> None:
    """R3. Sabotage: let a wait for a busy endpoint be paid, too, or nothing."""
    assert follow() == Send(1)
    assert follow(Tried(BOOM)) == Send(2, paid=True)
    assert follow(Tried(Failure("disconnect"))) == Send(2, paid=True)
    assert follow(Tried(Failure("overloaded", status=503))) == Send(2)
    assert follow(Tried(BOOM), Tried(Failure("connect"), counts=False)) == Send(3)


@pytest.mark.parametrize(
    ("spent", "poison"),
    [
        ([("a", 0.0), ("b", 1.0), ("a", 2.0)], True),
        ([("a", 0.0), ("a", 1.0), ("a", 2.0)], False),
        ([("a", 0.0), ("a", 1.0), ("a", 60.0)], True),
        ([("a", 0.0), ("b", 70.0)], False),
    ],
)
def test_a_poison_row_is_given_up_while_others_are_answered(spent: list[tuple[str, float]], poison: bool) -> None:
    """R8: three alike, at two endpoints or a minute apart. Sabotage: two; at any endpoint; at any distance."""
    tried = [Tried(BOOM, at=at, endpoint=endpoint, healthy=True) for endpoint, at in spent]
    assert (follow(*tried) == BOOM) is poison
    others = [Tried(BOOM, at=at, endpoint=endpoint, healthy=False) for endpoint, at in spent]
    assert isinstance(follow(*others), Send)


def test_what_broke_when_its_endpoint_went_away_is_forgiven_some_times() -> None:
    """R2: five outages, and then its own account. Sabotage: forgive nothing, everything, or the last failure, too."""
    broke = [Tried(Failure("disconnect"), at=100.0 * at, endpoint="a", healthy=True) for at in range(20)]
    assert follow(*broke[:3], max_attempts=9) == broke[2].result
    assert isinstance(follow(*broke[: EXCUSED + 2], max_attempts=9, went_away=lambda tried: True), Send)
    assert follow(*broke[: EXCUSED + 3], max_attempts=9, went_away=lambda tried: True) == broke[0].result
    early: dict[str, Any] = {"max_attempts": 2, "went_away": lambda tried: tried.at < 100.0}
    assert isinstance(follow(*broke[:2], **early), Send)
    assert follow(*broke[:3], **early) == broke[0].result


def test_failures_of_different_sorts_are_no_poison() -> None:
    """Sabotage: compare the kinds alone, or nothing."""
    sorts = [BOOM, *(Failure("server_error", "boom", status) for status in (415, 424)), Failure("disconnect")]
    tried = [Tried(failure, endpoint=str(number), healthy=True) for number, failure in enumerate(sorts)]
    assert isinstance(follow(*tried), Send)


def test_the_attempts_of_a_row_have_a_deadline_together() -> None:
    """Waiting is free, and so is what does not count. Sabotage: leave it out, or add what does not count."""
    late = Tried(Failure("timeout"), seconds=100.0)
    away = Tried(Failure("timeout"), seconds=100.0, counts=False)
    assert follow(late, late, deadline=300.0) == Send(3, paid=True)
    assert follow(late, late, late, deadline=300.0) == late.result
    assert follow(away, away, away, late, deadline=300.0) == Send(5, paid=True)


@pytest.mark.parametrize(("new_tokens", "seconds"), [(1, 120.1), (4096, 529.6), (10**6, 1800.0)])
def test_an_attempt_may_take_as_long_as_honest_work_does(new_tokens: int, seconds: float) -> None:
    """R10: 10 tokens a second and two minutes in the queue. Sabotage: a fixed number of seconds."""
    assert retry.attempt_seconds(new_tokens) == pytest.approx(seconds)
