"""Ending a run of which nothing comes: its first requests are all given up, or what it asks breaks the server.

This file decides when that is so, and which given-up requests are only settled when it is known not to be so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import msgspec

from evoselfcode.engine import Endpoint, Members
from evoselfcode.errors import EndpointRefused
from evoselfcode.records import Completion, Failure, FailureKind, Request
from evoselfcode.storage import Entry
from evoselfcode.wire.load import Load

FIRST_REFUSALS = 100
"""Requests of one process that may be given up before any is answered; then the run ends: nothing would come of it."""

OF_THE_ROW: tuple[FailureKind, ...] = ("too_long", "sentinel_in_prompt")
"""How a request ends whose row is at fault: what is asked about other rows may do."""

FIRST_ROWS = 2000
"""Given-up requests, those of faulty rows among them, of one process before any is answered; then the run ends."""

GUARDED = 1000
"""Requests that ended last, of which not too many may have failed."""

MOST_FAILED = 0.2
"""Part of them from which on the run ends: a model or a gateway that fails so often is mended first."""

BREAKING: tuple[FailureKind, ...] = ("server_error", "disconnect")
"""How a request ends that breaks the server. vLLM's engine dies of a prompt's log-probabilities when memory runs out,
and takes all requests in flight with it (vllm#5907, #38830)."""

MOST_BROKEN = 3
"""Requests in a row that may break the server; then the run ends, before it is broken again and again."""


def as_broken(members: Members) -> Members:
    """Take the word of servers that their engine died for what it is: a server that broke, not one that is away.

    Else what killed it would be asked again and again, as often as somebody starts it anew.
    """

    async def fragile() -> list[Endpoint]:
        return [_Fragile(endpoint) for endpoint in await members()]

    return fragile


class _Fragile:
    """An endpoint whose engine may die of what it is asked."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.name = endpoint.name

    async def send(self, request: Request) -> Completion | Failure:
        answer = await self._endpoint.send(request)
        if isinstance(answer, Failure) and answer.kind == "connect" and answer.status is not None:
            return msgspec.structs.replace(answer, kind="server_error")
        return answer

    async def probe(self) -> Failure | None:
        return await self._endpoint.probe()

    async def load(self) -> Load | None:
        return await self._endpoint.load()


class Refusals:
    """Watches the requests of one process as they are settled.

    Args:
        fragile: Whether what is asked can break the server.

    Attributes:
        patient: Whether to go on however many are given up: they were before, and say little of the endpoint.
    """

    def __init__(self, *, fragile: bool) -> None:
        self.patient = False
        self._fragile = fragile
        self._given_up = self._of_rows = 0
        self._answered = False
        self._last: deque[bool] = deque(maxlen=GUARDED)
        self._failed = 0
        self._broken: list[Entry] = []

    def settle(self, entry: Entry) -> list[Entry]:
        """Take a request; return those that are settled by now.

        One that broke the server is so when another is answered: if the run ends, it is asked again by the next.

        Raises:
            EndpointRefused: Nothing will come of the run.
        """
        failure = entry.failure
        self._answered |= failure is None
        self._given_up += failure is not None
        self._of_rows += failure is not None and entry.row is not None and failure.kind in OF_THE_ROW
        enough = self._given_up - self._of_rows >= FIRST_REFUSALS or self._given_up >= FIRST_ROWS
        if failure is not None and not self._answered and enough and not self.patient:
            raise EndpointRefused(
                f"the first {self._given_up} requests were all given up; the last one: "
                f"{failure.kind}: {failure.message}",
                hint="`evoselfcode doctor` shows what the server takes; use --new-run once it is mended",
            )
        self._guard(entry)
        if not self._fragile or failure is None or failure.kind not in BREAKING:
            return [*self.rest(), entry]
        self._broken.append(entry)
        if len(self._broken) >= MOST_BROKEN:
            raise EndpointRefused(
                f"{MOST_BROKEN} requests in a row broke the server; the last one: {failure.kind}: {failure.message}",
                hint="a prompt's log-probabilities take much of its memory: lower score.concurrency, score shorter "
                "functions (filters.max_code_len), or start vLLM with a smaller --max-num-batched-tokens; then run the "
                "same command again",
            )
        return []

    def settle_all(self, entries: Iterable[Entry]) -> tuple[list[Entry], EndpointRefused | None]:
        """Take requests that ended together; return those that are settled by now, and what ends the run.

        Those that were answered are settled also where the run ends over one before them: they are paid for.
        """
        settled: list[Entry] = []
        refused: EndpointRefused | None = None
        for entry in entries:
            try:
                settled += self.settle(entry)
            except EndpointRefused as error:
                refused = refused or error
        return settled, refused

    def _guard(self, entry: Entry) -> None:
        """Count a request that ended among the last ones.

        One failed if it was given up for what is no fault of its row, or if a reply to it was no completion.
        """
        failure = entry.failure
        failed = "bad_reply" in entry.failures or (failure is not None and failure.kind not in OF_THE_ROW)
        self._failed += failed - (self._last[0] if len(self._last) == GUARDED else 0)
        self._last.append(failed)
        if failed and len(self._last) == GUARDED and self._failed > MOST_FAILED * GUARDED:
            last = f"{failure.kind}: {failure.message}" if failure is not None else "a reply that was no completion"
            raise EndpointRefused(
                f"{self._failed} of the last {GUARDED:,} requests were given up, or had a reply that was no "
                f"completion; the last one: {last}",
                hint="what was settled is kept; look at the server's log, and run the same command again",
            )

    def rest(self) -> list[Entry]:
        """Return what was held back, and hold it no more: the server still answers, or there is nothing left to ask."""
        held, self._broken = self._broken, []
        return held
