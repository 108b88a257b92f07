"""What becomes of single rows: which failures are their own, what retries cost the others, and who waits for whom."""

from __future__ import annotations

import asyncio

import anyio
from endpoints import DONE, Scripted, collect, fleet_of, requests
from virtual_time import in_virtual_time

from evoselfcode.engine.governor import Limits
from evoselfcode.records import Completion, Failure, FailureKind, Request

ANY = next(requests(1))


async def pause(request: Request) -> Completion | Failure:
    await anyio.sleep(1.0)
    return DONE


@in_virtual_time
async def test_what_fails_while_an_endpoint_is_away_is_not_the_rows() -> None:
    """R2. Sabotage: in ``Member.failed``, say that all counts; or pass over ``parked``."""
    fleet = fleet_of(Scripted(pause), slots=64)
    await fleet.refresh()
    (member,) = fleet.members
    member.answered(DONE, 1.0, 1000.0)

    def fails(kind: FailureKind) -> bool:
        assert fleet.take() is member or member.open == 0
        if member.open == 0:
            member.in_flight += 1  # it was in flight before
        tried = fleet.ended(member, ANY, Failure(kind), 1.0, 1000.0)
        return tried is not None and tried.counts

    assert [fails("disconnect") for _ in range(12)] == [True] * 9 + [False] * 3
    assert member.health.state == "parked"
    assert not fails("server_error")
    assert not fails("timeout")


@in_virtual_time
async def test_a_gateway_that_stumbles_spends_no_attempt() -> None:
    """Nor is it asked again at once. Sabotage: let ``connect`` lead to ``retry``."""
    asked: list[float] = []

    async def send(request: Request) -> Completion | Failure:
        await anyio.sleep(0.1)
        if request.number == 50:
            asked.append(asyncio.get_running_loop().time())
        return Failure("connect", "Bad Gateway", 502) if request.number == 50 and len(asked) < 6 else DONE

    found = await collect(fleet_of(Scripted(send), slots=4), 4000, max_attempts=1)
    assert all(isinstance(outcome.result, Completion) for outcome in found)
    assert len(asked) == 6
    assert asked[-1] - asked[0] > 5.0


@in_virtual_time
async def test_a_row_that_one_endpoint_has_no_time_for_is_asked_at_another_at_once() -> None:
    """The one says to come back in half a minute. Sabotage: in ``Member.failed``, let all count that is not parked."""
    sent: list[int] = []

    async def busy(request: Request) -> Completion | Failure:
        sent.append(request.number)
        await anyio.sleep(0.1)
        return Failure("rate_limited", "slow down", 429, retry_after=30.0)

    found = await collect(fleet_of(Scripted(busy, "http://busy:1"), Scripted(pause, "http://free:1"), slots=8), 40)
    assert len(sent) == 4
    assert max(outcome.seconds for outcome in found) < 15.0


@in_virtual_time
async def test_no_growth_without_use() -> None:
    """C5: two requests at a time for an hour. Sabotage: pass over ``USED`` in ``engine/knee.py``."""
    fleet = fleet_of(Scripted(pause), slots=None)

    async def plan_of_two() -> None:
        left = iter(requests(7200))
        for _ in range(600):
            pair = [next(left), next(left)]
            members = [fleet.take() for _ in pair]
            for member in members:
                assert member is not None
                fleet.ended(member, ANY, DONE, 6.0, asyncio.get_running_loop().time())
                member.tick(None, asyncio.get_running_loop().time())
            await anyio.sleep(6.0)

    await fleet.refresh()
    before = fleet.limit
    await plan_of_two()
    assert fleet.limit == before


@in_virtual_time
async def test_a_poison_row_is_given_up_and_the_rest_goes_on() -> None:
    """R8: 1,000 rows of which three always fail with the same 500: 15 requests at most, in ten minutes.

    Sabotage: count no server error; park the endpoint for three.
    """
    sent = 0

    async def send(request: Request) -> Completion | Failure:
        nonlocal sent
        await anyio.sleep(1.0)
        if request.number in (100, 500, 900):
            sent += 1
            return Failure("server_error", "KeyError: 17", 500)
        return DONE

    found = await collect(fleet_of(Scripted(send), slots=32), 1000)
    dead = [outcome for outcome in found if isinstance(outcome.result, Failure)]
    assert len(found) == 1000
    assert {outcome.request.number for outcome in dead} == {100, 500, 900}
    assert {outcome.result for outcome in dead} == {Failure("server_error", "KeyError: 17", 500)}
    assert sent <= 15
    assert asyncio.get_running_loop().time() <= 1000.0 + 600.0


@in_virtual_time
async def test_where_there_are_two_replicas_poison_costs_three_requests() -> None:
    """Sabotage: do not tell the policy which endpoint it was, or whether others are answered."""
    sent: list[str] = []

    def one(name: str) -> Scripted:
        async def send(request: Request) -> Completion | Failure:
            await anyio.sleep(1.0)
            if request.number != 100:
                return DONE
            sent.append(name)
            return Failure("server_error", "KeyError: 17", 500)

        return Scripted(send, name)

    await collect(fleet_of(one("a"), one("b"), slots=32), 2000)
    assert len(sent) == 3 if len(set(sent)) > 1 else len(sent) <= 5
    assert set(sent) == {"a", "b"}


@in_virtual_time
async def test_a_brown_out_is_not_made_worse_by_retries() -> None:
    """R3: half of all attempts fail. Retries add a tenth, and one a second. Sabotage: do not ask the budget."""
    sent: list[int] = []

    async def send(request: Request) -> Completion | Failure:
        sent.append(request.number)
        fails = len(sent) % 2
        await anyio.sleep(1.0)
        return Failure("server_error", "x", 500) if fails else DONE

    began = asyncio.get_running_loop().time()
    found = await collect(fleet_of(Scripted(send), slots=64), 600, max_attempts=20)
    assert len(found) == 600
    seconds = asyncio.get_running_loop().time() - began
    assert len(sent) <= 1.1 * 600 + seconds + 60


@in_virtual_time
async def test_one_slow_row_holds_up_no_other() -> None:
    """C12: one in a hundred takes 100 times as long. Sabotage: in ``Handover``, hand over in the order of the plan."""

    async def timed(slow: float) -> float:
        async def send(request: Request) -> Completion | Failure:
            await anyio.sleep(slow if request.number % 100 == 0 else 1.0)
            return DONE

        began = asyncio.get_running_loop().time()
        await collect(fleet_of(Scripted(send), slots=64), 6400)
        return asyncio.get_running_loop().time() - began

    work = 6400 / 64 * (0.99 + 0.01 * 100.0)
    assert await timed(100.0) <= work / 0.9 + 100.0


@in_virtual_time
async def test_workers_grow_with_the_limit_and_are_no_task_a_request() -> None:
    """Sabotage: start them once; start a task for each request; leave ``grown`` out of ``_reopened``."""
    most, tasks = 0, 0

    async def send(request: Request) -> Completion | Failure:
        nonlocal most, tasks
        most, tasks = max(most, fleet.statistics().in_flight), max(tasks, len(asyncio.all_tasks()))
        if request.number == 100:
            fleet.members[0].share(Limits(fixed=40), asyncio.get_running_loop().time())
        return await pause(request)

    fleet = fleet_of(Scripted(send), slots=None)
    assert len(await collect(fleet, 2000)) == 2000
    assert most == 40
    assert tasks <= 40 + 40 // 2 + 1 + 10
