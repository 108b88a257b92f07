"""Serve the embedded model over HTTP, as an ASGI application with slots, latencies and scripted faults.

This file decides how many requests are worked on at once, and acts out what :mod:`evoselfcode.local.faults` draws. It
refuses to know the replies (:mod:`evoselfcode.local.answer`). It prints and logs nothing: no prompt and no text
of the model leaves it but in the reply.

A client that goes away frees its slot, as on vLLM. Faults strike generations only (``POST /v1/…``), so that a client's
look at ``/v1/models`` does not use them up. An error status is given at once, before a slot is waited for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from random import Random
from typing import Any, Final

import anyio
import anyio.to_thread

from evoselfcode import listening
from evoselfcode.local.answer import Reply, SuffixPolicy, answer, error_body
from evoselfcode.local.faults import Fault, Latency, draw_fault, reason
from evoselfcode.local.faults import parse_fault as parse_fault
from evoselfcode.local.faults import parse_latency as parse_latency
from evoselfcode.local.model import EmbeddedModel
from evoselfcode.local.protocol import MAX_BODY

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
"""An ASGI application (spec 2.3)."""

CLOSE: Final = "evoselfcode.close"
"""Key in ``scope["extensions"]`` of a function that closes the connection; :func:`run` puts it there."""

NO_LATENCY: Final = Latency()
"""Answers as fast as the model writes."""

GRACE_SECONDS: Final = 25
"""Time that requests in flight have to end after a signal, for a stalled one never ends; a pod's grace is 30 s."""

_THREADS = 2  # generation holds the interpreter lock: a second thread only keeps a long request from blocking all
_DRIP_SECONDS = 0.05
_HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"


