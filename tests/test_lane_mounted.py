"""The direct lane's connections in an ``httpx.AsyncClient``: what httpx promises, its users still get."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import httpx
import pytest
from scripted_server import Line, Seen, reply, scripted, silence, then_close
from transports import sockets

from evoselfcode import clients
from evoselfcode.clients import DirectTransport
from evoselfcode.clients.transport import MOST_IN_A_STOCK_POOL, InjectedClient
from evoselfcode.records import Failure
from evoselfcode.wire.dialect import Call


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=DirectTransport()) as made:
        yield made


async def test_requests_of_every_kind(client: httpx.AsyncClient) -> None:
    """Sabotage: send ``transfer-encoding`` on, although the body is one piece."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    async with scripted(reply(b'{"a": 1}')) as server:
        assert (await client.get(server.url, params={"q": "ü x"}, headers={b"x-one": "é".encode()})).json() == {"a": 1}
        await client.post(server.url, json={"b": 2})
        await client.post(server.url, content=pieces())
        await client.post(server.url, data={"c": "3"}, files={"f": b"file"})
        await client.put(server.url)
        get, json, streamed, form, put = server.seen
        assert get.headers["x-one"] == "Ã©"  # as it came
        assert get.path == "/?q=%C3%BC+x"
        assert "content-length" not in get.headers
        assert json.json == {"b": 2}
        assert streamed.body == b"one two"
        assert "transfer-encoding" not in streamed.headers
        assert b'name="f"' in form.body
        assert put.headers["content-length"] == "0"
        assert server.accepted == 1


async def test_a_reply_without_a_body_is_not_waited_for(client: httpx.AsyncClient) -> None:
    """A reply to HEAD tells the length of what it does not bring. Sabotage: ``bodyless=False``."""
    told = b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n"
    async with scripted(
        told, b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 304 Not\r\ncontent-length: 5\r\n\r\n"
    ) as server:
        head = await client.head(server.url)
        assert (head.headers["content-length"], head.content) == ("99", b"")
        assert [(await client.get(server.url)).status_code for _ in range(2)] == [204, 304]
        assert server.accepted == 2


async def test_two_cookies_are_two(client: httpx.AsyncClient) -> None:
    """Sabotage: hand the joined headers on."""
    async with scripted(reply(b"", "200 OK", "set-cookie: a=1", "set-cookie: b=2")) as server:
        await client.get(server.url)
        assert dict(client.cookies) == {"a": "1", "b": "2"}


async def test_a_reply_can_be_streamed_although_it_is_whole(client: httpx.AsyncClient) -> None:
    async with scripted(reply(b"line\nline\n")) as server, client.stream("GET", server.url) as found:
        assert [line async for line in found.aiter_lines()] == ["line", "line"]


async def test_redirects_are_followed_if_the_user_wants_it(client: httpx.AsyncClient) -> None:
    async with scripted(reply(b"", "307 Temporary Redirect", "location: /there"), reply(b"there")) as server:
        assert (await client.get(server.url, follow_redirects=True)).content == b"there"


@pytest.mark.parametrize(
    ("answer", "error", "kind"),
    [
        (silence, httpx.ReadTimeout, "timeout"),
        (then_close(b""), httpx.RemoteProtocolError, "disconnect"),
        (reply(b"ok") + b"more", httpx.RemoteProtocolError, "bad_reply"),
    ],
)
async def test_failures_are_exceptions_of_httpx(answer: bytes, error: type[Exception], kind: str) -> None:
    """Sabotage: raise ``httpx.ReadError`` for all."""
    async with scripted(answer) as server, httpx.AsyncClient(transport=DirectTransport()) as client:
        with pytest.raises(error) as raised:
            await client.post(server.url, timeout=0.05 if kind == "timeout" else 5)
        assert raised.value.failure.kind == kind  # type: ignore[attr-defined]
        assert isinstance(raised.value, httpx.RequestError)
        assert raised.value.request.method == "POST"


async def test_addresses_that_cannot_be_used(client: httpx.AsyncClient) -> None:
    for url in ("ftp://pod", "http://127.0.0.1:1"):
        with pytest.raises((httpx.UnsupportedProtocol, httpx.ConnectError)):
            await client.get(url)
    with pytest.raises(httpx.LocalProtocolError, match="line end"):
        await client.get("http://127.0.0.1:1", headers={"x": "a\r\nb: c"})


async def test_no_timeout_means_none_and_closing_leaves_no_socket() -> None:
    before = sockets()
    async with scripted(reply()) as server:
        client = httpx.AsyncClient(transport=DirectTransport(), timeout=None)
        async with client, anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(client.get, server.url)
        await server.until(lambda script: script.closed == script.accepted)
    assert sockets() == before


async def _flood(server_client: httpx.AsyncClient, calls: int) -> None:
    release = anyio.Event()

    async def held(line: Line, seen: Seen) -> None:
        await release.wait()
        await line.send(reply())

    async with scripted(held) as server:
        lane = InjectedClient(server_client, {})
        async with anyio.create_task_group() as group:
            for _ in range(calls):
                group.start_soon(lane.send, Call("GET", server.url), 5)
            await server.until(lambda script: len(script.seen) == calls)
            release.set()
        assert not isinstance(await lane.send(Call("GET", server.url), 5), Failure)


async def test_a_stock_pool_that_is_too_busy_is_remarked_on_once(caplog: pytest.LogCaptureFixture) -> None:
    """Sabotages: count calls instead of those in flight; remark at each."""
    async with httpx.AsyncClient() as client:
        await _flood(client, MOST_IN_A_STOCK_POOL)
        assert caplog.records == []
        await _flood(client, MOST_IN_A_STOCK_POOL + 5)
    (record,) = caplog.records
    assert "DirectTransport" in record.getMessage()


async def test_a_pool_of_ours_is_never_too_busy(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    await _flood(client, 3 * MOST_IN_A_STOCK_POOL)
    assert caplog.records == []


def test_the_front_page_of_the_room_knows_no_other_name() -> None:
    """Sabotage: let ``__getattr__`` return ``None`` for a name it does not know."""
    assert not hasattr(clients, "FastTransport")
