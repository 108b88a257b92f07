"""Two arms of the code stage side by side, name by name: how hard a function is to write then cancels out.

This file decides what is compared and in which words it is told. The numbers come from
:mod:`evoselfcode.stats.compare`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from statistics import fmean
from typing import Any

import msgspec

from evoselfcode.report.code_draws import CodeArm, Name
from evoselfcode.report.comparison import FEWEST_PAIRS, SIGNIFICANT
from evoselfcode.stats.compare import Paired, holm, paired
from evoselfcode.stats.verdict import UNDECIDED

METRICS: dict[str, Callable[[Name], int]] = {
    "kept": lambda name: name.kept,
    "accepted by every gate, repetitions counted": lambda name: name.accepted,
    "parsed by Python": lambda name: name.parsed,
}
"""What of a name's draws is counted. The first decides, the others explain."""

PRIMARY = next(iter(METRICS))


def compared_arms(arms: Mapping[str, CodeArm]) -> list[dict[str, Any]]:
    """Compare the arms if there are two that were asked about the same names, at least two of them."""
    drawn = [name for name, arm in arms.items() if arm.draws]
    if len(drawn) != 2:
        return []
    a, b = drawn
    both = sorted(arms[a].names.keys() & arms[b].names.keys())
    if len(both) < 2:
        return []
    shares = {metric: [_shares(arms[arm], both, of) for arm in drawn] for metric, of in METRICS.items()}
    found = {
        metric: paired([x - y for x, y in zip(*of_both, strict=True)], Random(metric))
        for metric, of_both in shares.items()
    }
    first, *others = found
    adjusted = dict(zip(others, holm([found[metric].permutation_p for metric in others]), strict=True))
    verdicts = {metric: _verdict(a, b, found[metric], adjusted.get(metric)) for metric in found}
    rows = [
        {
            "metric": metric,
            "unit": "share of a name's draws",
            "a": fmean(shares[metric][0]),
            "b": fmean(shares[metric][1]),
            "difference": msgspec.to_builtins(one.interval),
            "p": one.permutation_p,
            "p_holm": adjusted.get(metric),
            "verdict": verdicts[metric],
        }
        for metric, one in found.items()
    ]
    return [
        {
            "arms": drawn,
            "names": len(both),
            "primary": first,
            "verdict": verdicts[first],
            "sentence": _sentence(a, b, found[first], verdicts[first]),
            "metrics": rows,
        }
    ]


def _shares(arm: CodeArm, names: list[str], of: Callable[[Name], int]) -> list[float]:
    return [of(arm.names[name]) / arm.names[name].draws for name in names]


def _verdict(a: str, b: str, found: Paired, adjusted: float | None) -> str:
    """Name the arm that does better, where chance is no explanation and the names are many enough to tell."""
    p = found.permutation_p if adjusted is None else adjusted
    if found.pairs < FEWEST_PAIRS or p >= SIGNIFICANT:
        return UNDECIDED
    return a if found.interval.estimate > 0 else b


def _sentence(a: str, b: str, found: Paired, verdict: str) -> str:
    gap, low, high = (100 * value for value in (found.interval.estimate, found.interval.low, found.interval.high))
    over = f"name by name, over {found.pairs:,} names"
    if verdict == UNDECIDED:
        few = f" Fewer than {FEWEST_PAIRS} names tell nothing." if found.pairs < FEWEST_PAIRS else ""
        return (
            f"Undecided between {a} and {b}: the difference {a} minus {b} in the share of draws kept is {gap:+.1f} "
            f"points ({low:+.1f} to {high:+.1f}, {over}).{few}"
        )
    loser = b if verdict == a else a
    low, high = sorted((low, high)) if verdict == a else sorted((-low, -high))
    return (
        f"{verdict} keeps {abs(gap):.1f} percentage points more of its draws than {loser} "
        f"(95 % interval {low:.1f} to {high:.1f}, {over})."
    )
