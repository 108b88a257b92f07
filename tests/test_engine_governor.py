"""The governor's rules one by one: growth, cuts, ceilings, slow starts, and what never happens whatever it is fed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.engine.governor import CUT, MOST_UNSEEN, SLOW_START, TICK, Governor, Limits, Seen
from evoselfcode.wire.load import Load


def full(governor: Governor, load: Load | None = None, *, used: float = 1.0) -> Seen:
    """Say that the limit is used, and that nothing has ended yet."""
    busy = round(governor.limit * used)
    return Seen(load=load, in_flight=busy, peak=busy, completions=0, tokens=0, seconds=0.0)


def run_of(governor: Governor, slots: int, ticks: int, *, now: float = 0.0, used: float = 1.0) -> float:
    """Feed it the numbers of a server that runs so many at once; return the time."""
    for _ in range(ticks):
        now += TICK
        busy = round(governor.limit * used)
        governor.tick(now, full(governor, Load(min(busy, slots), max(0, busy - slots)), used=used))
        assert governor.limit <= max(1.25 * slots, 16)
    return now


@pytest.mark.parametrize("slots", [32, 256, 1024])
def test_it_grows_while_nothing_waits_and_stops_at_the_slots(slots: int) -> None:
    """Sabotage: double instead: at one tick the limit is twice the slots."""
    governor = Governor(Limits(), 0.0)
    now = run_of(governor, slots, 24)
    for _ in range(60):
        now = run_of(governor, slots, 1, now=now)
        assert slots <= governor.limit <= max(1.17 * slots, slots + 1.5 * slots**0.5)


def test_old_numbers_do_not_make_it_run_away() -> None:
    """Numbers from before the last growth show no queue yet. Sabotage: hold all numbers for new (``FRESH = 0``)."""
    governor, before = Governor(Limits(), 0.0), Load(16, 0)
    for tick in range(1, 60):
        shown, before = before, Load(min(governor.limit, 256), max(0, governor.limit - 256))
        governor.tick(tick * TICK, full(governor, shown))
        assert governor.limit <= 320
    assert 256 <= governor.limit <= 288


def test_other_clients_count_by_their_share() -> None:
    """300 of another client are there too: 256 slots and 144 that wait. Sabotage: take what runs for our own."""
    governor = Governor(Limits(start=100), 0.0)
    change = governor.tick(TICK, full(governor, Load(256, 144)))
    assert change is not None
    assert change.limit == governor.limit == round(64 * 1.05)
    assert change.reason == "limit 100 to 67: the queue is too long: 256 run and 144 wait at the server, 100 from here"


def test_what_drains_is_not_cut_twice() -> None:
    """A lower limit cancels nothing: more are in flight for a while. Sabotage: cut by the limit, not what is there."""
    governor = Governor(Limits(start=400), 0.0)
    governor.tick(TICK, full(governor, Load(256, 144)))
    cut = governor.limit
    for tick, busy in enumerate((380, 340, 300, 280), 2):
        governor.tick(tick * TICK, Seen(Load(256, busy - 256), busy, busy, 5, 0, 0.0))
    assert 256 <= cut == governor.limit


@pytest.mark.parametrize("load", [Load(2, 0), None])
def test_no_growth_without_use(load: Load | None) -> None:
    """C5: two workers for an hour. Sabotage: drop ``highest``, and ``USED`` from the knee's ``look``."""
    governor = Governor(Limits(), 0.0)
    for tick in range(1, 720):
        assert governor.tick(tick * TICK, Seen(load, 2, 2, 30, 20_400, 10.0)) is None
    assert governor.limit == 16


def test_one_cut_for_an_episode() -> None:
    """C4: fifty refusals at once, and what trickles in within 15 s. Sabotage: ``EPISODE = 0``."""
    governor = Governor(Limits(start=100), 0.0)
    changes = [governor.overloaded(30.0 + i / 4) for i in range(50)]
    assert [change.limit for change in changes if change] == [75]
    assert governor.overloaded(45.0) is not None
    assert governor.limit == round(75 * CUT)


