"""What the report says of scores: distributions, arms side by side, judge against execution, in bounded memory."""

from __future__ import annotations

import json
import math
from random import Random
from typing import Any

import pytest
from score_report_documents import HEALTH, ranked, realistic_scores, scores_made

from evoselfcode.report.score_columns import LARGEST, Columns
from evoselfcode.report.score_metrics import Metric, edges_of, metric_of, places_of
from evoselfcode.report.score_rows import Outcomes, Ran, RankedRow, ScoredRow
from evoselfcode.stats.compare import holm, mann_whitney_effect
from evoselfcode.stats.intervals import clustered, wilson
from evoselfcode.storage import Damage


def metric(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in document["metrics"] if one["metric"] == name)


def compared(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for one in document["comparisons"] for row in one["metrics"] if row["metric"] == name)


def rated(values: dict[str, list[float | None]], names: int = 30, **more: Any) -> list[RankedRow]:
    """Make rows of arms that are rated so, in turn, for so many names."""
    return [
        ranked(number, arm, name=f"n{number % names}", rating={"correctness": value}, **more)
        for arm, of_arm in values.items() for number, value in enumerate(of_arm)
    ]  # fmt: skip


def test_one_metric_by_hand() -> None:
    """Sabotage: count unknown values as 0."""
    rows = rated({"FIM": [1.0, 2.4, 2.5, 5.0, 5.0, 4.6, None, None]}, names=4)
    found = metric(scores_made(rows), "correctness")
    assert (found["title"], found["better"], found["informative"]) == ("Correctness", "higher", None)
    [arm] = found["arms"]
    assert (arm["arm"], arm["known"], arm["unknown"]) == ("FIM", 6, 2)
    assert [bar["count"] for bar in arm["bars"]] == [1, 1, 1, 0, 3]
    assert arm["quantiles"] == pytest.approx(
        {
            "least": 1.0,
            "p5": 1.35,
            "first_quartile": 2.425,
            "median": 3.55,
            "third_quartile": 4.9,
            "p95": 5.0,
            "most": 5,
        }
    )
    known = clustered([1.0, 2.4, 2.5, 5.0, 5.0, 4.6], [0, 1, 2, 3, 0, 1]).interval
    assert arm["mean"] == pytest.approx({"estimate": known.estimate, "low": known.low, "high": known.high})
    assert arm["at_maximum"]["estimate"] == arm["bars"][4]["share"]["estimate"] == 0.5


def test_bars_stand_at_whole_numbers_or_at_round_ones() -> None:
    """Sabotage: take the least and the largest value for the ends: one outlier then makes all bars but two empty."""
    columns = Columns()
    for number in range(1000):
        columns.add("a", f"{number}", {"q.x": number % 7, "q.y": (number % 100) / 999 if number else 1e9})
    whole, round_ = (edges_of(Metric("x", ""), columns.known("a", key)[0]) for key in ("q.x", "q.y"))
    assert whole == [-0.5, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5]
    assert (round_[0], round_[-1], len(round_)) == (0.0, 0.1, 21)
    assert [int(place) for place in places_of(round_, columns.known("a", "q.y")[0][:2])] == [19, 0]
    assert edges_of(Metric("x", ""), columns.known("a", "none")[0]) == []
    assert edges_of(Metric("x", ""), columns.known("a", "q.y")[0][5:6]) == pytest.approx(
        [0.005005, 0.00500501], abs=1e-7
    )
    tenths = edges_of(metric_of("quality", "lint"), columns.known("a", "q.y")[0])
    assert (tenths[0], tenths[-1], len(tenths)) == (0.0, 1.0, 11)
    assert metric_of("rating", "<b>\n\u202e" + "x" * 99).title == "b" + " " * 3 + "x" * 19


VERDICTS = [
    ("FIM", [4.0, 4.4, 4.2], [3.0, 3.4, 3.2]),
    ("L2R", [3.0, 3.4, 3.2], [4.0, 4.4, 4.2]),
    ("equivalent", [3.0, 3.01, 3.02], [3.04, 3.03, 3.02]),  # and surely different
    ("equivalent", [3.0, 3.02, 3.04], [3.04, 3.0, 3.021]),
    ("undecided", [1.0, 5.0, 3.0], [5.0, 1.0, 3.3]),
]


@pytest.mark.parametrize(("verdict", "xs", "ys"), VERDICTS)
def test_verdicts_on_ratings(verdict: str, xs: list[float], ys: list[float]) -> None:
    """The margin is 0.05 points. Sabotage: ask for significance before equivalence, or for equivalence last."""
    row = compared(scores_made(rated({"FIM": xs * 20, "L2R": ys * 20}, names=59), health=HEALTH), "correctness")
    assert row["verdict"] == verdict
    assert (row["margin"], row["names"], row["p_holm"]) == (0.05, 59, row["p"])
    assert row["above"]["estimate"] == pytest.approx(mann_whitney_effect(xs, ys))
    assert row["difference"]["estimate"] == pytest.approx(math.fsum(xs) / 3 - math.fsum(ys) / 3)


