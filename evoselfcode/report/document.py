"""The report as plain data: every number that the page, the terminal and ``report.json`` show.

This file decides what is reported and which estimator each number comes from. It refuses to know how it is shown.
It is made from the journal and the manifest alone, so that a report can be rebuilt at any time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from evoselfcode.report.comparison import compared, overlap
from evoselfcode.report.draws import Draws, gather
from evoselfcode.stats import forecast, intervals, species
from evoselfcode.storage import Entry, Manifest

VERSION = 1
"""Raised when a field changes its meaning."""

MOST_POINTS = 200
MOST_NAMES = 50

NO_SHARE = intervals.Interval(0.0, 0.0, 1.0)
"""The share of an arm without draws: all its requests were given up, or none is settled yet."""

SHOWN_SETTINGS = ("model", "prompts.", "namegen.", "filters.name_regex", "api.fim.")
"""Beginnings of the settings that shape the names."""


def document(
    entries: Iterable[Entry],
    manifest: Manifest,
    folder: str,
    *,
    meanings: Mapping[str, str],
    canonical: Callable[[str], str],
    warnings: Iterable[str] = (),
) -> dict[str, Any]:
    """Make the report of one run.

    Args:
        entries: The journal, in any order.
        manifest: How the run was made.
        folder: Where it lies, as the reader knows it.
        meanings: What each reason for dropping a draw means.
        canonical: What a name is compared by: ``quick_sort`` and ``quicksort`` are one name.
        warnings: What a reader should know first.
    """
    arms = gather(entries, canonical)
    return {
        "version": VERSION,
        "stage": manifest.stage,
        "folder": folder,
        "warnings": [*warnings, *_remarks(arms)],
        "provenance": _provenance(manifest),
        "arms": [_arm(name, draws, meanings) for name, draws in arms.items()],
        "comparison": compared(arms),
        "overlap": overlap(arms),
    }


def _remarks(arms: Mapping[str, Draws]) -> list[str]:
    told = []
    if len({draws.draws for draws in arms.values()}) > 1:
        counts = ", ".join(f"{name} {draws.draws:,}" for name, draws in arms.items())
        told.append(f"the arms have different numbers of draws ({counts}); they are compared at the smaller one")
    for name, draws in arms.items():
        if draws.requests and draws.dead > draws.requests / 20:
            told.append(f"{draws.dead:,} of {draws.requests:,} requests of {name} were given up")
    return told


def _provenance(manifest: Manifest) -> dict[str, Any]:
    dialect: Any = manifest.preflight.get("dialect", {})
    family = dialect.get("family")
    return {
        "model": dialect.get("model", ""),
        "server": dialect.get("server", ""),
        "fim": dialect.get("fim", "") + (f" ({family})" if family else ""),
        "base_url": manifest.base_url,
        "started": manifest.started,
        "updated": manifest.updated,
        "state": manifest.state,
        "versions": manifest.versions,
        "settings": {key: value for key, value in manifest.fingerprint.items() if key.startswith(SHOWN_SETTINGS)},
    }


def _arm(name: str, draws: Draws, meanings: Mapping[str, str]) -> dict[str, Any]:
    distinct = len(draws.names)
    tokens = draws.prompt_tokens + draws.completion_tokens
    return {
        "arm": name,
        "requests": draws.requests,
        "dead": draws.dead,
        "draws": draws.draws,
        "kept": draws.kept,
        "yield": msgspec.to_builtins(intervals.wilson(draws.kept, draws.draws) if draws.draws else NO_SHARE),
        "reasons": [
            {"reason": reason, "meaning": meanings.get(reason, ""), "count": count, "examples": draws.examples[reason]}
            for reason, count in draws.reasons.most_common()
        ],
        "new_per_1000": 1000 * distinct / draws.draws if draws.draws else 0.0,
        "species": _species(draws),
        "curve": _curve(draws),
        "forecast": _forecast(draws),
        "top": [
            {"name": draws.spelling(found), "count": count}
            for found, count in sorted(draws.names.items(), key=lambda item: (-item[1], item[0]))[:MOST_NAMES]
        ],
        "lengths": _histogram(len(draws.spelling(found)) for found in draws.names),
        "words": _histogram(draws.spelling(found).strip("_").count("_") + 1 for found in draws.names),
        "tokens": {
            "prompt": draws.prompt_tokens,
            "completion": draws.completion_tokens,
            "per_kept": tokens / distinct if distinct and tokens else None,
        },
        "seconds": draws.seconds,
        "attempts": draws.attempts,
        "failures": dict(draws.failures.most_common()),
    }


def _species(draws: Draws) -> dict[str, Any]:
    """Estimate how much is still unseen, with canonical names as species and accepted draws as the sample."""
    seen = species.Frequencies.of(draws.names.values())
    return {
        "draws": seen.n,
        "distinct": seen.distinct,
        "once": seen.f(1),
        "twice": seen.f(2),
        "unseen": msgspec.to_builtins(species.good_turing(seen)),
        "coverage": species.coverage(seen),
        "chao1": species.chao1(seen),
        "hill": [species.hill(seen, order) for order in (0, 1, 2)],
    }


def _curve(draws: Draws) -> list[list[int]]:
    """Count distinct accepted names along the plan, at up to :data:`MOST_POINTS` places."""
    flat = [name for request in draws.in_plan_order() for name in request]
    stride = max(1, -(-len(flat) // MOST_POINTS))
    seen: set[str] = set()
    points = []
    for number, name in enumerate(flat, 1):
        if name is not None:
            seen.add(name)
        if number % stride == 0 or number == len(flat):
            points.append([number, len(seen)])
    return points


def _forecast(draws: Draws) -> dict[str, Any]:
    """Forecast the distinct names of a run twice as long: twice the draws have twice the accepted ones."""
    seen = species.Frequencies.of(draws.names.values())
    return {"draws": 2 * draws.draws, "distinct": msgspec.to_builtins(forecast.forecast(seen, 2 * seen.n))}


def _histogram(values: Iterable[int]) -> list[list[int]]:
    return [list(pair) for pair in sorted(Counter(values).items())]
