"""What the report shows of a choice: totals, strata, weights, and functions at the top, the end and the edge."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from score_report_documents import ranked, scores_made

from evoselfcode.report.score_choice import EXCERPTS, MOST_STRATA, MOST_WORDS, ChoiceMade, Extremes, MetricMade
from evoselfcode.report.score_metrics import title_of
from evoselfcode.report.score_rows import RankedRow, RowChoice


def rows_made() -> list[RankedRow]:
    """Make functions of two arms, of which the second half are chosen, the last of them first."""
    return [
        ranked(n, "FIM" if n % 2 else "L2R", choice=RowChoice(
            n >= 60, "only" if n >= 60 else "beyond_top" if n % 3 else "outvoted", 100 - n if n >= 60 else None,
            n / 100, "any", f"{n % 3}",
        ))
        for n in range(100)
    ]  # fmt: skip


def choice_of(rows: list[RankedRow], **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = scores_made(rows, choice=ChoiceMade(**more))["choice"]
    return made


def test_functions_are_shown_by_their_rank_or_standing_whatever_the_order() -> None:
    """Sabotage: keep the first functions that are offered to ``Extremes``."""
    rows = rows_made()
    first = choice_of(rows)
    Random(1).shuffle(rows)
    assert choice_of(rows) == first
    assert [one["rank"] for one in first["best"]] == list(range(1, 11))
    assert [one["rank"] for one in first["last"]] == list(range(31, 41))
    near = [n for n in range(59, 0, -1) if n % 3][: EXCERPTS.functions]
    assert [one["standing"] for one in first["near"]] == [n / 100 for n in near]
    assert [one["standing"] for one in first["passed_over"]] == [n / 100 for n in range(57, 29, -3)]
    assert first["best"][0] == {
        "func_name": "task_24", "arm": "FIM", "stratum": "complexity 0", "why": "only", "rank": 1, "standing": 0.99,
        "lines": 2, "characters": len(rows_made()[99].code), "code": rows_made()[99].code,
    }  # fmt: skip


def test_the_chosen_are_counted_by_arm_by_stratum_and_by_why() -> None:
    """Sabotage: count what is ranked as chosen."""
    found = choice_of(rows_made(), names=25, pareto=3)
    assert (found["chosen"], found["names"], found["pareto"]) == ({"FIM": 20, "L2R": 20}, 25, 3)
    assert found["strata"] == {
        "count": 3,
        "most": [{"stratum": "complexity 0", "rows": 34, "chosen": 14},
                 {"stratum": "complexity 1", "rows": 33, "chosen": 13},
                 {"stratum": "complexity 2", "rows": 33, "chosen": 13}],
    }  # fmt: skip
    assert found["why"] == [
        {"why": "beyond_top", "rows": 40}, {"why": "only", "rows": 40}, {"why": "outvoted", "rows": 20}
    ]  # fmt: skip
    many = choice_of([ranked(n, choice=RowChoice(topic=f"{n}", why=f"{n}")) for n in range(MOST_STRATA + 9)])
    assert (many["strata"]["count"], len(many["strata"]["most"])) == (MOST_STRATA + 9, MOST_STRATA)
    assert len(many["why"]) == MOST_WORDS


@pytest.mark.parametrize(
    ("topic", "band", "stratum"),
    [("text", "2-4", "text, complexity 2-4"), ("text", "any", "text"), ("any", "1", "complexity 1"),
     ("any", "any", "any topic and complexity")],
)  # fmt: skip
def test_a_stratum_has_a_name(topic: str, band: str, stratum: str) -> None:
    """Sabotage: leave ``ANY`` out of ``stratum``."""
    assert RowChoice(topic=topic, band=band).stratum == stratum


def test_rows_that_say_nothing_of_a_choice_are_ranked_and_not_chosen() -> None:
    """Sabotage: ask ``row.choice.chosen`` unasked."""
    found = choice_of([ranked(0), ranked(1, choice=RowChoice(chosen=True))])
    assert found["strata"]["most"] == [{"stratum": "any topic and complexity", "rows": 2, "chosen": 1}]
    assert (found["chosen"], found["why"]) == ({"FIM": 1}, [])
    assert found["best"] == found["near"] == found["passed_over"] == []


def test_a_long_function_is_cut_and_equal_ones_are_told_apart_by_their_ids() -> None:
    """Sabotage: compare keys alone in ``Extremes``."""
    long = ranked(0, code="x" * 9_999, name="n" * 999)
    found = Extremes(2)
    for row in (long, long, ranked(1), ranked(2)):
        found.offer(0.5, row)
    assert [one["func_name"] for one in found.shown()] == ["task_0", "task_0"]
    assert "[2]" in found.shown()[0]["code"]
    found = Extremes(2)
    found.offer(0.5, long)
    [shown] = found.shown()
    assert (len(shown["code"]), shown["characters"], len(shown["func_name"])) == (EXCERPTS.characters, 9_999, 120)


def test_what_the_ranks_are_made_of_stands_by_weight() -> None:
    """Sabotage: sort by name alone."""
    metrics = {"ifd": MetricMade(1.0, 0.61), "rating_correctness": MetricMade(2.0)}
    found = choice_of([], metrics=metrics, left_out={"novelty": "nobody has it"})
    assert [(one["title"], one["weight"], one["left_out"], one["auc"]) for one in found["metrics"]] == [
        ("Correctness (rating)", 2.0, None, None), ("IFD", 1.0, None, 0.61), ("novelty", None, "nobody has it", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "title"),
    [("lint", "Lint"), ("rating_problem", "Problem (rating)"), ("docstring_pmi", "Docstring PMI"), ("<b>x", "b x")],
)
def test_metrics_of_a_choice_have_titles(key: str, title: str) -> None:
    """Sabotage: leave ``removeprefix`` out of ``title_of``."""
    assert title_of(key) == title