def make_app(
    *,
    suffix: SuffixPolicy = "honour",
    slots: int | None = None,
    latency: Latency = NO_LATENCY,
    faults: tuple[Fault, ...] = (),
    seed: int = 0,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> App:
    """Build the application.

    Args:
        suffix: What to do with the ``suffix`` field.
        slots: Generations at once; the others wait, first come, first served. ``None``: no limit.
        latency: Time added to each generation, spent while holding a slot.
        faults: What goes wrong; the first that strikes a request counts.
        seed: Seeds faults and latencies; the generated text depends on the request's own seed alone.
        sleep: Waits for a number of seconds.
    """
    return _Server(suffix, slots, latency, faults, seed, sleep)


def run(app: App, host: str, port: int, *, on_ready: Callable[[str], None]) -> None:
    """Serve `app` until SIGINT or SIGTERM; requests in flight are answered before it returns.

    They have :data:`GRACE_SECONDS`, and a second signal ends the wait. Call it in the main thread.

    Args:
        app: What :func:`make_app` made.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        on_ready: Told the server's URL (without ``/v1``) when the model is loaded and connections are accepted.

    Raises:
        UsageError: The address cannot be used, or uvicorn is not installed.
    """
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
    except ImportError as error:
        raise listening.missing(error) from error

    class Protocol(HttpToolsProtocol):
        """Hand the connection's end to the application, which plays broken connections."""

        def on_message_begin(self) -> None:
            super().on_message_begin()
            extensions: dict[str, Any] = {CLOSE: self.transport.close}
            self.scope["extensions"] = extensions

    def loaded(taken: int) -> App:
        EmbeddedModel.load()
        return app

    listening.serve(loaded, host, port, grace=GRACE_SECONDS, on_ready=on_ready, protocol=Protocol)


class _Server:
    def __init__(
        self,
        suffix: SuffixPolicy,
        slots: int | None,
        latency: Latency,
        faults: tuple[Fault, ...],
        seed: int,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._suffix = suffix
        self._slot: AbstractAsyncContextManager[object, None] = (
            nullcontext() if slots is None else anyio.Semaphore(slots)
        )
        self._threads = anyio.CapacityLimiter(_THREADS)
        self._latency = latency
        self._faults = faults
        self._seed = seed
        self._sleep = sleep
        self._number = 0
        self._slots = slots
        self._running = self._asked = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request. Cancelled: the slot is free again; a generation under way ends in its thread."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        body = await _body(receive)
        if (scope["method"], scope["path"]) == ("GET", "/metrics"):
            await _send(send, self._metrics())
            return
        if scope["method"] != "POST" or not scope["path"].startswith("/v1/"):
            await _send(send, await self._answer(scope, body))
            return
        self._number += 1
        number = self._number
        fault = draw_fault(self._faults, number, self._seed)
        if fault is None or fault.kind in ("drip", "truncate"):
            reply = await self._generate(number, scope, body, receive)
        else:
            reply = _instead(fault)
        if reply is not None:
            await self._act(fault, reply, scope, receive, send)

    async def _generate(self, number: int, scope: Message, body: bytes, receive: Receive) -> Reply | None:
        """Wait for a slot, spend the latency and answer; ``None`` if the client has gone away by then."""
        reply = None

        async def leave() -> None:
            await _gone(receive)
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(leave)
            async with self._counted():
                await self._sleep(self._latency.draw(Random(f"{self._seed}/latency/{number}")))
                reply = await self._answer(scope, body)
            group.cancel_scope.cancel()
        return reply

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        """Hold a slot. Cancelled: it neither waits nor runs any more."""
        self._asked += 1
        try:
            async with self._slot:
                self._running += 1
                try:
                    yield
                finally:
                    self._running -= 1
        finally:
            self._asked -= 1

    def _metrics(self) -> Reply:
        """Say how busy the server is, as Prometheus reads it."""
        gauges = {"requests_running": self._running, "requests_waiting": self._asked - self._running}
        if self._slots is not None:
            gauges["slots"] = self._slots
        told = ((f"evoselfcode_serve_{name}", value) for name, value in gauges.items())
        lines = (f"# TYPE {name} gauge\n{name} {value}\n" for name, value in told)
        return 200, {"content-type": "text/plain; version=0.0.4; charset=utf-8"}, "".join(lines).encode()

    async def _answer(self, scope: Message, body: bytes) -> Reply:
        def work() -> Reply:
            return answer(scope["method"], scope["path"], body, suffix=self._suffix)

        return await anyio.to_thread.run_sync(work, limiter=self._threads)

    async def _act(self, fault: Fault | None, reply: Reply, scope: Message, receive: Receive, send: Send) -> None:
        """Send the reply, or as much of it as the fault leaves."""
        kind = fault.kind if fault else None
        if kind == "stall":
            await _gone(receive)
        elif kind == "drop":
            await _close(scope, receive)
        elif kind == "truncate":
            await _start(send, reply)
            await send({"type": "http.response.body", "body": reply[2][: len(reply[2]) // 2], "more_body": True})
            await _close(scope, receive)
        elif kind == "drip":
            await _start(send, reply)
            for byte in reply[2]:
                await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
                await self._sleep(_DRIP_SECONDS)
            await send({"type": "http.response.body", "body": b""})
        else:
            await _send(send, reply)


def _instead(fault: Fault) -> Reply:
    """Return the reply that takes the place of the model's."""
    if fault.kind == "status":
        headers = {"content-type": "application/json"}
        if fault.retry_after is not None:
            headers["retry-after"] = f"{fault.retry_after:.3f}".rstrip("0").rstrip(".")
        phrase = reason(fault.status)
        name = phrase.title().replace(" ", "").removesuffix("Error") + "Error"
        return fault.status, headers, error_body(fault.status, phrase, name)
    return 200, {"content-type": "text/html"}, _HTML


async def _body(receive: Receive) -> bytes:
    """Collect the request body, and no more of it than shows that it is too large."""
    body = bytearray()
    more = True
    while more and len(body) <= MAX_BODY:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


async def _send(send: Send, reply: Reply) -> None:
    await _start(send, reply)
    await send({"type": "http.response.body", "body": reply[2]})


async def _start(send: Send, reply: Reply) -> None:
    status, headers, body = reply
    fields = [(name.encode(), value.encode()) for name, value in headers.items()]
    fields.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": fields})


async def _close(scope: Message, receive: Receive) -> None:
    """Close the connection under the client's feet, where the server lets us.

    Raises:
        ConnectionAbortedError: It does not: the exception makes any ASGI server give the connection up.
    """
    close = scope.get("extensions", {}).get(CLOSE)
    if close is None:
        raise ConnectionAbortedError("scripted fault")
    close()
    await _gone(receive)


async def _gone(receive: Receive) -> None:
    """Wait until the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _live(receive: Receive, send: Send) -> None:
    """Follow the lifespan protocol: there is nothing to open and nothing to close."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
