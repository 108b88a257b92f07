"""Whether this process is what limits a run: the pure part second by second, and the event that tells of it."""

from __future__ import annotations

import asyncio
import time

import anyio
import pytest
from endpoints import DONE, Scripted, collect, fleet_of
from virtual_time import VirtualLoop, in_virtual_time

from evoselfcode.engine import Event
from evoselfcode.engine.strain import SECONDS, Strain
from evoselfcode.records import Completion, Failure, Request
from evoselfcode.wire.load import Load


@pytest.mark.parametrize(
    ("lag", "busy", "could", "bound"),
    [
        (0.3, 0.1, True, True),
        (0.0, 0.95, True, True),
        (0.1, 0.8, True, False),
        (0.3, 0.95, False, False),
    ],
)
def test_a_process_limits_a_run_if_it_is_late_or_busy_while_more_could_be_done(
    lag: float, busy: float, could: bool, bound: bool
) -> None:
    """Sabotage: take one of the three alone, or ask for all of them."""
    strain = Strain()
    told = [strain.second(lag, busy, could_do_more=could) for _ in range(SECONDS + 3)]
    assert told == [False] * (SECONDS - 1) + [bound] + [False] * 3
    assert strain.bound is bound


def test_one_late_second_is_none_and_the_longest_is_shown() -> None:
    """Sabotage: ``any`` for ``most``; show the last."""
    strain = Strain()
    for second in range(30):
        strain.second(1.5 if second % 10 == 3 else 0.0, 0.5, could_do_more=True)
        assert not strain.bound
    assert strain.lag == 1.5
    for _ in range(SECONDS):
        strain.second(0.01, 0.5, could_do_more=True)
    assert strain.lag == 0.01


def test_it_is_told_when_it_is_over() -> None:
    """Sabotage: never take it back."""
    strain = Strain()
    told = [strain.second(0.5 if second < 20 else 0.0, 0.2, could_do_more=True) for second in range(40)]
    assert [second for second, changed in enumerate(told) if changed] == [9, 24]
    assert "up to 0.00 s late, and 20% of a processor core" in strain.why


@in_virtual_time
async def test_a_run_whose_loop_is_held_up_says_so() -> None:
    """Sabotage: measure nothing, or tell nobody."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    events: list[Event] = []

    async def send(request: Request) -> Completion | Failure:
        await anyio.sleep(0.9)
        loop.pass_by(0.5)
        return DONE

    fleet = fleet_of(Scripted(send, load=Load(running=1, waiting=0)), slots=1, events=events)
    await collect(fleet, 40)
    assert [event.kind for event in events] == ["client_bound"]
    assert fleet.statistics().client_bound
    assert fleet.statistics().lag > 0.2
    assert time.time() - 60 < events[0].at
