"""What goes on beside the workers: endpoints are probed, read and counted anew, and time passes.

This file decides when things happen. What they mean is decided by :mod:`evoselfcode.engine.health`,
:mod:`evoselfcode.engine.governor` and :mod:`evoselfcode.engine.strain`, which have no clock.
"""

from __future__ import annotations

import asyncio
from time import process_time

import anyio
from anyio.abc import TaskGroup, TaskStatus

from evoselfcode.engine.fleet import Fleet
from evoselfcode.engine.governor import TICK
from evoselfcode.engine.member import Member
from evoselfcode.engine.strain import Strain
from evoselfcode.errors import EndpointDown
from evoselfcode.wire.retry import HINTS

REFRESH = 30.0
"""Seconds after which is asked anew who is there."""

SILENCE = 30.0
"""Seconds without an answer after which pauses of all endpoints are called an outage; all parked are one at once."""

SECOND = 1.0
"""Seconds between two looks at the event loop's own delay."""


async def tend(fleet: Fleet, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
    """Tend the endpoints of `fleet` until cancelled; started when the first are known.

    Cancelled: all that this began has ended.

    Raises:
        EndpointDown: No endpoint answered for longer than the fleet's limit.
    """
    async with anyio.create_task_group() as group:
        scopes: dict[Member, anyio.CancelScope] = {}
        await _refresh(fleet, group, scopes)
        group.start_soon(_watch_outage, fleet)
        group.start_soon(_watch_strain, fleet)
        if fleet.starts is not None:
            group.start_soon(fleet.starts.run)
        task_status.started()
        while True:
            await asyncio.sleep(REFRESH)
            await _refresh(fleet, group, scopes)


async def _refresh(fleet: Fleet, group: TaskGroup, scopes: dict[Member, anyio.CancelScope]) -> None:
    joined, left = await fleet.refresh()
    for member in left:
        scopes.pop(member).cancel()
    for member in joined:
        scopes[member] = anyio.CancelScope()
        group.start_soon(_tend_one, member, scopes[member])


async def _tend_one(member: Member, scope: anyio.CancelScope) -> None:
    """Do for one endpoint what its state asks for. Cancelled: a probe under way is abandoned."""
    clock = asyncio.get_running_loop().time
    with scope:
        tick = clock() + TICK
        while True:
            member.news.clear()
            state = member.health.state
            due = min(tick, member.health.until) if state == "paused" else tick
            if state == "parked":
                due = member.health.until
            with anyio.move_on_after(due - clock()):
                await member.news.wait()
            now = clock()
            if member.health.state == "parked":
                tick = now + TICK
                if now >= member.health.until:
                    failure = await member.endpoint.probe()
                    member.probed(failure, clock())
                    tick = clock() + TICK
                continue
            member.resume(now)
            if now >= tick:
                load = await member.endpoint.load()
                member.tick(load, clock())
                tick = max(tick + TICK, clock())


async def _watch_outage(fleet: Fleet) -> None:
    """End the run when nobody has answered for too long."""
    clock = asyncio.get_running_loop().time
    told = False
    while True:
        fleet.news.clear()
        since = fleet.away_since
        if since is None:
            told = False
            await fleet.news.wait()
            continue
        due = since + fleet.outage_limit
        if not told:
            parked = all(member.health.state == "parked" for member in fleet.members)
            if parked or clock() >= since + SILENCE:
                told = True
                fleet.tell("outage", "", f"no endpoint answers; the run waits for up to {fleet.outage_limit:.0f} s")
            else:
                due = min(due, since + SILENCE)
        if clock() >= since + fleet.outage_limit:
            raise _down(fleet)
        with anyio.move_on_after(due - clock()):
            await fleet.news.wait()


def _down(fleet: Fleet) -> EndpointDown:
    last = [member.health.last for member in fleet.members if member.health.last is not None]
    why = f"last failure {last[-1].kind}{last[-1].http}: {last[-1].message}" if last else "there is none"
    hint = "rows that were not asked are not lost: run the same command again when it is back"
    if last and last[-1].kind in HINTS:
        hint = f"{HINTS[last[-1].kind]}; {hint}"
    return EndpointDown(f"the endpoint was away for too long, {why}", hint=hint)


async def _watch_strain(fleet: Fleet) -> None:
    """Measure second by second whether this process keeps up."""
    clock, strain = asyncio.get_running_loop().time, Strain()
    before, used = clock(), process_time()
    while True:
        await asyncio.sleep(SECOND)
        now, by_now = clock(), process_time()
        passed = max(now - before, SECOND)
        changed = strain.second(now - before - SECOND, (by_now - used) / passed, could_do_more=_could_do_more(fleet))
        before, used = now, by_now
        fleet.lag, fleet.client_bound = strain.lag, strain.bound
        if changed:
            why = strain.why if strain.bound else "this process keeps up again"
            fleet.tell("client_bound", "", why)


def _could_do_more(fleet: Fleet) -> bool:
    members = fleet.members
    if any(member.in_flight < member.open for member in members):
        return True
    loads = [member.load for member in members if member.load is not None]
    return any(load.waiting == 0 for load in loads)
