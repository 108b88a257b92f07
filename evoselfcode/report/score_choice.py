"""What was chosen of a code run: from which strata, by which weights, and functions at the top, the end and the edge.

This file decides what of the choice is shown. It refuses to choose. Every field that it reads may be missing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from heapq import heappush, heappushpop
from typing import Any

import msgspec

from evoselfcode.report.excerpts import Size, cut, digest_of, excerpt, lines_of
from evoselfcode.report.score_metrics import title_of
from evoselfcode.report.score_rows import RankedRow, RowChoice

EXCERPTS = Size(10, 24, 1_500)
"""How many functions are shown of each kind, and how much of each."""

MOST_STRATA = 60
"""Strata that are shown: those with most functions."""

MOST_WORDS = 40

BEYOND_TOP = "beyond_top"
"""Why a function is not chosen that was next: better ones filled the number that was asked for."""


class MetricMade(msgspec.Struct):
    """What a choice says of a metric: what it weighs, and how well it tells agreeing functions from outvoted ones."""

    weight: float | None = None
    auc: float | None = None


class ChoiceMade(msgspec.Struct):
    """What a report reads of ``choice.json``.

    Attributes:
        metrics: What the ranks are made of.
        left_out: Metrics that nothing is known of, or that are not to be believed, and why.
        files: What the choice was made of, by what it holds.
        names: How many names the functions are for.
        pareto: How many of the chosen are on the short list.
    """

    metrics: dict[str, MetricMade] = {}
    left_out: dict[str, str] = {}
    files: dict[str, str] = {}
    names: int | None = None
    pareto: int | None = None


class Extremes:
    """Keeps the few functions with the largest keys, in whatever order they come.

    Args:
        size: How many.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._found: list[tuple[float, str, dict[str, Any]]] = []

    def offer(self, key: float, row: RankedRow) -> None:
        """Take a function if it is among them; of equal keys the larger id counts."""
        place = (key, row.id or digest_of(f"{row.func_name}\n{row.code}"))
        full = len(self._found) == self._size
        if (full and place < self._found[0][:2]) or any(place == known[:2] for known in self._found):
            return
        (heappushpop if full else heappush)(self._found, (*place, _excerpt(row)))

    def shown(self) -> list[dict[str, Any]]:
        """Return them, the largest key first."""
        return [function for *_, function in sorted(self._found, key=lambda one: one[:2], reverse=True)]


class Shown:
    """What is counted and shown of the choice, row by row.

    Attributes:
        chosen: How many functions of each arm are chosen.
        strata: For each stratum, how many functions there are and how many are chosen.
        why: Why functions are chosen or not: how many for each word.
    """

    def __init__(self) -> None:
        self.chosen: Counter[str] = Counter()
        self.strata: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.why: Counter[str] = Counter()
        self.best, self.last, self.near, self.passed_over = (Extremes(EXCERPTS.functions) for _ in range(4))

    def add(self, row: RankedRow) -> None:
        """Count a function."""
        choice = row.choice or RowChoice()
        stratum = self.strata[choice.stratum]
        stratum["rows"] += 1
        stratum["chosen"] += choice.chosen
        self.chosen[row.source] += choice.chosen
        if choice.why and (choice.why in self.why or len(self.why) < MOST_WORDS):
            self.why[choice.why] += 1
        if choice.chosen and choice.rank is not None:
            self.best.offer(-choice.rank, row)
            self.last.offer(choice.rank, row)
        elif not choice.chosen and choice.standing is not None:
            (self.near if choice.why == BEYOND_TOP else self.passed_over).offer(choice.standing, row)


def choice_of(made: ChoiceMade, shown: Shown) -> dict[str, Any]:
    """Tell the choice: totals, strata, what it was made by, and functions."""
    strata = sorted(shown.strata.items(), key=lambda found: (-found[1]["rows"], found[0]))
    metrics = {name: made.metrics.get(name, MetricMade()) for name in [*made.metrics, *made.left_out]}
    return {
        "chosen": dict(sorted(shown.chosen.items())),
        "names": made.names,
        "pareto": made.pareto,
        "why": [{"why": cut(word), "rows": count} for word, count in _ranked(shown.why)],
        "strata": {
            "count": len(strata),
            "most": [
                {"stratum": cut(name), "rows": found["rows"], "chosen": found["chosen"]}
                for name, found in strata[:MOST_STRATA]
            ],
        },
        "metrics": [
            {
                "metric": cut(name),
                "title": title_of(name),
                "weight": found.weight,
                "left_out": made.left_out.get(name),
                "auc": found.auc,
            }
            for name, found in sorted(metrics.items(), key=lambda found: (-(found[1].weight or 0.0), found[0]))
        ],
        "best": shown.best.shown(),
        "last": shown.last.shown()[::-1],
        "near": shown.near.shown(),
        "passed_over": shown.passed_over.shown(),
    }


def _ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda found: (-found[1], found[0]))


def _excerpt(row: RankedRow) -> dict[str, Any]:
    choice = row.choice or RowChoice()
    return {
        "func_name": cut(row.func_name),
        "arm": row.source,
        "stratum": cut(choice.stratum),
        "why": cut(choice.why),
        "rank": choice.rank,
        "standing": choice.standing,
        "lines": lines_of(row.code),
        "characters": len(row.code),
        "code": excerpt(row.code, EXCERPTS),
    }
