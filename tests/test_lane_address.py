"""What an address says, how old a name's resolution may be, and which of its addresses is used."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import closing
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transports import sockets

from evoselfcode.clients.lane import address
from evoselfcode.clients.lane.address import Address, read_url
from evoselfcode.clients.lane.direct import request_head

PATHS = st.text("abcZ09-_~!$&'()*+,;=:@/%é€ü|\"<>\\^`{}[]#", max_size=30).map(lambda path: "/" + path)


@given(PATHS, st.none() | st.text("abc=&?/%é'[]|+~\"<>\\^`{}", min_size=1))
def test_path_and_query_go_out_as_httpx_sends_them(path: str, query: str | None) -> None:
    """Sabotage: take a character out of the sets of those that are sent as they are."""
    url = f"http://host:8000{path}" + ("" if query is None or "#" in path else f"?{query}")
    assert read_url(url).target == httpx.URL(url).raw_path.decode()


@pytest.mark.parametrize(
    ("url", "host", "port", "authority"),
    [
        ("http://Pod/v1", "pod", 80, "pod"),
        ("https://pod/v1", "pod", 443, "pod"),
        ("https://pod:80", "pod", 80, "pod:80"),
        ("http://pod:80", "pod", 80, "pod"),
        ("http://[::1]:8000", "::1", 8000, "[::1]:8000"),
        ("http://[FE80::1%25eth0]", "fe80::1%eth0", 80, "[fe80::1]"),
        ("http://bücher.example:8", "xn--bcher-kva.example", 8, "xn--bcher-kva.example:8"),
        ("http://user:p%40ss@pod:8000/x", "pod", 8000, "pod:8000"),
    ],
)
def test_the_host_is_what_is_connected_to_and_the_authority_what_is_told(
    url: str, host: str, port: int, authority: str
) -> None:
    """Sabotage: tell the port always, or the zone of an address of version 6, which is this machine's own affair."""
    found = read_url(url)
    assert (found.host, found.port, found.authority) == (host, port, authority)


@pytest.mark.parametrize(
    "url",
    ["", "pod:8000", "ftp://pod", "http://", "http:///v1", "http://pod:x", "http://pod:99999", "http://[::1",
     "http://a b", "http://pod/\r\nx: y", "http://pod\0/", "http://\u2028", "http://ü" + "x" * 80],
)  # fmt: skip
def test_an_address_that_leads_nowhere_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_url(url)


@given(st.text(max_size=40))
def test_reading_an_address_raises_nothing_else(url: str) -> None:
    for text in (url, f"http://{url}", f"https://pod/{url}"):
        try:
            found = read_url(text)
        except ValueError:
            continue
        head = request_head("GET", found.target, [("host", found.authority)])
        assert head.count(b"\r\n") == 2
        assert head.split(b"\r\n")[0].count(b" ") == 2


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\0", "\r"])
def test_a_header_never_becomes_two(value: str) -> None:
    """Sabotage: take ``\\n`` out of ``_UNSAFE``."""
    with pytest.raises(ValueError, match="line end"):
        request_head("GET", "/", [("x", value)])


class Names:
    """A name server that is asked in a thread."""

    def __init__(self, *addresses: Any) -> None:
        self.addresses = addresses
        self.asked = 0
        self.answers = threading.Event()
        self.answers.set()

    def __call__(self, host: str, port: int, **kind: int) -> list[address.Found]:
        self.asked += 1
        assert self.answers.wait(5)
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET6 if ":" in at[0] else socket.AF_INET, kind["type"], 6, "", at) for at in self.addresses]


def listening(host: str = "127.0.0.1", backlog: int = 128) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, 0), family=family, backlog=backlog)


async def peers(to: Address, times: int) -> list[Any]:
    """Open connections and return where they lead."""
    found = []
    for _ in range(times):
        with closing(await to.connect()) as opened:
            found.append(opened.getpeername()[:2])
    return found


