"""What long troubles cost, in virtual time and at full size: rows lost, requests sent to who is away."""

from __future__ import annotations

from pathlib import Path

import pytest
from sim.history import History
from sim.nemesis import Trouble
from sim.run import play
from sim.scenario import Scenario, crowd, failing

SLOW = pytest.mark.slow
ROWS = 20_000
IN_FLIGHT = 256


def dead_and_asked(history: History) -> tuple[int, int]:
    """Return how many rows died, and how many requests went to a replica during its trouble."""
    asked = sum(
        replica == attempt.replica and begins < attempt.began < ends and attempt.what != "load"
        for replica, _, begins, ends in history.ills
        for attempt in history.attempts
    )
    return history.dead, asked


@pytest.mark.parametrize("seconds", [pytest.param(20.0, marks=SLOW), pytest.param(60.0, marks=SLOW), 300.0, 900.0])
def test_an_outage_kills_no_row_and_is_met_by_probes_alone(tmp_path: Path, seconds: float) -> None:
    """R2, reliability §1.3: 256 in flight, 20 s a request. Sabotage: ``"connect": "retry"`` in wire/retry.py."""
    world = Scenario(
        seed=1, slots=IN_FLIGHT, tokens=520.0, spread=0.3, requests=ROWS // 2, n=1, concurrency=IN_FLIGHT,
        troubles=(Trouble("outage", 200.0, seconds, (0,)),),
    )  # fmt: skip
    history = play(world, tmp_path)
    assert history.broken == []
    dead, asked = dead_and_asked(history)
    assert dead == 0
    assert asked <= 60


def test_one_of_four_replicas_dies_for_a_quarter_of_an_hour(tmp_path: Path) -> None:
    """Sabotage: choose a replica without asking whether it is parked."""
    world = Scenario(
        seed=2, replicas=4, slots=64, tokens=1040.0, spread=0.3, requests=ROWS // 2, n=1, concurrency=IN_FLIGHT,
        troubles=(Trouble("outage", 120.0, 900.0, (2,)),),
    )  # fmt: skip
    history = play(world, tmp_path)
    assert history.broken == []
    dead, asked = dead_and_asked(history)
    assert dead == 0
    assert asked <= 60
    work = [attempt.replica for attempt in history.attempts if attempt.what == "row" and attempt.said == "ok"]
    assert len(work) == ROWS
    assert work[-1000:].count("replica-2") > 150  # it has its share again


@pytest.mark.parametrize("replicas", [1, 3])
def test_half_an_hour_of_overload_burns_no_row(tmp_path: Path, replicas: int) -> None:
    """C6: 30 minutes of 503 with Retry-After 30. Sabotage: let each row wait by itself."""
    minutes = 30
    world = Scenario(
        seed=3, replicas=replicas, requests=400, concurrency=32 * replicas, slots=32,
        troubles=(Trouble("busy for 30 s", 5.0, 60.0 * minutes, tuple(range(replicas))),),
    )  # fmt: skip
    history = play(world, tmp_path)
    assert history.broken == []
    dead, asked = dead_and_asked(history)
    assert dead == 0
    assert asked <= replicas * (32 + 2 * minutes)  # what was on its way when it began, and two a minute


def test_a_server_that_cannot_bear_a_crowd_after_its_return_survives(tmp_path: Path) -> None:
    """C7: more than 64 requests in the first 20 s end it. Sabotage: let a replica return with its old limit."""
    history = play(crowd(4), tmp_path)
    assert history.broken == []
    _, _, _, ends = history.ills[0]
    back = [attempt.began - ends for attempt in history.attempts if attempt.what == "row" and attempt.began > ends]
    assert sum(seconds < back[0] + 1.0 for seconds in back) <= 16


def test_rows_that_fail_do_not_multiply_the_load(tmp_path: Path) -> None:
    """R3: three in ten attempts fail. Sabotage: let ``RetryBudget.take`` say yes."""
    history = play(failing(5), tmp_path)
    assert history.broken == []
    rows = [attempt.key for attempt in history.attempts if attempt.what == "row"]
    assert len(rows) - len(set(rows)) > 300, "the budget was never asked for much"
