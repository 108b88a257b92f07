"""The served model as an ASGI application: slots, latencies and each fault, without a socket or a clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from typing import Any

import anyio
import httpx
import orjson
import pytest
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint
from asgi import BODY, Exchange

from evoselfcode.local.answer import answer
from evoselfcode.local.faults import parse_fault, parse_latency
from evoselfcode.local.serve import CLOSE, App, make_app

PLAIN = answer("POST", "/v1/completions", BODY)


class Clock:
    """Sleeps that end when the test says so, in the order they began."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self._waiting: list[anyio.Event] = []

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def sleep(self, seconds: float) -> None:
        event = anyio.Event()
        self.asked.append(seconds)
        self._waiting.append(event)
        try:
            await event.wait()
        finally:
            self._waiting.remove(event)

    async def strike(self) -> None:
        """End the sleep that began first."""
        await until(lambda: bool(self._waiting))
        self._waiting[0].set()


@asynccontextmanager
async def in_time() -> AsyncIterator[TaskGroup]:
    """A group of tasks that fails rather than hangs."""
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            yield group


async def until(holds: Callable[[], bool]) -> None:
    """Let the other tasks run until it holds."""
    with anyio.fail_after(10):
        while not holds():
            await checkpoint()


async def no_sleep(seconds: float) -> None:
    await checkpoint()


def app_with(*faults: str, **options: Any) -> App:
    return make_app(faults=tuple(map(parse_fault, faults)), **({"sleep": no_sleep} | options))


async def test_it_answers_as_the_model_in_process_does() -> None:
    exchange = await Exchange(app_with()).run()
    assert (exchange.status, exchange.body, exchange.complete) == (200, PLAIN[2], True)
    assert exchange.headers == {"content-type": "application/json", "content-length": str(len(PLAIN[2]))}
    looked = await Exchange(app_with(), b"", path="/v1/models", method="GET").run()
    assert looked.body == answer("GET", "/v1/models", b"")[2]


async def test_any_http_client_can_talk_to_it() -> None:
    transport = httpx.ASGITransport(app_with(suffix="refuse"))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://embedded") as client:
        assert (await client.post("/v1/completions", content=BODY)).content == PLAIN[2]
        assert (await client.post("/v1/completions", json={"prompt": "x", "suffix": "y"})).status_code == 400
        assert (await client.get("/health")).content == b""
        assert (await client.get("/v1/completions")).status_code == 405


@pytest.mark.parametrize("slots", [1, 3])
async def test_no_more_than_the_slots_at_once_and_first_come_first_served(slots: int) -> None:
    """Sabotage: give the semaphore one slot more, or none at all."""
    clock, order = Clock(), list[int]()
    app = app_with(slots=slots, sleep=clock.sleep)

    async def ask(number: int) -> None:
        await Exchange(app).run()
        order.append(number)

    async with in_time() as group:
        for number in range(9):
            group.start_soon(ask, number)
            await until(lambda number=number: len(clock.asked) == min(slots, number + 1))  # type: ignore[misc]
        for _ in range(20):
            await checkpoint()
        for done in range(9):
            assert clock.waiting == min(slots, 9 - done)
            await clock.strike()
            await until(lambda done=done: len(order) == done + 1)  # type: ignore[misc]
            await until(lambda done=done: len(clock.asked) == min(9, slots + done + 1))  # type: ignore[misc]
    assert order == list(range(9))


@pytest.mark.parametrize("waits", ["for a slot", "in a slot"])
async def test_a_client_that_goes_away_gives_its_slot_or_its_place_back(waits: str) -> None:
    """As on vLLM, where a cancelled request frees the GPU; sabotage: do not listen for the client's end."""
    clock = Clock()
    app = app_with(slots=1, sleep=clock.sleep)
    first, gone = Exchange(app), Exchange(app)
    async with in_time() as group:
        if waits == "for a slot":
            group.start_soon(first.run)
            await until(lambda: clock.waiting == 1)
        group.start_soon(gone.run)
        if waits == "in a slot":
            await until(lambda: clock.waiting == 1)
            group.start_soon(first.run)
        for _ in range(20):
            await checkpoint()
        gone.leave()
        if waits == "in a slot":
            await until(lambda: len(clock.asked) == 2)
        await clock.strike()
    assert first.status == 200
    assert gone.sent == []
    assert len(clock.asked) == (1 if waits == "for a slot" else 2)


async def test_the_latency_is_drawn_by_seed_and_number() -> None:
    """Sabotage: draw from one generator for all requests."""

    async def asked(seed: int) -> list[float]:
        times: list[float] = []

        async def sleep(seconds: float) -> None:
            times.append(seconds)

        app = make_app(latency=parse_latency("50ms..200ms"), seed=seed, sleep=sleep)
        for _ in range(5):
            await Exchange(app).run()
        return times

    first = await asked(0)
    assert first == await asked(0)
    assert first != await asked(1)
    assert len(set(first)) == 5
    assert all(0.05 <= seconds <= 0.2 for seconds in first)
    assert first[0] == parse_latency("50ms..200ms").draw(Random("0/latency/1"))


