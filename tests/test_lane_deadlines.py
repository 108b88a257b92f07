"""One timer for all: nobody is told too early, everybody is told, and joining and leaving arm nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from loop_clock import Clock

from evoselfcode.clients.lane.deadlines import Deadlines, Queue


class Guest:
    """Somebody who waits."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.queue: Queue = {}
        self.told: list[float] = []

    def expire(self) -> None:
        self.told.append(self.clock.now)
        del self.queue[self]

    def wait(self, deadlines: Deadlines, seconds: float) -> Guest:
        self.queue = deadlines.watch(self, seconds, self.clock.now)
        return self


STEPS = st.lists(
    st.tuples(st.sampled_from(["join", "leave", "pass"]), st.sampled_from([0.0, 0.5, 1.0, 3.0, 120.0])), max_size=60
)


@given(STEPS)
def test_everybody_is_told_when_the_time_has_come_and_not_before(steps: list[tuple[str, float]]) -> None:
    """Against a list of (guest, deadline). Sabotages: look at the first queue alone; do not re-arm in ``_fire``."""
    clock = Clock()
    deadlines, waiting = Deadlines(clock), dict[Guest, float]()
    for what, seconds in steps:
        if what == "join":
            waiting[Guest(clock).wait(deadlines, seconds)] = clock.now + seconds
        elif what == "leave" and waiting:
            guest, _ = waiting.popitem()
            if not guest.told:
                del guest.queue[guest]
        else:
            clock.move_to(clock.now + seconds)
        due = {guest for guest, when in waiting.items() if when <= clock.now}
        assert {guest for guest in waiting if guest.told} <= due
        assert len(clock.timers) <= 1
    clock.move_to(clock.now + 1000)
    assert all(len(guest.told) == 1 and guest.told[0] >= when for guest, when in waiting.items())
    assert clock.timers == []


def test_a_hundred_thousand_waits_arm_a_handful_of_timers_and_leave_nothing() -> None:
    """Of 2 minutes each, over in 10 s: the timer is set as often as 2 minutes pass. Sabotage: arm in ``join``."""
    clock = Clock()
    deadlines, flying = Deadlines(clock), list[Guest]()
    for number in range(100_000):
        clock.move_to(number / 100)
        flying.append(Guest(clock).wait(deadlines, 120.0))
        if len(flying) > 1000:
            guest = flying.pop(0)
            del guest.queue[guest]
    assert clock.armed < 20
    for guest in flying:
        del guest.queue[guest]
    deadlines.rest()
    assert clock.timers == []


def test_a_shorter_wait_moves_the_timer_forward() -> None:
    """Sabotage: never cancel the timer."""
    clock = Clock()
    deadlines = Deadlines(clock)
    slow, quick = Guest(clock).wait(deadlines, 100.0), Guest(clock).wait(deadlines, 1.0)
    assert [handle.when() for handle in clock.timers] == [1.0]
    clock.move_to(1.0)
    assert (slow.told, quick.told) == ([], [1.0])
    assert [handle.when() for handle in clock.timers] == [100.0]


def test_who_waits_without_end_needs_no_timer() -> None:
    """Sabotage: arm at infinity."""
    clock = Clock()
    Guest(clock).wait(Deadlines(clock), float("inf"))
    assert clock.timers == []


def test_the_timer_rests_only_when_nobody_waits() -> None:
    """Sabotage: cancel it whoever waits."""
    clock = Clock()
    deadlines = Deadlines(clock)
    guest = Guest(clock).wait(deadlines, 1.0)
    deadlines.rest()
    clock.move_to(1.0)
    assert guest.told == [1.0]


def test_who_is_told_may_wait_anew() -> None:
    """Sabotage: tell while the queue is walked."""
    clock = Clock()
    deadlines = Deadlines(clock)

    class Again(Guest):
        def expire(self) -> None:
            super().expire()
            if len(self.told) < 3:
                self.wait(deadlines, 1.0)

    guest = Again(clock)
    guest.wait(deadlines, 1.0)
    for second in (1.0, 2.0, 3.0, 4.0):
        clock.move_to(second)
    assert guest.told == [1.0, 2.0, 3.0]
