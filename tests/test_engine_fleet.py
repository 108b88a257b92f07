"""The fleet: no endpoint has more in flight than it may, nobody is forgotten, and the less busy is asked."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from random import Random

import anyio
import msgspec
import pytest
from endpoints import DONE, Scripted, as_it_is, collect, fleet_of, requests
from virtual_time import in_virtual_time

from evoselfcode.engine import Event, Fleet, outcomes
from evoselfcode.engine.governor import Governor, Limits
from evoselfcode.engine.member import Member
from evoselfcode.records import Completion, Failure, Request, Sampling, Usage

ANY = next(requests(1))


async def never(request: Request) -> Completion | Failure:
    raise AssertionError("nothing is sent here")


async def opened(fleet: Fleet) -> Fleet:
    await fleet.refresh()
    return fleet


def resize(member: Member, limit: int) -> None:
    member.share(Limits(fixed=limit), asyncio.get_running_loop().time())


@in_virtual_time
async def test_never_more_in_flight_than_the_limit_whatever_it_becomes() -> None:
    """C1: 100,000 steps, 1,000 of them resizes. Sabotage: hand a slot on after a shrink; ``<=`` in ``take``."""
    fleet, random = await opened(fleet_of(Scripted(never), slots=8)), Random(1)
    (member,) = fleet.members
    held: list[Member] = []
    waiting: deque[asyncio.Task[Member | None]] = deque()
    allowed = 8  # the limit, and after a shrink what was in flight then and has not ended yet
    for step in range(100_000):
        if step % 100 == 0:
            resize(member, random.randint(1, 16))
            allowed = max(member.limit, member.in_flight)
        elif random.random() < 0.5 and held:
            fleet.free(held.pop())
            allowed = max(member.limit, min(allowed, member.in_flight))
        elif (found := fleet.take()) is not None:
            held.append(found)
        elif len(waiting) < 20:
            waiting.append(asyncio.create_task(fleet.slot(ANY)))
            await asyncio.sleep(0)
        if step % 7 == 0 and waiting and random.random() < 0.1:
            waiting[random.randrange(len(waiting))].cancel()
        if step % 10 == 0:
            await asyncio.sleep(0)
            for task in [task for task in waiting if task.done()]:
                waiting.remove(task)
                if not task.cancelled() and (got := task.result()) is not None:
                    held.append(got)
        assert member.in_flight <= allowed
    while waiting or held:
        while held:
            fleet.free(held.pop())
        await asyncio.sleep(0)
        held += [task.result() for task in waiting if task.done() and not task.cancelled()]  # type: ignore[misc]
        waiting = deque(task for task in waiting if not task.done())
    assert member.in_flight == 0
    assert fleet.statistics().waiting == 0


@in_virtual_time
async def test_a_shrink_cancels_nothing_and_a_growth_is_used_at_once() -> None:
    """Sabotage: do not call ``reopened`` in ``Member.share``: who waits is forgotten until another ends."""
    fleet = await opened(fleet_of(Scripted(never), slots=4))
    (member,) = fleet.members
    resize(member, 2)
    held = [fleet.take(), fleet.take()]
    assert fleet.take() is None
    waiting = [asyncio.create_task(fleet.slot(ANY)) for _ in range(4)]
    await asyncio.sleep(0)
    resize(member, 1)
    assert (member.in_flight, fleet.statistics().waiting) == (2, 4)
    fleet.free(held[0])  # type: ignore[arg-type]
    await asyncio.sleep(0)
    assert (member.in_flight, fleet.statistics().waiting) == (1, 4)
    resize(member, 4)
    for _ in range(2):
        await asyncio.sleep(0)
    assert (member.in_flight, fleet.statistics().waiting) == (4, 1)
    assert [task.done() for task in waiting] == [True, True, True, False]
    waiting[3].cancel()
    await anyio.wait_all_tasks_blocked()
    assert fleet.statistics().waiting == 0


@in_virtual_time
async def test_who_is_cancelled_just_when_a_slot_is_given_gives_it_back() -> None:
    """Sabotage: drop the ``except`` in ``_next_free``: the slot is lost for ever."""
    fleet = await opened(fleet_of(Scripted(never), slots=1))
    (member,) = fleet.members
    assert fleet.take() is member
    waiting = [asyncio.create_task(fleet.slot(ANY)) for _ in range(2)]
    await asyncio.sleep(0)
    fleet.free(member)
    waiting[0].cancel()
    await asyncio.wait(waiting)
    assert waiting[1].result() is member
    fleet.free(member)
    assert member.in_flight == 0


@in_virtual_time
async def test_of_two_that_are_drawn_the_less_busy_is_asked() -> None:
    """For what its limit is. Sabotage: return the first that is drawn; compare what is in flight alone."""
    fleet = await opened(fleet_of(*(Scripted(never, str(number)) for number in range(4)), slots=400))
    for _ in range(200):
        fleet.take()
    assert all(40 <= member.in_flight <= 60 for member in fleet.members)
    small = await opened(fleet_of(*(Scripted(never, str(number)) for number in range(2)), slots=110))
    resize(small.members[0], 10)
    resize(small.members[1], 100)
    for _ in range(55):
        small.take()
    assert small.members[0].in_flight in (5, 6)


@in_virtual_time
async def test_a_number_is_shared_evenly_and_never_exceeded() -> None:
    """Sabotage: do not look at ``_total`` in ``take``."""
    for slots, shares in [(10, [4, 3, 3]), (2, [1, 1, 1])]:
        fleet = await opened(fleet_of(*(Scripted(never, str(number)) for number in range(3)), slots=slots))
        assert [member.open for member in fleet.members] == shares
        taken = [fleet.take() for _ in range(20)]
        assert sum(member is not None for member in taken) == slots


@in_virtual_time
async def test_a_replica_that_comes_gets_work_and_one_that_leaves_none() -> None:
    """C9. What the one has in flight may end. Sabotage: ask who is there at the start alone."""
    sent: Counter[str] = Counter()
    loop = asyncio.get_running_loop()
    there = {"a", "b"}

    def one(name: str) -> Scripted:
        async def send(request: Request) -> Completion | Failure:
            sent[name, name in there] += 1
            await anyio.sleep(1.0)
            return DONE

        return Scripted(send, name)

    every = {name: one(name) for name in "abc"}

    async def members() -> list[Scripted]:
        return [every[name] for name in sorted(there)]

    began = loop.time()
    loop.call_at(began + 45.0, lambda: there.add("c"))
    loop.call_at(began + 95.0, lambda: there.discard("a"))
    events: list[str] = []
    fleet = Fleet(members, concurrency=12, on_event=lambda event: events.append(f"{event.kind} {event.endpoint}"))
    found = await collect(fleet, 12 * 200)
    assert len(found) == 12 * 200
    assert all(isinstance(outcome.result, Completion) for outcome in found)
    assert sent["a", False] <= 4 * 26  # until it is asked who is there
    assert sent["c", True] >= 0.8 * 4 * 60
    assert events[:2] == ["joined c", "left a"]


@in_virtual_time
async def test_what_each_may_take_at_the_start_is_told_where_it_is_found_out() -> None:
    """A report would draw no limit before it moves. Sabotage: tell of it only then."""
    events: list[Event] = []
    first = Governor(Limits(), 0.0).limit

    async def at_once(request: Request) -> Completion | Failure:
        return DONE

    two = [Scripted(at_once, name=name) for name in ("a", "b")]
    fleet = fleet_of(*two, slots=None, events=events)
    await collect(fleet, 4)
    assert [(event.kind, event.endpoint, event.limit) for event in events] == [
        ("limit", "a", first),
        ("limit", "b", first),
    ]
    assert events[0].reason == f"limit {first} at the start"
    fixed: list[Event] = []
    await collect(fleet_of(*two, slots=8, events=fixed), 4)
    assert fixed == []


@in_virtual_time
async def test_the_rate_holds_over_one_second() -> None:
    """C11: at 50 a second, no window of one second, the first included, sees more than 51.

    Sabotage: ``AsyncLimiter(requests_per_second, 1)``, which grants a whole second at once when it begins.
    """
    clock, starts = asyncio.get_running_loop().time, []

    async def send(request: Request) -> Completion | Failure:
        starts.append(clock())
        await anyio.sleep(0.5)
        return DONE

    await collect(fleet_of(Scripted(send), slots=64, requests_per_second=50.0), 500)
    for begin in starts:
        assert sum(begin <= start < begin + 1 - 1e-6 for start in starts) <= 51
    assert starts[-1] - starts[0] <= 10.5


@in_virtual_time
async def test_tokens_hold_over_a_minute_and_what_was_not_used_is_given_back() -> None:
    """600 a minute; 100 are estimated for each request, and 2 used. Sabotage: do not tell the budget what was used."""
    clock, starts = asyncio.get_running_loop().time, []

    async def send(request: Request) -> Completion | Failure:
        starts.append(clock())
        await anyio.sleep(0.01)
        return Completion(DONE.choices, Usage(1, 1))

    sampling = Sampling(max_new_tokens=99)
    plan = [msgspec.structs.replace(request, sampling=sampling) for request in requests(600)]
    fleet = fleet_of(Scripted(send), slots=1, tokens_per_minute=600)
    async for _ in outcomes(plan, fleet, finish=as_it_is):
        pass
    assert 110.0 <= starts[-1] - starts[0] <= 140.0
    assert max(sum(begin <= start < begin + 60 for start in starts) for begin in starts) <= 360


@pytest.mark.parametrize("options", [{"requests_per_second": 0.001}, {"tokens_per_minute": 1}])
@in_virtual_time
async def test_cancelled_while_waiting_for_a_start_holds_no_slot(options: dict[str, float]) -> None:
    """Sabotage: drop the ``free`` in ``Fleet.slot``."""

    async def send(request: Request) -> Completion | Failure:
        return DONE

    fleet = fleet_of(Scripted(send), slots=1, **options)
    with anyio.move_on_after(30):
        await collect(fleet, 5)
    assert fleet.statistics().in_flight == 0
    assert fleet.statistics().waiting == 0
