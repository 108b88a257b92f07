"""What happened to the endpoints of a run: limits as steps, episodes with an end, and a file that may be damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_report_timeline import NOON, steady

from evoselfcode.datagen.pipeline.events import EVENTS, EventLog, read_events
from evoselfcode.engine import Event
from evoselfcode.report.incidents import ENDS, Episode, episodes, limits_by_endpoint, total
from evoselfcode.report.timeline import MOST_STEPS, timeline

A, B = "http://a:8000", "http://b:8000"


def event(at: float, kind: str, endpoint: str = A, limit: int | None = None) -> dict[str, Any]:
    return {"at": at, "kind": kind, "endpoint": endpoint, "reason": f"why {kind}", "limit": limit}


EVENTS_OF_A_DAY = [
    event(5, "limit", A, 20), event(5, "limit", B, 20), event(9, "parked", A), event(10, "limit", B, 25),
    event(12, "parked", B), event(12, "outage", ""), event(20, "limit", A, 8), event(20, "returned", A, 8),
    event(25, "left", B), event(30, "client_bound", ""), event(34, "client_bound", ""), event(40, "paused", A),
]  # fmt: skip


def test_an_episode_ends_where_its_endpoint_is_back() -> None:
    """Sabotage: let whatever returns end everything that is open."""
    assert episodes(EVENTS_OF_A_DAY) == [
        Episode(9, "parked", A, "why parked", 20),
        Episode(12, "parked", B, "why parked", 25),
        Episode(12, "outage", "", "why outage", 20),
        Episode(25, "left", B, "why left", None),
        Episode(30, "client_bound", "", "why client_bound", 34),
        Episode(40, "paused", A, "why paused", None),
    ]


def test_what_began_twice_is_one_episode() -> None:
    """Sabotage: leave ``(kind, endpoint) in begun`` out: the first of them never ends."""
    told = [event(1, "parked"), event(2, "parked"), event(3, "parked", B), event(5, "returned")]
    assert [(one.at, one.endpoint, one.until) for one in episodes(told)] == [(1, A, 5), (3, B, None)]


def test_who_is_away_has_a_limit_of_nothing() -> None:
    """Sabotage: pass over "parked" in ``limits_by_endpoint``."""
    found = limits_by_endpoint(EVENTS_OF_A_DAY)
    assert found == {A: [(5, 20), (9, 0), (20, 8), (20, 8)], B: [(5, 20), (10, 25), (12, 0), (25, 0)]}
    assert [limit for _, limit in total(found)] == [20, 40, 20, 25, 0, 8, 8, 8]


def test_the_run_is_shown_with_its_own_time() -> None:
    """Sabotage: give ``at`` in Unix time."""
    told = [event(NOON + at, kind, endpoint, limit) for at, kind, endpoint, limit in
            ((1.0, "limit", A, 20), (10.0, "parked", A, None), (30.0, "returned", A, 8))]  # fmt: skip
    found = timeline(steady(600), [(0.0, 64)], events=told)
    assert found is not None
    assert found["limit"] == found["limits"][A]
    assert [limit for _, limit in found["limit"]] == [20, 0, 8]
    assert found["limit"][1][0] == pytest.approx(11.6)
    (only,) = found["episodes"]["first"]
    assert (only["at"], only["seconds"]) == (pytest.approx(11.6), pytest.approx(20.0))
    assert found["episodes"]["count"] == {"parked": 1}


def test_a_limit_that_moves_all_day_is_thinned() -> None:
    """Sabotage: keep all steps."""
    told = [event(NOON + number / 20, "limit", A, number % 90) for number in range(1000)]
    found = timeline(steady(600), [], events=told)
    assert found is not None
    assert 300 <= len(found["limit"]) <= MOST_STEPS + 1
    assert found["limit"][-1][1] == 999 % 90


async def test_events_are_read_as_they_were_written(tmp_path: Path) -> None:
    """A torn last line and a line of another kind are left out. Sabotage: give up at the first of them."""
    log = EventLog(tmp_path)
    written = [Event(1.5, "limit", A, "limit 16 to 20: there is room", 20), Event(2.0, "parked", A, "gone")]
    for one in written:
        log.append(one)
    await log.aclose()
    whole = (tmp_path / EVENTS).read_bytes()
    (tmp_path / EVENTS).write_bytes(b'{"at": "noon"}\n\xff\n' + whole + whole[:30])
    assert read_events(tmp_path) == [
        {"at": 1.5, "kind": "limit", "endpoint": A, "reason": "limit 16 to 20: there is room", "limit": 20},
        {"at": 2.0, "kind": "parked", "endpoint": A, "reason": "gone"},
    ]
    assert read_events(tmp_path / "nothing") == []


@given(st.lists(st.builds(
    event, st.floats(-1e12, 1e12), st.sampled_from([*ENDS, "returned", "limit", "stop"]), st.sampled_from([A, B, ""]),
    st.none() | st.integers(0, 4096),
)))  # fmt: skip
def test_any_events_are_shown(told: list[dict[str, Any]]) -> None:
    """Sabotage: leave the ``max`` with 0.0 out of ``_episodes``: clocks are set back."""
    found = timeline(steady(60), [], events=told)
    assert found is not None
    assert sum(found["episodes"]["count"].values()) <= len(told)
    for one in found["episodes"]["first"]:
        assert 0 <= one["at"] <= found["seconds"]
        assert one["seconds"] is None or one["seconds"] >= 0
