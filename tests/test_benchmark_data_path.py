"""The benchmarks of the data path: slopes are right, goals are judged from figures, and what is measured happens."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import data_path
import duplicates
import filters
import made_runs

from evoselfcode.datagen.pipeline.reading import read_run
from evoselfcode.storage import read_once


@pytest.mark.parametrize("power", [0.0, 1.0, 1.5, 2.0])
def test_the_exponent_of_a_known_series_is_its_power(power: float) -> None:
    """Sabotage: take the slope of cost on size, or of logarithm on size."""
    sizes = [1_000, 3_000, 10_000, 30_000]
    assert duplicates.exponent(sizes, [7e-6 * size**power for size in sizes]) == pytest.approx(power)


def test_a_quadratic_end_shows_in_the_last_exponent_and_the_ratio_is_that_of_the_largest_size() -> None:
    """Sabotage: fit the last exponent to all sizes, or divide the costs of the smallest."""
    sizes, costs = [100, 1_000, 10_000], [1.0, 1.0, 100.0]
    rows = [
        {"cpu_s": cost, "ceiling_cpu_s": 0.01 * size, "peak_mib": 1.0} for size, cost in zip(sizes, costs, strict=True)
    ]
    found = data_path.fitted(sizes, rows)
    assert found["last_exponent"] == pytest.approx(2.0)
    assert found["exponent"] == pytest.approx(1.0)
    assert found["ceiling_exponent"] == pytest.approx(1.0)
    assert found["times_the_ceiling"] == pytest.approx(1.0)
    assert found["rows_per_cpu_s"] == pytest.approx(100.0)


def test_one_size_has_no_slope() -> None:
    """Sabotage: fit a line through one point."""
    found = data_path.fitted([100], [{"cpu_s": 1.0, "ceiling_cpu_s": 0.5, "peak_mib": 1.0}])
    assert "exponent" not in found
    assert found["times_the_ceiling"] == 2.0


@pytest.mark.parametrize("name", data_path.SERIES)
def test_each_series_measures_a_cost_and_a_ceiling(name: str) -> None:
    """Sabotage: read hundredths of seconds, where the ceiling takes less; or turn the filter's two round."""
    found = data_path.measure(name, 40)
    assert found["cpu_s"] > 0.0
    assert found["ceiling_cpu_s"] > 0.0
    assert found["peak_mib"] > 10.0
    if name == "filter":
        assert found["cpu_s"] > found["ceiling_cpu_s"]


def figures(**other: Any) -> dict[str, Any]:
    return {"judged": {"times_one_process": [1.7, 1.9, 1.85], "parent_us": [9.0, 30.0, 9.5]}, "files_a_ruff": 256.0,
            "times_ruff_each": 120.0} | other  # fmt: skip


def met(found: dict[str, Any], cores: int = 2) -> list[tuple[str, bool]]:
    return [(one["goal"], one["met"]) for one in filters.goals(found, cores)]


def test_goals_are_judged_by_medians_of_figures() -> None:
    """Sabotage: take means, turn a comparison round, or judge two cores' goal on four."""
    assert met(figures()) == [("G14", True), ("G14", True), ("G15", True), ("G15", True)]
    slow = {"times_one_process": [1.7, 1.79, 1.9], "parent_us": [9.0, 10.5, 11.0]}
    missed = figures(judged=slow, files_a_ruff=255.0, times_ruff_each=49.0)
    assert met(missed) == [("G14", False), ("G14", False), ("G15", False), ("G15", False)]
    assert [goal for goal, _ in met(figures(), cores=4)] == ["G14", "G15", "G15"]
    first = filters.goals(figures(), 2)[0]
    assert (first["figure"], first["limit"]) == (1.85, 1.8)
    assert first["sentence"] == "times the draws a second of one process, on 2 cores"


async def test_the_ladder_is_measured_while_its_processes_judge(tmp_path: Path) -> None:
    """Sabotage: start the clock before the processes, or count the drafts that they are warmed with."""
    ways = filters.Ways(made_runs.corpus()[:24], 2, tmp_path)
    assert await ways.judge() == 48
    ((rate, parent_us),) = ways.judged
    assert rate > 0
    assert 0 < parent_us < 1e6 * 2 / rate * 2


def test_made_runs_hold_as_many_rows_as_asked_and_functions_that_parse(tmp_path: Path) -> None:
    """Sabotage: forget the last request of a names run, or write a line of a function's own that does not parse."""
    names = read_run(made_runs.names_run(tmp_path, 40), "names")
    assert sum(len(entry.draws) for entry in names.entries) == 40
    assert {entry.arm for entry in names.entries} == {"FIM", "L2R"}
    drafts = made_runs.distinct(made_runs.corpus(), 50)
    assert all(made_runs.parses(one.task.context + one.task.head + one.text) for one in drafts)
    assert len({one.text for one in drafts}) == 50
    assert sum(1 for _ in read_once(made_runs.code_run(tmp_path, drafts))) == 50
