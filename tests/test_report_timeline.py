"""A run over time: counts that add up, requests under way to the millisecond, pauses cut out."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_documents import over_time, realistic
from test_report_page import Reader, real_page

from evoselfcode.records import FailureKind
from evoselfcode.report import time_charts
from evoselfcode.report.page import render
from evoselfcode.report.timeline import timeline
from evoselfcode.storage import Draw, Entry

NOON = 1_764_158_400.0
"""Some noon in November 2025."""


def settled(at: float | None, seconds: float = 0.1, *, kept: int = 0, failures: tuple[FailureKind, ...] = ()) -> Entry:
    draws = tuple(Draw("x", "x", None if number < kept else "regex") for number in range(4))
    return Entry(key="0", stage="names", arm="FIM", number=0, attempts=1, seconds=seconds, draws=draws, at=at,
                 failures=failures)  # fmt: skip


def made(entries: list[Entry], limits: list[tuple[float, float]] | None = None) -> dict[str, Any]:
    found = timeline(entries, limits or [])
    assert found is not None
    return found


def steady(count: int, begin: float = NOON, rate: float = 10.0, seconds: float = 1.6) -> list[Entry]:
    return [settled(begin + number / rate, seconds, kept=number % 3) for number in range(count)]


def busy(found: dict[str, Any]) -> float:
    """Return the seconds that all requests were under way together."""
    width = found["edges"][1]
    return float(sum(mean * width for mean in found["under_way"]))


def test_a_journal_without_times_has_no_timeline() -> None:
    """Sabotage: take a missing ``at`` for 0.0."""
    assert timeline([settled(None), settled(None)], []) is None
    assert timeline([], []) is None
    half = made([*steady(10), settled(None)])
    assert (half["requests"], half["undated"]) == (10, 1)


def test_a_steady_run_is_flat() -> None:
    """Sabotage: leave ``- _waited(end, edges)`` out, or ``clip`` out of ``bin_of``."""
    found = made(steady(2_000))
    assert found["seconds"] == pytest.approx(201.5)
    assert len(found["settled"]) == len(found["under_way"]) == len(found["edges"]) - 1 == 120
    assert sum(found["settled"]) == 2_000
    assert sum(found["kept"]) == sum(number % 3 for number in range(2_000))
    assert set(found["settled"][2:-2]) <= {16, 17}
    assert all(15.9 <= mean <= 16.1 for mean in found["under_way"][2:-2])
    assert busy(found) == pytest.approx(2_000 * 1.6)


def test_failures_are_counted_by_kind_the_commonest_first() -> None:
    """Sabotage: count ``failures`` where the request began."""
    late = settled(NOON + 60, 60.0, failures=("timeout", "rate_limited", "rate_limited"))
    found = made([settled(NOON), late])
    assert list(found["failures"]) == ["rate_limited", "timeout"]
    assert found["failures"]["rate_limited"] == [0] * 11 + [2]


def test_a_pause_is_cut_out_and_told() -> None:
    """Sabotage: leave ``- lengths`` out of ``_places``."""
    night = 9 * 3_600
    found = made([*steady(600), *steady(600, NOON + 60 + night)])
    assert found["pauses"]["count"] == 1
    [[at, length]] = found["pauses"]["first"]
    assert at == pytest.approx(1.6 + 59.9)
    assert length == found["pauses"]["seconds"] == pytest.approx(night - 1.5)
    assert found["seconds"] == pytest.approx(2 * (1.6 + 59.9))
    assert sum(found["settled"]) == 1_200
    assert busy(found) == pytest.approx(1_200 * 1.6)


@pytest.mark.parametrize(
    ("gap", "under_way", "pauses"), [(14 * 60.0, 0.1, 0), (16 * 60.0, 0.1, 1), (16 * 60.0, 16 * 60.0, 0)]
)
def test_a_request_under_way_or_a_short_wait_is_no_pause(gap: float, under_way: float, pauses: int) -> None:
    """Sabotage: leave ``accumulate`` out of ``reach``, or ``PAUSE`` out of ``last``."""
    found = made([*steady(50), settled(NOON + 5 + gap, under_way)])
    assert found["pauses"]["count"] == pauses


def test_limits_are_steps_of_the_runs_own_time() -> None:
    """Sabotage: keep the first of the limits from before the run and not the last."""
    entries = [*steady(600), *steady(600, NOON + 10_000)]
    limits = [(0.0, 64), (NOON - 100, 32), (NOON + 18.4, 16), (NOON + 5_000, 8), (NOON + 99_999, 4)]
    assert made(entries, limits)["limit"] == [[0.0, 32], [pytest.approx(20.0), 16], [pytest.approx(61.5), 8]]


TIMES = st.tuples(st.integers(0, 10**7), st.sampled_from([0.0, 0.25, 30.0, 5_000.0]) | st.floats(0, 1e4))


@given(st.lists(TIMES, min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_whatever_the_order_everything_is_counted(times: list[tuple[int, float]], random: Any) -> None:
    """Sabotage: let an axis have no length: ``max(1, …)`` out of ``_Axis``."""
    entries = [settled(NOON + at / 10, seconds, kept=1, failures=("timeout",)) for at, seconds in times]
    found = made(entries, [(0.0, 4)])
    shuffled = random.sample(entries, len(entries))
    assert made(shuffled, [(0.0, 4)]) == found
    assert sum(found["settled"]) == sum(found["kept"]) == sum(found["failures"]["timeout"]) == len(times)
    assert min(found["under_way"]) >= 0
    assert busy(found) == pytest.approx(sum(seconds for _, seconds in times), abs=0.1 + 0.001 * found["seconds"])
    assert found["edges"][-1] == pytest.approx(found["seconds"])
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize("at", [-5.0, 1e12, 1e300])
def test_a_time_that_cannot_be_is_none(at: float) -> None:
    """Sabotage: believe any number."""
    assert timeline([settled(at)], []) is None


def test_a_run_of_one_instant_has_one_bin() -> None:
    """Sabotage: let an axis have no length."""
    found = made([settled(NOON, 0.0)])
    assert (found["settled"], found["under_way"]) == ([1], [0.0])
    assert "Over time" in Reader(render({**realistic(), "timeline": found})).texts["h2"]


def test_the_page_tells_of_pauses_and_of_requests_without_a_time() -> None:
    """Sabotage: leave ``timeline.pauses`` out of macros.html."""
    text = Reader(real_page()).text
    assert "1 pause of more than 15 minutes without a request, 1 h 40 min in all, is cut out; dotted lines" in text
    assert "4 requests do not say when they settled" in text
    assert "does not say when requests settled" in Reader(render({**realistic(), "timeline": None})).text


def test_every_cell_of_a_tables_head_is_a_heading() -> None:
    """They look alike then, and are read out as such. Sabotage: let one be a ``td``."""
    heads = re.findall(r"<thead.*?</thead>", real_page(), re.DOTALL)
    assert len(heads) > 10
    assert [head for head in heads if "<td" in head] == []


def test_the_charts_have_tables_whose_numbers_add_up() -> None:
    """Sabotage: thin the rows instead of adding bins up."""
    found = over_time()
    charts = time_charts.draw_timeline(found)
    assert list(charts) == ["throughput", "under-way", "limits", "failures-over-time"]
    assert {len(chart.rows) for chart in charts.values()} == {20}
    minutes = found["seconds"] / 20
    assert sum(row[1] * minutes for row in charts["throughput"].rows) == pytest.approx(sum(found["settled"]))
    assert [row[2] for row in charts["under-way"].rows] == [32] * 11 + [16] * 9
    assert charts["limits"].head[1:] == ["http://pod-0:8000", "http://pod-1:8000"]
    assert [row[1] for row in charts["limits"].rows] == [16] * 4 + [0] * 3 + [16] * 4 + [8] * 9
    failed = charts["failures-over-time"]
    assert failed.head[1:] == [kind for _, kind in failed.legend]
    assert failed.head[1:] == ["rate_limited", "overloaded", "server_error", "other kinds"]
    assert sum(sum(row[1:]) for row in failed.rows) == sum(map(sum, found["failures"].values()))


def test_what_cannot_be_drawn_is_left_out() -> None:
    """Sabotage: ask ``drawable`` of nothing in time_charts.py."""
    found = over_time()
    assert time_charts.draw_timeline(None) == {}
    assert time_charts.draw_timeline(found | {"edges": [0.0] * 121}) == {}
    assert time_charts.draw_timeline(found | {"edges": [math.inf] * 121}) == {}
    bare = found | {"failures": {}, "limits": {}}
    assert list(time_charts.draw_timeline(bare)) == ["throughput", "under-way"]
    assert list(time_charts.draw_timeline(bare | {"under_way": [1e300] * 120})) == ["throughput"]
    assert list(time_charts.draw_timeline(bare | {"limits": {"a": [[0.0, 1e300]], "b": [[0.0, 4]]}})) == [
        "throughput",
        "under-way",
    ]
