"""The report as plain data: every number that the page, the terminal and ``report.json`` show.

This file decides what is reported and which estimator each number comes from. It refuses to know how it is shown.
It is made from the journal and the manifest alone, so that a report can be rebuilt at any time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from evoselfcode.report.comparison import compared
from evoselfcode.report.draws import Draws, gather
from evoselfcode.report.likeness import vendi_scores
from evoselfcode.report.probability import quartiles
from evoselfcode.report.ranking import answer, ranking
from evoselfcode.report.richness import curve, fewest_accepted, forecast_of, species_of
from evoselfcode.report.timeline import timeline
from evoselfcode.report.topics import topics_of
from evoselfcode.stats import intervals
from evoselfcode.storage import Entry, Manifest

VERSION = 2
"""Raised when a field changes its meaning."""

MOST_NAMES = 50

MOST_TEXTS = 200
"""Different texts of each reason that are shown; all of them are in the journal."""

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
    pairs: Mapping[tuple[str, str], tuple[str, ...]],
    topics_by_arm: Mapping[str, str] = MappingProxyType({}),
    events: Iterable[Mapping[str, Any]] = (),
    warnings: Iterable[str] = (),
) -> dict[str, Any]:
    """Make the report of one run.

    Args:
        entries: The journal, in any order.
        manifest: How the run was made.
        folder: Where it lies, as the reader knows it.
        meanings: What each reason for dropping a draw means.
        canonical: What a name is compared by: ``quick_sort`` and ``quicksort`` are one name.
        pairs: Which arms to compare, and in which factors they differ.
        topics_by_arm: Where the topics of each arm that has some come from.
        events: What happened to the endpoints, as lines of ``events.jsonl``.
        warnings: What a reader should know first.
    """
    entries = list(entries)
    arms = gather(entries, canonical)
    equal, scores = fewest_accepted(arms.values()), vendi_scores(arms)
    comparisons, ranked = compared(arms, pairs, topics_by_arm), ranking(arms)
    return {
        "version": VERSION,
        "stage": manifest.stage,
        "folder": folder,
        "warnings": [*warnings, *_remarks(arms)],
        "provenance": provenance_of(manifest, SHOWN_SETTINGS),
        "arms": [_arm(name, draws, meanings, equal) | {"vendi": scores[name]} for name, draws in arms.items()],
        "answer": answer(arms, ranked, comparisons),
        "ranking": ranked,
        "comparisons": comparisons,
        "timeline": timeline(entries, limits_of(manifest), events=events),
    }


def _remarks(arms: Mapping[str, Draws]) -> list[str]:
    told = []
    drawn = {name: draws.draws for name, draws in arms.items() if draws.draws}  # one without is compared with none
    if len(set(drawn.values())) > 1:
        counts = ", ".join(f"{name} {count:,}" for name, count in drawn.items())
        told.append(f"the arms have different numbers of draws ({counts}); they are compared at the smaller one")
    for name, draws in arms.items():
        if draws.requests and draws.dead > draws.requests / 20:
            told.append(f"{draws.dead:,} of {draws.requests:,} requests of {name} were given up")
    return told


def provenance_of(manifest: Manifest, shown: tuple[str, ...]) -> dict[str, Any]:
    """Say where a run comes from, with those of its settings whose names begin as `shown` says."""
    dialect: Any = manifest.preflight.get("dialect", {})
    family = dialect.get("family")
    return {
        "model": dialect.get("model", ""),
        "server": dialect.get("server", ""),
        "fim": dialect.get("fim", "") + (f" ({family})" if dialect.get("fim") == "sentinel" else ""),
        "base_url": manifest.base_url,
        "started": manifest.started,
        "updated": manifest.updated,
        "state": manifest.state,
        "versions": manifest.versions,
        "settings": {key: value for key, value in manifest.fingerprint.items() if key.startswith(shown)},
    }


def limits_of(manifest: Manifest) -> list[tuple[float, float]]:
    """Return the most attempts in flight that the settings allow, as steps of Unix time and limit: one, or none."""
    api = manifest.config.get("api")
    limit = api.get("concurrency") if isinstance(api, dict) else None
    return [(0.0, limit)] if isinstance(limit, int | float) else []


def _arm(name: str, draws: Draws, meanings: Mapping[str, str], equal: int) -> dict[str, Any]:
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
            {"reason": reason, "meaning": meanings.get(reason, ""), "count": count, **_texts(draws.texts[reason])}
            for reason, count in draws.reasons.most_common()
        ],
        "new_per_1000": 1000 * distinct / draws.draws if draws.draws else 0.0,
        "species": species_of(draws, equal),
        **curve(draws),
        "forecast": forecast_of(draws),
        "logprob": quartiles(draws),
        "topics": topics_of(draws),
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


def _texts(texts: Counter[str]) -> dict[str, Any]:
    """Return the texts that a reason dropped most often, and how many different ones it dropped."""
    ranked = sorted(texts.items(), key=lambda item: (-item[1], item[0]))[:MOST_TEXTS]
    return {"distinct": len(texts), "examples": [{"text": text, "count": count} for text, count in ranked]}


def _histogram(values: Iterable[int]) -> list[list[int]]:
    return [list(pair) for pair in sorted(Counter(values).items())]
