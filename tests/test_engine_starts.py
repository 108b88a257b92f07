"""Starts at a rate or within a budget of tokens: none is lost to an endpoint that went away, and the bound holds."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import anyio
import msgspec
import pytest
from endpoints import DONE, Scripted, as_it_is, collect, fleet_of, requests
from virtual_time import in_virtual_time

from evoselfcode.engine import outcomes
from evoselfcode.engine.starts import Starts
from evoselfcode.records import Completion, Failure, Request, Sampling, Usage

REFUSED = Failure("connect", "Connection refused")

EVERY_TEN_SECONDS = [{"requests_per_second": 0.1}, {"tokens_per_minute": 12}]
"""One start in ten seconds: a request of the tests is taken for two tokens."""


class Server(Scripted):
    """An endpoint that answers in a second, and refuses connections between two times, counted from when it is made."""

    def __init__(self, name: str, away: tuple[float, float] = (0.0, 0.0)) -> None:
        super().__init__(self._answer, name)
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()
        self._times = away
        self.starts: list[float] = []

    @property
    def now(self) -> float:
        return self._clock() - self._began

    async def _answer(self, request: Request) -> Completion | Failure:
        self.starts.append(self.now)
        if self._gone():
            return REFUSED
        await anyio.sleep(1.0)
        return DONE

    def _gone(self) -> bool:
        return self._times[0] <= self.now < self._times[1]

    async def probe(self) -> Failure | None:
        return REFUSED if self._gone() else None


def gaps(starts: list[float]) -> list[float]:
    """Return the seconds between each start and the next."""
    return [later - start for start, later in pairwise(starts)]


@pytest.mark.parametrize("options", EVERY_TEN_SECONDS)
@in_virtual_time
async def test_a_start_that_an_endpoint_which_went_away_cannot_use_is_anothers(options: dict[str, float]) -> None:
    """Half of those who wait for a start hold a slot of it. Sabotage: in ``Starts._first``, return whoever is first."""
    gone, there = Server("http://gone:1", (0.0, 1e6)), Server("http://there:1")
    found = await collect(fleet_of(gone, there, slots=16, **options), 20)
    assert all(isinstance(outcome.result, Completion) for outcome in found)
    assert len(gone.starts) == 1
    starts = sorted(gone.starts + there.starts)
    assert max(gaps(starts)) == pytest.approx(10.0, abs=0.01)
    assert starts[-1] >= 10.0 * 19 - 0.01


@pytest.mark.parametrize("options", EVERY_TEN_SECONDS)
@in_virtual_time
async def test_a_start_that_nobody_could_use_is_there_when_somebody_can(options: dict[str, float]) -> None:
    """The one endpoint fails the third, is away at the fourth, and answers a probe between that and the fifth.

    Sabotage: in ``Starts.run``, leave ``kept`` out: the next start is the fifth's.
    """
    server = Server("http://a:1", (15.0, 30.5))
    await collect(fleet_of(server, slots=8, **options), 12)
    _, _, failed, back, *rest = server.starts
    assert failed == pytest.approx(20.0, abs=0.01)
    assert 30.5 < back < 39.5
    assert gaps([back, *rest]) == pytest.approx([10.0] * len(rest), abs=0.01)


@pytest.mark.parametrize("options", EVERY_TEN_SECONDS)
@in_virtual_time
async def test_a_start_that_was_kept_is_none_more(options: dict[str, float]) -> None:
    """The one endpoint is away for long. Sabotage: do not pay again for what leaked: two start when it is back."""
    server = Server("http://a:1", (15.0, 300.0))
    await collect(fleet_of(server, slots=8, **options), 12)
    back = [at for at in server.starts if at > 300.0]
    assert len(back) == 10
    assert gaps(back) == pytest.approx([10.0] * 9, abs=0.01)


@in_virtual_time
async def test_tokens_that_were_booked_for_who_may_not_start_are_the_nexts() -> None:
    """One a second; ten for the first, a hundred for one whose slot is lost, ten for the last: it waits ten seconds.

    Sabotage: in ``Starts.run``, do not tell the budget that nothing was used.
    """
    clock, starts, began = asyncio.get_running_loop().time, Starts(None, 60), dict[str, float]()
    allowed = {"first", "second", "third"}

    async def wait(name: str, tokens: int) -> None:
        sampling = Sampling(max_new_tokens=tokens - 1)
        request = msgspec.structs.replace(next(requests(1)), sampling=sampling)
        if await starts.admitted(request, lambda: name in allowed):
            began[name] = clock()

    async with anyio.create_task_group() as beside:
        beside.start_soon(starts.run)
        async with anyio.create_task_group() as group:
            for name, tokens in (("first", 10), ("second", 100), ("third", 10)):
                group.start_soon(wait, name, tokens)
                await anyio.sleep(1.0)
            allowed.remove("second")
        beside.cancel_scope.cancel()
    assert began.keys() == {"first", "third"}
    assert began["third"] - began["first"] == pytest.approx(10.0, abs=0.01)


@in_virtual_time
async def test_what_was_not_used_helps_those_who_wait_already() -> None:
    """Ten tokens a second, a hundred booked and two used by each of 40. Sabotage: book when a request comes."""

    async def send(request: Request) -> Completion | Failure:
        await anyio.sleep(0.01)
        return Completion(DONE.choices, Usage(1, 1))

    clock = asyncio.get_running_loop().time
    began, sampling = clock(), Sampling(max_new_tokens=99)
    plan = [msgspec.structs.replace(request, sampling=sampling) for request in requests(40)]
    fleet = fleet_of(Scripted(send), slots=16, tokens_per_minute=600)
    async for _ in outcomes(plan, fleet, finish=as_it_is):
        pass
    assert clock() - began == pytest.approx(10.0 + 39 * 0.2, abs=1.0)
