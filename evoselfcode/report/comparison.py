"""Arms side by side, two at a time: the verdict, its table, and which names both find.

This file decides what is compared and in which words a verdict is told. The numbers come from
:mod:`evoselfcode.stats.verdict`; which arms are worth comparing is handed in.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from statistics import fmean
from types import MappingProxyType
from typing import Any

import msgspec

from evoselfcode.report.draws import Draws
from evoselfcode.report.probability import more_probable
from evoselfcode.stats import verdict
from evoselfcode.stats.compare import holm, paired
from evoselfcode.stats.shares import Counts, compare_shares
from evoselfcode.storage import DUPLICATE

SIGNIFICANT = 0.05
"""Adjusted p-value below which a row of the secondary table names an arm."""

FEWEST_PAIRS = 20
"""Topics that both arms were asked about, for a comparison topic by topic."""

SHOWN = 20
"""Names of each part of the overlap."""


def compared(
    arms: Mapping[str, Draws],
    pairs: Mapping[tuple[str, str], tuple[str, ...]],
    topics_by_arm: Mapping[str, str] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """Compare arms that have draws, pair by pair.

    Args:
        arms: The draws of each arm.
        pairs: Which arms to compare, and in which factors they differ. With several pairs each interval is so wide that
            all of them hold at once with 95 % (Bonferroni), and so are the verdicts.
        topics_by_arm: Where the topics of each arm that has some come from: arms that share them ask about the same one
            at the same number of their plans.
    """
    pairs = {pair: factors for pair, factors in pairs.items() if all(_has_draws(arms, arm) for arm in pair)}
    confidence = 1.0 - 0.05 / max(1, len(pairs))
    made = [_compared(arms, pair, factors, confidence, topics_by_arm) for pair, factors in pairs.items()]
    if len(made) > 1:
        for one, p in zip(made, holm([one["metrics"][0]["p"] for one in made]), strict=True):
            one["metrics"][0]["p_holm"] = p
    return made


def _has_draws(arms: Mapping[str, Draws], arm: str) -> bool:
    return arm in arms and arms[arm].draws > 0


def _compared(
    arms: Mapping[str, Draws],
    pair: tuple[str, str],
    factors: tuple[str, ...],
    confidence: float,
    topics_by_arm: Mapping[str, str],
) -> dict[str, Any]:
    (name_a, name_b), (a, b) = pair, (arms[arm] for arm in pair)
    decided = verdict.decide(
        verdict.ArmDraws(name_a, a.in_plan_order()), verdict.ArmDraws(name_b, b.in_plan_order()), confidence=confidence
    )
    primary = {
        "metric": decided.metric,
        "unit": "names per 1,000 draws",
        "a": decided.a,
        "b": decided.b,
        "difference": msgspec.to_builtins(decided.difference),
        "p": decided.p,
        "p_holm": None,
        "verdict": decided.verdict,
    }
    rows = [primary, *_shares(name_a, a, name_b, b)]
    if name_a in topics_by_arm and topics_by_arm[name_a] == topics_by_arm.get(name_b):
        rows += _paired(name_a, a, name_b, b)
    return {
        "arms": [name_a, name_b],
        "factors": list(factors),
        "draws": decided.draws,
        "confidence": decided.confidence,
        "primary": decided.metric,
        "verdict": decided.verdict,
        "sentence": sentence(decided, name_a, name_b),
        "more_draws": decided.more_draws,
        "metrics": rows,
        "overlap": overlap(name_a, a, name_b, b),
        "more_probable": more_probable(a, b),
    }


def sentence(decided: verdict.Verdict, a: str, b: str) -> str:
    """Tell a verdict in one sentence."""
    low, high = decided.difference.low, decided.difference.high
    sure = f"{100 * decided.confidence:.4g} %"
    at = f"at {decided.draws:,} draws each"
    if decided.verdict in (a, b):
        loser = b if decided.verdict == a else a
        gap, low, high = abs(decided.difference.estimate), *sorted((abs(low), abs(high)))
        return (
            f"{decided.verdict} finds {gap:.1f} more new names per 1,000 draws than {loser} "
            f"({sure} interval {low:.1f} to {high:.1f}, {at})."
        )
    range_ = f"the difference {a} minus {b} is {decided.difference.estimate:+.1f} ({low:+.1f} to {high:+.1f}, {at})"
    if decided.verdict == "equivalent":
        return f"{a} and {b} are equivalent within {decided.margin:g} new names per 1,000 draws: {range_}."
    more = f" About {decided.more_draws:,} draws per arm would settle it." if decided.more_draws else ""
    return f"Undecided between {a} and {b}: {range_}.{more}"


def _shares(name_a: str, a: Draws, name_b: str, b: Draws) -> list[dict[str, Any]]:
    """Compare shares of draws as one family.

    Not the share that was kept: repetitions make it fall with the length of a run, and arms may differ in that.
    """
    dropped = sorted({*a.reasons, *b.reasons} - {DUPLICATE})
    counted: dict[str, Callable[[str | None], bool]] = {
        "accepted by every gate, repetitions counted": lambda reason: reason in (None, DUPLICATE),
        **{f"dropped as {reason}": partial(operator.eq, reason) for reason in dropped},
    }
    family = {metric: (Counts.of(a.which(of)), Counts.of(b.which(of))) for metric, of in counted.items()}
    rows = []
    for row in compare_shares(family):
        more, less = (name_b, name_a) if row.metric.startswith("dropped") else (name_a, name_b)
        better = more if row.difference.estimate > 0 else less
        rows.append(
            {
                "metric": row.metric,
                "unit": "share of draws",
                "a": row.a.estimate,
                "b": row.b.estimate,
                "difference": msgspec.to_builtins(row.difference),
                "p": row.p,
                "p_holm": row.holm,
                "verdict": better if row.holm < SIGNIFICANT else verdict.UNDECIDED,
            }
        )
    return rows


def _paired(name_a: str, a: Draws, name_b: str, b: Draws) -> list[dict[str, Any]]:
    """Compare the share of accepted draws topic by topic: how hard a topic is then cancels out.

    It explains and is no part of the family above, which asks the same question without the topics.
    """
    shares_a, shares_b = a.accepted_by_number(), b.accepted_by_number()
    both = sorted(shares_a.keys() & shares_b.keys())
    if len(both) < FEWEST_PAIRS:
        return []
    found = paired([shares_a[number] - shares_b[number] for number in both], Random("topics"))
    better = name_a if found.interval.estimate > 0 else name_b
    return [
        {
            "metric": "accepted by every gate, topic by topic",
            "unit": "share of a request's draws",
            "a": fmean(shares_a[number] for number in both),
            "b": fmean(shares_b[number] for number in both),
            "difference": msgspec.to_builtins(found.interval),
            "p": found.permutation_p,
            "p_holm": None,
            "verdict": better if found.permutation_p < SIGNIFICANT else verdict.UNDECIDED,
        }
    ]


def overlap(name_a: str, a: Draws, name_b: str, b: Draws) -> dict[str, Any]:
    """Say which canonical names both arms found, and which one alone did."""
    both = a.names.keys() & b.names.keys()
    union = len(a.names.keys() | b.names.keys())
    return {
        "both": len(both),
        "only": {name_a: len(a.names) - len(both), name_b: len(b.names) - len(both)},
        "jaccard": len(both) / union if union else 0.0,
        "examples": {
            "both": _commonest(a, both),
            name_a: _commonest(a, a.names.keys() - both),
            name_b: _commonest(b, b.names.keys() - both),
        },
    }


def _commonest(draws: Draws, names: set[str]) -> list[str]:
    ranked = sorted(names, key=lambda name: (-draws.names[name], name))
    return [draws.spelling(name) for name in ranked[:SHOWN]]
