"""Choosing among the functions of a run: who is chosen, and why."""

from __future__ import annotations

from pathlib import Path

import pytest
from kept_rows import agreement, choose, chosen, lines, row, scored, why, write, write_code

from evoselfcode.datagen.choosing.choosing import CHOSEN, RANKED
from evoselfcode.errors import UsageError


def test_those_who_agree_come_first_whatever_else_speaks_for_others(tmp_path: Path) -> None:
    """Sabotage: put the fused rank before the group."""
    rows = [
        row(0, agreement=agreement(3, 4)),
        row(1, agreement=agreement(1, 4, chosen=False), code='def f(x):\n    """Do."""\n    return x + 9\n'),
    ]
    folder = write_code(tmp_path / "code", rows)
    made = choose(folder, strata={"least": 1})
    assert why(folder) == {"k0": "agreement", "k1": "outvoted"}
    told = {row["key"]: row["choice"] for row in lines(folder / RANKED)}
    assert told["k0"]["evidence"] == "agreement"
    assert told["k0"]["metrics"]["evidence"]["value"] == pytest.approx(0.300642)  # Wilson's, of three of four
    assert told["k1"]["metrics"]["evidence"]["value"] == 0.0
    assert made["why"] == {"agreement": 1, "outvoted": 1}
    assert choose(folder, per_name=2)["chosen"] == 1  # what disagrees is never second


def test_agreement_that_says_nothing_counts_as_none(tmp_path: Path) -> None:
    """Sabotage: take ``chosen`` alone for agreement."""
    draws = [row(number, alpha="b", reasons=("duplicate",), verdict="dropped") for number in (5, 6)]
    rows = [row(0, agreement=agreement(3, 4, vacuous=True)), row(1, alpha="b")]
    folder = write_code(tmp_path / "code", rows, draws)
    choose(folder)
    assert why(folder) == {"k0": "outvoted", "k1": "copies"}
    told = {row["key"]: row["choice"] for row in lines(folder / RANKED)}
    assert (told["k1"]["copies"], told["k1"]["draws"], told["k1"]["evidence"]) == (3, 4, "copies")


def test_copies_are_counted_among_all_draws_that_nothing_else_is_against(tmp_path: Path) -> None:
    """Sabotage: count draws with any reason, or those of other names and descriptions."""
    same = {"alpha": "a", "verdict": "dropped"}
    draws = [
        row(2, **same, reasons=("duplicate",)),
        row(3, **same, reasons=("near_duplicate",)),
        row(4, **same, reasons=("failed", "duplicate")),
        row(5, name="g", **same, reasons=("duplicate",)),
        row(6, description="Else.", **same, reasons=("duplicate",)),
        row(7, verdict="dropped", reasons=("duplicate",)),
    ]
    folder = write_code(tmp_path / "code", [row(0, alpha="a"), row(1)], draws)
    choose(folder)
    told = {row["key"]: row["choice"] for row in lines(folder / RANKED)}
    assert [(told[key]["copies"], told[key]["draws"]) for key in ("k0", "k1")] == [(3, 5), (1, 5)]


def test_a_group_of_which_all_were_dropped_for_others_leaves_the_choice_to_copies(tmp_path: Path) -> None:
    """Their evidence stays none: another group had won. Sabotage: look for winners among the kept alone."""
    winner = row(5, agreement=agreement(3, 5), reasons=("near_duplicate",), verdict="dropped")
    rows = [row(0, agreement=agreement(1, 5, chosen=False)), row(1, agreement=agreement(1, 5, chosen=False))]
    folder = write_code(tmp_path / "code", rows, [winner])
    choose(folder)
    assert sorted(why(folder).values()) == ["outranked", "rank"]
    assert {row["choice"]["metrics"]["evidence"]["value"] for row in lines(folder / RANKED)} == {0.0}


def test_a_length_in_the_middle_of_the_draws_is_typical(tmp_path: Path) -> None:
    """Sabotage: take the median of the kept functions, each counted once, or the mean."""
    codes = [f"def f(x):\n    return x{' + x' * times}\n" for times in (0, 1, 2, 9)]
    rows = [row(number, code=code) for number, code in enumerate(codes)]
    copies = [row(number, code=codes[0], index=1, verdict="dropped", reasons=("duplicate",)) for number in range(5, 9)]
    folder = write_code(tmp_path / "code", rows, copies)
    choose(folder, per_name=4)
    told = {one["key"]: one["choice"]["metrics_within"] for one in lines(folder / RANKED)}
    assert [told[f"k{number}"]["typical"]["value"] for number in range(4)] == [0, -4, -8, -36]
    assert told["k0"]["typical"] == {"value": 0.0, "rank": 1.0, "percentile": 0.5, "weight": 2.0}  # it has most copies
    assert told["k3"]["typical"]["rank"] == 3.0
    assert {"novelty", "logprob"} & {*told["k3"]} == set()
    choose(write_code(tmp_path / "alone", [row(0)]))
    assert lines(tmp_path / "alone" / RANKED)[0]["choice"]["metrics_within"] == {}


