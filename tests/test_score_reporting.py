"""What a code run's report reads of scores: which files, how old they may be, and what none of them may break."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from code_report_documents import draw, write_run

from evoselfcode.datagen.code.reporting import report_code, reported_code
from evoselfcode.datagen.code.rows import CodeFileRow, Measures, row_id
from evoselfcode.shell import report_in_shell
from evoselfcode.storage import write_document, write_rows


def row(number: int, status: str | None = "pass") -> CodeFileRow:
    """Make a row of ``raw.jsonl`` that came to this when it was run."""
    return CodeFileRow(
        func_name=f"f{number}", source="L2R", description="", code=f"def f{number}(x):\n    return x\n",
        syntax_valid=True, finish_reason="stop", verdict="kept", reason=None, reasons=(), of=None, hashes=None,
        model=None, key=f"k{number}", index=0, logprob=None, measures=Measures(2, 9, False, 0.0),
        execution={"status": status, "level": "bubblewrap"} if status else None,
    )  # fmt: skip


ROWS = [row(0), row(1), row(2, "timeout"), row(3, "NameError"), row(4, "sandbox_error"), row(5, None)]


def scored_run(tmp_path: Path, *, measured: list[CodeFileRow] = ROWS) -> Path:
    """Write a run of which the first two rows are ranked and these are scored and rated."""
    folder = write_run(tmp_path, [draw(0)])
    write_rows(folder / "raw.jsonl", ROWS)
    metrics = {"stage": "code", "draws": len(ROWS), "arms": {}, "of": {"files": {}, "filters": {}}}
    write_document(folder / "metrics.json", metrics)
    for name, values in (("score/scores.jsonl", {"scores": {"ifd": 0.5}}), ("rating/ratings.jsonl", None)):
        (tmp_path / name).parent.mkdir()
        write_rows(tmp_path / name, [
            {"id": row_id(one), "func_name": one.func_name, "source": one.source}
            | (values or {"rating": {"correctness": 5 - number}})
            for number, one in enumerate(measured)
        ])  # fmt: skip
    write_rows(folder / "ranked.jsonl", [ranked_of(one, number) for number, one in enumerate(ROWS[:2])])
    return folder


def ranked_of(one: CodeFileRow, number: int) -> dict[str, Any]:
    return {
        "id": row_id(one), "func_name": one.func_name, "source": one.source, "code": one.code, "extra": [1],
        "quality": {"lint": 1.0, "docstring": None}, "scores": {"ifd": 0.5}, "rating": {"correctness": 5 - number},
        "choice": {"chosen": number == 0, "rank": None, "more": {}},
    }  # fmt: skip


def test_without_ranked_functions_nothing_is_told_of_scores(tmp_path: Path) -> None:
    """Sabotage: look for choice.json in place of ranked.jsonl."""
    assert report_code(write_run(tmp_path, [draw(0)]))["scores"] is None


def test_ratings_of_what_was_dropped_are_held_against_what_became_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sabotage: count a ``sandbox_error`` as a failure."""
    folder = scored_run(tmp_path)
    report_in_shell(folder)
    made = report_code(folder)
    found = made["scores"]["execution"]
    assert (found["ran"], found["sentence"], made["warnings"]) == ({"passed": 2, "failed": 2}, "", [])
    assert {one["metric"]: one["auc"]["estimate"] for one in found["metrics"]} == {"correctness": 1.0, "ifd": 0.5}
    assert (made["scores"]["rows"], made["scores"]["choice"]["chosen"]) == (2, {"L2R": 1})
    assert "2 functions are ranked, 1 of them chosen.\n" in capsys.readouterr().out
    assert "Judge against execution" in (folder / "report.html").read_text()


def test_where_only_kept_functions_were_rated_there_is_nothing_to_compare(tmp_path: Path) -> None:
    """Sabotage: take what ranked rows say of failed functions from somewhere else."""
    found = report_code(scored_run(tmp_path, measured=ROWS[:2]))["scores"]["execution"]
    assert found["sentence"] == "Only functions that passed were scored or rated: nothing to compare."


@pytest.mark.parametrize("name", ["code/metrics.json", "score/scores.jsonl", "rating/ratings.jsonl"])
def test_what_is_newer_than_the_ranks_is_told(tmp_path: Path, name: str) -> None:
    """Sabotage: compare nothing in ``_outdated``."""
    folder = scored_run(tmp_path)
    assert report_code(folder)["warnings"] == []
    ranked = (folder / "ranked.jsonl").stat().st_mtime_ns
    os.utime(tmp_path / name, ns=(ranked + 10**9, ranked + 10**9))
    (told,) = report_code(folder)["warnings"]
    assert told == f"ranked.jsonl is older than {Path(name).name}: choose-code again"


