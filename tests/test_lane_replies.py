"""What only our own reading of HTTP/1.1 can get wrong: where a reply ends, and whether its connection is still good.

All cases run over the direct lane and over its connections mounted in a client of httpx.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import httpx
import pytest
from scripted_server import Answer, Line, Script, Seen, reply, scripted, silence, then_close
from transports import carrying

from evoselfcode.clients import DirectTransport
from evoselfcode.clients.lane.direct import DirectLanes
from evoselfcode.clients.replies import Reply, Transport
from evoselfcode.records import Failure
from evoselfcode.wire.dialect import Call

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"


@pytest.fixture(params=["direct", "mounted"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def lanes(kind: str) -> AsyncIterator[Transport]:
    async with carrying(kind, {}) as made:
        yield made


async def ask(lanes: Transport, server: Script, method: str = "POST", timeout: float = 5) -> Reply | Failure:
    return await lanes.send(Call(method, server.url + "/v1", b"{}" if method == "POST" else b""), timeout)


async def body_of(lanes: Transport, server: Script) -> bytes:
    found = await ask(lanes, server)
    assert isinstance(found, tuple), found
    return found[2]


WRONG: dict[str, tuple[Answer, str]] = {
    "more than the length says": (reply(b"ok") + b"more", "bad_reply"),
    "a second reply behind the first": (reply(b"ok") + reply(b"poison"), "bad_reply"),
    "more behind the last reply": (reply(b"ok", "200 OK", "connection: close") + b"more", "bad_reply"),
    "two lengths": (OK + b"content-length: 2\r\ncontent-length: 3\r\n\r\nok!", "disconnect"),
    "a length and chunks": (OK + CHUNKED + b"content-length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n", "disconnect"),
    "a length that is no number": (OK + b"content-length: +2\r\n\r\nok", "disconnect"),
    "a length past all numbers": (OK + b"content-length: 99999999999999999999\r\n\r\nok", "disconnect"),
    "chunks that are packed": (OK + b"transfer-encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "bad_reply"),
    "packed to the end": (then_close(OK + b"transfer-encoding: gzip\r\n\r\nok"), "bad_reply"),
    "another protocol": (b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "disconnect"),
    "another protocol, unnamed": (b"HTTP/1.1 101 Switching\r\n\r\n", "disconnect"),
    "interim replies without end": (b"HTTP/1.1 102 Processing\r\nx: y\r\n\r\n" * 3000, "disconnect"),
    "headers without end": (OK + b"x: yyyyyyyy\r\n" * 8000, "disconnect"),
    "trailers without end": (OK + CHUNKED + b"\r\n2\r\nok\r\n0\r\n" + b"x: yyyyyyyy\r\n" * 700_000, "too_large"),
    "a whole reply whose headers are long": (reply(b"ok", "200 OK", *["x: yyyyyyyy"] * 6000), "disconnect"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_reply_that_is_wrong_is_a_failure_and_ends_its_connection(lanes: Transport, name: str) -> None:
    """Sabotages: nothing in ``on_message_begin``; ``return None`` in ``_offence``; no case 17 in ``on_header``."""
    answer, kind = WRONG[name]
    async with scripted(answer, reply(b"next")) as server:
        found = await ask(lanes, server)
        assert isinstance(found, Failure), found
        assert found.kind == kind
        await server.until(lambda script: script.closed == 1)
        assert await body_of(lanes, server) == b"next"
        assert server.accepted == 2


async def test_what_comes_behind_a_reply_never_becomes_the_next(lanes: Transport) -> None:
    """Two locks: nobody asked, and the reply before was whole. Either one is enough."""
    late = anyio.Event()

    async def poisoned(line: Line, seen: Seen) -> None:
        await line.send(reply(b"first"))
        await late.wait()
        await line.send(reply(b"poison"))
        await line.eof()

    async with scripted(poisoned, reply(b"second")) as server:
        assert await body_of(lanes, server) == b"first"
        late.set()
        await server.until(lambda script: script.closed == 1)
        assert await body_of(lanes, server) == b"second"


ENDS: dict[str, tuple[bytes, bool]] = {
    "HTTP/1.1": (reply(b"ok"), True),
    "close": (reply(b"ok", "200 OK", "Connection: close"), False),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", False),
    "HTTP/1.0, kept": (b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok", True),
    "chunks with trailers": (OK + CHUNKED + b"\r\n2;a=b\r\nok\r\n0\r\nx-two: trailer\r\n\r\n", True),
    "kept for no time": (reply(b"ok", "200 OK", "Keep-Alive: timeout=0, max=5"), False),
    "kept for long": (reply(b"ok", "200 OK", "keep-alive: timeout=75"), True),
    "kept for who knows": (reply(b"ok", "200 OK", "keep-alive: yes"), True),
    "an interim reply that names a length": (b"HTTP/1.1 103 Hints\r\nx-two: hint\r\n\r\n" + reply(b"ok"), True),
    "in pieces": (b"", True),
}


@pytest.mark.parametrize("name", ENDS)
async def test_a_connection_is_used_again_if_the_reply_allows_it(lanes: Transport, name: str) -> None:
    """Sabotages: ``_keeps = True``; no case 10 in ``on_header``; take trailers for headers."""
    data, kept = ENDS[name]

    async def piecemeal(line: Line, seen: Seen) -> None:
        for byte in reply(b"ok"):
            await line.send(bytes([byte]))

    async with scripted(data or piecemeal) as server:
        for _ in range(3):
            found = await ask(lanes, server)
            assert isinstance(found, tuple), found
            assert found[2] == b"ok"
            assert "x-two" not in found[1]
        assert server.accepted == (1 if kept else 3)


async def test_a_request_that_met_a_closing_connection_is_sent_again_over_a_new_one() -> None:
    """Ten connections go stale unseen; a request meets one of them, and not the next. Sabotage: ``lane`` is kept."""
    lanes = DirectLanes({})
    async with scripted(reply(), then_close(b""), reply(b"again")) as server:
        await body_of(lanes, server)
        assert await body_of(lanes, server) == b"again"
        assert (server.accepted, len(server.seen)) == (2, 3)
    await lanes.aclose()


@pytest.mark.parametrize(("sent", "answers"), [(b"H", 2), (b"", 1)])
async def test_a_request_is_not_sent_again_where_the_server_may_have_begun(sent: bytes, answers: int) -> None:
    """One byte came, or the connection was new. Sabotages: drop ``lane.heard``; drop ``new``."""
    lanes = DirectLanes({})
    async with scripted(*[reply()] * (answers - 1), then_close(sent), reply()) as server:
        for _ in range(answers - 1):
            await body_of(lanes, server)
        found = await ask(lanes, server)
        assert isinstance(found, Failure)
        assert found.kind == "disconnect"
        assert len(server.seen) == answers
    await lanes.aclose()


@pytest.mark.parametrize(("method", "again"), [("GET", True), ("POST", False)])
async def test_a_users_request_is_sent_again_only_if_that_changes_nothing(method: str, again: bool) -> None:
    """What a POST of a user's own means is not known. Sabotage: ``again=True`` in ``handle_async_request``."""
    script, client = scripted(reply(), then_close(b""), reply(b"again")), httpx.AsyncClient(transport=DirectTransport())
    async with script as server, client:
        await client.request(method, server.url)
        if again:
            assert (await client.request(method, server.url)).content == b"again"
        else:
            with pytest.raises(httpx.RemoteProtocolError, match="closed without a reply"):
                await client.request(method, server.url)


async def test_all_time_together_counts_when_a_request_is_sent_again() -> None:
    """Sabotage: give the second connection ``seconds * 50``."""
    lanes = DirectLanes({})
    async with scripted(reply(), then_close(b""), silence) as server:
        await body_of(lanes, server)
        with anyio.fail_after(5):
            assert await ask(lanes, server, timeout=0.2) == Failure("timeout", "no complete reply within 0.2 s")
        assert len(server.seen) == 3
    await lanes.aclose()


async def test_a_reply_to_half_a_request_ends_the_connection(lanes: Transport) -> None:
    """A 413 comes while the body is still on its way. Sabotage: do not look at ``get_write_buffer_size``."""
    refuse = reply(b"too much", "413 Content Too Large")

    async def impatient(line: Line) -> None:
        await line.reader.readuntil(b"\r\n\r\n")
        await line.send(refuse)
        await finished.wait()

    finished = anyio.Event()
    async with scripted(reply(), greeting=impatient) as server:
        found = await lanes.send(Call("POST", server.url + "/v1", bytes(16 << 20)), 5)
        assert isinstance(found, tuple)
        assert found[0] == 413
        finished.set()
        await server.until(lambda script: script.closed == 1)
