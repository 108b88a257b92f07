"""What is said of the benchmarks, and what they judge of their figures."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import checkout
import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import goodput
from goodput import PARTS, auto_seconds, plan
from goodput_card import best, card, judged, spark
from goodput_run import N, Run, figures, measure


def test_every_benchmark_has_a_row_that_says_what_it_is() -> None:
    """Sabotage: add benchmarks/new.py and no row of benchmarks/README.md."""
    rows = re.findall(r"^\| `(\w+\.py)` \|", checkout.read("benchmarks/README.md"), re.MULTILINE)
    files = [file.name for file in Path(goodput.__file__).parent.glob("*.py")]
    assert sorted(set(files) - set(rows)) == []
    assert len(rows) == len(set(rows))


def run(client: str, goodput: float, in_flight: int | None = None, **more: Any) -> dict[str, Any]:
    told = {"slots": 32, "client": client, "in_flight": in_flight, "metrics": True, "goodput": goodput,
            "goodput_whole": goodput / 2, "busy": goodput, "waiting": 0.1, "p50_s": 1.0, "p99_s": 5.0, "ramp_s": 7,
            "most_in_flight": 9, "connections": 9, "late_s": 0.0, "started_s": 1.0,
            "series": {"busy": [0.0, 16.0, 32.0]}}  # fmt: skip
    return told | more


def test_the_best_static_concurrency_is_the_least_of_those_that_are_as_good() -> None:
    """Sabotage: take the one with the most goodput, which is the one with the longest queue."""
    found = [run("static", 0.6, 4), run("static", 0.997, 9), run("static", 1.0, 32), run("auto", 1.0)]
    top = best(found, 32)
    assert top is not None
    assert top["in_flight"] == 9
    assert best(found, 256) is None


def test_ours_is_judged_against_the_best_static_and_against_peers_that_ran() -> None:
    """Sabotage: leave a run that failed out of the goals, so that nothing is missed."""
    found = [run("static", 1.0, 9), run("auto", 0.96), run("openai3", 0.5), run("inspect", 0.0, failed="no answer")]
    goals = judged(found)
    assert [(goal["goal"], goal["figure"], goal["met"]) for goal in goals] == [("G17", 0.96, True), ("G18", 1.92, True)]
    broken = {key: value for key, value in run("auto", 0.0, failed="no answer").items() if key != "goodput"}
    assert [goal["met"] for goal in judged([found[0], broken])] == [False]


def test_the_card_shows_every_run_and_what_failed() -> None:
    """Sabotage: sort runs that failed away."""
    found = [run("auto", 0.96), run("static", 1.0, 9, late_s=0.5), run("guidellm", 0.0, failed="3 requests, then none")]
    told = card(found, judged(found), {"curator": "not installed"})
    for said in ("auto", "static 9", "0.5 s late", "3 requests, then none", "not run: curator, not installed", "G17"):
        assert said in told
    assert spark([0.0, 16.0, 32.0], 32) == " ▄█"
    assert len(spark([1.0] * 300, 1)) == 60


def test_a_run_is_long_enough_to_grow_and_to_be_measured_then() -> None:
    """Sabotage: give every size the time of the smallest."""
    assert [auto_seconds(slots) for slots in (32, 256, 1024)] == [90.0, 125.0, 155.0]
    static = [run.in_flight for run in plan([1024]) if run.client == "static"]
    assert static == [round(1024 * part / N) for part in PARTS]
    assert [run.in_flight for run in plan([4]) if run.client == "static"] == [1, 2, 4]


def test_tokens_that_nobody_waited_for_are_no_goodput() -> None:
    """Sabotage: count what was decoded, whoever had gone."""
    counted = {"slots": 4, "ceiling_tokens_per_s": 100.0, "latency": {}, "most_in_flight": 2, "connections": 2,
               "late_s": 0.0, "series": {"busy": [4.0, 4.0], "waiting": [0.0, 0.0], "tokens": [100.0, 100.0],
                                         "wasted": [0.0, 50.0]}}  # fmt: skip
    assert figures(counted, counted)["goodput"] == pytest.approx(0.75)


def test_a_run_keeps_as_many_slots_busy_as_it_has_sequences_in_flight() -> None:
    """One request of four sequences on eight slots, for seconds; sabotage: send two, or measure the client's start."""
    told = measure(Run(8, "static", 1, True, seconds=6.0, window=4.0))
    assert "failed" not in told
    assert told["most_in_flight"] == 1
    assert 0.2 < told["busy"] < 0.55
    assert 0.2 < told["goodput"] < 0.75
    assert told["waiting"] == 0


def test_a_client_that_fails_is_told_with_its_last_words() -> None:
    """Sabotage: wait for ever for a client that has ended."""
    program = "import sys; sys.exit('no such model')"
    told = measure(Run(8, "peer", None, True, 5.0, 2.0, (sys.executable, "-c", program), {}))
    assert "ended with 1: no such model" in told["failed"]
