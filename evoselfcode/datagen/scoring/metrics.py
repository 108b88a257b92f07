"""What the scores of a file come to, in numbers: ``metrics.json``.

This file decides what is counted. It reads the rows one by one, and keeps a number for each score of each.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from evoselfcode.datagen.scoring.numbers import SCORES, UNKNOWN, ScoreRow
from evoselfcode.storage import Damage, read_rows, storage_errors

METRICS = "metrics.json"

VERSION = 1
"""Raised when a field changes its meaning."""


def documents(scores: Path) -> dict[str, dict[str, Any]]:
    """Return ``metrics.json`` of a file of scores.

    Raises:
        StorageError: It cannot be read.
    """
    known: dict[str, array[float]] = {name: array("d") for name in SCORES}
    why: dict[str, Counter[str]] = {name: Counter() for name in SCORES}
    rows = drawn = 0
    for row in read_rows(scores, ScoreRow):
        if isinstance(row, Damage):
            continue  # the next run writes it anew
        rows += 1
        drawn += row.drawn_logprob is not None
        for name, value in row.scores.items():
            if value is not None:
                known[name].append(value)
        for name, reason in row.unknown.items():
            why[name][reason] += 1
    told = {name: _of_score(known[name], why[name]) for name in SCORES}
    return {METRICS: {"version": VERSION, "stage": "score", "rows": rows, "drawn": drawn, "scores": told}}


def _of_score(known: array[float], why: Counter[str]) -> dict[str, Any]:
    ranked = sorted(known)
    return {
        "known": len(ranked),
        "low": _quantile(ranked, 0.25),
        "median": _quantile(ranked, 0.5),
        "high": _quantile(ranked, 0.75),
        "unknown": dict(sorted(why.items(), key=lambda item: (item[0] not in UNKNOWN, -item[1], item[0]))),
    }


def _quantile(ranked: list[float], share: float) -> float | None:
    """Return a quantile by linear interpolation between neighbours."""
    if not ranked:
        return None
    place = share * (len(ranked) - 1)
    below = int(place)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (ranked[above] - ranked[below]) * (place - below)


def read_metrics(folder: Path) -> Mapping[str, Any]:
    """Return what the scores of a run's folder came to.

    Raises:
        StorageError: The file cannot be read.
    """
    path = folder / METRICS
    with storage_errors(path, "read"):
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
