"""TLS as httpx verifies it, over every transport: the name is told and checked, and nothing is said to a stranger."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from scripted_server import Line, reply, scripted
from transports import ALL, OWN, carrying

from evoselfcode.records import Failure
from evoselfcode.wire.dialect import Call

CERTIFICATES = Path(__file__).parent / "data" / "tls"


@pytest.fixture(params=ALL)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the authority of the tests, in the way that httpx documents."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATES / "authority.pem"))


class Identity:
    """The server's certificate, and the names that clients asked it for."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(CERTIFICATES / "localhost.pem")
        self.context.set_alpn_protocols(["h2", "http/1.1"])
        self.context.sni_callback = self._note

    def _note(self, connection: object, name: str | None, context: ssl.SSLContext) -> None:
        self.asked.append(name)


@pytest.mark.usefixtures("trusted")
async def test_a_trusted_server_is_told_its_name_and_answers_on_one_connection(kind: str) -> None:
    """Sabotages: no ``server_hostname``; ask for ``h2`` first in ``set_alpn_protocols``."""
    identity = Identity()
    spoken: list[str | None] = []

    async def answer(line: Line, seen: object) -> None:
        spoken.append(line.writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await line.send(reply(b"safe"))

    async with scripted(answer, tls=identity.context) as server, carrying(kind, {}) as lanes:
        for _ in range(3):
            found = await lanes.send(Call("POST", server.url + "/v1", b"{}"), 5)
            assert isinstance(found, tuple), found
            assert found[2] == b"safe"
        assert (server.accepted, identity.asked) == (1, ["localhost"])
        assert set(spoken) == {"http/1.1"}


async def test_a_server_that_nobody_vouches_for_gets_no_prompt(kind: str) -> None:
    """Sabotage: ``verify_mode = ssl.CERT_NONE`` in ``_tls_context``."""
    async with scripted(reply(), tls=Identity().context) as server, carrying(kind, {}) as lanes:
        found = await lanes.send(Call("POST", server.url + "/v1", b"{}"), 5)
        assert isinstance(found, Failure)
        assert found.kind == "connect"
        assert "certificate" in found.message.lower()
        assert server.seen == []


@pytest.mark.usefixtures("trusted")
async def test_a_server_of_another_name_gets_no_prompt(kind: str) -> None:
    """Its certificate is for localhost. Sabotage: ``check_hostname = False``."""
    async with scripted(reply(), tls=Identity().context) as server, carrying(kind, {}) as lanes:
        found = await lanes.send(Call("POST", server.url.replace("localhost", "127.0.0.1"), b"{}"), 5)
        assert isinstance(found, Failure)
        assert found.kind == "connect"
        assert server.seen == []


@pytest.mark.usefixtures("trusted")
async def test_an_ip_address_is_checked_as_such(kind: str) -> None:
    """The certificate names ::1. Sabotage: keep the brackets of the host."""
    async with scripted(reply(b"six"), tls=Identity().context, host="::1") as server, carrying(kind, {}) as lanes:
        found = await lanes.send(Call("POST", server.url.replace("localhost", "[::1]"), b"{}"), 5)
        assert isinstance(found, tuple), found
        assert found[2] == b"six"


@pytest.mark.usefixtures("trusted")
async def test_tls_to_a_plain_port_is_a_failure_to_connect(kind: str) -> None:
    async def grumbles(line: Line) -> None:
        await line.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        line.close()

    async with scripted(reply(), greeting=grumbles) as server, carrying(kind, {}) as lanes:
        found = await lanes.send(Call("POST", server.url.replace("http:", "https:"), b"{}"), 5)
        assert isinstance(found, Failure)
        assert found.kind == "connect"


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("own", OWN)
async def test_the_certificates_are_read_once(own: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes 20 ms. Sabotage: make a context for each connection."""
    last = reply(b"", "200 OK", "connection: close")
    async with scripted(last, tls=Identity().context) as server, carrying(own, {}) as lanes:
        assert isinstance(await lanes.send(Call("GET", server.url), 5), tuple)
        monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file")
        assert isinstance(await lanes.send(Call("GET", server.url), 5), tuple)
        assert server.accepted == 2
