"""An open way to one model: attempts and the preflight, over one transport, in one event loop.

This file decides what one attempt is. It refuses to decide what is tried again: that is :mod:`evoselfcode.wire.retry`,
carried out by the engine for a run's requests and here for a preflight's questions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING, TypeVar

import anyio

from evoselfcode.clients.findings import Ask, AskModels, Findings, Wish
from evoselfcode.clients.probe import preflight
from evoselfcode.errors import PromptError
from evoselfcode.records import Completion, Failure, Fim, Given, L2r, Prompt, Request, Sampling
from evoselfcode.wire import messages, retry, scoring, sentinels, servers
from evoselfcode.wire.dialect import Call, Dialect, Endpoint
from evoselfcode.wire.failures import classify

if TYPE_CHECKING:
    from evoselfcode.clients.transport import Reply, Transport

REMEMBERED_TEXTS = 1024
"""Texts whose tokens are remembered: a stage asks with a few texts; a run of different prompts must not grow."""

PREFLIGHT_ATTEMPTS = 3
"""Attempts of each question of a preflight: a passing 500 must not pass for a server's nature."""

SCORING_ATTEMPTS = 2
"""Attempts of a question about a given text: a connection that was closed for being idle is opened anew, and a server
that breaks when it is asked for its prompt's log-probabilities (vLLM, out of memory) is not broken again and again."""

PREFLIGHT_PATIENCE = 30.0
"""Seconds that each question of a preflight may wait in all for a server that is busy or loading."""

Answer = TypeVar("Answer", bound=servers.Models | Completion | Failure)