def test_a_report_that_is_older_than_the_ranks_is_made_again(tmp_path: Path) -> None:
    """Sabotage: leave RANKED out of ``reported_code``."""
    folder = scored_run(tmp_path)
    report_code(folder)
    assert reported_code(folder)
    page = (folder / "report.html").stat().st_mtime_ns
    os.utime(folder / "ranked.jsonl", ns=(page + 1, page + 1))
    assert not reported_code(folder)


@pytest.mark.parametrize(
    "choice", [b"[]", b"\xff", b"{", b"[" * 100_000, b'{"metrics": 7, "dimensions": [1]}', b'{"left": "out"}']
)
def test_no_file_beside_the_run_breaks_its_report(tmp_path: Path, choice: bytes) -> None:
    """Sabotage: let ``DecodeError`` through in ``_read``."""
    folder = scored_run(tmp_path)
    for path in (folder / "choice.json", tmp_path / "rating" / "metrics.json"):
        path.write_bytes(choice)
    for path in (folder / "ranked.jsonl", tmp_path / "score" / "scores.jsonl"):
        with path.open("ab") as file:
            file.write(b'{"func_name": 7}\n\xff\n')
    told, broken = report_code(folder)["warnings"], choice != b'{"left": "out"}'
    assert "4 lines of ranked.jsonl, or of scores or ratings, cannot be read and are left out" in told
    left_out = [one.partition(":")[0] for one in told if "is left out:" in one]
    assert left_out == [f"{name} is left out" for name in ("code/choice.json", "rating/metrics.json") if broken]


def test_what_the_choice_and_the_ratings_own_checks_say_is_read(tmp_path: Path) -> None:
    """Sabotage: leave ``health`` out of ``scores_of``."""
    folder = scored_run(tmp_path)
    correctness = {"informative": False, "why": ["kappa 0.1", "all are 5"], "rated": 2, "execution": {"auc": None}}
    write_document(tmp_path / "rating" / "metrics.json", {"version": 1, "dimensions": {"correctness": correctness}})
    metrics = {"lint": {"weight": 1, "auc": 0.7, "better": "higher"}}
    write_document(folder / "choice.json", {"metrics": metrics, "left_out": {"ifd": "off"}, "names": 2, "strata": []})
    scores = report_code(folder)["scores"]
    [told] = [one for one in scores["metrics"] if one["metric"] == "correctness"]
    assert (told["informative"], told["why"]) == (False, "kappa 0.1; all are 5")
    assert (scores["checks"][0]["rated"], scores["choice"]["names"]) == (2, 2)
    assert [(one["metric"], one["weight"], one["left_out"], one["auc"]) for one in scores["choice"]["metrics"]] == [
        ("lint", 1.0, None, 0.7), ("ifd", None, "off", None),
    ]  # fmt: skip


def test_replies_about_functions_that_failed_are_evidence(tmp_path: Path) -> None:
    """Kept functions alone are in ``ratings.jsonl``. Sabotage: count what is said of a function with a bug in it."""
    folder = scored_run(tmp_path, measured=ROWS[:2])
    replies = [
        (0, "rating", 5),
        (1, "rating", 4),
        (0, "mutant", 1),
        (1, "retest", 1),
        (2, "failed", 2),
        (3, "failed", 4),
    ]
    write_rows(tmp_path / "rating" / "replies.jsonl", [
        {"id": row_id(ROWS[number]), "arm": arm, "rating": {"correctness": rating}} for number, arm, rating in replies
    ])  # fmt: skip
    [one] = report_code(folder)["scores"]["execution"]["metrics"]
    assert (one["metric"], one["passed"]["known"], one["failed"]["known"]) == ("correctness", 2, 2)
    assert one["auc"]["estimate"] == 3.5 / 4


def test_the_files_that_the_choice_was_made_of_are_read(tmp_path: Path) -> None:
    """Sabotage: read what lies beside the run whatever choice.json says."""
    folder = scored_run(tmp_path)
    other = tmp_path / "elsewhere.jsonl"
    (tmp_path / "score" / "scores.jsonl").rename(other)
    assert "ifd" not in {one["metric"] for one in report_code(folder)["scores"]["execution"]["metrics"]}
    write_document(folder / "choice.json", {"files": {"scores": str(other), "ratings": "gone.jsonl"}})
    found = {one["metric"] for one in report_code(folder)["scores"]["execution"]["metrics"]}
    assert found == {"correctness", "ifd"}
