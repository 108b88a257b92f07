"""The retry policy: what each failure leads to, and how long to wait.

A policy is a generator: it yields what to do and is sent what happened. No I/O, no clock, no event loop; whoever
drives it (:func:`drive`) owns those. It is the only owner of retries in the program.

Outages are not failures: a refused connection, a loading model, a full queue or a rate limit says nothing about the
row. Such waits spend no attempts; together they may last ``outage_limit`` seconds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
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


class Send(msgspec.Struct, frozen=True):
    """Make attempt `number` (the first is 1) and send back what it gave."""

    number: int


class Wait(msgspec.Struct, frozen=True):
    """Wait `seconds` because of `reason`, holding no slot, and send back ``None``."""

    seconds: float
    reason: FailureKind


Steps = Generator[Send | Wait, Completion | Failure | None, Completion | Failure]


def attempts(
    *,
    max_attempts: int = 5,
    random: Random,
    outage_limit: float = 600.0,
) -> Steps:
    """Yield the steps of one request; return its completion, or the failure it ends with.

    Waits are drawn from U(0, min(:data:`CAP`, :data:`BASE`·2^k)) ("full jitter": nobody waits for a single row, so
    the widest spread is best). A server's Retry-After is obeyed and lengthened by up to 10 %; one below
    :data:`MIN_HINT` is no hint. A connection that breaks at the first attempt is tried again at once: most often the
    server had just closed it for being idle.

    Args:
        max_attempts: Attempts that may end in a failure of their own.
        random: Draws the jitter.
        outage_limit: Seconds that all waits for an endpoint that is away may take together.
    """
    number = spent = waits = 0
    waited = 0.0
    while True:
        number += 1
        result = yield Send(number)
        if not isinstance(result, Failure):
            if result is None:
                raise TypeError("an attempt gives a completion or a failure")
            return result
        action = policy(result.kind)
        if action in ("give_up", "stop_run"):
            return result
        if action == "retry":
            spent += 1
            if spent >= max_attempts:
                return result
            at_once = result.kind == "disconnect" and number == 1
            seconds = 0.0 if at_once else _delay(result, spent - 1, random)
        else:
            seconds = _delay(result, waits, random)
            waits += 1
            waited += seconds
            if waited > outage_limit:
                return result
        if seconds > 0:
            yield Wait(seconds, result.kind)


def _delay(failure: Failure, k: int, random: Random) -> float:
    if failure.retry_after is not None and failure.retry_after >= MIN_HINT:
        return failure.retry_after * random.uniform(1.0, 1.1)
    return random.uniform(0.0, min(CAP, BASE * 2.0 ** min(k, 30)))


async def drive(
    steps: Steps,
    attempt: Callable[[], Awaitable[Completion | Failure | None]],
    pause: Callable[[Wait], Awaitable[bool]],
) -> Completion | Failure | None:
    """Carry the steps out with the caller's own means.

    Args:
        steps: What :func:`attempts` yields.
        attempt: Makes one attempt; ``None`` abandons the request.
        pause: Waits, and says whether to go on.

    Returns:
        The result, or ``None`` if the request was abandoned.
    """
    answer: Completion | Failure | None = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration as ended:
            result: Completion | Failure = ended.value
            return result
        answer = None
        if isinstance(step, Wait):
            if not await pause(step):
                return None
        else:
            answer = await attempt()
            if answer is None:
                return None
