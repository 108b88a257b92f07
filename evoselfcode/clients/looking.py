"""A preflight carried out: its questions are asked of one server, and asked again while that is busy.

This file decides how long a preflight is patient. What it asks is :mod:`evoselfcode.clients.probe`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import TypeVar

import anyio

from evoselfcode.clients.findings import Ask, AskModels, Findings, Wish
from evoselfcode.clients.probe import preflight
from evoselfcode.clients.replica import Replica
from evoselfcode.records import Completion, Failure, Given
from evoselfcode.wire import retry, servers

PREFLIGHT_ATTEMPTS = 3
"""Attempts of each question of a preflight: a passing 500 must not pass for a server's nature."""

SCORING_ATTEMPTS = 2
"""Attempts of a question about a given text: a connection that was closed for being idle is opened anew, and a server
that breaks when it is asked for its prompt's log-probabilities (vLLM, out of memory) is not broken again and again."""

PREFLIGHT_PATIENCE = 30.0
"""Seconds that each question of a preflight may wait in all for a server that is busy or loading."""

Sleep = Callable[[float], Awaitable[None]]
"""Waits some seconds."""

Answer = TypeVar("Answer", bound=servers.Models | Completion | Failure)


async def look(
    replica: Replica, wish: Wish, *, sleep: Sleep = anyio.sleep, listed: servers.Models | Failure | None = None
) -> tuple[Findings, servers.Models | None]:
    """Run the preflight against one server; return what it found, and what the server lists.

    Cancelled: nothing is known.

    A busy server or one that still loads its model is asked again for up to :data:`PREFLIGHT_PATIENCE` seconds.

    Args:
        replica: The server.
        wish: What the user configured.
        sleep: Waits some seconds.
        listed: What it answered a moment ago when it was asked for its models; ``None`` asks it.

    Raises:
        EndpointDown: Nothing answers.
        EndpointRefused: The server will refuse every request.
        UsageError: No sentinel family is called what `wish` says.
    """
    steps = preflight(wish)
    answer: servers.Models | Completion | Failure
    try:
        step = next(steps)
        while True:
            match step:
                case AskModels():
                    answer = listed = listed or await _patiently(replica.list_models, sleep)
                case Ask(request, dialect):
                    most = SCORING_ATTEMPTS if isinstance(request.prompt, Given) else PREFLIGHT_ATTEMPTS
                    answer = await _patiently(partial(replica.ask, request, dialect), sleep, most)
            step = steps.send(answer)
    except StopIteration as ended:
        return ended.value, listed if isinstance(listed, servers.Models) else None


async def _patiently(
    attempt: Callable[[], Awaitable[Answer]], sleep: Sleep, most: int = PREFLIGHT_ATTEMPTS
) -> Answer | Failure:
    """Attempt until the server is neither busy nor loading nor stumbles. Cancelled: waits no longer.

    A refused connection is not waited for: most often the address is wrong, and a run has not begun. Nor is a
    question asked again that took the whole time of an attempt: minutes, for a line of text.
    """
    last: list[Answer | Failure] = []

    async def once() -> Completion | Failure:
        answer = await attempt()
        last[:] = [answer]
        return answer if isinstance(answer, Failure) else Completion(())

    async def pause(wait: retry.Wait) -> bool:
        if wait.reason in ("connect", "timeout"):
            return False
        await sleep(wait.seconds)
        return True

    steps = retry.attempts(max_attempts=most, random=Random("preflight"), outage_limit=PREFLIGHT_PATIENCE)
    await retry.drive(steps, once, pause)
    return last[0]