async def test_a_name_is_asked_for_once_in_a_while_and_by_one_of_many() -> None:
    """Sabotages: ask for each connection; never ask again."""
    with closing(listening()) as server:
        names = Names(server.getsockname())
        names.answers.clear()
        to = Address("pod", 80, look_up=names)
        waiting = [asyncio.ensure_future(to.connect()) for _ in range(20)]
        await asyncio.sleep(0)
        names.answers.set()
        for task in waiting:
            (await task).close()
        assert names.asked == 1
        stale = Address("pod", 80, look_up=names, fresh=0.0)
        await peers(stale, 3)
        assert names.asked == 4


async def test_a_name_is_asked_for_again_when_its_addresses_do_not_answer() -> None:
    """A pod was restarted under another address. Sabotage: keep ``_fresh_until`` in ``connect``."""
    with closing(listening()) as old, closing(listening()) as new:
        names = Names(old.getsockname())
        to = Address("pod", 80, look_up=names)
        await peers(to, 1)
        old.close()
        names.addresses = (new.getsockname(),)
        with pytest.raises(OSError, match="Connect call failed"):
            await to.connect()
        assert await peers(to, 1) == [new.getsockname()]


async def test_a_name_that_nobody_knows_is_no_address_and_not_remembered() -> None:
    names = Names()
    to = Address("pod", 80, look_up=names)
    for _ in range(2):
        with pytest.raises(socket.gaierror, match="not known"):
            await to.connect()
    assert names.asked == 2


async def test_whoever_stops_waiting_for_a_name_leaves_the_others_waiting() -> None:
    """Sabotage: no ``shield``."""
    with closing(listening()) as server:
        names = Names(server.getsockname())
        names.answers.clear()
        to = Address("pod", 80, look_up=names)
        first, second = (asyncio.ensure_future(to.connect()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
        names.answers.set()
        (await second).close()
        assert first.cancelled()


async def test_the_pods_behind_a_name_take_turns() -> None:
    """A headless service has an address for each. Sabotage: ``start = 0`` in ``_in_turn``."""
    with closing(listening()) as one, closing(listening()) as two, closing(listening()) as three:
        places = [server.getsockname() for server in (one, two, three)]
        assert sorted(await peers(Address("pods", 80, look_up=Names(*places)), 6)) == sorted(places * 2)


async def test_an_address_that_refuses_costs_nothing() -> None:
    """A name has an address of version 6, and the server listens on version 4. Sabotage: try the first alone."""
    with closing(listening("::1")) as gone, closing(listening()) as server:
        places = gone.getsockname(), server.getsockname()
        gone.close()
        before = sockets()
        assert await peers(Address("pod", 80, look_up=Names(*places)), 3) == [server.getsockname()] * 3
        assert sockets() == before


async def test_an_address_that_says_nothing_is_overtaken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its queue is full. Sabotages: wait for the first without a limit; leave the loser's socket open."""
    monkeypatch.setattr(address, "HEAD_START", 0.01)
    with (
        closing(listening(backlog=0)) as deaf,
        closing(socket.create_connection(deaf.getsockname())),
        closing(listening("::1")) as server,
    ):
        before = sockets()
        to = Address("pod", 80, look_up=Names(deaf.getsockname(), server.getsockname()))
        assert await peers(to, 1) == [server.getsockname()[:2]]
        for _ in range(3):
            await asyncio.sleep(0)
        assert sockets() == before


async def test_a_race_that_is_given_up_leaves_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotage: cancel no task at the end of ``_race``."""
    monkeypatch.setattr(address, "HEAD_START", 0.001)
    with closing(listening(backlog=0)) as deaf, closing(socket.create_connection(deaf.getsockname())):
        before = sockets()
        to = Address("pod", 80, look_up=Names(deaf.getsockname(), deaf.getsockname()))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await to.connect()
        for _ in range(3):
            await asyncio.sleep(0)
        assert sockets() == before
