"""What ``benchmarks/goodput.py`` says of its runs: goals, and a card for people with every run's slots over time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from card import Judged, judge, told

LEAST = 0.95
"""Part of the best static concurrency's goodput that nobody tuning is to reach."""

ALIKE = 0.995
"""Static concurrencies with this part of the most goodput are as good as the best one."""

LATE = 0.25
"""Seconds that the server may be late with an answer; above, the machine is the limit."""

BLOCKS, COLUMNS = " ▁▂▃▄▅▆▇█", 60


def most(found: Sequence[Mapping[str, Any]], slots: int) -> float:
    """Return the most goodput of a static concurrency."""
    static = (run["goodput"] for run in found
              if run["client"] == "static" and run["slots"] == slots and "failed" not in run)  # fmt: skip
    return max(static, default=0.0)


def best(found: Sequence[Mapping[str, Any]], slots: int) -> Mapping[str, Any] | None:
    """Return, of the static runs that are as good as the best one, that with the least in flight."""
    static = [run for run in found if run["client"] == "static" and run["slots"] == slots and "failed" not in run]
    alike = (run for run in static if run["goodput"] >= ALIKE * most(found, slots))
    return min(alike, key=lambda run: run["in_flight"], default=None)


def judged(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Judge ours against the best static concurrency and each peer, at each size."""
    goals = []
    for own in sorted(found, key=lambda run: (run["slots"], run["metrics"])):
        if own["client"] != "auto":
            continue
        slots, top = own["slots"], best(found, own["slots"])
        if top is not None:
            told = "the server tells its queue" if own["metrics"] else "it does not"
            alike = f"as good from {top['in_flight']:,} in flight"
            sentence = f"of the best static concurrency ({alike}) at {slots:,} slots, {told}"
            goals.append(_goal("G17", own, most(found, slots), LEAST, sentence))
        for peer in found if own["metrics"] else ():
            if peer["slots"] == slots and peer["client"] not in ("auto", "static") and peer.get("goodput"):
                queue = f"{peer['waiting']:.1f} of its slots waiting, p50 {peer['p50_s'] or math.nan:.1f} s"
                ours = f"ours {own.get('waiting', math.nan):.1f}, {own.get('p50_s') or math.nan:.1f} s"
                sentence = f"times the goodput of {peer['client']} at {slots:,} slots ({queue}; {ours})"
                goals.append(_goal("G18", own, peer["goodput"], 1.0, sentence))
    return goals


def _goal(name: str, own: Mapping[str, Any], other: float, limit: float, sentence: str) -> Judged:
    return judge(name, own.get("goodput", 0.0) / other, ">=", limit, sentence)


def card(found: Sequence[Mapping[str, Any]], goals: Sequence[Mapping[str, Any]], missing: Mapping[str, str]) -> str:
    """Return the table, the goals and what could not be run."""
    lines = []
    for slots in dict.fromkeys(sorted(run["slots"] for run in found)):
        lines += ["", f"{slots:,} slots; goodput as a part of the most that they can; queue as a part of the slots;",
                  "start: seconds to the tenth request; full: seconds from the first to all slots busy", "",
                  f"{'client':30}{'goodput':>8}{'whole':>7}{'busy':>7}{'queue':>7}{'p50 s':>7}{'p99 s':>7}"
                  f"{'most':>7}{'start':>6}{'full':>5}  slots busy over time"]  # fmt: skip
        lines += [_row(run) for run in sorted((run for run in found if run["slots"] == slots), key=_order)]
    lines.append("")
    lines.append(told(goals))
    lines += [f"not run: {name}, {why}" for name, why in missing.items()]
    return "\n".join(lines)


def _order(run: Mapping[str, Any]) -> tuple[int, str, bool, int]:
    place = {"auto": 0, "static": 1}.get(run["client"], 2)
    return place, run["client"], not run["metrics"], run["in_flight"] or 0


def _row(run: Mapping[str, Any]) -> str:
    name = {"auto": "auto" if run["metrics"] else "auto, queue not told"}.get(run["client"], run["client"])
    name += f" {run['in_flight']:,}" if run["in_flight"] else ""
    if "failed" in run:
        return f"{name:30}{run['failed'][:120]}"
    took = "".join(f"{'' if run[key] is None else format(run[key], '.1f'):>7}" for key in ("p50_s", "p99_s"))
    late = f"  (server up to {run['late_s']:.1f} s late)" if run["late_s"] > LATE else ""
    parts = f"{run['goodput']:>8.1%}{run['goodput_whole']:>7.0%}{run['busy']:>7.0%}{run['waiting']:>7.2f}{took}"
    seconds = f"{run['started_s']:>6.0f}{'' if run['ramp_s'] is None else run['ramp_s']:>5}"
    return (f"{name:30}{parts}{run['most_in_flight']:>7,}{seconds}"
            f"  {spark(run['series']['busy'], run['slots'])}{late}")  # fmt: skip


def spark(series: Sequence[float], most: float) -> str:
    """Draw a series in blocks, the mean of several values where there are more than columns; `most` is a full one."""
    each = max(1, math.ceil(len(series) / COLUMNS))
    parts = [series[place : place + each] for place in range(0, len(series), each)]
    return "".join(BLOCKS[min(8, round(8 * sum(part) / len(part) / most))] for part in parts)
