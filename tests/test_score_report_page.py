"""The page's part about scores: complete, inert whatever a model wrote, no chart where there is nothing to compare."""

from __future__ import annotations

import json
import re
import unicodedata
from functools import cache
from typing import Any

import checkout
import pytest
from code_report_documents import hostile_code_run, realistic_code
from report_documents import HOSTILE
from score_report_documents import (
    hostile_scores,
    ranked,
    realistic_scored_code,
    realistic_scores,
    scores_made,
)  # fmt: skip
from test_report_page import Reader, check_inert

from evoselfcode.report.drawing import Chart
from evoselfcode.report.page import render_code
from evoselfcode.report.score_charts import draw_scores
from evoselfcode.report.score_rows import Ran

PLACE = {"FIM": 0, "L2R": 1}


@cache
def real_page() -> str:
    return render_code(realistic_scored_code())


@cache
def charts() -> dict[str, Chart]:
    return draw_scores(realistic_scores(), PLACE)


@cache
def hostile_page() -> str:
    return render_code(hostile_code_run() | {"scores": hostile_scores()})


def with_scores(scores: dict[str, Any] | None) -> Reader:
    return Reader(render_code(realistic_code() | {"scores": scores}))


def test_the_sections_are_there_and_only_where_functions_were_ranked() -> None:
    """Sabotage: leave ``score_sections()`` out of code.html."""
    read, without = Reader(real_page()), with_scores(None)
    assert read.texts["h2"][4:9] == ["Execution", "Scores", "Judge against execution", "Choice", "Kept functions"]
    assert "Scores" not in without.texts["h2"]
    assert not {"#scores", "#against-execution", "#choice"} & set(without.values("href"))
    scores = realistic_scores()
    for shown in (
        scores["sentence"], "P(FIM above)", "Means, quantiles and unknown values: static quality",
        "Not informative: 93 % of the ratings are 5.", "519 passed and 201 failed",
        "ranked functions are chosen (8.48%); they are for 90 names. 17 of the chosen are on the short list",
        "numbers, complexity 2-4", "What the ranks are made of", "How the ratings check themselves",
        "not checked: execution",
        "left out: it is not informative: 93 % of the ratings are 5", "The first that are chosen",
        "The last that are chosen", "The next, had more been asked for", "Not chosen, for others of their name",
        scores["choice"]["near"][0]["func_name"],
    ):  # fmt: skip
        assert shown in read.text, shown


def test_every_metric_has_its_chart_and_its_numbers() -> None:
    """Sabotage: draw ratings alone."""
    scores = realistic_scores()
    assert len(charts()) == len(scores["metrics"]) + 1 + len(scores["execution"]["metrics"]) == 23 + 1 + 15
    for number, one in enumerate(scores["metrics"]):
        chart = charts()[f"score-{number}"]
        assert chart.title == one["title"]
        assert len(chart.rows) == len(one["edges"]) - 1
    first, correctness = scores["metrics"][2]["arms"][0]["bars"][0], charts()["score-2"]
    estimate, low, high = (100 * first["share"][key] for key in ("estimate", "low", "high"))
    assert (correctness.title, correctness.head) == ("Correctness", ["points, 1 to 5", "FIM", "L2R"])
    assert correctness.rows[0][:2] == ["1", f"{estimate:.1f}% ({low:.1f} to {high:.1f}), {first['count']}"]
    assert correctness.description.endswith("Ratings stand at the nearest whole number.")


def test_an_arm_has_its_colour_though_it_alone_was_ranked() -> None:
    """Sabotage: number arms as they come in ``draw_scores``."""
    rows = [ranked(number, "L2R", rating={"problem": 3.0}) for number in range(9)]
    svg = draw_scores(scores_made(rows), PLACE)["score-0"].svg
    assert "var(--arm-1)" in svg
    assert "var(--arm-0)" not in svg


def test_where_nothing_failed_no_chart_misleads() -> None:
    """Sabotage: show the charts whatever the sentence says."""
    rows = [ranked(number, rating={"problem": 3.0}) for number in range(9)]
    read = with_scores(scores_made(rows, [Ran(row.id, row.func_name, passed=True) for row in rows]))
    assert "Only functions that passed were scored or rated: nothing to compare." in read.text
    assert "How well each metric tells passed from failed" not in read.text


def test_a_rating_that_is_not_informative_is_grey_and_says_why() -> None:
    """Sabotage: leave ``faint`` out of ``figure``."""
    faint = [attributes["class"] for tag, attributes in Reader(real_page()).elements
             if "faint" in (attributes.get("class") or "").split()]  # fmt: skip
    assert sorted(faint) == ["card faint"] * 2 + ["faint"] * 5
    assert "--muted" in charts()["curve-areas"].svg


def test_text_of_a_model_makes_no_element_and_what_does_not_print_is_an_escape() -> None:
    """Sabotage: write ``found.code`` of an excerpt as ``Markup``, or a stratum with ``|safe``."""
    written = hostile_page()
    read = Reader(written)
    check_inert(read)
    assert not re.search("<script|<img", written, re.IGNORECASE)
    assert "<svg onload" not in written
    for shown in (HOSTILE[0], HOSTILE[1], "{{ 7 * 7 }}", "characters are left out; all are in ranked.jsonl."):
        assert shown in read.text, shown
    assert {c for c in written if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}} == {"\n"}
    assert written.encode().decode() == written
    assert len(written) < 900_000


def test_the_page_needs_nothing_else_and_ids_are_unique() -> None:
    """Sabotage: call every chart of scores by one key."""
    read = Reader(real_page())
    check_inert(read)
    ids = read.values("id")
    assert len(set(ids)) == len(ids)
    pointed = {word for value in read.values("aria-labelledby") for word in value.split()}
    assert pointed | {value[1:] for value in read.values("href") if value[0] == "#"} <= set(ids)
    for table in re.findall(r"<table.*?</table>", real_page(), re.DOTALL):
        assert re.search(r"^<table[^>]*><caption>[^<]+</caption>", table)


def test_the_page_is_the_same_from_report_json() -> None:
    """Sabotage: hand a tuple or a number as a key to the document."""
    document = realistic_scored_code()
    assert json.loads(json.dumps(document)) == document
    assert render_code(json.loads(json.dumps(document))) == real_page()


@pytest.mark.parametrize("rows", [[], [ranked(0)], [ranked(n, rating={"problem": None}) for n in range(9)],
                                  [ranked(n, quality={"lint": 0.5}) for n in range(9)]])  # fmt: skip
def test_little_to_show(rows: list[Any]) -> None:
    """Sabotage: divide by ``scores.rows`` unasked in scores.html."""
    read = with_scores(scores_made(rows))
    check_inert(read)
    assert f"0 of {len(rows)} ranked functions are chosen" in read.text


def test_every_field_is_documented() -> None:
    """Sabotage: add a field to what is told of a metric, of a comparison or of the choice, and leave files.md alone."""
    found = realistic_scores()
    for name, fields in (
        ("code report scores", found),
        ("code report metric", found["metrics"][0]),
        ("code report metric arm", found["metrics"][0]["arms"][0]),
        ("code report score comparison", found["comparisons"][0]["metrics"][0]),
        ("code report outcome", found["execution"]["metrics"][0]),
        ("code report check", found["checks"][0]),
        ("code report choice", found["choice"]),
    ):
        told = [key for row in checkout.table(checkout.read("docs/reference/files.md"), name)
                for key in checkout.ticked(row[0])]  # fmt: skip
        assert sorted(told) == sorted(fields), name
