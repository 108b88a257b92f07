"""What the report says of a code run: the funnel, the gates, what is shown, names, agreement, arms side by side."""

from __future__ import annotations

from random import Random
from typing import Any

import checkout
import msgspec
import pytest
from code_report_documents import audit_of, draw, entry, made, metrics_of, realistic_code, realistic_draws

from evoselfcode.datagen.code.rows import CodeFileRow, Measures
from evoselfcode.datagen.filters.gates import CODE_REASONS
from evoselfcode.datagen.filters.hashes import Hashes
from evoselfcode.records import Failure
from evoselfcode.report.code_draws import CodeDraw, _Agreement
from evoselfcode.report.excerpts import DROPPED, KEPT, Chosen, excerpt, lines_of
from evoselfcode.stats.compare import paired
from evoselfcode.stats.intervals import wilson
from evoselfcode.storage import Damage


def arm_of(document: dict[str, Any], name: str = "L2R") -> dict[str, Any]:
    return next(arm for arm in document["arms"] if arm["arm"] == name)


def test_every_row_that_a_filter_writes_can_be_read() -> None:
    """Sabotage: give ``CodeDraw`` a field that rows have not, or another type."""
    row = CodeFileRow(
        func_name="f", source="L2R", description="", code="def f(): ...", syntax_valid=True, finish_reason="stop",
        verdict="dropped", reason="failed", reasons=("failed",), of="timeout", hashes=Hashes("aa", "bb", "cc"),
        model=None, key="k", index=0, logprob=-1.5, measures=Measures(1, 3, False, 0.0), lint=("F841",),
        execution={"status": "timeout", "detail": None, "level": "landlock", "asserts": {"passed": 1, "of": 2}},
        agreement={"size": 1, "of": 2, "chosen": False, "vacuous": True},
    )  # fmt: skip
    read = msgspec.json.decode(msgspec.json.encode(row), type=CodeDraw)
    assert (read.reasons, read.of, read.hashes and read.hashes.alpha) == (("failed",), "timeout", "cc")
    assert read.execution is not None
    assert (read.execution.level, read.execution.asserts.of) == ("landlock", 2)
    bare = msgspec.structs.replace(row, hashes=None, execution=None, agreement=None, reason=None, of=None)
    assert msgspec.json.decode(msgspec.json.encode(bare), type=CodeDraw).execution is None


DRAWS = [
    draw(0, "unparsable"), draw(1, "no_return", "unparsable"), draw(2, "dunder"), draw(3, "failed", status="timeout"),
    draw(4, "duplicate", status="pass"), draw(5, "near_duplicate", status="pass"),
    draw(6, "quarantined", status="pass"), draw(7, status="pass"), draw(8, status="sandbox_error"),
]  # fmt: skip


def test_every_draw_comes_as_far_as_the_first_step_that_is_against_it() -> None:
    """Sabotage: leave ``quarantined`` out of ``BEHIND_THE_GATES``."""
    arm = arm_of(made(DRAWS, metrics=metrics_of(DRAWS, execute=True)))
    assert [(step["step"], step["count"]) for step in arm["funnel"]] == [
        ("draws", 9), ("parsed by Python", 7), ("passed by the gates", 6), ("held when they were run", 5),
        ("no duplicate", 3), ("kept", 2),
    ]  # fmt: skip
    assert (arm["quarantined"], arm["distinct"]["draws"]) == (1, 4)
    assert arm["execution"] == {
        "ran": 6, "statuses": [["pass", 4], ["sandbox_error", 1], ["timeout", 1]], "levels": ["bubblewrap"],
    }  # fmt: skip


def test_a_step_that_was_not_taken_is_not_shown() -> None:
    """Sabotage: show ``parsed by Python`` whatever the filters are."""
    rows = [draw(0), draw(1)]
    steps = [step["step"] for step in arm_of(made(rows, metrics=metrics_of(rows, enable_ast=False)))["funnel"]]
    assert steps == ["draws", "passed by the gates", "no duplicate", "kept"]


def test_gates_stand_in_the_order_of_the_ladder_with_what_they_object_to() -> None:
    """Sabotage: count objections as first reasons."""
    document = made(DRAWS)
    gates = {gate["gate"]: gate for gate in document["gates"]}
    assert list(gates) == list(CODE_REASONS)
    assert gates["unparsable"]["arms"]["L2R"] == {"first": 1, "all": 2}
    assert gates["no_return"]["arms"]["L2R"] == {"first": 1, "all": 1}
    assert {gate for gate, row in gates.items() if not row["on"]} == {"no_argument", "ruff", "failed"}
    assert document["audit"] is None
    assert gates["dunder"]["audit"] is None


