"""What scores, ratings and the choice say of a code run, as plain data.

This file decides what of them is in the report. It is made from ``ranked.jsonl`` and what lies beside it, each read
once, row by row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from evoselfcode.report.score_choice import ChoiceMade, Shown, choice_of
from evoselfcode.report.score_columns import MOST_METRICS, MOST_ROWS, Columns
from evoselfcode.report.score_comparison import (
    DIFFERENT,
    FAILED,
    NOT_INFORMATIVE,
    PASSED,
    against_execution,
    compared_scores,
)  # fmt: skip
from evoselfcode.report.score_distributions import distribution
from evoselfcode.report.score_health import Health, checks_of
from evoselfcode.report.score_metrics import FAMILIES, METRICS
from evoselfcode.report.score_rows import Outcomes, Ran, RankedRow, ScoredRow
from evoselfcode.stats.verdict import EQUIVALENT, UNDECIDED
from evoselfcode.storage import Damage


def score_document(
    ranked: Iterable[RankedRow | Damage],
    *,
    choice: ChoiceMade,
    health: Mapping[str, Health],
    ran: Iterable[Ran | Damage] = (),
    scored: Iterable[ScoredRow | Damage] = (),
    read_elsewhere: frozenset[str] = frozenset(),
    most: int = MOST_ROWS,
) -> dict[str, Any]:
    """Make the part of a code run's report that is about scores.

    Args:
        ranked: The functions with what was measured of each.
        choice: What was chosen and by what, as ``choice.json`` says.
        health: What the ratings' own checks say of each dimension.
        ran: The functions that were run, those that were dropped too.
        scored: What was measured of functions, of those that were dropped too where that was asked for.
        read_elsewhere: The families of metrics that `scored` holds.
        most: Functions that are looked at.
    """
    outcomes, columns, evidence = Outcomes(ran, most), Columns(most), Columns(most)
    shown, damaged = Shown(), 0
    for row in ranked:
        if isinstance(row, Damage):
            damaged += 1
            continue
        columns.add(row.source, row.func_name, row.values())
        shown.add(row)
        _hold(evidence, outcomes, row.id, row.values(FAMILIES.keys() - read_elsewhere))
    for other in scored:
        if isinstance(other, Damage):
            damaged += 1
        else:
            _hold(evidence, outcomes, other.id, other.values())
    keys = sorted(columns.metrics, key=_place)
    metrics = [distribution(key, columns, health) for key in keys]
    comparisons = compared_scores(columns, metrics)
    return {
        "rows": sum(columns.rows.values()),
        "looked_at": columns.looked_at,
        "one_in": columns.sieve.one_in,
        "arms": dict(sorted(columns.rows.items())),
        "warnings": list(_remarks(columns, damaged)),
        "sentence": _sentence(columns, shown, metrics, comparisons),
        "metrics": metrics,
        "checks": checks_of(health),
        "comparisons": comparisons,
        "execution": _execution(outcomes, evidence, metrics),
        "choice": choice_of(choice, shown),
    }


def _hold(evidence: Columns, outcomes: Outcomes, row_id: str, values: Mapping[str, Any]) -> None:
    found = outcomes.of(row_id) if values else None
    if found is not None:
        evidence.add(*found, values)


def _place(key: str) -> tuple[int, int, str]:
    """Return where a metric stands on the page: families and known metrics in their order, then others by name."""
    family, _, name = key.partition(".")
    known = [*METRICS[family]]
    return [*FAMILIES].index(family), known.index(name) if name in known else len(known), name


def _remarks(columns: Columns, damaged: int) -> Iterator[str]:
    if damaged:
        yield f"{damaged:,} lines of ranked.jsonl, or of scores or ratings, cannot be read and are left out"
    if columns.sieve.one_in > 1:
        rows = sum(columns.rows.values())
        yield (
            f"the scores of {columns.looked_at:,} of {rows:,} ranked functions are shown: those of one name in "
            f"{columns.sieve.one_in:,}, chosen by chance"
        )
    if columns.too_many:
        yield f"ranked.jsonl has more than {MOST_METRICS} metrics; the others are left out"


def _sentence(columns: Columns, shown: Shown, metrics: list[dict[str, Any]], comparisons: list[dict[str, Any]]) -> str:
    """Return what a reader should take away of the scores."""
    rows = sum(columns.rows.values())
    told = [f"{rows:,} functions are ranked, {shown.chosen.total():,} of them chosen."]
    for one in comparisons:
        found = Counter(row["verdict"] for row in one["metrics"])
        words = [f"{arm} is better in {found[arm]}" for arm in one["arms"] if found[arm]]
        words += [f"they are equivalent in {found[EQUIVALENT]}"] if found[EQUIVALENT] else []
        words += [f"they differ in {found[DIFFERENT]} that have no good end"] if found[DIFFERENT] else []
        words += [f"it is undecided in {found[UNDECIDED]}"] if found[UNDECIDED] else []
        if words:
            told.append(f"Of {found.total() - found[NOT_INFORMATIVE]} metrics, {', '.join(words)}.")
    silent = [one["title"].lower() for one in metrics if one["informative"] is False]
    if silent:
        told.append(f"Not informative: {', '.join(silent)}.")
    return " ".join(told)


def _execution(outcomes: Outcomes, evidence: Columns, metrics: list[dict[str, Any]]) -> dict[str, Any]:
    held, rows = {kind: evidence.rows.get(kind, 0) for kind in (PASSED, FAILED)}, against_execution(evidence, metrics)
    if not sum(outcomes.ran.values()):
        sentence = "No function was run: nothing to compare."
    elif not sum(held.values()):
        sentence = "No function that was run was scored or rated: nothing to compare."
    elif not held[FAILED]:
        sentence = "Only functions that passed were scored or rated: nothing to compare."
    elif not held[PASSED]:
        sentence = "Only functions that failed were scored or rated: nothing to compare."
    elif not rows:
        sentence = "No metric is known of two names with functions that passed and two that failed: nothing to compare."
    else:
        sentence = ""
    return {"ran": dict(outcomes.ran), "measured": held, "sentence": sentence, "metrics": rows}
