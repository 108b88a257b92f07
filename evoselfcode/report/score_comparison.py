"""Two arms side by side by what their kept functions score, and functions that passed by those that failed.

This file decides what is compared, when a difference matters, and in which words it is told. The numbers come from
:mod:`evoselfcode.stats.clusters`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np

from evoselfcode.report.comparison import FEWEST_PAIRS, SIGNIFICANT
from evoselfcode.report.score_columns import Columns
from evoselfcode.report.score_distributions import key_of, told
from evoselfcode.report.score_metrics import FAMILIES
from evoselfcode.stats.clusters import Difference, above, cohen_d, difference
from evoselfcode.stats.clusters import count as names_of
from evoselfcode.stats.compare import equivalent, holm
from evoselfcode.stats.verdict import EQUIVALENT, UNDECIDED

RATING_MARGIN = 0.05
"""Points: a smaller difference of mean ratings changes nobody's choice of an arm."""

MARGIN = 0.1
"""The same for other metrics, in standard deviations: half of what Cohen (1988) calls a small effect."""

DIFFERENT = "different"
"""The verdict on a difference that matters, of a metric that has no good end."""

NOT_INFORMATIVE = "not informative"
"""The verdict on a rating that its own checks say tells nothing."""

PASSED, FAILED = "passed", "failed"
"""What became of a function when it was run."""


def compared_scores(columns: Columns, distributions: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Compare the arms if there are two, by every metric of which both have values of two names at least.

    A rating that is not informative is shown, and is no part of its family.
    """
    arms = sorted(columns.rows)
    if len(arms) != 2:
        return []
    rows = [row for one in distributions if (row := _row(columns, one, arms[0], arms[1]))]
    for family in FAMILIES:
        of_family = [row for row in rows if row["family"] == family and row["verdict"] != NOT_INFORMATIVE]
        for row, p in zip(of_family, holm([row["p"] for row in of_family]), strict=True):
            row["p_holm"] = p
            row["verdict"] = _verdict(row, arms[0], arms[1])
    return [{"arms": arms, "metrics": rows}] if rows else []


def _row(columns: Columns, one: Mapping[str, Any], a: str, b: str) -> dict[str, Any] | None:
    key = key_of(one)
    (xs, of_xs), (ys, of_ys) = columns.known(a, key), columns.known(b, key)
    found = difference(xs, of_xs, ys, of_ys)
    fewest = min(names_of(of_xs), names_of(of_ys))
    if found is None or fewest < 2:
        return None
    margin = _margin(one["family"], xs.std(), ys.std())
    return {field: one[field] for field in ("metric", "family", "title", "unit", "better")} | {
        "names": fewest,
        "a": float(xs.mean()),
        "b": float(ys.mean()),
        "difference": msgspec.to_builtins(found.interval),
        "margin": margin,
        "equivalent": _equivalent(found, margin),
        "above": msgspec.to_builtins(above(xs, of_xs, ys, of_ys)),
        "cohen_d": cohen_d(xs, ys),
        "p": found.p,
        "p_holm": None,
        "verdict": NOT_INFORMATIVE if one["informative"] is False else UNDECIDED,
    }


def _margin(family: str, *spreads: float) -> float:
    return RATING_MARGIN if family == "rating" else MARGIN * float(np.sqrt(np.mean(np.square(spreads))))


def _equivalent(found: Difference, margin: float) -> bool:
    if margin <= 0.0:  # nothing varies on either side
        return found.interval.estimate == 0.0
    return equivalent(found.interval.estimate, found.se, margin, df=found.clusters - 1).equivalent


def _verdict(row: Mapping[str, Any], a: str, b: str) -> str:
    """Return the arm that does better, or that they differ, are equivalent, or that it is undecided.

    A difference that is too small to matter is none, be it ever so sure, as in
    :func:`evoselfcode.stats.verdict.decide`.
    """
    if row["names"] < FEWEST_PAIRS:
        return UNDECIDED
    if row["equivalent"]:
        return EQUIVALENT
    if row["p_holm"] >= SIGNIFICANT:
        return UNDECIDED
    if not row["better"]:
        return DIFFERENT
    return a if (row["difference"]["estimate"] > 0) == (row["better"] == "higher") else b


def against_execution(columns: Columns, distributions: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Hold the metrics against what became of the functions that were run, where there are some of both kinds.

    Args:
        columns: The numbers of functions that were run, those that passed and those that failed as two arms.
        distributions: The metrics, each with the edges of its bars.
    """
    rows = []
    for one in distributions:
        key = key_of(one)
        (xs, of_xs), (ys, of_ys) = columns.known(PASSED, key), columns.known(FAILED, key)
        auc = above(xs, of_xs, ys, of_ys)
        if auc is not None:
            groups = ((PASSED, xs, of_xs), (FAILED, ys, of_ys))
            edges = one["edges"]
            rows.append(
                {field: one[field] for field in one if field != "arms"}
                | {"auc": msgspec.to_builtins(auc)}
                | {
                    name: {"known": len(values), "names": names_of(names)} | told(one["family"], values, names, edges)
                    for name, values, names in groups
                }
            )
    return rows
