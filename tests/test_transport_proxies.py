"""A proxy of the environment is neither ignored nor used in silence."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest
from scripted_server import reply, scripted, scripted_in_thread
from transports import own_lanes

from evoselfcode.clients.lane import way
from evoselfcode.clients.lane.direct import DirectLanes
from evoselfcode.clients.lane.proxies import proxy_for, without_login
from evoselfcode.clients.lane.way import lanes_to
from evoselfcode.clients.transport import HttpxLanes
from evoselfcode.records import Failure
from evoselfcode.wire.dialect import Call

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No proxy is set, whatever this machine has."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(way, "_told", set())
    return monkeypatch


def call(url: str) -> Call:
    return Call("POST", url + "/v1/completions", b"a prompt")


async def test_without_a_proxy_calls_go_directly() -> None:
    assert isinstance(lanes_to("http://pod:8000/v1", {}), DirectLanes)


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
async def test_a_proxy_gets_the_calls_and_is_named_once(
    name: str, environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its password is sent and not shown. Sabotages: ``trust_env=False`` and no ``proxy``; log on each call."""
    async with scripted(reply(b"through")) as proxy, scripted(reply(b"directly")) as server:
        environment.setenv(name, proxy.url.replace("//", "//user:s3cret@"))
        for _ in range(2):
            lanes = lanes_to(server.url + "/v1", {"authorization": "Bearer k"})
            found = await lanes.send(call(server.url), 5)
            await lanes.aclose()
            assert isinstance(found, tuple)
            assert found[2] == b"through"
        assert (server.accepted, proxy.accepted) == (0, 2)
        assert proxy.seen[0].path == server.url + "/v1/completions"
        assert proxy.seen[0].headers["proxy-authorization"].startswith("Basic ")
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("evoselfcode", logging.WARNING)
    assert proxy.url in record.getMessage()
    assert "NO_PROXY=127.0.0.1" in record.getMessage()
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("listed", ["127.0.0.1", "*", "example.com, 127.0.0.1", "127.0.0.0/8"])
async def test_what_no_proxy_lists_is_reached_directly(
    listed: str, environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Sabotage: leave ``_in_network`` out."""
    async with scripted(reply(b"trapped")) as proxy, scripted(reply(b"directly")) as server:
        environment.setenv("ALL_PROXY", proxy.url)
        environment.setenv("NO_PROXY", listed)
        lanes = lanes_to(server.url, {})
        found = await lanes.send(call(server.url), 5)
        await lanes.aclose()
        assert isinstance(found, tuple)
        assert found[2] == b"directly"
        assert proxy.accepted == 0
    assert caplog.records == []


@pytest.mark.parametrize("kind", ["direct", "httpx"])
async def test_lanes_that_were_told_no_proxy_use_none(kind: str, environment: pytest.MonkeyPatch) -> None:
    """A proxy is chosen in one place. Sabotage: send through ``httpx.AsyncClient()``."""
    async with scripted(reply(b"trapped")) as proxy, scripted(reply(b"directly")) as server:
        for name in NAMES[:3]:
            environment.setenv(name, proxy.url)
        lanes = own_lanes(kind, {})
        found = await lanes.send(call(server.url), 5)
        await lanes.aclose()
        assert isinstance(found, tuple)
        assert found[2] == b"directly"


@pytest.mark.parametrize(
    ("url", "variables", "proxy"),
    [
        ("http://pod", {"HTTP_PROXY": "http://p:1"}, "http://p:1"),
        ("https://pod", {"HTTP_PROXY": "http://p:1"}, None),
        ("https://pod", {"HTTPS_PROXY": "http://p:1", "ALL_PROXY": "http://q:2"}, "http://p:1"),
        ("https://pod", {"all_proxy": "socks5://p:1"}, "socks5://p:1"),
        ("http://pod", {"http_proxy": "p:1"}, "http://p:1"),
        ("http://pod", {"http_proxy": ""}, None),
        ("http://pod", {"http_proxy": "", "ALL_PROXY": "http://q:2"}, "http://q:2"),
        ("http://a.pods.local:8000", {"http_proxy": "http://p:1", "no_proxy": ".pods.local"}, None),
        ("http://a.pods.local:8000", {"http_proxy": "http://p:1", "no_proxy": "pods.local:8000"}, None),
        ("http://a.pods.local:8000", {"http_proxy": "http://p:1", "no_proxy": "pods.local:9000"}, "http://p:1"),
        ("http://pods.localhost", {"http_proxy": "http://p:1", "no_proxy": "pods.local"}, "http://p:1"),
        ("http://10.2.3.4", {"http_proxy": "http://p:1", "no_proxy": "10.0.0.0/8"}, None),
        ("http://11.2.3.4", {"http_proxy": "http://p:1", "no_proxy": "10.0.0.0/8,fd00::/8"}, "http://p:1"),
        ("http://[fd00::1]:8000", {"http_proxy": "http://p:1", "no_proxy": "10.0.0.0/8, fd00::/8"}, None),
        ("http://[::1", {"http_proxy": "http://p:1"}, None),
    ],
)
def test_which_proxy_applies(
    url: str, variables: dict[str, str], proxy: str | None, environment: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)
    assert proxy_for(url) == proxy


def test_the_login_of_a_proxy_is_not_shown() -> None:
    assert without_login("http://user:p@ss@proxy:3128") == "http://proxy:3128"
    assert without_login("socks5://proxy:3128") == "socks5://proxy:3128"


@pytest.mark.parametrize("address", ["ftp://127.0.0.1:1", "http://[::1", "nonsense://p"])
async def test_a_proxy_that_cannot_be_used_is_said(address: str) -> None:
    """Sabotage: open the lane outside ``try``."""
    lanes = HttpxLanes({}, address)
    found = await lanes.send(call("http://pod:1"), 5)
    assert isinstance(found, Failure)
    assert found.kind == "no_route"
    assert "proxy" in found.message


async def test_a_proxy_that_refuses_is_an_outage() -> None:
    async with scripted(reply(b"no", "502 Bad Gateway")) as proxy:
        lanes = HttpxLanes({}, proxy.url)
        found = await lanes.send(call("https://pod.invalid"), 5)
        await lanes.aclose()
    assert isinstance(found, Failure)
    assert found.kind == "connect"
    assert proxy.seen[0].method == "CONNECT"


def test_people_are_told_on_the_command_line(folder: Path, environment: pytest.MonkeyPatch) -> None:
    """Sabotage: add no handler in ``_Group.invoke``."""
    with scripted_in_thread(reply(b'{"error": "no"}', "401 Unauthorized")) as proxy:
        environment.setenv("HTTP_PROXY", proxy.url)
        settings = ("--set", "api.base_url=http://pod.invalid/v1", "--set", "model=m")
        command = [sys.executable, "-m", "evoselfcode.cli", "doctor", *settings]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert f"warning: requests to pod.invalid go through the proxy {proxy.url}" in done.stderr
    assert "Traceback" not in done.stderr
