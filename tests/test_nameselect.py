"""Selecting names: rows that add up, one reason each, reviewers obeyed, the same files whatever the journal's order."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import journal_lines
import pytest
from embedded import Embedded
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_run import config, run

from evoselfcode.datagen.filters import canonical, name_scores
from evoselfcode.datagen.pipeline.nameselect import (
    MIN_SCORE,
    QUARANTINED,
    REJECTED,
    SELECT_REASONS,
    SELECTED,
    gather,
    rank,
    select_names,
)
from evoselfcode.errors import UsageError
from evoselfcode.review.decisions import Decision
from evoselfcode.storage import Draw, Entry, Journal, Manifest, write_manifest

FILES = (SELECTED, REJECTED, QUARANTINED)


def entry(number: int, *texts: str, arm: str = "FIM", logprob: float | None = None, reason: str | None = None) -> Entry:
    draws = tuple(Draw(raw_text=text, text=text, reason=reason, logprob=logprob) for text in texts)
    return Entry(key=f"{arm}{number}", stage="names", arm=arm, number=number, attempts=1, seconds=0.1, draws=draws)


def write_run(folder: Path, entries: Iterable[Entry], *, stage: str = "names", state: str = "complete") -> Path:
    folder.mkdir(exist_ok=True)
    empty: dict[str, Any] = {key: {} for key in ("versions", "fingerprint", "config", "preflight", "counts")}
    texts = dict.fromkeys(("base_url", "started", "updated"), "")
    write_manifest(folder / "manifest.json", Manifest(stage=stage, state=state, **empty, **texts))
    shutil.rmtree(folder / "journal", ignore_errors=True)
    journal = Journal(folder)
    for one in entries:
        journal.append(one)
    journal.close(0.0)
    return folder


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def why(folder: Path) -> dict[str, str | None]:
    """Return the reason of every name; ``None`` for the selected."""
    told = {row["func_name"]: None for row in rows(folder, SELECTED)}
    return told | {row["func_name"]: row["reason"] for row in rows(folder, REJECTED)}


ENTRIES = [
    entry(0, "quick_sort", "find_path", "is_prime", "get_config"),
    entry(1, "quickSort", "quick_sort", "find_paths", "xqzt", logprob=-4.0),
    entry(0, "find_path", "merge_intervals", arm="L2R", logprob=-6.0),
    entry(2, "foo", reason="weak"),
    entry(3, "find_path", reason="duplicate"),
]


def test_every_name_is_selected_or_has_one_reason(tmp_path: Path) -> None:
    """Sabotage: look for near duplicates before benchmarks, or leave a reason out of the rows."""
    made = select_names(write_run(tmp_path, ENTRIES))
    assert why(tmp_path) == {
        "merge_intervals": None,
        "quick_sort": None,
        "find_path": "near_duplicate",  # drawn three times, find_paths once: less specific
        "find_paths": None,
        "is_prime": "quarantined",
        "get_config": "low_score",
        "xqzt": "low_score",
    }
    assert made.names == len(made.selected) + sum(made.reasons.values()) == 7
    assert made.reasons == dict.fromkeys(SELECT_REASONS, 0) | {"quarantined": 1, "low_score": 2, "near_duplicate": 1}
    assert rows(tmp_path, SELECTED) == made.selected
    pointers = {row["func_name"]: row["of"] for row in rows(tmp_path, REJECTED) if "of" in row}
    assert pointers == {"find_path": "find_paths", "is_prime": "HumanEval"}
    assert rows(tmp_path, QUARANTINED) == [row for row in rows(tmp_path, REJECTED) if row["reason"] == "quarantined"]


def test_a_row_tells_the_score_and_its_parts(tmp_path: Path) -> None:
    select_names(write_run(tmp_path, ENTRIES))
    row = next(row for row in rows(tmp_path, SELECTED) if row["canonical"] == "quicksort")
    assert list(row) == ["func_name", "canonical", "score", "scores", "count", "arms", "rank"]
    assert list(row["scores"]) == list(name_scores.WEIGHTS)
    assert (row["func_name"], row["count"], row["arms"]) == ("quick_sort", 3, ["FIM"])
    assert row["score"] == pytest.approx(name_scores.mean(row["scores"]), abs=1e-4)
    told = rows(tmp_path, SELECTED)
    assert [row["rank"] for row in told] == list(range(1, len(told) + 1))
    assert [row["score"] for row in told] == sorted((row["score"] for row in told), reverse=True)


def test_names_without_logprob_have_no_typicality(tmp_path: Path) -> None:
    """Sabotage: count a draw without log-probability as one of 0."""
    names = gather(ENTRIES)
    assert names["quicksort"].logprobs == [-4 / 9, -4 / 10]
    assert names["findpath"].logprobs == [-6 / 9]
    select_names(write_run(tmp_path, ENTRIES))
    parts = {row["func_name"]: row["scores"]["typicality"] for row in rows(tmp_path, REJECTED)}
    assert parts["is_prime"] is None
    assert parts["xqzt"] is not None


def test_the_order_of_draws_does_not_reach_the_mean() -> None:
    """0.1 + 0.2 + 0.3 is not 0.3 + 0.2 + 0.1. Sabotage: ``sum`` in place of ``math.fsum``."""
    steps = [-1.0, -2.0, -3.0]
    entries = [entry(i, "left_a", logprob=step) for i, step in enumerate(steps, 10)]
    entries += [entry(i, "left_b", logprob=step) for i, step in enumerate(reversed(steps), 20)]
    entries += [entry(i, f"other_{chr(97 + i)}", logprob=-0.1) for i in range(10)]
    for name in (names := gather(entries)).values():
        name.logprobs = [value * 6 / 10 for value in name.logprobs]
    rank(names.values(), {}, top=None, min_score=0)
    assert names["lefta"].logprobs == names["leftb"].logprobs[::-1]
    first, second = names["lefta"].logprobs[:2]
    assert first + second + names["lefta"].logprobs[2] != names["leftb"].logprobs[0] + second + first
    assert names["lefta"].scores["typicality"] == names["leftb"].scores["typicality"] < 1


NAMES = ["quick_sort", "quicksort", "sort_list", "list_sort", "is_prime", "setup", "xqzt", "find_path", "find_paths",
         "count_words", "count_words_2", "merge_sort", "heap_sort", "sort", "a_star_search", "", "Ünï_x"]  # fmt: skip
journals = st.lists(
    st.builds(
        lambda texts, arm, logprob, reason: (texts, arm, logprob, reason),
        st.lists(st.sampled_from(NAMES) | st.from_regex(r"[a-c_]{1,6}", fullmatch=True), max_size=5),
        st.sampled_from(["FIM", "L2R"]),
        st.none() | st.floats(-50, 0),
        st.sampled_from([None, None, "duplicate", "weak"]),
    ),
    max_size=8,
)
decisions = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["accept", "reject"]), max_size=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    drawn=journals, said=decisions, top=st.none() | st.integers(1, 5), least=st.floats(0, 1), shuffle=st.randoms()
)  # fmt: skip
def test_rows_add_up_in_any_order(
    drawn: list[Any], said: dict[str, Any], top: int | None, least: float, shuffle: Any
) -> None:
    """Sabotage: let the last sort of ``rank`` go; keep names below the least score."""
    entries = [
        entry(i, *texts, arm=arm, logprob=logprob, reason=reason)
        for i, (texts, arm, logprob, reason) in enumerate(drawn)
    ]
    held = {canonical(name): Decision(func_name=name, decision=what) for name, what in said.items()}
    ranked = rank(gather(entries).values(), held, top=top, min_score=least)
    there = {canonical(d.text) for one in entries for d in one.draws if d.reason in (None, "duplicate")}
    assert sorted(name.canonical for name in ranked) == sorted(there)
    counts = Counter(name.reason for name in ranked)
    assert set(counts) <= {None, *SELECT_REASONS}
    for name in ranked:
        decision = held.get(name.canonical)
        assert (name.reason == "reviewed_reject") == (decision is not None and decision.decision == "reject")
        if decision is not None and decision.decision == "accept":
            assert name.reason is None
        if name.reason is None and decision is None:
            assert name.score >= least
    if top is not None:
        assert counts[None] <= max(top, len(held))
    shuffle.shuffle(entries)
    again = rank(gather(entries).values(), held, top=top, min_score=least)
    assert [(name.row(), name.reason, name.because) for name in again] == [
        (name.row(), name.reason, name.because) for name in ranked
    ]


async def test_a_run_of_the_model_is_selected_from_its_folder(tmp_path: Path) -> None:
    """Sabotage: write ``selected.jsonl`` in the order of the journal."""
    await run(Embedded(), config(tmp_path, num_requests=30))
    folder = tmp_path / "names"
    made = select_names(folder)
    assert made.warnings == []
    assert made.names > len(made.selected) > 20
    before = [(folder / name).read_bytes() for name in FILES]
    lines = journal_lines.lines(folder)
    journal_lines.rewrite(folder, [*reversed(lines), lines[0]])  # and a key twice
    select_names(folder, out=tmp_path / "else" / "where")
    assert [(tmp_path / "else" / "where" / name).read_bytes() for name in FILES] == before
    assert sorted(path.name for path in (tmp_path / "else" / "where").iterdir()) == sorted(FILES)
    assert made.lines()[0] == f"{len(made.selected)} of {made.names} names selected: {folder / SELECTED}"


def test_a_run_that_is_under_way_or_damaged_says_so(tmp_path: Path) -> None:
    write_run(tmp_path, ENTRIES, state="running")
    (journal,) = journal_lines.segments(tmp_path)
    size = journal.stat().st_size
    with journal.open("ab") as file:
        file.write(b"half a li")
    made = select_names(tmp_path)
    assert made.warnings == [
        "the run is not complete: it is running",
        f"1 damaged journal lines are left out; {journal.name} at byte {size}",
    ]


def test_a_run_without_names_selects_nothing(tmp_path: Path) -> None:
    made = select_names(write_run(tmp_path, []))
    assert (made.names, made.selected, sum(made.reasons.values())) == (0, [], 0)
    assert [(tmp_path / name).read_bytes() for name in FILES] == [b""] * 3


def test_a_folder_without_a_names_run_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no run: it has no manifest\.json\nhint: name the folder"):
        select_names(tmp_path)
    with pytest.raises(UsageError, match="run of the stage 'code', expected one of 'names'"):
        select_names(write_run(tmp_path, [], stage="code"))
    shutil.rmtree(tmp_path / "journal")
    with pytest.raises(UsageError, match=r"it has no journal"):
        select_names(tmp_path)
    assert not (tmp_path / SELECTED).exists()


@pytest.mark.parametrize("missing", ["wordfreq", "rapidfuzz"])
def test_a_missing_extra_is_one_message_with_what_to_install(tmp_path: Path, missing: str) -> None:
    """Sabotage: import rapidfuzz at the top of nameselect.py."""
    write_run(tmp_path, ENTRIES)
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from pathlib import Path\n"
        "from evoselfcode.datagen.pipeline.nameselect import select_names\n"
        "from evoselfcode.errors import UsageError\n"
        f"try: select_names(Path({str(tmp_path)!r}))\n"
        "except UsageError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == f'select-names needs {missing}\nhint: pip install "evoselfcode[select]"\n'
    assert not (tmp_path / SELECTED).exists()


def test_known_good_names_are_not_rejected(tmp_path: Path) -> None:
    good = ["quick_sort", "dijkstra", "n_queens", "a_star_search", "kadane", "linear_search_tree", "linear_search"]
    select_names(write_run(tmp_path, [entry(0, *good, "binary_search_tree", "binary_search")]))
    told = dict.fromkeys([*good, "binary_search_tree"]) | {"binary_search": "quarantined"}  # MBPP has a task of it
    assert why(tmp_path) == told
    assert min(row["score"] for row in rows(tmp_path, SELECTED)) > MIN_SCORE
