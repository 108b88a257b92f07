"""The retry policy: what each failure leads to, how long to wait, and when a row is given up.

A policy is a generator: it yields what to do and is sent what happened. No I/O, no clock, no event loop; whoever
drives it (the engine, or :func:`drive`) owns those. It is the only owner of retries in the program.

Outages are not failures: a refused connection, a loading model, a full queue or a rate limit says nothing about the
row, and neither does what breaks at an endpoint that is just going away. Such attempts are not spent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from math import inf
from random import Random
from typing import Literal

import msgspec

from evoselfcode.records import Completion, Failure, FailureKind

Action = Literal["retry", "wait", "give_up", "stop_run"]
"""What a failure leads to: ask again and count it, wait without counting, give the row up, end the run."""

_ACTIONS: dict[FailureKind, Action] = {
    "auth": "stop_run",
    "payment": "stop_run",
    "no_model": "stop_run",
    "no_route": "stop_run",
    "bad_request": "give_up",
    "unsupported": "give_up",
    "too_long": "give_up",
    "sentinel_in_prompt": "give_up",
    "unaligned": "give_up",
    "rate_limited": "wait",
    "overloaded": "wait",
    "loading": "wait",
    "connect": "wait",
    "server_error": "retry",
    "disconnect": "retry",
    "timeout": "retry",
    "bad_reply": "retry",
    "too_large": "retry",
}


def policy(kind: FailureKind) -> Action:
    """Say what a failure of this kind leads to."""
    return _ACTIONS[kind]


HINTS: dict[FailureKind, str] = {
    "auth": "set api.api_key, for instance to ${EVOSELFCODE_API_KEY}",
    "payment": "the account has no credit or no quota left",
    "no_model": "set model to a name the server lists; `evoselfcode doctor` shows them",
    "no_route": "check api.base_url; it should usually end in /v1",
}
"""What to do about each failure that ends the run."""

BASE = 1.0
"""First upper bound of a wait, in seconds."""

CAP = 60.0
"""Last upper bound of a wait, in seconds."""

MIN_HINT = 0.1
"""Shortest Retry-After that is obeyed, in seconds: a busy server that says 0 would be asked without end."""


POISON = 3
"""Failures alike after which a row, not the endpoints, is at fault, where :func:`attempts` has seen enough to say."""

APART = 60.0
"""Seconds between the first and the last of them that count like a second endpoint."""

EXCUSED = 5
"""Failures of one row that are forgiven because its endpoint turned out to be going away; after more, the row is
suspected of taking endpoints down."""


class Send(msgspec.Struct, frozen=True):
    """Make attempt `number` (the first is 1) and send back what it gave.

    Attributes:
        number: Counted from 1, attempts that nobody counts among them.
        paid: Whether this is a retry on the row's own account, which a run's budget must allow first
            (:class:`~evoselfcode.wire.retry_budget.RetryBudget`).
    """

    number: int
    paid: bool = False


class Wait(msgspec.Struct, frozen=True):
    """Wait `seconds` because of `reason`, holding no slot, and send back ``None``."""

    seconds: float
    reason: FailureKind


class Tried(msgspec.Struct, frozen=True):
    """What an attempt gave, and what is known of its endpoint.

    Attributes:
        result: The completion or the failure.
        seconds: How long it took.
        counts: ``False`` if its endpoint is away: whoever drives waits for another slot, and nothing is spent.
        at: When it ended, in seconds of any clock.
        endpoint: Which endpoint it was.
        healthy: Whether nine in ten of all attempts of late were answered, those of other rows.
    """

    result: Completion | Failure
    seconds: float = 0.0
    counts: bool = True
    at: float = 0.0
    endpoint: str = ""
    healthy: bool = False


Steps = Generator[Send | Wait, Tried | None, Completion | Failure]


def attempts(
    *,
    max_attempts: int = 5,
    random: Random,
    deadline: float = inf,
    outage_limit: float = inf,
    went_away: Callable[[Tried], bool] = lambda tried: False,
) -> Steps:
    """Yield the steps of one request; return its completion, or the failure it ends with.

    Waits are drawn from U(0, min(:data:`CAP`, :data:`BASE`·2^k)) ("full jitter": nobody waits for a single row, so
    the widest spread is best). A server's Retry-After is obeyed and lengthened by up to 10 %; one below
    :data:`MIN_HINT` is no hint. A connection that breaks at the first attempt is tried again at once: most often the
    server had just closed it for being idle.

    A row is given up for failures of its own: when it has spent its attempts; when they took `deadline` seconds in
    all; or when it is poison: :data:`POISON` times the same failure, at two endpoints or :data:`APART` seconds apart,
    while other rows are answered. What it spent at an endpoint that was going away is forgiven :data:`EXCUSED` times.

    Args:
        max_attempts: Attempts that may end in a failure of their own.
        random: Draws the jitter.
        deadline: Seconds that the attempts which count may take together; waiting is free.
        outage_limit: Seconds that all waits for a busy endpoint may take together.
        went_away: Says whether the endpoint of an attempt that failed was found to be away right after it.
    """
    number = waits = excused = 0
    waited = 0.0
    spent: list[Tried] = []
    paid = False
    while True:
        number += 1
        tried = yield Send(number, paid)
        if tried is None:
            raise TypeError("an attempt gives a completion or a failure")
        result, paid = tried.result, False
        if not isinstance(result, Failure):
            return result
        action = policy(result.kind)
        if action in ("give_up", "stop_run"):
            return result
        if not tried.counts:
            continue
        if action == "retry":
            own = spent if excused >= EXCUSED else [failed for failed in spent if not went_away(failed)]
            excused += len(spent) - len(own)
            spent = [*own, tried]
            if len(spent) >= max_attempts or sum(it.seconds for it in spent) >= deadline or _is_poison(spent):
                return result
            at_once = result.kind == "disconnect" and number == 1
            seconds = 0.0 if at_once else _delay(result, len(spent) - 1, random)
            paid = True
        else:
            seconds = _delay(result, waits, random)
            waits += 1
            waited += seconds
            if waited > outage_limit:
                return result
        if seconds > 0:
            yield Wait(seconds, result.kind)


def _is_poison(spent: list[Tried]) -> bool:
    """Say whether the last of these failures shows that it is the row."""
    last = spent[-1]
    alike = [tried for tried in spent if _sort(tried.result) == _sort(last.result)]
    if not last.healthy or len(alike) < POISON:
        return False
    return len({tried.endpoint for tried in alike}) > 1 or last.at - alike[0].at >= APART


def _sort(result: Completion | Failure) -> tuple[str, int | None]:
    return (result.kind, result.status) if isinstance(result, Failure) else ("", None)


def _delay(failure: Failure, k: int, random: Random) -> float:
    if failure.retry_after is not None and failure.retry_after >= MIN_HINT:
        return failure.retry_after * random.uniform(1.0, 1.1)
    return random.uniform(0.0, min(CAP, BASE * 2.0 ** min(k, 30)))


def attempt_seconds(max_new_tokens: int) -> float:
    """Return the seconds of one attempt that is not cut off while it is honest work.

    10 tokens per second and two minutes in the queue, and half an hour at most; a shorter deadline wastes up to 95 %
    of the server's tokens, because it restarts what was nearly done.
    """
    return min(1800.0, 120.0 + max_new_tokens / 10)


async def drive(
    steps: Steps,
    attempt: Callable[[], Awaitable[Completion | Failure]],
    pause: Callable[[Wait], Awaitable[bool]],
) -> Completion | Failure:
    """Carry the steps out with the caller's own means, for one request alone: without a budget.

    Args:
        steps: What :func:`attempts` yields.
        attempt: Makes one attempt.
        pause: Waits, and says whether to go on; if not, what the last attempt gave is the result.
    """
    next(steps)  # which is an attempt
    answer = await attempt()
    try:
        step = steps.send(Tried(answer))
        while True:
            if not isinstance(step, Wait):
                answer = await attempt()
                step = steps.send(Tried(answer))
            elif await pause(step):
                step = steps.send(None)
            else:
                return answer
    except StopIteration as ended:
        result: Completion | Failure = ended.value
        return result