def test_few_names_decide_nothing_and_one_arm_is_not_compared() -> None:
    """Sabotage: set ``FEWEST_PAIRS`` to 2."""
    few = rated({"FIM": [4.0, 4.4, 4.2] * 20, "L2R": [3.0, 3.4, 3.2] * 20}, names=19)
    assert compared(scores_made(few), "correctness")["verdict"] == "undecided"
    assert scores_made([row for row in few if row.source == "FIM"])["comparisons"] == []
    assert scores_made(rated({"FIM": [1.0], "L2R": [2.0]}))["comparisons"] == []


def test_a_metric_without_a_good_end_names_no_arm_and_the_lower_one_may_be_better() -> None:
    """Sabotage: name the arm with the higher value whatever is better."""
    rows = [
        ranked(4 * n, arm, scores={"perplexity": value + n / 99, "docstring_pmi": value + n / 99, "other": value})
        for arm, value in (("FIM", 9.0), ("L2R", 5.0)) for n in range(40)
    ]  # fmt: skip
    document = scores_made(rows)
    assert [compared(document, name)["verdict"] for name in ("perplexity", "docstring_pmi", "other")] == [
        "different", "FIM", "different",
    ]  # fmt: skip
    assert compared(document, "other")["cohen_d"] is None
    assert document["sentence"] == (
        "80 functions are ranked, 0 of them chosen. Of 3 metrics, FIM is better in 1, they differ in 2 that have no "
        "good end."
    )


def test_p_values_are_adjusted_within_their_family_without_what_is_not_informative() -> None:
    """Sabotage: adjust all metrics together."""
    [one] = realistic_scores()["comparisons"]
    for family, count in (("rating", 4), ("scores", 10), ("quality", 8)):
        rows = [row for row in one["metrics"] if row["family"] == family and row["verdict"] != "not informative"]
        assert len(rows) == count
        assert [row["p_holm"] for row in rows] == pytest.approx(holm([row["p"] for row in rows]))
    [left] = [row for row in one["metrics"] if row["verdict"] == "not informative"]
    assert (left["metric"], left["p_holm"]) == ("readability", None)


def test_what_was_rated_is_held_against_what_became_of_it() -> None:
    """Sabotage: take the ranked rows alone: none of them failed."""
    rows = rated({"FIM": [4.0, 5.0, 4.0, 5.0]})
    ran = [Ran(f"FIM{number}", f"n{number}", number < 4) for number in range(8)]
    scored = [ScoredRow(f"FIM{number}", rating={"correctness": 5.0 - number / 2}) for number in range(9)]
    found = scores_made(rows, ran, scored, read_elsewhere=frozenset({"rating"}))["execution"]
    assert (found["ran"], found["sentence"]) == ({"passed": 4, "failed": 4}, "")
    [row] = found["metrics"]
    assert row["auc"] == pytest.approx({"estimate": 1.0, "low": wilson(4, 4).low, "high": 1.0})
    assert [bar["count"] for bar in row["passed"]["bars"]] == [0, 0, 0, 2, 2]
    assert [bar["count"] for bar in row["failed"]["bars"]] == [0, 2, 2, 0, 0]
    assert (row["failed"]["known"], row["failed"]["names"]) == (4, 4)


@pytest.mark.parametrize(
    ("passed", "scored", "sentence"),
    [
        ([], [], "No function was run: nothing to compare."),
        ([True, False], [], "No function that was run was scored or rated: nothing to compare."),
        ([True, True, False, False], [0, 1], "Only functions that passed were scored or rated: nothing to compare."),
        ([False, False, True], [0, 1], "Only functions that failed were scored or rated: nothing to compare."),
        ([True, True, False], [0, 1, 2],
         "No metric is known of two names with functions that passed and two that failed: nothing to compare."),
    ],
)  # fmt: skip
def test_where_there_is_nothing_to_compare_the_report_says_so(
    passed: list[bool], scored: list[int], sentence: str
) -> None:
    """Sabotage: leave the branch of ``held[FAILED]`` out of ``_execution``."""
    ran = [Ran(f"{number}", f"n{number}", one) for number, one in enumerate(passed)]
    rows = [ScoredRow(f"{number}", scores={"ifd": float(number)}) for number in scored]
    found = scores_made(rated({"FIM": [3.0]}), ran, rows, read_elsewhere=frozenset({"scores", "rating"}))["execution"]
    assert (found["sentence"], found["metrics"]) == (sentence, [])


