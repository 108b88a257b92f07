"""The bare loop of a run: what a request of the stage of names costs at the least, in Python over asyncio.

A body is written by orjson, sent over a keep-alive connection, the reply is parsed by httptools and decoded by msgspec
into typed records, and that is all: no retry, no deadline, no gate, no filter, no journal, no plan. Every figure of
``benchmarks/generator.py`` is a ratio to this, measured in the same run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httptools
import msgspec
import orjson

HEAD = (b"POST /v1/completions HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json\r\n"
        b"accept-encoding: identity\r\ncontent-type: application/json\r\nuser-agent: bare\r\n"
        b"authorization: Bearer key\r\ncontent-length: %d\r\n\r\n%b")  # fmt: skip


class Choice(msgspec.Struct):
    text: str
    finish_reason: str


class Reply(msgspec.Struct):
    choices: list[Choice]


class Connection(asyncio.Protocol):
    """One request at a time; a future is its reply."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.loop = asyncio.get_running_loop()
        self.parser = httptools.HttpResponseParser(self)
        self.parts: list[bytes] = []

    def ask(self, request: bytes) -> asyncio.Future[bytes]:
        self.reply = self.loop.create_future()
        self.transport.write(request)
        return self.reply

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        self.parts.append(data)

    def on_message_complete(self) -> None:
        self.reply.set_result(b"".join(self.parts))
        self.parts = []


def body(number: int, n: int = 4, *, logprobs: bool = False) -> bytes:
    document = {"model": "m", "prompt": "This is an algorithm function.\n\ndef ", "suffix": "():\n",
                "max_tokens": 16, "temperature": 0.4, "top_p": 0.9, "n": n, "seed": number,
                "stop": ["(", " ", "\n"], "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}  # fmt: skip
    return orjson.dumps(document | {"logprobs": 1} if logprobs else document)


async def bare(port: int, flying: int, requests: int, n: int = 4, *, logprobs: bool = False) -> list[float]:
    """Send `requests` for `n` names each with `flying` of them in flight; return how long each took, in seconds."""
    loop, idle = asyncio.get_running_loop(), list[Connection]()

    async def send(number: int) -> bytes:
        asked = body(number, n, logprobs=logprobs)
        connection = idle.pop() if idle else (await loop.create_connection(Connection, "127.0.0.1", port))[1]
        reply = await connection.ask(HEAD % (len(asked), asked))
        idle.append(connection)
        return reply

    took = await all_of(send, flying, requests, n)
    for connection in idle:
        connection.transport.close()
    return took


async def over_the_lane(port: int, flying: int, requests: int) -> list[float]:
    """Do the same over the direct lane, with its deadlines, limits, keep-alive and resending."""
    from evoselfcode.clients.lane.direct import DirectLanes
    from evoselfcode.wire.dialect import Call

    url = f"http://127.0.0.1:{port}/v1/completions"
    lanes = DirectLanes({"accept": "application/json", "accept-encoding": "identity", "user-agent": "bare",
                         "content-type": "application/json", "authorization": "Bearer key"})  # fmt: skip

    async def send(number: int) -> bytes:
        status, _, reply = await lanes.send(Call("POST", url, body(number)), 120.0)
        return reply if status == 200 else b""

    took = await all_of(send, flying, requests)
    await lanes.aclose()
    return took


async def all_of(send: Callable[[int], Awaitable[bytes]], flying: int, requests: int, n: int = 4) -> list[float]:
    """Send from as many tasks as there are to be requests in flight, and decode what comes."""
    clock, decode = asyncio.get_running_loop().time, msgspec.json.Decoder(Reply).decode
    plan, took = iter(range(requests)), list[float]()

    async def worker() -> None:
        for number in plan:
            began = clock()
            reply = decode(await send(number))
            if len(reply.choices) != n or not all(choice.finish_reason for choice in reply.choices):
                raise AssertionError("the reply is no completion")
            took.append(clock() - began)

    await asyncio.gather(*(worker() for _ in range(flying)))
    return took
