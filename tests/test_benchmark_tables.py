"""The tables of the pages say what a record says, and stand what may be missing in one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

from tables import data, generator, goodput, journal, peers
from tables.writing import exact, number

ABOUT = {
    "day": "2026-11-27", "commit": "abc1234", "versions": {"python": "3.11.7"}, "goals": [], "settings": {},
    "machine": {"cores": 2, "processor": "a processor", "cores_used_by_others": [0.0, 0.01, 0.2]},
}  # fmt: skip


def record(figures: Any, **about: Any) -> dict[str, Any]:
    return ABOUT | about | {"figures": figures}


def way(name: str, us: float, requests: int = 20_000, flying: int = 256) -> dict[str, Any]:
    run = {"safe_us": us, "run_us": us, "all_us": us}
    return {"way": name, "latency_s": 0.0, "in_flight": flying, "requests": requests, "runs": [run, run]}


def test_a_way_is_compared_with_the_bare_loop_of_the_same_conditions() -> None:
    """Sabotage: divide by the bare loop of four names, whatever was asked."""
    found = [way("bare", 20), way("generator", 50), way("bare n=16", 60), way("generator n=16", 180),
             way("mounted", 900, requests=2000), way("mounted", 240)]  # fmt: skip
    told = generator.costs(record(found))
    assert "| the generator, 16 names a request | 180 (3.0) |" in told
    assert "| the generator, the same in an `httpx.AsyncClient` | 240 (12.0) |" in told
    assert "| **the generator, until every row is safe** | not measured | 50 (2.5) | not measured |" in told
    assert "2.50 | not measured" in generator.against_bare(record(found))


def test_a_figure_does_not_look_like_the_limit_that_it_misses() -> None:
    """Sabotage: show goals with two digits."""
    goal = {"goal": "G17", "figure": 0.9496, "keep": ">=", "limit": 0.95, "met": False, "sentence": "of the best"}
    assert "| G17: of the best | 0.950 | at least 0.95 | **not met** |" in goodput.goals(record({}, goals=[goal]))
    assert (exact(0.9496), exact(12.34), number(1234.5)) == ("0.950", "12.3", "1,234")


def test_runs_that_failed_are_told_with_their_reason() -> None:
    """Sabotage: leave them out."""
    one = {"slots": 32, "client": "static", "in_flight": 8, "metrics": True, "failed": "it ended with 1"}
    found = record({"runs": [one], "not_run": {"curator": "not installed"}}, settings={"slots": [32]})
    told = goodput.runs(found)
    assert "fixed at 8: it ended with 1 | failed" in told
    assert "Not run: curator, not installed." in told
    assert "0.0%" in goodput.untuned(found)


def test_peers_are_shown_by_what_they_cost_and_the_absent_ones_too() -> None:
    """Sabotage: drop what was not measured."""
    one = {"peer": "openai3", "title": "openai 3", "requests": 5000, "remark": "", "versions": {"openai": "3.0"},
           "times_ours": {"cpu_us": 17.3, "wall_s": 9.9}}  # fmt: skip
    absent = {"peer": "curator_llm", "title": "curator", "requests": 1000, "reason": "cannot be installed: …"}
    figures = {"peers": [one, one | {"peer": "ours", "title": "ours"}], "not_measured": [absent]}
    told = peers.ratios(record(figures, settings={"in_flight": 256, "latency": "50ms", "rounds": 2}))
    assert "| openai 3 3.0 | 17.3 | 9.90 | 5,000 |" in told
    assert "| curator | not measured | cannot be installed: … | 1,000 |" in told
    assert "ours" not in told.replace("our ", "")
    goals = peers.goals(record({"not_judged": ["G6 (curator_llm)"]}))
    assert goals.endswith("Not judged, for the peer was not measured: G6 (curator_llm).")


def test_one_size_has_no_exponent() -> None:
    """Sabotage: ask for it."""
    series = {"sizes": [1000], "rows_per_cpu_s": 2000.0, "peak_mib": [90.0], "times_the_ceiling": 4.0}
    assert "| 1,000 to 1,000 | 2,000 |  | 90 |" in data.sizes(record({"filter": series}))
    size = {"shingles_rows_per_s": 1e4, "add_rows_per_s": 9e3, "verdicts_s": 1.5, "bytes_per_row": 1300.0,
            "peak_bytes_per_row": 100.0}  # fmt: skip
    found = {kind: {"5000": size} for kind in ("distinct", "alike", "boilerplate")}
    assert "power of" not in data.duplicates(record(found, settings={"sizes": [5000]}))


def test_what_was_not_done_with_many_rows_is_left_blank() -> None:
    """Sabotage: show the smaller size in its place."""
    few = {"resume": {"cpu": 0.43, "mib": 71.0}, "json": {"cpu": 6.1, "mib": 169.0}}
    many = {"resume": {"cpu": 5.7, "mib": 524.0}}
    told = journal.resuming(record({"resuming": {"1000000": few, "10000000": many}}))
    assert "| 0.43 s, 71 MiB | 5.70 s, 524 MiB |" in told
    assert "nothing compared | 6.10 s, 169 MiB |  |" in told