def test_a_refusal_is_remembered() -> None:
    """For five minutes the limit stays below what was refused, then a tenth above. Sabotage: no ceiling."""
    governor = Governor(Limits(start=100), 0.0)
    governor.tick(5.0, full(governor))
    governor.overloaded(7.0)
    now = run_of(governor, 1000, 20, now=10.0)
    assert governor.limit == 99
    run_of(governor, 1000, 60, now=now)
    assert governor.limit == 109


def test_refused_again_it_is_remembered_longer() -> None:
    """Sabotage: forget each refusal after five minutes: a server that takes 64 refuses for ever, every five minutes."""
    governor, now, refusals = Governor(Limits(), 0.0), 0.0, []
    while now < 6 * 3600:
        now += TICK
        if governor.limit > 64 and (not refusals or now - refusals[-1] > 15):
            refusals.append(now)
            governor.overloaded(now)
        busy = min(64, governor.limit)
        governor.tick(now, Seen(Load(busy, 0), busy, busy, 0, 0, 0.0))
    assert len(refusals) <= 30
    assert governor.limit >= 58


def test_slow_start_after_an_outage() -> None:
    """C7: 8, and doubling 5 s apart up to what it was. Sabotage: come back with the limit of before."""
    governor = Governor(Limits(start=200), 0.0)
    assert governor.returned(100.0) is not None
    seen = [(100.0, governor.limit)]
    for now in (101.0, 104.9, 105.0, 107.0, 110.0, 115.0, 120.0, 125.0, 130.0):
        governor.tick(now, full(governor))
        seen.append((now, governor.limit))
    assert seen == [
        (100.0, 8), (101.0, 8), (104.9, 8), (105.0, 16), (107.0, 16), (110.0, 32), (115.0, 64), (120.0, 128),
        (125.0, 200), (130.0, 200),
    ]  # fmt: skip


def test_a_slow_start_that_is_not_used_does_not_rise() -> None:
    """Sabotage: double at each tick."""
    governor = Governor(Limits(start=200), 0.0)
    governor.returned(100.0)
    assert governor.tick(105.0, full(governor, used=0.25)) is None
    assert governor.limit == SLOW_START
    governor.tick(110.0, full(governor))
    assert governor.limit == 2 * SLOW_START


def test_a_refusal_ends_a_slow_start() -> None:
    """Sabotage: rise on to what it was before the outage."""
    governor = Governor(Limits(start=200), 0.0)
    governor.returned(100.0)
    governor.tick(105.0, full(governor))
    governor.overloaded(106.0)
    for tick in range(1, 6):
        governor.tick(106.0 + tick * TICK, full(governor))
    assert governor.limit == 12


def test_a_second_outage_does_not_forget_the_limit() -> None:
    """Sabotage: remember the limit of the slow start."""
    governor = Governor(Limits(start=200), 0.0)
    governor.returned(100.0)
    governor.tick(105.0, full(governor))
    assert governor.limit == 16
    governor.returned(107.0)
    for tick in range(1, 10):
        governor.tick(107.0 + tick * TICK, full(governor))
    assert governor.limit == 200


def test_a_queue_ends_a_slow_start() -> None:
    """The server came back smaller. Sabotage: rise to the old limit whatever the server says."""
    governor = Governor(Limits(start=400), 0.0)
    governor.returned(0.0)
    for tick in range(1, 12):
        busy = governor.limit
        governor.tick(tick * TICK, full(governor, Load(min(busy, 50), max(0, busy - 50))))
        assert governor.limit <= 64
    assert 50 <= governor.limit <= 60


def test_a_fixed_limit_is_never_moved_but_after_an_outage() -> None:
    """Sabotage: let ``overloaded`` cut it."""
    governor = Governor(Limits(fixed=40), 0.0)
    assert governor.limit == 40
    assert governor.tick(5.0, full(governor, Load(4, 36))) is None
    assert governor.overloaded(6.0) is None
    governor.returned(10.0)
    assert governor.limit == SLOW_START
    for tick in range(1, 5):
        governor.tick(10.0 + tick * TICK, full(governor, Load(8, 0)))
    assert governor.limit == 40


