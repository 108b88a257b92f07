"""An open way to one model: attempts and the preflight, over one transport, in one event loop.

This file decides what one attempt is. It refuses to retry: that is :mod:`evoselfcode.wire.retry`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evoselfcode.clients.findings import Ask, AskModels, Findings, Wish
from evoselfcode.clients.probe import preflight
from evoselfcode.errors import PromptError
from evoselfcode.records import Completion, Failure, Fim, Prompt, Request, Sampling
from evoselfcode.wire import messages, sentinels, servers
from evoselfcode.wire.dialect import Call, Dialect, Endpoint

if TYPE_CHECKING:
    from evoselfcode.clients.transport import Reply, Transport


class Connection:
    """An open way to one model, bound to the event loop it was opened in.

    Attributes:
        findings: What the preflight found.
    """

    def __init__(self, transport: Transport, where: Endpoint, timeout: float | None) -> None:
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
        try:
            ids = await self._prompt_ids(request.prompt, dialect)
            if isinstance(ids, Failure):
                return ids
            call = messages.call(request, dialect, self._where, ids=ids)
        except PromptError as error:
            return Failure("sentinel_in_prompt", error.message)
        reply = await self._transport.send(call, self._seconds(request.sampling))
        return reply if isinstance(reply, Failure) else messages.read(request, dialect, *reply)

    def _seconds(self, sampling: Sampling) -> float:
        """Return the deadline of one attempt: never shorter than an honest generation.

        10 tokens per second and two minutes in the queue; a shorter deadline wastes up to 95 % of the server's
        tokens, because it restarts what was nearly done.
        """
        if self._timeout is not None:
            return self._timeout
        return min(1800.0, 120.0 + sampling.max_new_tokens / 10)

    async def _prompt_ids(self, prompt: Prompt, dialect: Dialect) -> list[int] | Failure | None:
        """Return the prompt as token ids for families whose sentinels cannot be written as text."""
        family = sentinels.FAMILIES.get(dialect.family or "")
        if dialect.fim != "sentinel" or not isinstance(prompt, Fim) or family is None or family.ids is None:
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
                return Failure("unsupported", "the tokenizer endpoint gave no token ids", reply[0])
            self._ids[text] = ids
        return self._ids[text]

    async def list_models(self) -> servers.Models | Failure:
        """Ask for the models. Cancelled: the connection is closed."""
        reply: Reply | Failure = await self._transport.send(Call("GET", self._where.api + "/models"), 30.0)
        return reply if isinstance(reply, Failure) else servers.read_models(*reply)

    async def probe(self, wish: Wish) -> Findings:
        """Run the preflight and remember what it found. Cancelled: nothing is remembered."""
        steps = preflight(wish)
        answer: servers.Models | Completion | Failure
        try:
            step = next(steps)
            while True:
                match step:
                    case AskModels():
                        answer = await self.list_models()
                    case Ask(request, dialect):
                        answer = await self._send(request, dialect)
                step = steps.send(answer)
        except StopIteration as ended:
            self.findings = ended.value
        return self.findings

    async def aclose(self) -> None:
        """Close every connection of the transport."""
        await self._transport.aclose()