class Connection:
    """An open way to one model, bound to the event loop it was opened in.

    Args:
        transport: What carries the messages.
        where: The server.
        timeout: Seconds for one attempt, or ``None``.
        sleep: Waits some seconds while the preflight waits for a busy server.

    Attributes:
        findings: What the preflight found.
    """

    def __init__(
        self,
        transport: Transport,
        where: Endpoint,
        timeout: float | None,
        *,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._sleep = sleep
        self._transport = transport
        self._where = where
        self._timeout = timeout
        self._ids: dict[str, list[int]] = {}
        self.findings = Findings.unknown()

    @property
    def dialect(self) -> Dialect:
        """How this server wants to be talked to."""
        return self.findings.dialect

    async def send(self, request: Request) -> Completion | Failure:
        """Make one attempt. Cancelled: the connection is closed, so that the server stops generating."""
        return await self._send(request, self.dialect)

    async def _send(self, request: Request, dialect: Dialect) -> Completion | Failure:
        prompt, ids = request.prompt, None
        if isinstance(prompt, Given) and (why := scoring.why_not(prompt, dialect)):
            return Failure("unsupported", why)
        try:
            if not isinstance(prompt, Given):
                ids = await self._prompt_ids(prompt, dialect)
            if isinstance(ids, Failure):
                return ids
            call = messages.call(request, dialect, self._where, ids=ids)
        except PromptError as error:
            return Failure("sentinel_in_prompt", error.message)
        reply = await self._transport.send(call, self._seconds(request.sampling))
        return reply if isinstance(reply, Failure) else messages.read(request, dialect, *reply)

    def _seconds(self, sampling: Sampling) -> float:
        """Return the deadline of one attempt: never shorter than an honest generation, unless the user says so."""
        return retry.attempt_seconds(sampling.max_new_tokens) if self._timeout is None else self._timeout

    async def _prompt_ids(self, prompt: Prompt, dialect: Dialect) -> list[int] | Failure | None:
        """Return the prompt as token ids for families whose sentinels cannot be written as text."""
        family = sentinels.FAMILIES.get(dialect.family or "")
        if not isinstance(prompt, Fim) or family is None or family.ids is None:
            return None
        if not (dialect.fim == "sentinel" if prompt.order is None else family.takes(prompt.order)):
            return None
        if dialect.server != "vllm":
            return None  # elsewhere the tokenizer reads the sentinels in text
        parts = []
        for text in (prompt.prefix, prompt.suffix):
            ids = await self._tokens(text, dialect)
            if isinstance(ids, Failure):
                return ids
            parts.append(ids)
        return sentinels.render_ids(family, parts[0], parts[1])

    async def _tokens(self, text: str, dialect: Dialect) -> list[int] | Failure:
        if text not in self._ids:
            call = messages.tokenize_call(self._where, dialect, text)
            if call is None:
                return Failure("unsupported", f"{dialect.server} has no tokenizer endpoint, which this model needs")
            reply = await self._transport.send(call, 30.0)
            if isinstance(reply, Failure):
                return reply
            ids = messages.read_tokens(reply[0], reply[2])
            if ids is None:
                return _no_tokens(reply, dialect)
            if len(self._ids) >= REMEMBERED_TEXTS:
                self._ids.clear()
            self._ids[text] = ids
            return ids
        return self._ids[text]

    async def list_models(self) -> servers.Models | Failure:
        """Ask for the models. Cancelled: the connection is closed."""
        reply: Reply | Failure = await self._transport.send(Call("GET", self._where.api + "/models"), 30.0)
        return reply if isinstance(reply, Failure) else servers.read_models(*reply)

    async def probe(self, wish: Wish) -> Findings:
        """Run the preflight and remember what it found. Cancelled: nothing is remembered.

        A busy server or one that still loads its model is asked again for up to :data:`PREFLIGHT_PATIENCE` seconds.
        """
        steps = preflight(wish)
        answer: servers.Models | Completion | Failure
        try:
            step = next(steps)
            while True:
                match step:
                    case AskModels():
                        answer = await self._patiently(self.list_models)
                    case Ask(request, dialect):
                        most = SCORING_ATTEMPTS if isinstance(request.prompt, Given) else PREFLIGHT_ATTEMPTS
                        answer = await self._patiently(partial(self._send, request, dialect), most)
                step = steps.send(answer)
        except StopIteration as ended:
            self.findings = ended.value
        return self.findings

    async def _patiently(
        self, attempt: Callable[[], Awaitable[Answer]], most: int = PREFLIGHT_ATTEMPTS
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
            await self._sleep(wait.seconds)
            return True

        steps = retry.attempts(max_attempts=most, random=Random("preflight"), outage_limit=PREFLIGHT_PATIENCE)
        await retry.drive(steps, once, pause)
        return last[0]

    async def members(self) -> list[Server]:
        """Return who can be asked."""
        return [Server(self, self._where.root)]

    async def aclose(self) -> None:
        """Close every connection of the transport."""
        await self._transport.aclose()


PROBE_SECONDS = 30.0
"""Time for one token: a server whose engine hangs answers ``/health`` for ever, and a token never."""

_TOKEN = Request(key="probe", prompt=L2r("def "), sampling=Sampling(max_new_tokens=1))


class Server:
    """The one server behind a connection, as a run asks it.

    Args:
        connection: The way to it.
        name: What it is called.
    """

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self.name = name
        self.send = connection.send

    async def probe(self) -> Failure | None:
        """Ask for one token. Cancelled: the connection is closed."""
        answer = Failure("timeout", f"no token within {PROBE_SECONDS:g} s")
        with anyio.move_on_after(PROBE_SECONDS):
            found = await self._connection.send(_TOKEN)
            return found if isinstance(found, Failure) else None
        return answer

    async def load(self) -> None:
        """Give no numbers."""


def _no_tokens(reply: Reply, dialect: Dialect) -> Failure:
    """Tell a tokenizer that is busy from one that is not there."""
    failure = classify(*reply, server=dialect.server)
    if failure.status != 200 and retry.policy(failure.kind) in ("wait", "retry"):
        return failure
    return Failure("unsupported", "the tokenizer endpoint gave no token ids", reply[0])