async def test_a_status_takes_the_place_of_the_reply_and_of_the_wait_for_a_slot() -> None:
    """Sabotage: wait for the slot first."""
    clock = Clock()
    app = app_with("429@2,retry-after=1.5", "500@3", slots=1, sleep=clock.sleep)
    async with in_time() as group:
        group.start_soon(Exchange(app).run)
        await until(lambda: clock.waiting == 1)
        busy = await Exchange(app).run()
        broken = await Exchange(app).run()
        await clock.strike()
    assert (busy.status, busy.headers["retry-after"]) == (429, "1.5")
    assert orjson.loads(busy.body)["error"] == {
        "message": "Too Many Requests", "type": "TooManyRequestsError", "param": None, "code": 429
    }  # fmt: skip
    assert "retry-after" not in broken.headers
    assert orjson.loads(broken.body)["error"]["type"] == "InternalServerError"


@pytest.mark.parametrize(("given", "said"), [("2", "2"), ("0.25", "0.25"), ("1000000", "1000000"), ("0", "0")])
async def test_the_wait_that_is_announced_is_a_plain_decimal_number(given: str, said: str) -> None:
    """A million seconds is not ``1e+06``; sabotage: format with ``:g``."""
    exchange = await Exchange(app_with(f"503:1,retry-after={given}")).run()
    assert exchange.headers["retry-after"] == said


async def test_an_html_page_comes_with_status_200() -> None:
    exchange = await Exchange(app_with("html:1")).run()
    assert (exchange.status, exchange.headers["content-type"]) == (200, "text/html")
    assert exchange.body.startswith(b"<html>")


async def test_a_drip_sends_the_whole_reply_byte_by_byte() -> None:
    exchange = await Exchange(app_with("drip:1")).run()
    assert (exchange.body, exchange.complete) == (PLAIN[2], True)
    assert {len(message["body"]) for message in exchange.sent[1:-1]} == {1}


async def test_a_truncated_reply_announces_all_and_sends_half() -> None:
    """Sabotage: announce the half."""
    exchange = Exchange(app_with("truncate:1"))
    with pytest.raises(ConnectionAbortedError):
        await exchange.run()
    assert int(exchange.headers["content-length"]) == len(PLAIN[2])
    assert exchange.body == PLAIN[2][: len(PLAIN[2]) // 2]
    assert not exchange.complete


async def test_a_dropped_connection_sends_nothing() -> None:
    exchange = Exchange(app_with("drop:1"))
    with pytest.raises(ConnectionAbortedError):
        await exchange.run()
    assert exchange.sent == []
    closed: list[Exchange] = []
    exchange = Exchange(app_with("drop:1"), extensions={CLOSE: lambda: (closed.append(exchange), exchange.leave())})
    await exchange.run()  # where the server can close the connection itself, nothing is raised
    assert (closed, exchange.sent) == ([exchange], [])


async def test_a_stalled_request_waits_until_the_client_gives_up() -> None:
    exchange, ended = Exchange(app_with("stall:1", slots=1)), list[str]()

    async def play(name: str, run: Callable[[], Awaitable[Exchange]]) -> None:
        await run()
        ended.append(name)

    async with in_time() as group:
        group.start_soon(play, "stalled", exchange.run)
        for _ in range(20):
            await checkpoint()
        assert ended == []
        exchange.leave()
    assert (ended, exchange.sent) == (["stalled"], [])


async def test_faults_count_generations_only_from_one() -> None:
    """A client's look at the model list uses no fault up; sabotage: count every request."""
    app = app_with("503@1..2")
    statuses = []
    for path, method in [("/v1/models", "GET"), ("/v1/completions", "POST"), ("/tokenize", "POST")]:
        statuses.append((await Exchange(app, path=path, method=method).run()).status)
    statuses += [(await Exchange(app).run()).status for _ in range(3)]
    assert statuses == [200, 503, 200, 503, 200, 200]


async def test_the_lifespan_protocol_is_followed() -> None:
    told = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(told)

    async def send(message: Any) -> None:
        sent.append(message)

    await app_with()({"type": "lifespan"}, receive, send)
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_a_body_too_large_is_refused_without_reading_it_all() -> None:
    """Sabotage: read to the end."""
    read = 0

    async def receive() -> Any:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": b" " * 1024 * 1024, "more_body": read < 100}

    sent: list[Any] = []
    scope = {"type": "http", "method": "POST", "path": "/tokenize"}
    await app_with()(scope, receive, partial(_keep, sent))
    assert sent[0]["status"] == 413
    assert read == 9


async def _keep(sent: list[Any], message: Any) -> None:
    sent.append(message)
