"""The report of a code run as plain data: every number that its page, the terminal and ``report.json`` show.

This file decides what is reported and which estimator each number comes from. It refuses to know how it is shown. It
is made from what the filter wrote and from the journal; both are read once, row by row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from evoselfcode.report.code_comparison import compared_arms
from evoselfcode.report.code_draws import CodeArm, CodeDraw, CodeDraws, Cost, Name, counted
from evoselfcode.report.document import NO_SHARE, limits_of, provenance_of
from evoselfcode.report.excerpts import cut
from evoselfcode.report.timeline import timeline
from evoselfcode.stats.intervals import Interval, wilson
from evoselfcode.stats.shares import Counts
from evoselfcode.storage import Damage, Entry, Manifest

VERSION = 1
"""Raised when a field changes its meaning."""

SHOWN_SETTINGS = ("model", "prompts.", "codegen.", "api.fim.")
"""Beginnings of the settings that shape the code, besides the filters."""

MOST_NAMES = 12

FOR_THE_AUDIT = ("name_regex", "near_duplicates", "contamination", "execute", "execution", "enable_ruff")
"""Filters that change nothing in an audit."""


def code_document(
    rows: Iterable[CodeDraw | Damage],
    entries: Iterable[Entry],
    manifest: Manifest,
    folder: str,
    *,
    metrics: Mapping[str, Any],
    meanings: Mapping[str, str],
    audit: Mapping[str, Any] | None = None,
    scores: Mapping[str, Any] | None = None,
    events: Iterable[Mapping[str, Any]] = (),
    warnings: Iterable[str] = (),
) -> dict[str, Any]:
    """Make the report of one code run.

    Args:
        rows: What the filter wrote of every draw, in its order.
        entries: The journal, each request once, in any order.
        manifest: How the run was made.
        folder: Where it lies, as the reader knows it.
        metrics: What the filter wrote of all draws together.
        meanings: What each gate drops, in the order of the ladder.
        audit: What the gates do to a corpus of programs that are known to be good or bad.
        scores: What :func:`~evoselfcode.report.score_document.score_document` makes of ranked functions.
        events: What happened to the endpoints, as lines of ``events.jsonl``.
        warnings: What a reader should know first.
    """
    draws, costs, filters = CodeDraws(rows), dict[str, Cost](), metrics["of"]["filters"]
    over_time = timeline(
        counted(entries, costs), limits_of(manifest), lambda entry: draws.kept_by_key[entry.key], events
    )
    arms = {name: draws.arms.get(name, CodeArm()) for name in sorted({*draws.arms, *costs})}
    comparisons = compared_arms(arms)
    accepted = {name: arm["accepted"] for name, arm in metrics["arms"].items()}
    provenance = provenance_of(manifest, SHOWN_SETTINGS)
    provenance["settings"] |= {f"filters.{key}": value for key, value in filters.items()}
    return {
        "version": VERSION,
        "stage": "code",
        "folder": folder,
        "warnings": [
            *warnings,
            *_remarks(draws, costs, metrics),
            *_of_the_audit(audit, filters),
            *(scores["warnings"] if scores else ()),
        ],
        "provenance": provenance,
        "answer": _answer(arms, comparisons),
        "arms": [
            _arm(name, arm, costs.get(name, Cost()), accepted.get(name, {}), filters, meanings)
            for name, arm in arms.items()
        ],
        "comparisons": comparisons,
        "gates": [_gate(gate, meaning, arms, filters, audit) for gate, meaning in meanings.items()],
        "audit": audit and {key: audit[key] for key in ("corpus", "programs", "good", "kept", "kept_good")},
        "agreement": _agreement(draws),
        "scores": scores,
        "timeline": over_time,
    }


def _remarks(draws: CodeDraws, costs: Mapping[str, Cost], metrics: Mapping[str, Any]) -> list[str]:
    told = []
    found, expected = sum(arm.draws for arm in draws.arms.values()), metrics["draws"]
    if draws.damaged:
        told.append(f"{draws.damaged:,} lines of raw.jsonl cannot be read and are left out")
    elif found != expected:
        told.append(f"raw.jsonl holds {found:,} draws and metrics.json says {expected:,}: filter the run again")
    for name, cost in costs.items():
        if cost.dead > cost.requests / 20:
            told.append(f"{cost.dead:,} of {cost.requests:,} requests of {name} were given up")
    return told


def other_filters(audit: Mapping[str, Any], filters: Mapping[str, Any]) -> list[str]:
    """Return the filters that an audit was made with otherwise than a run."""
    return sorted(
        key for key in {*audit["filters"], *filters}
        if key not in FOR_THE_AUDIT and audit["filters"].get(key) != filters.get(key)
    )  # fmt: skip


def _of_the_audit(audit: Mapping[str, Any] | None, filters: Mapping[str, Any]) -> list[str]:
    other = [] if audit is None else other_filters(audit, filters)
    return [f"audit.json was made with other filters than the run's: {', '.join(other)}"] if other else []


def _answer(arms: Mapping[str, CodeArm], comparisons: list[dict[str, Any]]) -> dict[str, str]:
    """Return what a reader should take away: the verdict in a word where two arms were compared, and a sentence."""
    draws, kept = sum(arm.draws for arm in arms.values()), sum(arm.kept for arm in arms.values())
    if not draws:
        return {"word": "", "sentence": "No draws yet."}
    if comparisons and kept:
        return {"word": comparisons[0]["verdict"], "sentence": comparisons[0]["sentence"]}
    sentence = f"{kept:,} of {draws:,} draws are kept ({kept / draws:.1%})." if kept else "None of the draws is kept."
    against: Counter[str] = Counter()
    for arm in arms.values():
        against.update(arm.reasons)
    if against:
        reason, count = min(against.items(), key=lambda found: (-found[1], found[0]))
        sentence += f" The commonest reason against one is {reason} ({count / draws:.1%} of the draws)."
    return {"word": "", "sentence": sentence}


def _arm(
    name: str,
    arm: CodeArm,
    cost: Cost,
    accepted: Mapping[str, int],
    filters: Mapping[str, Any],
    meanings: Mapping[str, str],
) -> dict[str, Any]:
    tokens = cost.prompt_tokens + cost.completion_tokens
    return {
        "arm": name,
        "requests": cost.requests,
        "dead": cost.dead,
        "draws": arm.draws,
        "kept": arm.kept,
        "quarantined": arm.quarantined,
        "yield": msgspec.to_builtins(_yield(arm)),
        "funnel": _funnel(arm, filters),
        "reasons": [
            {"reason": reason, "meaning": meanings.get(reason, ""), "count": count,
             "examples": arm.examples[reason].shown()}
            for reason, count in sorted(arm.reasons.items(), key=lambda found: (-found[1], found[0]))
        ],
        "distinct": {"draws": sum(one.accepted for one in arm.names.values())}
        | {kind: accepted.get(kind, 0) for kind in ("raw", "ast", "alpha")},
        "execution": _execution(arm),
        "names": _names(arm.names),
        "lines": [list(pair) for pair in sorted(arm.lines.items())],
        "functions": arm.functions.shown(),
        "tokens": {
            "prompt": cost.prompt_tokens,
            "completion": cost.completion_tokens,
            "per_kept": tokens / arm.kept if arm.kept and tokens else None,
        },
        "seconds": cost.seconds,
        "attempts": cost.attempts,
        "failures": dict(cost.failures.most_common()),
    }  # fmt: skip


def _yield(arm: CodeArm) -> Interval:
    """Return the share of draws kept, as sure as so many draws are of which those for one name are alike."""
    if not arm.draws:
        return NO_SHARE
    by_name = ((place < name.kept for place in range(name.draws)) for name in arm.names.values())
    return wilson(*Counts.of(by_name).independent)


def _funnel(arm: CodeArm, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return how many draws come through each step; a step that was not taken is none."""
    steps = {
        "draws": arm.draws,
        "parsed by Python": arm.parsed if filters.get("enable_ast", True) else None,
        "passed by the gates": arm.passed,
        "held when they were run": arm.held if filters.get("execute") else None,
        "no duplicate": arm.fresh,
        "kept": arm.kept,
    }
    return [{"step": step, "count": count} for step, count in steps.items() if count is not None]


