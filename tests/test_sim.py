"""Whole runs in virtual time, one for each seed: whatever goes wrong, no promise is broken (`sim.checks`)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import checkout
import pytest
from sim.run import Played, play
from sim.scenario import Death, Scenario, scenario

SEEDS = 200
"""Seeds of every test run; ``make sim`` plays 10,000."""

AT_ONCE = 25


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_no_seed_breaks_a_promise(tmp_path: Path, first: int) -> None:
    """Sabotage: any mutant of ``sim.mutants``, each of which a test of its own kills."""
    broken = {}
    for seed in range(first, first + AT_ONCE):
        if told := play(scenario(seed), tmp_path / str(seed)).broken:
            broken[f"scripts/sim {seed}"] = told
    assert broken == {}


def test_a_seed_plays_the_same_each_time(tmp_path: Path) -> None:
    """T1. Sabotage: let ``SteppedLoop`` make plain tasks, whose order in a set is that of their addresses."""
    traces = [[play(scenario(seed), tmp_path / f"{time}-{seed}").trace for seed in range(20)] for time in range(2)]
    assert traces[0] == traces[1]
    assert len(set(traces[0])) == len(traces[0])


def test_a_seed_plays_the_same_in_another_process(tmp_path: Path) -> None:
    """T1: strings have other hashes there. Sabotage: draw the troubles from a set of their names."""
    told = [
        subprocess.run(
            [sys.executable, "-m", "sim", "--traces", "0-19"],
            env={**os.environ, "PYTHONPATH": f"{checkout.ROOT}:{checkout.ROOT}/tests", "PYTHONHASHSEED": salt},
            capture_output=True, text=True, check=True,
        ).stdout
        for salt in ("1", "2")
    ]  # fmt: skip
    assert told[0] == told[1]
    assert len(told[0].splitlines()) == 20


def test_a_quiet_run_asks_each_row_once(tmp_path: Path) -> None:
    """The plain case: no trouble, no retry, one life and one that finds nothing to do."""
    played = Played(Scenario(seed=1, requests=60), tmp_path)
    history = played.play()
    assert history.broken == []
    assert sum(attempt.what == "row" for attempt in history.attempts) == len(played.plan) == 120
    assert history.acknowledged.keys() == played.plan.keys()
    assert [life.how for life in history.lives] == ["complete", "complete"]


@pytest.mark.parametrize("power", [False, True], ids=["kill", "power loss"])
@pytest.mark.parametrize("where", ["step", "disk"])
def test_a_run_that_is_killed_anywhere_comes_to_its_end(tmp_path: Path, where: str, power: bool) -> None:
    """Every 31st step and each operation of the disk. Sabotage: ack before sync (``sim.mutants``)."""
    whole = Played(Scenario(seed=0, requests=20), tmp_path / "whole")
    steps = whole.play().lives[0].steps
    places = range(1, steps, 31) if where == "step" else range(1, whole.disk.operations)
    ends = set()
    for at in places:
        deaths = (Death(where, at, power=power),) * 2  # type: ignore[arg-type]
        history = play(Scenario(seed=at, requests=20, deaths=deaths, restart=1.0), tmp_path / f"{at}")
        assert history.broken == [], f"killed at {where} {at}"
        ends.add(history.lives[0].how)
    assert "killed" in ends


def test_a_run_that_is_asked_to_stop_goes_on_where_it_was(tmp_path: Path) -> None:
    """Sabotage: do not commit what was in flight when the stop came."""
    history = play(Scenario(seed=3, requests=60, deaths=(Death("stop", 2.0),)), tmp_path)
    assert history.broken == []
    assert [life.how for life in history.lives] == ["Interrupted", "complete", "complete"]
    asked = [attempt.key for attempt in history.attempts if attempt.what == "row"]
    assert len(asked) == len(set(asked)) == 120


@pytest.mark.parametrize("jump", [-3600.0, 86400.0])
def test_a_clock_that_jumps_does_not_matter(tmp_path: Path, jump: float) -> None:
    """D22. Sabotage: let ``Journal.due`` be asked with the wall clock."""
    still = play(Scenario(seed=5, requests=60), tmp_path / "still")
    jumping = play(Scenario(seed=5, requests=60, jumps=((2.0, jump),)), tmp_path / "jumping")
    assert still.broken == jumping.broken == []
    assert [it.began for it in still.attempts] == [it.began for it in jumping.attempts]
    assert still.acknowledged == jumping.acknowledged
