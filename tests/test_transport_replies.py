"""Over real sockets: every way in which a reply can be good, odd, damaged or hostile comes to a reply or one failure.

All cases run over the direct lane, over httpx, and over clients that the user handed in.
"""

from __future__ import annotations

import gzip
import ssl
import zlib
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import Answer, Line, Seen, reply, scripted, silence, then_close, then_reset
from transports import ALL, OWN, carrying

from evoselfcode.clients.replies import MAX_REPLY_BYTES, Reply, Transport, decoded
from evoselfcode.clients.transport import InjectedClient
from evoselfcode.records import Failure, L2r, Request, Sampling
from evoselfcode.wire import messages
from evoselfcode.wire.dialect import Call, Dialect

BODY = b'{"choices": []}'
HEAD = b"HTTP/1.1 200 OK\r\n"
LAST = b"connection: close\r\n"
REQUEST = Request(key="k", prompt=L2r("def "), sampling=Sampling(max_new_tokens=1))


@pytest.fixture(params=ALL)
async def transport(request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
    async with carrying(request.param, {}) as made:
        yield made


async def exchange(transport: Transport, answer: Answer, timeout: float = 5) -> Reply | Failure:
    async with scripted(answer) as server:
        return await transport.send(Call("POST", server.url + "/v1/completions", b"{}"), timeout)


def chunked(*parts: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return HEAD + b"transfer-encoding: chunked\r\n\r\n" + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + end


GOOD: dict[str, Answer] = {
    "content length": reply(BODY),
    "chunked": chunked(BODY[:4], BODY[4:]),
    "until the connection closes": then_close(HEAD + b"\r\n" + BODY),
    "after 100 and 103": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + reply(BODY),
    "gzip, not asked for": reply(gzip.compress(BODY), "200 OK", "content-encoding: gzip"),
    "deflate, not asked for": reply(zlib.compress(BODY), "200 OK", "Content-Encoding: Deflate"),
    "identity": reply(BODY, "200 OK", "content-encoding: identity"),
}


@pytest.mark.parametrize("name", GOOD)
async def test_good_replies_come_out_whole(transport: Transport, name: str) -> None:
    """Sabotage: return the body as it came, without :func:`decoded`."""
    found = await exchange(transport, GOOD[name])
    assert isinstance(found, tuple), found
    assert found[0] == 200
    assert found[2] == BODY


async def drip(line: Line, seen: Seen) -> None:
    """One byte at a time, for ever: no read ever waits long."""
    await line.send(HEAD + b"content-length: 1000000\r\n\r\n")
    with anyio.move_on_after(2):
        while not line.reader.at_eof():
            await line.send(b" ")
            await anyio.sleep(0.001)


async def stalled(line: Line, seen: Seen) -> None:
    await line.send(HEAD + b"content-length: 99\r\n\r\n" + BODY)
    await line.eof()


async def endless(line: Line, seen: Seen) -> None:
    await line.send(HEAD + b"transfer-encoding: chunked\r\n\r\n")
    chunk = b"%x\r\n%s\r\n" % (1 << 20, b" " * (1 << 20))
    for _ in range(64):
        await line.send(chunk)


BAD: dict[str, tuple[Answer, str]] = {
    "silence": (silence, "timeout"),
    "one byte at a time": (drip, "timeout"),
    "silence in the body": (stalled, "timeout"),
    "closed at once": (then_close(b""), "disconnect"),
    "reset at once": (then_reset(b""), "disconnect"),
    "half the headers": (then_close(HEAD + b"content-le"), "disconnect"),
    "half the body, closed": (then_close(HEAD + b"content-length: 99\r\n\r\n" + BODY), "disconnect"),
    "half the body, reset": (then_reset(HEAD + b"content-length: 99\r\n\r\n" + BODY), "disconnect"),
    "half the last body, closed": (then_close(HEAD + LAST + b"content-length: 99\r\n\r\n" + BODY), "disconnect"),
    "half the last chunks": (then_close(HEAD + LAST + b"transfer-encoding: chunked\r\n\r\nff\r\nab"), "disconnect"),
    "half a chunk": (then_close(HEAD + b"transfer-encoding: chunked\r\n\r\nff\r\nab"), "disconnect"),
    "no last chunk": (then_close(chunked(BODY, end=b"")), "disconnect"),
    "a chunk size that is no number": (then_close(HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n"), "disconnect"),
    "not HTTP": (then_close(b"SSH-2.0-" + b"x" * 5000 + b"\r\n\r\n"), "disconnect"),
    "200 kB of headers": (then_close(HEAD + b"x: " + b"y" * 200_000 + b"\r\n\r\n"), "disconnect"),
    "a length past the cap": (then_close(HEAD + b"content-length: 99999999\r\n\r\n" + b" " * (9 << 20)), "too_large"),
    "endless chunks": (endless, "too_large"),
    "a gzip bomb": (reply(gzip.compress(bytes(200 << 20)), "200 OK", "content-encoding: gzip"), "too_large"),
    "gzip cut short": (reply(gzip.compress(BODY)[:-9], "200 OK", "content-encoding: gzip"), "bad_reply"),
    "gzip that is none": (reply(BODY, "200 OK", "content-encoding: gzip"), "bad_reply"),
    "an encoding of its own": (reply(BODY, "200 OK", "content-encoding: br"), "bad_reply"),
}


@pytest.mark.parametrize("name", BAD)
async def test_bad_replies_come_to_one_failure(transport: Transport, name: str) -> None:
    """Sabotages: no deadline, no cap in ``_read``, no ``max_length`` in ``decoded``, no check of ``eof``."""
    answer, kind = BAD[name]
    found = await exchange(transport, answer, 0.03 if kind == "timeout" else 5)
    assert isinstance(found, Failure), found[0]
    assert found.kind == kind
    assert len(found.message) <= 400


GREETINGS: dict[str, Callable[[Line], Awaitable[None]]] = {
    "closed before the request is read": lambda line: _end(line.close),
    "reset before the request is read": lambda line: _end(line.reset),
}


async def _end(how: Callable[[], None]) -> None:
    how()


@pytest.mark.parametrize("name", GREETINGS)
async def test_a_connection_that_ends_before_the_request_is_a_disconnect(transport: Transport, name: str) -> None:
    async with scripted(reply(), greeting=GREETINGS[name]) as server:
        found = await transport.send(Call("POST", server.url + "/v1/completions", b"{}"), 5)
        assert isinstance(found, Failure)
        assert found.kind == "disconnect"


CUT: dict[str, Answer] = {
    "a body without a length, cut short": then_close(HEAD + b"\r\n" + BODY[:-3]),
    "an empty body": reply(b""),
    "a body without a length, empty": then_close(HEAD + b"\r\n"),
}


@pytest.mark.parametrize("name", CUT)
async def test_what_no_transport_can_see_is_seen_by_who_reads_the_body(transport: Transport, name: str) -> None:
    found = await exchange(transport, CUT[name])
    assert isinstance(found, tuple)
    failure = messages.read(REQUEST, Dialect(), *found)
    assert isinstance(failure, Failure)
    assert failure.kind == "bad_reply"


async def test_a_name_and_a_password_in_the_address_are_sent_as_such(transport: Transport) -> None:
    """Sabotage: leave ``authorization`` out in ``_route``."""
    async with scripted(reply()) as server:
        url = server.url.replace("http://", "http://us%40er:pass@")
        assert isinstance(await transport.send(Call("GET", url), 5), tuple)
        assert server.seen[0].headers["authorization"] == "Basic " + b64encode(b"us@er:pass").decode()
        assert "pass" not in server.seen[0].headers["host"]


@pytest.mark.parametrize("own", OWN)
async def test_a_key_comes_before_a_password_in_the_address(own: str) -> None:
    """Sabotage: ``self._headers | headers`` in ``_route``."""
    async with scripted(reply()) as server, carrying(own, {"authorization": "Bearer k"}) as lanes:
        assert isinstance(await lanes.send(Call("GET", server.url.replace("//", "//user:pass@")), 5), tuple)
        assert server.seen[0].headers["authorization"] == "Bearer k"


async def test_an_address_of_version_six_is_reached_and_named(transport: Transport) -> None:
    """Sabotage: leave the brackets out of ``authority``."""
    async with scripted(reply(BODY), host="::1") as server:
        found = await transport.send(Call("POST", server.url + "/v1", b"{}"), 5)
        assert isinstance(found, tuple), found
        assert server.seen[0].headers["host"] == server.url.removeprefix("http://")


async def test_a_reply_may_be_as_large_as_the_cap_and_no_byte_larger(transport: Transport) -> None:
    """Sabotages: no cap in ``on_body``; ``>=`` there or in ``_read``."""
    whole = await exchange(transport, reply(bytes(MAX_REPLY_BYTES)))
    assert isinstance(whole, tuple)
    assert len(whole[2]) == MAX_REPLY_BYTES
    found = await exchange(transport, reply(bytes(MAX_REPLY_BYTES + 1)))
    assert isinstance(found, Failure)
    assert found.kind == "too_large"


async def test_redirects_are_not_followed(transport: Transport) -> None:
    """A prompt and a key go to the configured address and nowhere else."""
    async with scripted(reply(b"caught")) as elsewhere:
        moved = reply(b"", "307 Temporary Redirect", f"location: {elsewhere.url}/v1/completions")
        found = await exchange(transport, moved)
        assert isinstance(found, tuple)
        assert elsewhere.accepted == 0
    failure = messages.read(REQUEST, Dialect(), *found)
    assert isinstance(failure, Failure)
    assert failure.kind == "no_route"


async def test_a_web_page_with_status_200_is_no_completion(transport: Transport) -> None:
    found = await exchange(transport, reply(b"<html>Sign in</html>", "200 OK", "content-type: text/html"))
    assert isinstance(found, tuple)
    failure = messages.read(REQUEST, Dialect(), *found)
    assert isinstance(failure, Failure)
    assert failure.kind == "bad_reply"


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://127.0.0.1:1/v1", "connect"),  # nobody listens
        ("http://no-such-host.invalid/v1", "connect"),
        ("http://[::1/v1", "no_route"),
        ("http://host\x00/v1", "no_route"),
        ("ftp://127.0.0.1/v1", "no_route"),
        ("127.0.0.1:8000/v1", "no_route"),
    ],
)
async def test_addresses_that_lead_nowhere(transport: Transport, url: str, kind: str) -> None:
    """Sabotage: build the request outside ``try``: ``InvalidURL`` passes the door."""
    found = await transport.send(Call("GET", url), 5)
    assert isinstance(found, Failure)
    assert found.kind == kind


def _raiser(error: Exception) -> Callable[[httpx.Request], httpx.Response]:
    def handler(request: httpx.Request) -> httpx.Response:
        raise error

    return handler


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.PoolTimeout("full"), "connect"),
        (httpx.ConnectTimeout("slow"), "connect"),
        (httpx.ProxyError("no"), "connect"),
        (httpx.WriteError("gone"), "disconnect"),
        (httpx.TooManyRedirects("round"), "no_route"),
        (httpx.DecodingError("bad"), "bad_reply"),
        (ssl.SSLError(1, "bad record mac"), "disconnect"),  # httpcore passes it on as it is
    ],
)
async def test_no_exception_of_a_library_passes_the_door(error: Exception, kind: str) -> None:
    """Sabotage: take the case of ``OSError`` out of ``_failure``."""
    async with httpx.AsyncClient(transport=httpx.MockTransport(_raiser(error))) as client:
        found = await InjectedClient(client, {}).send(Call("GET", "http://host/v1"), 5)
    assert isinstance(found, Failure)
    assert found.kind == kind


async def test_a_mistake_in_the_users_transport_is_not_hidden() -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(_raiser(ZeroDivisionError()))) as client:
        with pytest.raises(ZeroDivisionError):
            await InjectedClient(client, {}).send(Call("GET", "http://host/v1"), 5)


@given(st.binary(max_size=400), st.sampled_from(["gzip", "deflate", "br", "", "identity", "gzip, gzip"]))
def test_decoding_any_bytes_never_raises(body: bytes, encoding: str) -> None:
    found = decoded(200, {"content-encoding": encoding}, body)
    assert isinstance(found, (tuple, Failure))


@given(st.binary(max_size=4000))
def test_decoding_undoes_encoding(body: bytes) -> None:
    assert decoded(200, {"content-encoding": "gzip"}, gzip.compress(body)) == (200, {"content-encoding": "gzip"}, body)
