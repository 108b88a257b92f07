"""Whether an endpoint is asked: what parks it, what brings it back, how long it is left alone. No loop, no clock."""

from __future__ import annotations

from random import Random

import pytest

from evoselfcode.engine.health import Health
from evoselfcode.records import Failure, FailureKind

REFUSED = Failure("connect", "Connection refused")
BUSY = Failure("overloaded", "busy", 503)


def health(answered_at: float | None = None) -> Health:
    found = Health(Random(1))
    if answered_at is not None:
        found.answered(answered_at)
    return found


@pytest.mark.parametrize("kind", ["connect", "loading"])
@pytest.mark.parametrize("answered_at", [None, 8.9])
def test_a_refused_connection_parks_at_once(kind: FailureKind, answered_at: float | None) -> None:
    """Sabotage: count it with others in any case."""
    found = health(answered_at)
    assert found.failed(10.0, Failure(kind))
    assert found.state == "parked"
    assert found.slots(64) == 0
    assert found.away_since == 10.0


def test_a_gateway_that_stumbles_now_and_then_is_not_away() -> None:
    """An answer a moment ago shows that it is there. Sabotage: park at the first in any case."""
    found = health()
    for tenth in range(100):
        found.answered(tenth / 10)
        found.answered(tenth / 10)
        assert not found.failed(tenth / 10 + 0.01, Failure("connect", "Bad Gateway", 502))
    assert [found.failed(9.95 + at / 1000, REFUSED) for at in range(4)] == [False, False, False, True]


@pytest.mark.parametrize("kind", ["disconnect", "timeout", "server_error"])
def test_what_may_be_the_rows_own_counts_half(kind: FailureKind) -> None:
    """Ten in a row park it, and an answer between them begins anew. Sabotage: weight 1; do not reset the streak."""
    found = health()
    assert not any(found.failed(at, Failure(kind)) for at in range(9))
    found.answered(9.0)
    assert [found.failed(10.0 + at, Failure(kind)) for at in range(10)] == [False] * 9 + [True]


def test_more_than_half_of_twenty_park_it() -> None:
    """Answers between them, so never five in a row. Sabotage: ``ENOUGH = 200``; forget nothing."""
    found = health()
    for at in range(40):
        found.answered(0.1 * at)
        if found.failed(0.1 * at, REFUSED) or found.failed(0.1 * at, REFUSED):
            break
    assert found.state == "parked"
    assert 6 <= at <= 8
    found = health()
    for at in range(40):
        found.answered(10.0 * at)
        found.failed(10.0 * at, REFUSED)
        found.failed(10.0 * at, REFUSED)  # never twenty in half a minute
    assert found.state == "up"


@pytest.mark.parametrize("kind", ["bad_request", "too_long", "auth"])
def test_a_refusal_of_what_was_asked_is_an_answer(kind: FailureKind) -> None:
    """Sabotage: count it as a failure of the endpoint."""
    found = health()
    for at in range(100):
        assert not found.failed(float(at), Failure(kind, "", 400))
        found.failed(float(at), Failure("timeout"))
    assert found.state == "up"


def test_probes_come_a_second_and_up_to_half_a_minute_apart() -> None:
    """Sabotage: no cap; no jitter; ``4.0 **``."""
    found = health()
    found.failed(0.0, REFUSED)
    gaps, now = [found.until], found.until
    for _ in range(20):
        assert not found.probed(now, REFUSED)
        gaps.append(found.until - now)
        now = found.until
    for k, gap in enumerate(gaps):
        assert 0.75 * min(30.0, 2.0**k) <= gap <= 1.25 * min(30.0, 2.0**k)
    assert len({round(gap, 3) for gap in gaps[6:]}) > 10
    assert found.probed(now, None)
    assert (found.state, found.slots(8), found.away_since) == ("returning", 8, None)
    assert found.answered(now + 1)
    assert found.state == "up"


def test_a_server_that_goes_away_may_finish_what_it_has() -> None:
    """Its answers bring it not back: a server that shuts down takes nothing new. Sabotage: unpark at any answer."""
    found = health(0.0)
    for at in range(5):
        found.failed(0.5 + at / 100, REFUSED)
    found.answered(0.6)
    assert found.state == "parked"


