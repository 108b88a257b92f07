"""Endpoints that go away and come back: no row is lost, few requests are wasted, and the run goes on by itself.

Time is virtual. An outage breaks what is in flight and refuses connections after 2 ms.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import anyio
import pytest
from endpoints import DONE, Scripted, as_it_is, collect, fleet_of, requests
from virtual_time import in_virtual_time

from evoselfcode.engine import Event, Stop, outcomes
from evoselfcode.errors import EndpointDown
from evoselfcode.records import Completion, Failure, Request

REFUSED = Failure("connect", "Connection refused")


class Server(Scripted):
    """An endpoint that is away at some times.

    Args:
        seconds: Time for one request.
        away: Says whether it is away at a time, counted from when it is made.
        refusal: What it gives then.
        hold: Most attempts that it survives in its first 20 s after an outage.
    """

    def __init__(
        self,
        away: Callable[[float], bool],
        *,
        seconds: float = 20.0,
        name: str = "http://a:1",
        refusal: Failure = REFUSED,
        hold: int | None = None,
    ) -> None:
        super().__init__(self._answer, name)
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()
        self._is_away, self._seconds, self._refusal, self._hold = away, seconds, refusal, hold
        self.in_flight = 0
        self.starts: list[float] = []
        self.refused: list[float] = []
        self._back_at = -1000.0
        self.died = 0

    @property
    def now(self) -> float:
        return self._clock() - self._began

    async def _answer(self, request: Request) -> Completion | Failure:
        if self._gone():
            await anyio.sleep(0.002)
            self.refused.append(self.now)
            return self._refusal
        self.starts.append(self.now)
        self.in_flight += 1
        if self._hold is not None and self.now - self._back_at < 20.0 and self.in_flight > self._hold:
            self.died += 1
        try:
            until = self.now + self._seconds
            while self.now < until - 1e-6:
                await anyio.sleep(min(2.0, until - self.now))
                if self._gone():
                    return Failure("disconnect", "Server disconnected")
        finally:
            self.in_flight -= 1
        return DONE

    def _gone(self) -> bool:
        gone = self._is_away(self.now)
        if gone:
            self._back_at = self.now
        return gone

    async def probe(self) -> Failure | None:
        self.probes += 1
        return self._refusal if self._gone() else None


@pytest.mark.parametrize("seconds", [20.0, 60.0, 300.0, 900.0])
@in_virtual_time
async def test_an_outage_loses_no_row_and_is_not_asked_again_and_again(seconds: float) -> None:
    """R2: 256 in flight, of facts §1.3, where others lose up to 19,236 of 20,000 and send 57,708 requests.

    Sabotage: count refused connections, or what breaks at an endpoint that is parked, against the row.
    """
    server = Server(lambda now: 50.0 <= now < 50.0 + seconds)
    events: list[Event] = []
    found = await collect(fleet_of(server, slots=256, events=events), 1500, max_attempts=2)
    assert len(found) == 1500
    assert all(isinstance(outcome.result, Completion) for outcome in found)
    during = [at for at in server.refused if at > 50.1]
    assert len(during) + server.probes <= 60
    assert len(server.refused) <= 15
    assert [event.kind for event in events if event.kind != "limit"] == ["parked", "outage", "returned"]
    assert server.now <= 50.0 + seconds + 1500 / 256 * 20.0 + 120.0


@in_virtual_time
async def test_an_endpoint_that_is_back_gets_work_slowly() -> None:
    """C7: at most 16 in the first second, doubled every five: it survives. Sabotage: return with the old limit."""
    server = Server(lambda now: 50.0 <= now < 350.0, seconds=2.0, hold=64)
    await collect(fleet_of(server, slots=256), 12_000)
    back = next(at for at in server.starts if at > 350.0)
    for at, most in [(1.0, 16), (5.0, 8 * 4), (10.0, 8 * 4 + 16 * 4)]:
        assert sum(back <= start < back + at for start in server.starts) <= most, at
    assert server.died == 0
    assert sum(back + 40.0 <= start < back + 50.0 for start in server.starts) >= 256 * 4


@in_virtual_time
async def test_half_an_hour_of_refusals_burns_no_row() -> None:
    """C6: 503 with Retry-After 30. Sabotage: spend an attempt; give all slots back after each pause."""
    server = Server(lambda now: now < 1800.0, refusal=Failure("overloaded", "busy", 503, 30.0), seconds=1.0)
    events: list[Event] = []
    found = await collect(fleet_of(server, slots=64, events=events), 500, max_attempts=1)
    assert all(isinstance(outcome.result, Completion) for outcome in found)
    assert len([at for at in server.refused if at > 1.0]) <= 2 * 30
    assert {event.kind for event in events} == {"paused", "outage", "returned"}


@in_virtual_time
async def test_fifty_refusals_at_once_are_one_cut() -> None:
    """C4. Sabotage: cut at each refusal."""
    events: list[Event] = []
    clock, refused = asyncio.get_running_loop().time, 0

    async def send(request: Request) -> Completion | Failure:
        nonlocal refused
        await anyio.sleep(1.0)
        if clock() < began + 100.0 or refused == 50:
            return DONE
        refused += 1
        return Failure("rate_limited", "slow down", 429)

    began = clock()
    assert len(await collect(fleet_of(Scripted(send), slots=None, events=events), 10_000)) == 10_000
    limits = [event for event in events if event.kind == "limit"]
    first = next(at for at, event in enumerate(limits) if "refused" in event.reason)
    before = limits[first - 1].limit
    assert before is not None
    assert before >= 50
    assert limits[first].limit == int(before * 0.75)
    assert sum("refused" in event.reason for event in limits) == 1
    assert refused == 50


@in_virtual_time
async def test_of_four_replicas_one_dies_for_a_quarter_of_an_hour() -> None:
    """C8: few requests to the dead one, and the others go on. Sabotage: leave a parked one its slots."""
    servers = [Server(lambda now: False, name=str(number)) for number in range(3)]
    dead = Server(lambda now: 50.0 <= now < 950.0, name="dead")
    found = await collect(fleet_of(*servers, dead, slots=128), 5000, max_attempts=2)
    assert all(isinstance(outcome.result, Completion) for outcome in found)
    assert len(dead.refused) + dead.probes <= 60
    assert len(dead.refused) <= 15
    assert any(start > 950.0 for start in dead.starts)


@pytest.mark.parametrize("refusal", [REFUSED, Failure("overloaded", "busy", 503)])
@in_virtual_time
async def test_an_outage_past_its_limit_ends_the_run(refusal: Failure) -> None:
    """Exit code 6; rows are not given up. Sabotage: reset the time at each probe, or each trial."""
    server = Server(lambda now: now >= 50.0, refusal=refusal)
    found = []

    async def run() -> None:
        async for batch in outcomes(requests(500), fleet_of(server, outage_limit=600.0), finish=as_it_is):
            found.extend(batch)

    with pytest.raises(EndpointDown, match=f"away for too long, last failure {refusal.kind}.*{refusal.message}"):
        await run()
    assert 600.0 <= server.now - 50.0 <= 680.0
    assert all(isinstance(outcome.result, Completion) for outcome in found)


@in_virtual_time
async def test_a_server_that_is_back_with_another_model_is_told_while_it_lasts_and_at_the_end() -> None:
    """It is no outage that passes by itself. Sabotages: tell of a park alone; hint at waiting in any case."""

    class Changed(Server):
        async def probe(self) -> Failure | None:
            await super().probe()
            return REFUSED if self.now < 100.0 else Failure("no_model", "The model `m` does not exist", 404)

    events: list[Event] = []
    fleet = fleet_of(Changed(lambda now: now >= 50.0), outage_limit=600.0, events=events)
    with pytest.raises(EndpointDown, match=r"last failure no_model \(HTTP 404\): The model `m` does not") as ended:
        await collect(fleet, 500)
    assert str(ended.value.hint).startswith("set model to a name the server lists")
    assert "not lost" in str(ended.value.hint)
    told = [(event.kind, event.reason.partition(";")[0]) for event in events]
    assert [kind for kind, _ in told] == ["parked", "outage", "parked"]
    assert told[2][1] == "no_model (HTTP 404): The model `m` does not exist"


@in_virtual_time
async def test_an_answer_begins_the_time_of_an_outage_anew() -> None:
    """Sabotage: count from the first outage of a run."""
    server = Server(lambda now: 50.0 <= now < 450.0 or 500.0 <= now < 900.0)
    assert len(await collect(fleet_of(server, outage_limit=600.0), 40)) == 40


@in_virtual_time
async def test_a_stop_wakes_those_who_wait_for_an_endpoint_at_once() -> None:
    """Sabotage: do not tell the fleet of the stop: the run lasts as long as the outage."""
    server = Server(lambda now: now >= 50.0)
    stop, loop = Stop(), asyncio.get_running_loop()
    loop.call_at(loop.time() + 100.0, stop.set)
    events: list[Event] = []
    async for _ in outcomes(requests(500), fleet_of(server, events=events), finish=as_it_is, stop=stop):
        pass
    assert server.now == pytest.approx(100.0, abs=0.1)
    assert (events[-1].kind, events[-1].reason) == ("stop", "no new attempt starts; 0 in flight may end")


@pytest.mark.parametrize("slots", [1, 2])
@in_virtual_time
async def test_fewer_in_flight_than_replicas_still_reach_the_one_that_is_up(slots: int) -> None:
    """Sabotage: in ``Governor``, let a share be 0: the last replica gets nothing, and nobody calls it an outage."""

    flying: list[int] = []

    async def answered(request: Request) -> Completion | Failure:
        flying.append(fleet.statistics().in_flight)
        await anyio.sleep(1.0)
        return DONE

    async def refused(request: Request) -> Completion | Failure:
        flying.append(fleet.statistics().in_flight)
        await anyio.sleep(0.002)
        return REFUSED

    gone = [Scripted(refused, f"http://{name}:1") for name in "ab"]
    for server in gone:
        server.away = REFUSED
    fleet = fleet_of(*gone, Scripted(answered, "http://c:1"), slots=slots, outage_limit=100.0)
    with anyio.fail_after(3600):
        assert len(await collect(fleet, 20)) == 20
    assert max(flying) == slots
