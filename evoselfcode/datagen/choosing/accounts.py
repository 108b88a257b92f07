"""What a choice came to, in numbers: ``choice.json``.

This file decides what is counted and told. It refuses to decide what is chosen.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from evoselfcode.config import Choose
from evoselfcode.datagen.choosing.deciding import CHOICE_REASONS
from evoselfcode.datagen.choosing.gauging import tools
from evoselfcode.datagen.choosing.metrics import METRICS, oriented
from evoselfcode.datagen.choosing.ranked import Known
from evoselfcode.stats.ranking import Floats, separation

VERSION = 1
"""Raised when a field changes its meaning."""

_SCOPES = {"both": "within and between names", "name": "within a name", "names": "between names"}


def account(
    known: Known,
    settings: Choose,
    left_out: Mapping[str, str],
    files: Mapping[str, Path],
    warnings: Sequence[str],
    filtered: str | None,
) -> dict[str, Any]:
    """Return what is in ``choice.json``.

    Args:
        known: What was decided.
        settings: By which settings.
        left_out: Metrics that nothing is known of, and why.
        files: What was read.
        warnings: What a reader should know first.
        filtered: The digest of what the filter came to, by which a later filtering is noticed.
    """
    columns, decision = known.columns, known.decision
    chosen = decision.place > 0
    words = dict(zip(CHOICE_REASONS, np.bincount(decision.why, minlength=len(CHOICE_REASONS)).tolist(), strict=True))
    return {
        "version": VERSION,
        "stage": "choose",
        "warnings": list(warnings),
        "rows": len(columns),
        "names": len(columns.task_digests),
        "chosen": int(chosen.sum()),
        "pareto": int((decision.pareto & chosen).sum()),
        "why": {word: count for word, count in words.items() if count},
        "strata": _strata(known),
        "metrics": {name: _metric(known, name, known.numbers[name]) for name in METRICS if name in known.numbers},
        "left_out": {name: left_out[name] for name in METRICS if name in left_out},
        "settings": msgspec.to_builtins(settings),
        "tools": tools(),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in ("evoselfcode", "numpy")},
        "files": {what: str(path) for what, path in files.items()},
        "filtered": filtered,
    }


def _strata(known: Known) -> list[dict[str, Any]]:
    size, tasks, many = len(known.strata), known.columns.tasks, max(1, len(known.columns.task_digests))
    rows = np.bincount(known.groups, minlength=size)
    names = np.bincount(np.unique(known.groups * many + tasks) // many, minlength=size)
    chosen = np.bincount(known.groups[known.decision.place > 0], minlength=size)
    counts = zip(known.strata, rows.tolist(), names.tolist(), chosen.tolist(), strict=True)
    return [
        {"topic": stratum.topic, "band": stratum.band, "rows": rows, "names": names, "chosen": chosen}
        for stratum, rows, names, chosen in counts
    ]


def _metric(known: Known, name: str, values: Floats) -> dict[str, Any]:
    """Return what is known of a metric, and how well it tells those that agree from those that are outvoted."""
    metric, columns = METRICS[name], known.columns
    told = ~np.isnan(values)
    return {
        "weight": known.weights[name],
        "better": metric.better,
        "compared": {"both": "within and between names", "name": "within a name", "names": "between names"}[
            metric.scope
        ],
        "rows": int(told.sum()),
        "median": round(float(np.median(values[told])), 6) if told.any() else None,
        "auc": None if name == "evidence" else _separation(known, name, values, np.zeros(len(columns), np.int64)),
        "auc_within": None if name == "evidence" else _separation(known, name, values, columns.tasks),
    }


def _separation(known: Known, name: str, values: Floats, groups: Any) -> float | None:
    ran = known.standing.decided & known.columns.flags["asserted"]
    good = known.columns.flags["agreed"]
    found = separation(oriented(METRICS[name], values)[ran], good[ran], groups[ran])
    return None if found is None else round(found, 4)