def test_the_best_are_first_and_the_rest_is_beyond(tmp_path: Path) -> None:
    """Sabotage: cut before the order, or number what is not chosen."""
    rows = [row(number, f"name_{number}", agreement=agreement(number + 1, 9)) for number in range(4)]
    folder = write_code(tmp_path / "code", rows)
    assert choose(folder)["chosen"] == 4
    assert chosen(folder) == ["k3", "k2", "k1", "k0"]
    assert [row["choice"]["rank"] for row in lines(folder / RANKED)] == [1, 2, 3, 4]
    assert choose(folder, top=3)["chosen"] == 3
    assert why(folder) == dict.fromkeys(("k3", "k2", "k1"), "only") | {"k0": "beyond_top"}
    assert choose(folder, share=0.3)["chosen"] == 2
    assert [row["choice"]["rank"] for row in lines(folder / RANKED)] == [1, 2, None, None]


def test_the_short_list_is_what_no_chosen_one_beats_in_all(tmp_path: Path) -> None:
    """Sabotage: let functions that are not chosen beat others."""
    rows = [row(number, f"name_{number}") for number in range(3)]
    better = row(9, "name_2", agreement=agreement(1, 2, chosen=False))
    rows[2] = row(2, "name_2", agreement=agreement(1, 2))
    folder = write_code(tmp_path / "code", [*rows, better])
    points = zip([*rows, better], (3, 2, 1, 4), (1, 2, 1, 4), strict=True)
    write(tmp_path / "score" / "scores.jsonl", [scored(one, docstring_pmi=x, tail_logprob=y) for one, x, y in points])
    assert choose(folder, pareto=["docstring_pmi", "tail_logprob"])["pareto"] == 2
    listed = {row["key"]: row["choice"]["pareto"] for row in lines(folder / RANKED)}
    assert listed == {"k0": True, "k1": True, "k2": False, "k9": False}
    assert choose(folder, pareto=["lint"])["pareto"] == 3  # all alike
    assert choose(folder, pareto=[])["pareto"] == 0


def tail_rows(tmp_path: Path) -> Path:
    rows = [row(number, agreement=agreement(3, 5)) for number in range(3)]
    rows.append(row(3, agreement=agreement(2, 5, chosen=False)))
    rows += [row(4, "g"), row(5, "g")]
    folder = write_code(tmp_path / "code", rows)
    scores = [scored(one, perplexity=value) for one, value in zip(rows, (1.0, 1.5, 9.0, 99.0, 2.0, 3.0), strict=True)]
    write(tmp_path / "score" / "scores.jsonl", scores)
    return folder


def test_the_tail_is_drawn_among_the_verified(tmp_path: Path) -> None:
    """Sabotage: draw among all functions of a name, or towards low perplexity."""
    folder = tail_rows(tmp_path)
    choose(folder, tail={"enabled": True})
    told = {row["key"]: row["choice"] for row in lines(folder / RANKED)}
    assert told["k2"]["drawn"] == 8  # exp(2 * 7.5) is three million to one
    assert [told[key]["why"] for key in ("k0", "k1", "k2", "k3")] == ["not_drawn", "not_drawn", "tail", "outvoted"]
    assert told["k3"]["drawn"] is None
    assert sorted(told[key]["why"] for key in ("k4", "k5")) == ["outranked", "rank"]  # nothing of it was run
    choose(folder, tail={"enabled": True, "sharpness": 0.0, "k": 64})
    drawn = [row["choice"]["drawn"] for row in lines(folder / CHOSEN) if row["func_name"] == "f"]
    assert (len(drawn), sum(drawn)) == (3, 64)


def test_a_function_that_did_well_is_verified_where_no_group_decides(tmp_path: Path) -> None:
    """Sabotage: take ``pass`` of a function that was only defined."""
    good, defined = ({"status": "pass", "calls": calls, "examples": None} for calls in (3, 0))
    rows = [row(0, execution=good), row(1, execution=defined)]
    folder = write_code(tmp_path / "code", rows)
    write(tmp_path / "score" / "scores.jsonl", [scored(one, perplexity=2.0) for one in rows])
    choose(folder, tail={"enabled": True})
    assert why(folder) == {"k0": "tail", "k1": "not_drawn"}


def test_a_tail_of_nothing_is_one_message(tmp_path: Path) -> None:
    """Sabotage: choose without a word, as if no tail had been asked for."""
    folder = write_code(tmp_path / "code", [row(0)])
    with pytest.raises(UsageError, match="there is none"):
        choose(folder, tail={"enabled": True})


def test_an_auc_says_which_metric_tells_who_agrees(tmp_path: Path) -> None:
    """Sabotage: count functions that were not run, or perplexity the wrong way round."""
    rows = [row(number, name, agreement=agreement(2, 3, chosen=number < 2)) for name in "fg" for number in range(3)]
    rows += [row(7, "h"), row(8, "i", agreement=agreement(1, 2, vacuous=True))]
    folder = write_code(tmp_path / "code", rows)
    values = [1.0, 1.0, 2.0, 3.0, 3.0, 4.0, 0.0, 0.0]
    write(
        tmp_path / "score" / "scores.jsonl",
        [scored(one, perplexity=x, body_logprob=x) for one, x in zip(rows, values, strict=True)],
    )
    metrics = choose(folder)["metrics"]
    assert (metrics["perplexity"]["auc"], metrics["perplexity"]["auc_within"]) == (0.75, 1.0)
    assert (metrics["body_logprob"]["auc"], metrics["body_logprob"]["auc_within"]) == (0.25, 0.0)
    assert metrics["evidence"]["auc"] is None
