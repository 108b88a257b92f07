"""Who is there, and who of them is trusted: coming, going, serving another model, refusing, being away."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from fakes import Fake, fake

from evoselfcode.clients.replica import Replica, Watch
from evoselfcode.clients.replicas import LOOK_SECONDS, Place, Places
from evoselfcode.clients.replies import Reply
from evoselfcode.clients.roster import Roster
from evoselfcode.records import Completion, Failure, L2r, Request, Sampling
from evoselfcode.wire.dialect import Call, Dialect, endpoint

MODEL = "Qwen/Qwen2.5-Coder-32B"
ASKED = Request(key="k", prompt=L2r("def "), sampling=Sampling(max_new_tokens=4))
REFUSED = Failure("connect", "Connection refused")


class Served:
    """A transport to a fake server, which may be away."""

    def __init__(self, server: Fake) -> None:
        self.server = server
        self.away: Failure | None = None
        self.closed = False

    async def send(self, call: Call, timeout: float) -> Reply | Failure:
        if self.away is not None:
            return self.away
        return self.server.answer(call.method, urlsplit(call.url).path, {}, call.body)

    async def aclose(self) -> None:
        self.closed = True


class World:
    """Servers by the name of their replica, a name that leads to some of them, and a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.there: list[str] = []
        self.wires: dict[str, Served] = {}
        self.roster = Roster(Places(["http://pods:8000"], self._resolve), self._dial, clock=lambda: self.now)
        self.roster.speak(Dialect(server="vllm", model=MODEL))

    def add(self, at: str, model: str = MODEL, row: str = "vllm-0.33") -> Served:
        self.there.append(at)
        wire = self.wires[at] = Served(fake(row, model=model))
        return wire

    async def _resolve(self, host: str, port: int) -> list[str]:
        return self.there

    def _dial(self, place: Place, watch: Watch) -> Replica:
        return Replica(place.name, self.wires[place.at], endpoint(place.url), watch=watch)

    async def members(self, later: float = 0.0) -> dict[str, Replica]:
        self.now += later
        return {urlsplit(one.name).hostname or "": one for one in await self.roster.members()}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    await made.roster.aclose()
    assert all(wire.closed for wire in made.wires.values())