def test_the_audit_says_what_a_gate_loses_or_would_lose() -> None:
    """Sabotage: take ``loses`` of a gate that was off."""
    metrics = metrics_of(DRAWS)
    document = made(DRAWS, metrics=metrics, audit=audit_of(metrics))
    gates = {gate["gate"]: gate["audit"] for gate in document["gates"]}
    assert gates["banned_call"] == {"on": True, "lost": 2}
    assert gates["ruff"] == {"on": False, "lost": 4}
    assert gates["failed"] is None
    assert document["audit"]["corpus"] == "corpus.jsonl.gz"
    assert document["warnings"] == []
    other = audit_of(metrics_of(DRAWS, max_lines=9, execute=True))
    assert made(DRAWS, metrics=metrics, audit=other)["warnings"] == [
        "audit.json was made with other filters than the run's: max_lines"
    ]


def test_the_yield_is_as_sure_as_names_are_unlike() -> None:
    """Draws of a name that are all kept or all dropped are one. Sabotage: hand ``kept`` and ``draws`` to wilson."""
    rows = [draw(number, *(("dunder",) if number // 4 % 2 else ())) for number in range(80)]
    found = arm_of(made(rows))["yield"]
    assert found["estimate"] == 0.5
    narrow, wide = wilson(40, 80), wilson(10, 20)
    assert found["low"] < narrow.low
    assert found["low"] == pytest.approx(wide.low, abs=0.02)


def test_what_is_shown_is_chosen_by_content_whatever_the_order() -> None:
    """Sabotage: keep the first functions that are offered."""
    rows = [draw(number, *(("dunder",) if number % 2 else ())) for number in range(120)]
    first = made(rows)
    Random(1).shuffle(rows)
    assert made(rows) == first
    arm = arm_of(first)
    digests = sorted(row.hashes.alpha for row in rows if row.verdict == "kept" and row.hashes)[: KEPT.functions]
    by_code = {row.code: row.hashes.alpha for row in rows if row.hashes}
    assert [by_code[found["code"]] for found in arm["functions"]] == digests
    [reason] = arm["reasons"]
    assert (reason["count"], len(reason["examples"])) == (60, DROPPED.functions)


def test_a_function_is_shown_once_and_never_whole_if_it_is_long() -> None:
    """Sabotage: offer the code itself in place of its excerpt."""
    chosen = Chosen(DROPPED)
    for _ in range(3):
        chosen.offer("aa", "f" * 10**6, "x" * 10**6 + "\n" * 50, "o" * 10**6)
    [shown] = chosen.shown()
    assert (shown["characters"], shown["lines"], len(shown["code"])) == (10**6 + 50, 50, DROPPED.characters)
    assert len(shown["func_name"]) == len(shown["of"]) == 120
    assert excerpt("a\n" * 90, DROPPED).count("\n") == DROPPED.lines - 1
    assert [lines_of(code) for code in ("", "a", "a\n", "a\nb")] == [0, 1, 1, 2]


def test_names_with_most_and_fewest_kept_functions() -> None:
    """Sabotage: sort the last by their names alone."""
    rows = [draw(number, *(() if number % 4 < number // 4 else ("dunder",))) for number in range(20)]
    rows += [draw(100 + number, "dunder", name="very_hard") for number in range(9)]
    names = arm_of(made(rows))["names"]
    assert (names["asked"], names["with_kept"]) == (6, 4)
    assert [row["name"] for row in names["most"]] == ["task_4", "task_3", "task_2", "task_1"]
    assert names["most"][0] == {"name": "task_4", "draws": 4, "parsed": 4, "kept": 4}
    assert [row["name"] for row in names["fewest"]] == ["very_hard", "task_0"]


def test_agreement_is_counted_by_name() -> None:
    """Sabotage: count draws in place of names."""
    won, vacuous = _Agreement(chosen=True, vacuous=False), _Agreement(chosen=True, vacuous=True)
    lost = _Agreement(chosen=False, vacuous=True)
    rows = [draw(number, status="pass", agreement=one) for number, one in
            enumerate([won, won, lost, None, vacuous, vacuous, lost, lost, lost, None])]  # fmt: skip
    assert made(rows)["agreement"] == {"names": 3, "agreed": 2, "vacuous": 1}
    assert made([draw(0)])["agreement"] is None


def test_arms_are_compared_name_by_name() -> None:
    """Sabotage: take the differences of shares of other names."""
    document = realistic_code()
    (one,) = document["comparisons"]
    kept = {}
    for row in realistic_draws():
        of = kept.setdefault((row.source, row.func_name), [])
        of.append(row.verdict == "kept")
    differences = [sum(kept["FIM", f"task_{n}"]) / 4 - sum(kept["L2R", f"task_{n}"]) / 4 for n in range(60)]
    found = paired(differences, Random(0))
    assert one["metrics"][0]["difference"]["estimate"] == pytest.approx(found.interval.estimate)
    assert one["metrics"][0]["difference"]["high"] == pytest.approx(found.interval.high)
    assert (one["verdict"], one["names"], one["metrics"][0]["p_holm"]) == ("FIM", 60, None)
    assert [row["verdict"] for row in one["metrics"]] == ["FIM", "FIM", "undecided"]
    assert one["sentence"].startswith("FIM keeps 27.1 percentage points more of its draws than L2R (95 % interval 18.0")
    assert document["answer"] == {"word": "FIM", "sentence": one["sentence"]}


def test_the_better_arm_is_named_whichever_comes_first() -> None:
    """Sabotage: leave out the mirrored limits in ``_sentence``."""
    rows = [draw(number, *(() if arm == "L2R" or number % 4 == 0 else ("dunder",)), arm=arm)
            for arm in ("FIM", "L2R") for number in range(100)]  # fmt: skip
    (one,) = made(rows)["comparisons"]
    assert one["verdict"] == "L2R"
    assert "L2R keeps 75.0 percentage points more of its draws than FIM (95 % interval 75.0 to 75.0" in one["sentence"]


def test_few_names_decide_nothing() -> None:
    """Sabotage: set ``FEWEST_PAIRS`` to 2."""
    rows = [draw(number, *(() if arm == "L2R" else ("dunder",)), arm=arm)
            for arm in ("FIM", "L2R") for number in range(76)]  # fmt: skip
    (one,) = made(rows)["comparisons"]
    assert (one["names"], one["verdict"]) == (19, "undecided")
    assert one["sentence"].endswith("Fewer than 20 names tell nothing.")
    assert made(rows[:76])["comparisons"] == []


def test_requests_are_counted_and_functions_are_dated_as_the_filter_left_them() -> None:
    """Sabotage: count the draws that the journal keeps in the timeline."""
    rows = [draw(0), draw(1, "duplicate"), draw(4, "dunder")]
    entries = [entry(0), entry(1, failures=("timeout",)), entry(2, failure=Failure("timeout")), entry(0, "FIM")]
    document = made(rows, entries)
    arm = arm_of(document)
    assert (arm["requests"], arm["dead"], arm["attempts"], arm["failures"]) == (3, 1, 3, {"timeout": 1})
    assert arm["tokens"] == {"prompt": 90, "completion": 600, "per_kept": 690.0}
    assert sum(document["timeline"]["kept"]) == 1
    assert arm_of(document, "FIM")["draws"] == 0
    assert "1 of 3 requests of L2R were given up" in document["warnings"]


def test_rows_that_cannot_be_read_or_are_missing_are_told() -> None:
    """Sabotage: pass over damaged rows in silence."""
    rows = [draw(0), draw(1)]
    assert made([rows[0], Damage(0, 9)], metrics=metrics_of(rows))["warnings"] == [
        "1 lines of raw.jsonl cannot be read and are left out"
    ]
    assert made(rows[:1], metrics=metrics_of(rows))["warnings"] == [
        "raw.jsonl holds 1 draws and metrics.json says 2: filter the run again"
    ]


def test_the_answer_of_one_arm_of_none_and_of_nothing_kept() -> None:
    """Sabotage: tell a verdict where nothing is kept."""
    assert made([])["answer"]["sentence"] == "No draws yet."
    dropped = [draw(number, "dunder", arm=arm) for arm in ("FIM", "L2R") for number in range(80)]
    assert made(dropped)["answer"] == {
        "word": "",
        "sentence": "None of the draws is kept. The commonest reason against one is dunder (100.0% of the draws).",
    }  # fmt: skip
    assert made([draw(0)])["answer"]["sentence"] == "1 of 1 draws are kept (100.0%)."


def test_every_field_is_documented() -> None:
    """Sabotage: add a field to the document, an arm, a gate or a comparison and leave docs/reference/files.md alone."""
    found = realistic_code()
    for name, fields in (
        ("code report", found),
        ("code report arm", found["arms"][0]),
        ("code report gate", found["gates"][0]),
        ("code report comparison", found["comparisons"][0]),
    ):
        told = [key for row in checkout.table(checkout.read("docs/reference/files.md"), name)
                for key in checkout.ticked(row[0])]  # fmt: skip
        assert sorted(told) == sorted(fields), name