def test_ranked_rows_are_evidence_where_no_other_file_is() -> None:
    """Sabotage: leave ``_hold`` out of the loop over ranked rows."""
    rows = rated({"FIM": [4.0, 5.0, 1.0, 2.0]})
    ran = [Ran(f"FIM{number}", f"n{number}", number < 2) for number in range(4)]
    assert scores_made(rows, ran)["execution"]["metrics"][0]["auc"]["estimate"] == 1.0


def test_what_is_no_number_is_unknown() -> None:
    """Sabotage: take what is an ``int`` or a ``float`` unasked."""
    odd = [None, "5", math.nan, math.inf, -math.inf, 1e300, 10**400, LARGEST, [1], {"a": 1}]
    rows = rated({"FIM": [3.0, True, *odd]})  # type: ignore[list-item]
    [arm] = metric(scores_made(rows), "correctness")["arms"]
    assert (arm["known"], arm["unknown"]) == (2, len(odd))
    assert arm["mean"]["estimate"] == 2.0


def test_more_rows_than_fit_are_those_of_fewer_names_whatever_the_order() -> None:
    """Sabotage: let rows go by their place, not by their name."""
    rows = rated({arm: [float(n % 5 + 1) for n in range(900)] for arm in ("FIM", "L2R")}, names=300)
    first = scores_made(rows, most=500)
    Random(4).shuffle(rows)
    assert scores_made(rows, most=500) == first
    assert first["one_in"] == 4
    assert first["looked_at"] % 6 == 0
    assert 300 < first["looked_at"] <= 500
    assert (first["rows"], first["arms"]) == (1800, {"FIM": 900, "L2R": 900})
    [arm, _] = metric(first, "correctness")["arms"]
    assert arm["known"] * 2 == first["looked_at"]
    assert first["warnings"] == [
        f"the scores of {first['looked_at']} of 1,800 ranked functions are shown: those of one name in 4, "
        "chosen by chance"
    ]  # fmt: skip
    outcomes = Outcomes((Ran(f"{n}", f"n{n % 100}", passed=True) for n in range(400)), most=100)
    kept = [n for n in range(400) if outcomes.of(f"{n}")]
    assert (outcomes.ran["passed"], len(kept) % 4, 0 < len(kept) <= 100) == (400, 0, True)


def test_a_metric_that_comes_late_belongs_to_its_rows() -> None:
    """Sabotage: append to a column that begins late without filling it up."""
    columns = Columns()
    for name, values in (("f", {"a": 1}), ("g", {"a": 1}), ("h", {"a": 1, "b": 2}), ("i", {"a": 1})):
        columns.add("FIM", name, values)
    (late, of_late), (_, every) = columns.known("FIM", "b"), columns.known("FIM", "a")
    assert (late.tolist(), of_late.tolist()) == ([2.0], [every[2]])
    assert len(set(every)) == 4


def test_metrics_that_come_late_or_are_too_many() -> None:
    """Sabotage: leave ``_is_counted`` out."""
    rows = [ranked(0, quality={}), ranked(1), ranked(2, quality={"lint": 0.5})]
    rows += [ranked(3, quality={f"m{number:02}": 1.0 for number in range(45)})]
    document = scores_made(rows)
    [arm] = metric(document, "lint")["arms"]
    assert (arm["known"], arm["unknown"], arm["quantiles"]["median"]) == (1, 3, 0.5)
    assert len(document["metrics"]) == 40
    assert document["warnings"] == ["ranked.jsonl has more than 40 metrics; the others are left out"]


def test_metrics_stand_in_the_order_of_the_page() -> None:
    """Sabotage: leave ``key=_place`` out of ``score_document``."""
    row = ranked(0, quality={"z": 1.0, "size": 1.0, "lint": 1.0}, rating={"correctness": 1.0, "problem": 2.0})
    assert [one["metric"] for one in scores_made([row])["metrics"]] == ["problem", "correctness", "lint", "size", "z"]


@pytest.mark.parametrize(
    "rows",
    [[], [ranked(0)], [Damage(0, 9)], [ranked(0, quality={"lint": None}, scores={}, rating=None)],
     rated({"FIM": [None] * 9, "L2R": [None] * 9}), rated({"FIM": [3.0] * 9})],
)  # fmt: skip
def test_little_to_tell_is_told(rows: list[RankedRow | Damage]) -> None:
    """Sabotage: take the mean of no values."""
    document = scores_made(rows)
    assert json.loads(json.dumps(document)) == document
    assert document["sentence"].startswith(f"{sum(isinstance(row, RankedRow) for row in rows)} functions are ranked")
    assert document["execution"]["metrics"] == []
