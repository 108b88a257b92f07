"""Where replicas are and whether they are replicas of one model: names, resolving, and what two servers list."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest

from evoselfcode.clients.lane.address import Found, addresses_of
from evoselfcode.clients.replicas import Place, Places, differs, resolver
from evoselfcode.errors import UsageError
from evoselfcode.records import Failure
from evoselfcode.wire.dialect import Dialect
from evoselfcode.wire.servers import Models


class Names:
    """A system that knows what it is told."""

    def __init__(self, **known: list[str]) -> None:
        self.known = known
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        if host not in self.known:
            raise OSError(-2, "Name or service not known")
        return self.known[host]


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (Place("http://pod:8000"), "http://pod:8000"),
        (Place("http://pod:8000/v1/"), "http://pod:8000"),
        (Place("https://host/a/v1"), "https://host/a"),
        (Place("http://pods:8000/v1", "10.0.0.7"), "http://10.0.0.7:8000"),
        (Place("https://pods", "fd00::7"), "https://[fd00::7]"),
        (Place("local:"), "local:"),
    ],
)
def test_a_replica_is_called_by_what_tells_it_from_others(place: Place, name: str) -> None:
    """Sabotage: leave ``at`` out of the name: all pods of a service are called the same, and are one."""
    assert place.name == name


async def test_a_list_is_taken_as_it_is() -> None:
    places = Places(["http://a:1", "http://b:1"])
    assert places.several
    assert await places.now() == (Place("http://a:1"), Place("http://b:1"))
    assert not Places(["http://a:1"]).several


async def test_each_address_of_a_name_is_a_place_of_its_own() -> None:
    """Two names that lead to one pod are that pod. Sabotage: return ``found`` as it is."""
    names = Names(pods=["10.0.0.1", "10.0.0.2"], more=["10.0.0.2", "10.0.0.3"])
    places = Places(["https://pods", "https://more/v1"], names)
    assert [place.at for place in await places.now()] == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    assert names.asked == [("pods", 443), ("more", 443)]


async def test_of_a_name_that_cannot_be_resolved_the_last_addresses_stand() -> None:
    """A name server that is away for a minute stops no run. Sabotage: return nothing for it."""
    names = Names(pods=["10.0.0.1"])
    places = Places(["http://pods:8000", "http://new:8000"], names)
    before = await places.now()
    assert "new cannot be resolved" in places.trouble
    names.known.clear()
    assert await places.now() == before == (Place("http://pods:8000", "10.0.0.1"), Place("http://new:8000"))
    names.known |= {"pods": [], "new": ["10.0.0.2"]}
    assert [place.at for place in await places.now()] == ["10.0.0.1", "10.0.0.2"]
    assert places.trouble == "pods has no address"
    names.known["pods"] = ["10.0.0.1"]
    assert [place.at for place in await places.now()] == ["10.0.0.1", "10.0.0.2"]
    assert places.trouble == ""


async def test_a_system_that_lists_both_families_names_each_server_once() -> None:
    """By version 4, which servers listen to. Sabotages: take both: each pod is two replicas; take the first family."""

    def look_up(host: str, port: int, **options: int) -> list[Found]:
        six: list[Found] = [(socket.AF_INET6, 1, 6, "", (f"fd00::{number}", port, 0, 0)) for number in (1, 2, 2)]
        six.append((socket.AF_INET6, 1, 6, "", ("fe80::1", port, 0, 3)))
        return six if host == "six" else [*six, (socket.AF_INET, 1, 6, "", ("10.0.0.1", port))]

    assert await addresses_of("pods", 8000, look_up=look_up) == ("10.0.0.1",)
    assert await addresses_of("six", 8000, look_up=look_up) == ("fd00::1", "fd00::2", "fe80::1%3")


async def test_the_systems_own_answer_is_read() -> None:
    assert await addresses_of("127.0.0.1", 8000) == ("127.0.0.1",)


def test_replicas_cannot_be_told_apart_by_what_finds_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotage: take a check out of ``resolver``: all calls go to whichever replica the proxy picks."""
    with pytest.raises(UsageError, match="an http_client goes wherever"):
        resolver(["http://pods"], object())
    with pytest.raises(UsageError, match="local: has none"):
        resolver(["local:"])
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    with pytest.raises(UsageError, match="a proxy of the environment stands before pods") as raised:
        resolver(["http://pods:8000"])
    assert raised.value.hint == "set NO_PROXY=pods, or give the replicas' addresses as a list"
    monkeypatch.setenv("NO_PROXY", "pods")
    assert resolver(["http://pods:8000"])


QWEN = Models(("qwen",), "vllm", 4096, ("/models/Qwen2.5-Coder-32B",))
TINY = Models(("tiny",), "llamacpp")


@pytest.mark.parametrize(
    ("known", "listed", "why"),
    [
        (QWEN, QWEN, ""),
        (QWEN, Models(("other", "qwen"), "vllm"), ""),
        (QWEN, Models(("qwen",), "vllm", 4096, ("/mnt/Qwen2.5-Coder-32B/",)), ""),
        (QWEN, Models(("qwen",), "vllm", 4096, ("Qwen2.5-Coder-7B",)), "other weights (Qwen2.5-Coder-7B) than"),
        (QWEN, Models(("starcoder",), "vllm"), "it serves starcoder, and qwen is asked for"),
        (QWEN, Models((), "vllm"), "it serves nothing, and qwen is asked for"),
        (QWEN, Models(("qwen",), "sglang"), "another kind of server (sglang) than the others (vllm)"),
        (QWEN, Failure("no_route", "Not Found", 404), "it does not list its models (HTTP 404), as the others do"),
        (None, Failure("no_route", "Not Found", 404), ""),
        (None, Failure("auth", "no", 401), "it refuses the key (HTTP 401): no"),
        (None, QWEN, ""),
        (None, Models(("starcoder",), "vllm"), "it serves starcoder"),
        (None, Models((), "vllm"), ""),
    ],
)
def test_servers_whose_answers_must_not_be_mixed(known: Models | None, listed: Models | Failure, why: str) -> None:
    """Sabotages: take any one of the conditions of ``differs`` out."""
    found = differs(Dialect(server="vllm", model="qwen"), known, listed)
    assert why in found
    assert bool(why) == bool(found)


@pytest.mark.parametrize(
    ("known", "listed", "same"),
    [(TINY, TINY, True), (TINY, Models(("smollm2",), "llamacpp"), False), (None, TINY, True), (None, QWEN, False)],
)
def test_a_server_that_answers_to_any_name_is_compared_by_what_it_lists(
    known: Models | None, listed: Models, same: bool
) -> None:
    """llama.cpp answers to "qwen" whatever it serves. Sabotage: accept who is in ``ANY_NAME`` always."""
    assert (differs(Dialect(server="llamacpp", model="qwen"), known, listed) == "") is same
