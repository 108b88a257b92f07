"""One server, as requests are sent to it: attempts, a probe, its list of models.

This file decides what one attempt is. It refuses to decide what is tried again, which is
:mod:`evoselfcode.wire.retry`, and which server is asked, which is the engine's part in a run and
:mod:`evoselfcode.clients.connection`'s in a library call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from evoselfcode.clients.findings import PREFIX
from evoselfcode.errors import PromptError
from evoselfcode.records import Completion, Failure, Fim, Given, L2r, Prompt, Request, Sampling
from evoselfcode.wire import messages, retry, scoring, sentinels, servers
from evoselfcode.wire.dialect import Call, Dialect, Endpoint
from evoselfcode.wire.failures import classify
from evoselfcode.wire.load import Load, load_call, read_load

if TYPE_CHECKING:
    from evoselfcode.clients.replies import Reply, Transport

REMEMBERED_TEXTS = 1024
"""Texts whose tokens are remembered: a stage asks with a few texts; a run of different prompts must not grow."""

LISTING_SECONDS = 30.0
"""Time for a list of models, or the tokens of a text."""

PROBE_SECONDS = 30.0
"""Time for one token: a server whose engine hangs answers ``/health`` for ever, and a token never."""

LOAD_SECONDS = 4.0
"""Time for the numbers of a queue: they are asked for every 5 seconds, and old ones say nothing."""

PROBE = Request(
    key="probe", prompt=L2r(PREFIX), sampling=Sampling(max_new_tokens=1, n=1, temperature=0.01, top_p=0.95, seed=1)
)
"""What a replica that was away is asked, to see whether it is back: the least that only a working model can answer."""


class Watch(Protocol):
    """Who sees to it that all replicas serve one model."""

    def refused(self, replica: Replica, failure: Failure) -> Failure:
        """Be told that a replica refuses what every other request would be refused too; say what that comes to."""

    async def why_not(self, replica: Replica) -> Failure | None:
        """Look whether a replica serves the model; return what is in the way of asking it, or ``None``."""


class Replica:
    """A way to one server, bound to the event loop it is opened in; an ``Endpoint`` of the engine.

    Args:
        name: What it is called.
        transport: What carries the messages.
        where: The server.
        timeout: Seconds for one attempt, or ``None``.
        watch: Who sees to it that it serves the model; ``None`` for one that is alone and was looked at.

    Attributes:
        name: The same.
        dialect: How it wants to be talked to.
        trusted: Whether it was seen to serve the model since it came, or came back.
        in_flight: Attempts that library calls have under way.
    """

    def __init__(
        self, name: str, transport: Transport, where: Endpoint, timeout: float | None = None, watch: Watch | None = None
    ) -> None:
        self.name = name
        self.dialect = Dialect()
        self.trusted = watch is None
        self.in_flight = 0
        self._transport = transport
        self._where = where
        self._timeout = timeout
        self._watch = watch
        self._ids: dict[str, list[int]] = {}

    @property
    def url(self) -> str:
        """The base of its OpenAI-compatible paths."""
        return self._where.api

    async def send(self, request: Request) -> Completion | Failure:
        """Make one attempt. Cancelled: the connection is closed, so that the server stops generating."""
        if not self.trusted and self._watch is not None and (failure := await self._watch.why_not(self)) is not None:
            return failure
        found = await self.ask(request, self.dialect)
        return self._watched(found) if isinstance(found, Failure) else found

    async def probe(self) -> Failure | None:
        """Look whether it is back: ask for one token, and then whether it is still the same model that answers.

        Cancelled: the connection is closed.
        """
        found = await self.ask(PROBE, self.dialect, PROBE_SECONDS)
        if isinstance(found, Failure):
            return self._watched(found)
        return None if self._watch is None else await self._watch.why_not(self)

    def _watched(self, failure: Failure) -> Failure:
        """Tell of what every other request would be refused, too, and say what that comes to."""
        if self._watch is None or retry.policy(failure.kind) != "stop_run":
            return failure
        return self._watch.refused(self, failure)

    async def load(self) -> Load | None:
        """Ask for the numbers of its queue; ``None`` if it gives none now. Cancelled: nothing is left open."""
        server = self.dialect.server
        call = load_call(self._where, server)
        if call is None:
            return None
        reply = await self._transport.send(call, LOAD_SECONDS)
        return None if isinstance(reply, Failure) else read_load(server, reply[0], reply[2])

    async def ask(self, request: Request, dialect: Dialect, seconds: float | None = None) -> Completion | Failure:
        """Make one attempt in a dialect that may not be its own.

        Args:
            request: What to ask.
            dialect: How.
            seconds: Deadline; ``None`` is that of an honest generation.
        """
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
        reply = await self._transport.send(call, self._seconds(request.sampling) if seconds is None else seconds)
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
            reply = await self._transport.send(call, LISTING_SECONDS)
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

    async def list_models(self, seconds: float = LISTING_SECONDS) -> servers.Models | Failure:
        """Ask for the models within some seconds. Cancelled: the connection is closed."""
        reply: Reply | Failure = await self._transport.send(Call("GET", self._where.api + "/models"), seconds)
        return reply if isinstance(reply, Failure) else servers.read_models(*reply)

    async def aclose(self) -> None:
        """Close every connection that is not in use; what is in flight ends, and its connection then."""
        await self._transport.aclose()


def _no_tokens(reply: Reply, dialect: Dialect) -> Failure:
    """Tell a tokenizer that is busy from one that is not there."""
    failure = classify(*reply, server=dialect.server)
    if failure.status != 200 and retry.policy(failure.kind) in ("wait", "retry"):
        return failure
    return Failure("unsupported", "the tokenizer endpoint gave no token ids", reply[0])