@pytest.mark.parametrize(("limits", "first"), [(Limits(most=4), 4), (Limits(fixed=3), 3), (Limits(start=1), 1)])
def test_the_first_limit(limits: Limits, first: int) -> None:
    """Sabotage: begin with ``limits.start`` whatever the most is."""
    assert Governor(limits, 0.0).limit == first


def test_numbers_that_fail_to_come_once_are_no_other_server() -> None:
    """Sabotage: search the knee at the first tick without numbers: 2,048 is far above its cap."""
    governor = Governor(Limits(start=2048), 0.0)
    governor.tick(5.0, full(governor, Load(2000, 100)))
    limit = governor.limit
    for tick in range(2, 12):
        assert governor.tick(tick * TICK, Seen(None, limit, limit, limit, 680 * limit, 5.0 * limit)) is None
    assert governor.limit == limit


def test_numbers_that_see_nothing_run_are_none() -> None:
    """A router before the servers has their page, and runs nothing. Sabotage: take any numbers for the server's."""
    governor = Governor(Limits(), 0.0)
    for tick in range(1, 60):
        busy = governor.limit
        governor.tick(tick * TICK, Seen(Load(0, 0), busy, busy, busy, 50 * busy, 5.0 * busy))
    assert governor.limit > 64


def test_the_users_most_holds() -> None:
    """Sabotage: drop ``_most`` from ``_by_queue``; or from the call of ``look``."""
    for load in (Load(16, 0), None):
        governor, now = Governor(Limits(most=20), 0.0), 0.0
        for _ in range(40):
            now += TICK
            seconds = governor.limit * TICK
            governor.tick(now, Seen(load, governor.limit, governor.limit, 100, 100 * governor.limit, seconds))
            assert governor.limit <= 20


event = st.one_of(
    st.just("overloaded"),
    st.just("returned"),
    st.tuples(
        st.one_of(st.none(), st.builds(Load, st.integers(0, 5000).map(float), st.integers(0, 5000).map(float))),
        st.integers(0, 5000), st.integers(0, 500), st.integers(0, 10**6), st.floats(0, 1e5),
    ),
)  # fmt: skip


@given(
    st.builds(Limits, st.integers(1, 100), st.one_of(st.none(), st.integers(1, 500))),
    st.lists(st.tuples(st.floats(0.001, 100), event), max_size=60),
)
def test_whatever_it_is_fed(limits: Limits, events: list[tuple[float, object]]) -> None:
    """The limit is 1 at least and within the user's, every move has its reason, and a cut is followed by none for 15 s.

    Sabotage: drop the ``max`` from ``_to``: a cut of 1 is 0.
    """
    governor, now, cut = Governor(limits, 0.0), 0.0, -100.0
    most = limits.most or 4096
    for later, what in events:
        now += later
        before = governor.limit
        if what == "overloaded":
            change = governor.overloaded(now)
            assert change is None or now - cut >= 15
            cut = now if change else cut
        elif what == "returned":
            change = governor.returned(now)
        else:
            load, busy, completions, tokens, seconds = what  # type: ignore[misc]
            change = governor.tick(now, Seen(load, busy, busy, completions, tokens, seconds))
        assert 1 <= governor.limit <= most
        assert (change is None) == (governor.limit == before)
        if change:
            assert change.limit == governor.limit
            assert change.reason.startswith(f"limit {before} to {governor.limit}: ")
            assert "\n" not in change.reason
    assert MOST_UNSEEN == 256


@pytest.mark.parametrize(
    ("running", "waiting", "cut"), [(16, 3, False), (16, 5, True), (1024, 100, False), (1024, 120, True)]
)
def test_a_small_server_may_have_a_larger_part_waiting(running: int, waiting: int, cut: bool) -> None:
    """A queue comes and goes by about the root of what runs. Sabotages: let ``SPREAD`` be 0, or 4."""
    governor = Governor(Limits(start=running + waiting), 0.0)
    for now in (TICK, 2 * TICK):
        governor.tick(now, full(governor, Load(running, waiting)))
    assert (governor.limit < running + waiting) == cut
