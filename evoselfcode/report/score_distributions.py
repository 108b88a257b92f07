"""How a metric is distributed, arm by arm: known and unknown values, quantiles, bars with intervals.

This file decides what is told of one metric. It refuses to compare (:mod:`evoselfcode.report.score_comparison`).
Intervals are at 95 % and know that functions for one name are alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from evoselfcode.report.score_columns import Columns
from evoselfcode.report.score_health import Health
from evoselfcode.report.score_metrics import edges_of, metric_of, places_of
from evoselfcode.stats.clusters import Clusters, Values, mean, shares

QUANTILES = {"least": 0.0, "p5": 0.05, "first_quartile": 0.25, "median": 0.5, "third_quartile": 0.75, "p95": 0.95,
             "most": 1.0}  # fmt: skip


def distribution(key: str, columns: Columns, health: Mapping[str, Health]) -> dict[str, Any]:
    """Tell one metric of all arms.

    Args:
        key: Its family and its name, ``rating.correctness``.
        columns: The numbers.
        health: What is known of each dimension of the ratings.
    """
    family, _, name = key.partition(".")
    known, dimension = metric_of(family, name), health.get(name) if family == "rating" else None
    found = {arm: columns.known(arm, key) for arm in sorted(columns.rows)}
    edges = edges_of(known, np.concatenate([values for values, _ in found.values()]))
    return {
        "metric": name,
        "family": family,
        "title": known.title,
        "unit": known.unit,
        "better": known.better,
        "meaning": known.meaning,
        "informative": dimension.informative if dimension else None,
        "why": dimension.reason if dimension and dimension.informative is False else "",
        "edges": edges,
        "arms": [
            {"arm": arm, "known": len(values), "unknown": columns.seen(arm) - len(values)}
            | told(family, values, names, edges)
            for arm, (values, names) in found.items()
        ],
    }


def key_of(told_of: Mapping[str, Any]) -> str:
    """Return the family and the name of a metric that was told."""
    return f"{told_of['family']}.{told_of['metric']}"


def told(family: str, values: Values, names: Clusters, edges: list[float]) -> dict[str, Any]:
    """Tell the known values of one arm, or of one group of rows."""
    if not len(values):
        return {"mean": None, "quantiles": None, "at_maximum": None, "bars": []}
    places = places_of(edges, values)
    bars = shares(places, names, len(edges) - 1)
    counts = np.bincount(places, minlength=len(edges) - 1)
    return {
        "mean": msgspec.to_builtins(mean(values, names)),
        "quantiles": dict(zip(QUANTILES, map(float, np.quantile(values, list(QUANTILES.values()))), strict=True)),
        "at_maximum": msgspec.to_builtins(bars[-1]) if family == "rating" else None,
        "bars": [
            {"count": int(count), "share": msgspec.to_builtins(share)}
            for count, share in zip(counts, bars, strict=True)
        ],
    }
