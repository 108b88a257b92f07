"""The client: a recipe for reaching one model, which opens nothing until it is used.

This file decides what a client is and what one call does. When a connection begins and ends is
:mod:`evoselfcode.clients.sharing`; what a call may say is :mod:`evoselfcode.clients.options`; how a request becomes
bytes is :mod:`evoselfcode.wire.messages`; how bytes travel is :mod:`evoselfcode.clients.lane` and
:mod:`evoselfcode.clients.transport`; what the server can do is :mod:`evoselfcode.clients.probe`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack

import anyio

from evoselfcode.clients.connection import Connection
from evoselfcode.clients.findings import Findings, Wish, end_if_hopeless
from evoselfcode.clients.options import (
    ChoiceDict,
    SamplingOptions,
    checked_key,
    checked_urls,
    choice_dict,
    sampling_of,
)
from evoselfcode.clients.replica import Replica, Watch
from evoselfcode.clients.replicas import Place, Places, resolver
from evoselfcode.clients.sharing import Sharing
from evoselfcode.clients.sync import run_sync
from evoselfcode.errors import CompletionFailed, EndpointRefused
from evoselfcode.records import Completion, Fim, L2r, Order, Prompt, Request, Sampling
from evoselfcode.wire import messages, retry
from evoselfcode.wire.dialect import FimMode, endpoint

if TYPE_CHECKING:
    from evoselfcode.clients.replies import Transport
    from evoselfcode.config import RunConfig

USER_AGENT = "evoselfcode"

CALL_OUTAGE_SECONDS = 60.0
"""How long a library call waits for an endpoint that goes away in the middle of use; a run waits longer."""


class OpenAICompletionClient:
    """A recipe for reaching one model behind an OpenAI-compatible endpoint.

    Building one opens nothing. It can be printed (the key is masked), shared between threads, and used from one
    event loop after another. Every call opens what it needs and closes it again, unless the client is entered
    (``async with client:``), which keeps connections open in that event loop. Calls that overlap in one event loop
    share its connections and one preflight.

    Args:
        base_url: Server address, with or without ``/v1``, or ``local:`` for the embedded model. A list of addresses is
            that of replicas: servers of the same model, among which the work is spread.
        model: Model name; ``""`` takes the server's only model.
        api_key: Bearer token; never shown.
        use_chat_for_fim: With ``fim_mode="auto"``, try prefix and suffix as chat fields before ``suffix``.
        fim_mode: ``auto`` finds out by a preflight of at most six requests; another value pins one way.
        family: Sentinel family, where the model's name does not tell it.
        prefix_key: Chat field of the prefix.
        suffix_key: Chat field of the suffix.
        fim_orders: Orders of raw sentinel prompts (``PSM``, ``SPM``) that will be asked for; the preflight tries each.
        timeout: Seconds for one attempt; ``None`` allows 120 s and a tenth of a second per new token.
        max_attempts: Attempts of one library call.
        chat: Ask left-to-right by ``/v1/chat/completions``, the prompt being one message of the user: a chat model
            answers it.
        http_client: An ``httpx.AsyncClient`` of your own, or an ``httpx.AsyncBaseTransport``, used as it is and never
            closed. It is bound to the event loop it is used in.
        headless: Take every IP address that the host of `base_url` has for a replica of its own, and look who is there
            every half minute: for a headless service of Kubernetes.

    Raises:
        UsageError: `base_url` is no http address, or a list of what cannot be replicas; `api_key` cannot be sent; or
            `headless` cannot be obeyed.
    """

    def __init__(
        self,
        base_url: str | Sequence[str] = "local:",
        model: str = "",
        api_key: str = "",
        *,
        use_chat_for_fim: bool = False,
        fim_mode: FimMode | Literal["auto"] = "auto",
        family: str | None = None,
        prefix_key: str = "prefix",
        suffix_key: str = "suffix",
        fim_orders: Sequence[Order] = (),
        timeout: float | None = None,
        max_attempts: int = 5,
        chat: bool = False,
        http_client: Any = None,
        headless: bool = False,
    ) -> None:
        self._urls = checked_urls(base_url)
        self._wish = Wish(
            base_url=self._urls[0],
            model=model,
            mode=fim_mode,
            prefer_chat=use_chat_for_fim,
            family=family,
            prefix_key=prefix_key,
            suffix_key=suffix_key,
            orders=tuple(fim_orders),
            chat=chat,
        )
        self._api_key = checked_key(api_key)
        self._timeout = timeout
        self._max_attempts = max_attempts
        self._http_client = http_client
        self._resolve = resolver(self._urls, http_client) if headless else None
        self._sharing = Sharing(self._wish, self._dial)

    @classmethod
    def from_config(cls, config: RunConfig) -> Self:
        """Build the client that a configuration describes."""
        from evoselfcode.config import cells  # loaded by now

        api, fim = config.api, config.api.fim
        return cls(
            base_url=api.addresses,
            model=config.model or "",
            api_key=str(api.api_key),
            use_chat_for_fim=fim.use_chat_for_fim,
            fim_mode=fim.mode,
            family=fim.family,
            prefix_key=fim.prefix_key,
            suffix_key=fim.suffix_key,
            fim_orders=sorted({cell.order for cell in cells(config).values() if cell.order}),
            timeout=api.timeout,
            max_attempts=api.max_attempts,
            headless=api.headless,
        )

    def __repr__(self) -> str:
        key = "***" if self._api_key else ""
        return f"OpenAICompletionClient(base_url={self.base_url!r}, model={self._wish.model!r}, api_key={key!r})"

    @property
    def base_url(self) -> str:
        """The address as it was given; of several, all of them, with commas between."""
        return ",".join(self._urls)

    def use(self, findings: Findings) -> None:
        """Use what an earlier preflight found, so that none is sent."""
        self._sharing.remember(findings)

    @asynccontextmanager
    async def connect(self, *, n: int = 4, scores: bool = False) -> AsyncIterator[Connection]:
        """Open a connection, run the preflight if none was run yet, and close the connection at the end.

        Args:
            n: Choices per request that will be asked for; the preflight asks for as many.
            scores: Whether given texts will be scored; the preflight finds out how, with some more requests.

        Raises:
            EndpointDown: Nothing answers.
            EndpointRefused: The server will refuse every request.
        """
        connection = await self._sharing.enter(n, scores=scores)
        try:
            yield connection
        finally:
            await self._sharing.leave()

    def _dial(self) -> Connection:
        return Connection(Places(self._urls, self._resolve), self._replica)

    def _replica(self, place: Place, watch: Watch) -> Replica:
        return Replica(place.name, self._transport(place), endpoint(place.url), self._timeout, watch)

    def _transport(self, place: Place) -> Transport:
        headers = {
            "accept": "application/json",
            "accept-encoding": "identity",
            "content-type": "application/json",
            "user-agent": USER_AGENT,
        }
        if self._api_key:
            headers["authorization"] = f"Bearer {self._api_key}"
        if self._http_client is not None:
            from evoselfcode.clients.transport import InjectedClient  # imports httpx, which the direct lane does not

            return InjectedClient(self._http_client, headers)
        if place.url == "local:":
            from evoselfcode.clients.transport import InProcess
            from evoselfcode.local.answer import answer

            return InProcess(answer)
        from evoselfcode.clients.lane.way import lanes_to  # opens sockets: only when a connection is opened

        return lanes_to(place.url, headers, place.at)

    async def __aenter__(self) -> Self:
        """Open a connection that later calls in this event loop share. May be entered more than once."""
        await self._sharing.enter(4)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it, if nobody else uses it."""
        await self._sharing.leave()

    async def acomplete(self, prompt: str, **sampling: Unpack[SamplingOptions]) -> list[ChoiceDict]:
        """Continue `prompt` left-to-right and return ``n`` choices.

        Args:
            prompt: Text to continue.
            sampling: How to draw; see :class:`SamplingOptions`.

        Raises:
            CompletionFailed: All attempts failed, or the request was refused.
            EndpointDown: Nothing answers.
            EndpointRefused: The server refuses every request: key, model or URL.
        """
        return await self._ask(L2r(prompt), sampling_of(sampling))

    async def acomplete_fim(self, prefix: str, suffix: str, **sampling: Unpack[SamplingOptions]) -> list[ChoiceDict]:
        """Fill in the middle between `prefix` and `suffix` and return ``n`` choices.

        Args:
            prefix: Text before the middle.
            suffix: Text after it.
            sampling: How to draw; see :class:`SamplingOptions`.

        Raises:
            FimUnavailable: No way of FIM works on this server with this model.
            CompletionFailed: All attempts failed, or the request was refused.
            EndpointDown: Nothing answers.
            EndpointRefused: The server refuses every request: key, model or URL.
        """
        return await self._ask(Fim(prefix, suffix), sampling_of(sampling))

    def complete(self, prompt: str, **sampling: Unpack[SamplingOptions]) -> list[ChoiceDict]:
        """Do as :meth:`acomplete`, and wait for the result."""
        return run_sync(lambda: self.acomplete(prompt, **sampling))

    def complete_fim(self, prefix: str, suffix: str, **sampling: Unpack[SamplingOptions]) -> list[ChoiceDict]:
        """Do as :meth:`acomplete_fim`, and wait for the result."""
        return run_sync(lambda: self.acomplete_fim(prefix, suffix, **sampling))

    async def _ask(self, prompt: Prompt, sampling: Sampling) -> list[ChoiceDict]:
        async with self.connect(n=sampling.n) as connection:
            if isinstance(prompt, Fim):
                connection.findings.require_fim()
            whole = Request(key="library", prompt=prompt, sampling=sampling)
            choices: list[ChoiceDict] = []
            for request in messages.parts(whole, connection.dialect.max_n):
                choices += await self._settle(connection, request)
            return choices

    async def _settle(self, connection: Connection, request: Request) -> list[ChoiceDict]:
        async def pause(wait: retry.Wait) -> bool:
            await anyio.sleep(wait.seconds)
            return True

        # Unseeded: with one seed for all calls, calls that fail together would come back together.
        steps = retry.attempts(max_attempts=self._max_attempts, random=Random(), outage_limit=CALL_OUTAGE_SECONDS)
        result = await retry.drive(steps, lambda: connection.send(request), pause)
        if isinstance(result, Completion):
            return [choice_dict(choice) for choice in result.choices]
        if retry.policy(result.kind) in ("wait", "stop_run"):
            end_if_hopeless(result)
        said = f"{result.kind}{result.http}: {result.message}"
        if result.kind == "no_route":
            raise EndpointRefused(said, hint=retry.HINTS[result.kind])
        raise CompletionFailed(said, failure=result)