def test_a_servers_wait_is_obeyed() -> None:
    """R5: not shortened, and lengthened by a tenth at most. Sabotage: ``min`` with the own pause; no jitter."""
    ends = set()
    for seed in range(50):
        found = Health(Random(seed))
        found.failed(100.0, Failure("rate_limited", "", 429, 30.0))
        assert found.state == "paused"
        assert 130.0 <= found.until <= 133.0
        ends.add(found.until)
        assert not found.resumed(found.until - 0.001)
        assert found.slots(64) == 0
        assert found.resumed(found.until)
    assert len(ends) == 50


def test_of_two_waits_the_longer_is_obeyed() -> None:
    """Sabotage: let the last word count."""
    found = health()
    found.failed(100.0, Failure("rate_limited", "", 429, 30.0))
    found.failed(101.0, Failure("rate_limited", "", 429, 2.0))
    assert found.until >= 130.0


def test_what_was_never_sent_shows_nothing_of_an_endpoint() -> None:
    """A prompt that holds a sentinel. Sabotage: take it for an answer: the pause would end with all slots."""
    found = health()
    found.failed(10.0, BUSY)
    found.failed(11.0, Failure("sentinel_in_prompt"))
    assert found.resumed(20.0)
    assert (found.state, found.slots(64)) == ("returning", 1)


@pytest.mark.parametrize("kind", ["connect", "disconnect"])
def test_who_is_back_begins_anew(kind: FailureKind) -> None:
    """What failed before it went away is forgotten. Sabotages: keep the streak; keep the last half minute."""
    found, now = health(), 0.0
    while found.state == "up":
        now += 0.01
        if kind == "connect":
            found.answered(now)
            found.failed(now, REFUSED)
        found.failed(now, Failure(kind))
    assert found.probed(now + 1.0, None)
    assert not found.failed(now + 1.1, Failure("disconnect"))


def test_a_server_that_loads_is_probed_when_it_says() -> None:
    """Sabotages: pass over its hint when it goes away; at a probe."""
    found = health()
    found.failed(0.0, Failure("loading", "", 503, 40.0))
    assert found.until >= 40.0
    found.probed(40.0, Failure("loading", "", 503, 50.0))
    assert found.until >= 90.0


def test_who_does_not_say_how_long_is_left_alone_for_two_seconds_then_four() -> None:
    """Up to a minute; refusals of one episode count once. Sabotage: double at each refusal."""
    found, now = health(), 0.0
    for k in range(10):
        for _ in range(50):
            found.failed(now, BUSY)
        longest = min(60.0, 2.0 * 2.0**k)
        assert longest / 2 <= found.until - now <= longest
        now = found.until
        assert found.resumed(now)
        assert (found.state, found.slots(64)) == ("returning", 1)
    found.answered(now)
    assert (found.state, found.slots(64)) == ("up", 64)
    found.failed(now + 1, BUSY)
    assert found.until - now - 1 <= 2.0


def test_after_a_pause_one_is_tried_unless_something_was_answered_meanwhile() -> None:
    """C6. Sabotage: give all slots back; try one in any case."""
    silent, busy = health(), health()
    for found in (silent, busy):
        found.failed(10.0, BUSY)
    busy.answered(10.5)
    assert (silent.away_since, busy.away_since) == (10.0, None)
    for found in (silent, busy):
        assert found.resumed(20.0)
    assert (silent.state, silent.slots(64)) == ("returning", 1)
    assert (busy.state, busy.slots(64)) == ("up", 64)


def test_a_trial_that_is_refused_pauses_longer_and_one_that_meets_nobody_parks() -> None:
    """Sabotage: forget the episodes at a trial."""
    found = health()
    found.failed(0.0, BUSY)
    found.resumed(2.0)
    found.failed(2.0, BUSY)
    assert 2.0 <= found.until - 2.0 <= 4.0
    found.resumed(6.0)
    found.failed(6.0, REFUSED)
    assert (found.state, found.away_since) == ("parked", 0.0)


@pytest.mark.parametrize(
    ("kind", "back"),
    [("bad_request", True), ("auth", True), ("payment", True), ("no_route", False), ("loading", False)],
)
def test_a_probe_that_is_refused_shows_that_somebody_is_there(kind: FailureKind, back: bool) -> None:
    """A wrong key ends the run with its next row, instead of after an hour. Sabotage: wait for a completion."""
    found = health()
    found.failed(0.0, REFUSED)
    assert found.probed(1.0, Failure(kind, "", 499)) is back
    assert found.state == ("returning" if back else "parked")