def _execution(arm: CodeArm) -> dict[str, Any] | None:
    if not arm.statuses:
        return None
    return {
        "ran": arm.statuses.total(),
        "statuses": [list(pair) for pair in sorted(arm.statuses.items(), key=lambda found: (-found[1], found[0]))],
        "levels": sorted(arm.levels),
    }


def _names(names: Mapping[str, Name]) -> dict[str, Any]:
    """Say which names gave most, and which gave least for their draws."""
    ranked = sorted(names, key=lambda name: (-names[name].kept, names[name].draws, name))
    most = [name for name in ranked[:MOST_NAMES] if names[name].kept]
    last = sorted(ranked[len(most) :], key=lambda name: (names[name].kept, -names[name].draws, name))
    return {
        "asked": len(names),
        "with_kept": sum(name.kept > 0 for name in names.values()),
        "most": [_name(name, names[name]) for name in most],
        "fewest": [_name(name, names[name]) for name in last[:MOST_NAMES]],
    }


def _name(func_name: str, found: Name) -> dict[str, Any]:
    return {"name": cut(func_name), "draws": found.draws, "parsed": found.parsed, "kept": found.kept}


def _gate(
    gate: str, meaning: str, arms: Mapping[str, CodeArm], filters: Mapping[str, Any], audit: Mapping[str, Any] | None
) -> dict[str, Any]:
    on = {"ruff": "enable_ruff", "failed": "execute"}.get(gate)
    audited = next((found for found in audit["gates"] if found["gate"] == gate), None) if audit else None
    return {
        "gate": gate,
        "meaning": meaning,
        "on": gate not in filters.get("disabled_gates", ()) and (on is None or bool(filters.get(on))),
        "arms": {name: {"first": arm.reasons[gate], "all": arm.objections[gate]} for name, arm in arms.items()},
        "audit": audited
        and {"on": audited["on"], "lost": audited["loses"] if audited["on"] else audited["alone"]["loses"]},
    }


def _agreement(draws: CodeDraws) -> dict[str, int] | None:
    if not draws.asserted:
        return None
    return {"names": len(draws.asserted), "agreed": len(draws.agreed), "vacuous": len(draws.vacuous)}