async def test_who_serves_the_model_is_a_member_and_who_serves_another_is_named(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Never mixed, and said once. Sabotage: in ``judge``, trust whoever answers."""
    world.add("10.0.0.1")
    world.add("10.0.0.2", model="bigcode/starcoder2-7b")
    assert [*await world.members()] == ["10.0.0.1"]
    assert [*await world.members(LOOK_SECONDS)] == ["10.0.0.1"]
    assert [record.getMessage() for record in caplog.records] == [
        f"http://10.0.0.2:8000 is left out: it serves bigcode/starcoder2-7b, and {MODEL} is asked for"
    ]


async def test_who_comes_is_looked_at_within_half_a_minute_and_who_goes_is_closed(world: World) -> None:
    """Sabotages: do not look again; keep who has left; close nobody who has left."""
    first = world.add("10.0.0.1")
    assert [*await world.members()] == ["10.0.0.1"]
    world.add("10.0.0.2")
    assert [*await world.members(LOOK_SECONDS - 1)] == ["10.0.0.1"]
    assert [*await world.members(1)] == ["10.0.0.1", "10.0.0.2"]
    world.there.remove("10.0.0.1")
    assert [*await world.members(LOOK_SECONDS)] == ["10.0.0.2"]
    assert first.closed
    asked = len(world.wires["10.0.0.2"].server.calls)
    await world.members(LOOK_SECONDS)
    assert len(world.wires["10.0.0.2"].server.calls) == asked == 1  # who is trusted is not asked again


async def test_who_does_not_answer_yet_joins_when_it_does(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A pod that loads its model. Sabotage: leave it out for ever."""
    world.add("10.0.0.1")
    slow = world.add("10.0.0.2")
    slow.away = Failure("loading", "Loading model", 503)
    assert [*await world.members()] == ["10.0.0.1"]
    assert [*await world.members(LOOK_SECONDS)] == ["10.0.0.1"]
    slow.away = None
    assert [*await world.members(LOOK_SECONDS)] == ["10.0.0.1", "10.0.0.2"]
    (said,) = [record.getMessage() for record in caplog.records]
    assert (
        said
        == "http://10.0.0.2:8000 does not serve requests now (loading (HTTP 503): Loading model); it is asked again"
    )


async def test_if_nobody_answers_all_are_members_and_each_is_looked_at_before_it_is_asked(world: World) -> None:
    """A run that is resumed in an outage waits for it to end. Sabotage: return nobody; or trust whoever is away."""
    wires = [world.add("10.0.0.1"), world.add("10.0.0.2", model="bigcode/starcoder2-7b")]
    for wire in wires:
        wire.away = REFUSED
    first, second = (await world.members()).values()
    assert [await first.send(ASKED), await first.probe()] == [REFUSED, REFUSED]
    wires[0].away = wires[1].away = None
    assert isinstance(await first.send(ASKED), Completion)
    said = await second.send(ASKED)
    assert isinstance(said, Failure)
    assert (said.kind, "starcoder2" in said.message) == ("loading", True)
    assert [path for _, path, _ in wires[1].server.calls] == ["/v1/models"]
    assert [*await world.members()] == ["10.0.0.1"]


async def test_what_an_earlier_preflight_found_holds_until_somebody_serves_something_else(world: World) -> None:
    """Sabotages: say so only where somebody serves it; or whoever is there."""
    wires = [world.add("10.0.0.1"), world.add("10.0.0.2", model="bigcode/starcoder2-7b")]
    for wire in wires:
        wire.away = REFUSED
    assert await world.roster.is_as_said()
    wires[1].away = None
    world.now += LOOK_SECONDS
    assert not await world.roster.is_as_said()
    wires[0].away = None
    world.now += LOOK_SECONDS
    assert await world.roster.is_as_said()


async def test_a_replica_that_comes_back_with_another_model_is_not_asked(world: World) -> None:
    """Restarted with other weights under the same address. Sabotage: no ``why_not`` in ``probe``."""
    world.add("10.0.0.1")
    other = world.add("10.0.0.2")
    back = (await world.members())["10.0.0.2"]
    other.away = REFUSED
    assert await back.probe() == REFUSED
    other.away, other.server = None, fake("vllm-0.33", model="bigcode/starcoder2-7b", checks_model=False)
    said = await back.probe()
    assert isinstance(said, Failure)
    assert said.kind == "loading"
    assert [*await world.members()] == ["10.0.0.1"]


async def test_a_probe_asks_for_one_token_and_has_little_time(world: World) -> None:
    """``/health`` proves nothing. Sabotage: ask for the models alone; give it the time of a generation."""
    wire = world.add("10.0.0.1")
    (replica,) = (await world.members()).values()
    given: list[float] = []
    send = wire.send

    async def noting(call: Call, timeout: float) -> Reply | Failure:
        given.append(timeout)
        return await send(call, timeout)

    wire.send = noting  # type: ignore[method-assign]
    assert await replica.probe() is None
    (_, path, body), (method, _, _) = wire.server.calls[-2:]
    assert (path, body["max_tokens"], body.get("n", 1), body["model"]) == ("/v1/completions", 1, 1, MODEL)
    assert method == "GET"
    assert max(given) <= 30


async def test_a_refusal_leaves_one_out_and_ends_the_run_when_it_is_the_last(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """One server whose key was changed ends no run of four. Sabotages: pass the refusal on; swallow the last one."""
    wires = [world.add("10.0.0.1"), world.add("10.0.0.2")]
    first, second = (await world.members()).values()
    wires[0].away = Failure("auth", "Unauthorized", 401)
    said = await first.send(ASKED)
    assert isinstance(said, Failure)
    assert (said.kind, [*await world.members()]) == ("loading", ["10.0.0.2"])
    assert "http://10.0.0.1:8000 is left out: it refuses the requests (auth (HTTP 401): Unauthorized)" in caplog.text
    wires[1].away = Failure("auth", "Unauthorized", 401)
    last = await second.send(ASKED)
    assert isinstance(last, Failure)
    assert last.kind == "auth"
    wires[0].away = wires[1].away = None
    assert [*await world.members(LOOK_SECONDS)] == ["10.0.0.1", "10.0.0.2"]


async def test_one_that_lists_the_model_and_refuses_it_stays_out(world: World) -> None:
    """It lists what it cannot load. Sabotage: in ``why_not``, do not ask it for a token."""
    world.add("10.0.0.1")
    wire = world.add("10.0.0.2")
    await world.members()
    wire.server = fake("vllm-0.33", model=MODEL, endpoints=())
    said = await (await world.members())["10.0.0.2"].send(ASKED)
    assert isinstance(said, Failure)
    for _ in range(3):
        assert [*await world.members(LOOK_SECONDS)] == ["10.0.0.1"]


async def test_if_all_serve_something_else_the_run_is_told_so(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A run that is resumed, on servers of another model. Sabotage: return nobody: it would wait for ever."""
    caplog.set_level(logging.ERROR)
    for at in ("10.0.0.1", "10.0.0.2"):
        world.add(at, model="bigcode/starcoder2-7b")
    for replica in (await world.members()).values():
        said = await replica.send(ASKED)
        assert isinstance(said, Failure)
        assert said.kind == "no_model"
