"""What reviewers decided about names holds against every score."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_nameselect import ENTRIES, entry, why, write_run

from evoselfcode.datagen.pipeline.nameselect import select_names
from evoselfcode.errors import StorageError
from evoselfcode.review.decisions import Decision, standing


def decide(folder: Path, *decisions: tuple[str, str]) -> None:
    rows = [{"func_name": name, "decision": said, "tags": ["t"], "time": "2026"} for name, said in decisions]
    (folder / "decisions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_the_last_decision_of_a_canonical_name_holds(tmp_path: Path) -> None:
    """Sabotage: let the first decision hold, or key decisions by their spelling."""
    write_run(tmp_path, ENTRIES)
    decide(
        tmp_path,
        ("isPrime", "accept"),
        ("get_config", "accept"),
        ("find_path", "accept"),
        ("quicksort", "accept"),
        ("merge_intervals", "reject"),
        ("QUICK_SORT", "reject"),
        ("merge_intervals", "undo"),
        ("nobody", "reject"),
    )
    made = select_names(tmp_path)
    told = why(tmp_path)
    assert {name for name, reason in told.items() if reason is None} == {
        "is_prime", "get_config", "find_path", "merge_intervals",
    }  # fmt: skip
    assert told["quick_sort"] == "reviewed_reject"
    assert told["find_paths"] == "near_duplicate"  # of a name that a reviewer prefers
    assert made.warnings == ["1 reviewed names are not among those of the run"]


def test_names_that_are_out_drop_no_others(tmp_path: Path) -> None:
    """Sabotage: remember every name in ``_decide``, whatever became of it."""
    write_run(tmp_path, [entry(0, "find_paths", "find_path", "sort_array", "sort_arrays", "get_time", "get_times")])
    decide(tmp_path, ("find_paths", "reject"))
    select_names(tmp_path, min_score=0.8)
    assert why(tmp_path) == {
        "find_paths": "reviewed_reject",
        "find_path": None,
        "sort_array": "quarantined",
        "sort_arrays": None,
        "get_time": "low_score",
        "get_times": None,
    }


def test_decisions_that_cannot_be_read_are_told_and_a_torn_tail_is_none(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    warnings: list[str] = []
    assert standing(path, warnings) == {}
    good = b'{"func_name":"a_b","decision":"reject","tags":[],"time":"t"}\n'
    path.write_bytes(good + b'{"func_name":1}\n\n\xff\n{"func_name":"x","decision":"maybe"}\n' + good[:-1])
    assert standing(path, warnings) == {"ab": Decision(func_name="a_b", decision="reject", time="t")}
    assert warnings == ["5 lines of decisions.jsonl cannot be read and are left out"]
    path.write_bytes(good.replace(b"reject", b"undo")[:-1])
    assert standing(path, []) == {}
    path.unlink()
    path.mkdir()
    with pytest.raises(StorageError, match="cannot read"):
        standing(path, [])


def test_top_keeps_the_accepted_and_the_best(tmp_path: Path) -> None:
    """Sabotage: cut the list after ranking, whoever is on it."""
    write_run(tmp_path, ENTRIES)
    decide(tmp_path, ("xqzt", "accept"))
    best = select_names(tmp_path, top=9).selected
    made = select_names(tmp_path, top=2)
    assert [row["func_name"] for row in made.selected] == [best[0]["func_name"], "xqzt"]
    assert made.reasons["beyond_top"] == 2
    assert made.names == 2 + sum(made.reasons.values())
