"""The charts of a run over time: how fast, how many requests under way, what failed.

Made from the document's timeline; nothing but numbers is drawn, and names of failures stand in the legend and the
table, which are text. This module knows nothing of HTML.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from evoselfcode.report.drawing import INK, MUTED, OVER_TIME, ROWS, Chart, axes_of, chart_of, compact, drawable, style

UNITS = ((2 * 86_400, 86_400, "days"), (2 * 3_600, 3_600, "hours"), (120, 60, "minutes"), (0, 1, "seconds"))
"""From how many seconds on an axis counts in a unit, and how many seconds that is."""

FINEST = 1e-6
"""Seconds of the narrowest bin that is drawn."""

NAMES, FUNCTIONS = ("new names accepted", "new names"), ("functions kept", "kept functions")
"""What is counted besides requests, in the two stages whose runs have a report: as it is done, and as a thing."""

KINDS = 3
"""Kinds of failures with a colour of their own; the others are put together."""


def draw_timeline(timeline: Mapping[str, Any] | None, counted: tuple[str, str] = NAMES) -> dict[str, Chart]:
    """Draw every chart that a timeline has numbers for, by key; `counted` names what is kept."""
    if timeline is None:
        return {}
    edges = timeline["edges"]
    if len(edges) < 2 or not drawable(*edges) or min(b - a for a, b in pairwise(edges)) < FINEST:
        return {}
    with style():
        made = (throughput(timeline, counted), under_way(timeline), limits(timeline), failures(timeline))
    return {chart.key: chart for chart in made if chart}


def throughput(timeline: Mapping[str, Any], counted: tuple[str, str] = NAMES) -> Chart | None:
    """Draw requests settled and what is kept per second."""
    done, things = counted
    edges, settled, kept = timeline["edges"], timeline["settled"], timeline["kept"]
    if not drawable(*settled, *kept):
        return None
    axes = _axes(timeline, 250, "per second")
    lines = ((settled, INK, "-"), (kept, OVER_TIME[0], (0, (5, 2))))
    for counts, color, dashes in lines:
        rates = [count / (b - a) for count, (a, b) in zip(counts, pairwise(edges), strict=True)]
        _steps(axes, timeline, rates, color, dashes)
    axes.set_ylim(bottom=0)
    return chart_of(
        axes, "throughput", "Throughput",
        f"Requests settled and {done} per second, in equal stretches of the run's time.",
        [_of_the_run(edges), "requests per second", f"{things} per second"],
        [[when, *(sum(counts[i:j]) / (edges[j] - edges[i]) for counts in (settled, kept))]
         for i, j, when in _grouped(edges)],
        [("ink", "requests settled"), ("arm-4 dashed", done)],
    )  # fmt: skip


def under_way(timeline: Mapping[str, Any]) -> Chart | None:
    """Draw how many requests were under way, and the most attempts in flight that were allowed."""
    edges, busy = timeline["edges"], timeline["under_way"]
    held = _held(timeline, timeline["limit"])
    if not drawable(*busy):
        return None
    axes = _axes(timeline, 250, "requests")
    _steps(axes, timeline, busy, OVER_TIME[1], "-", fill=0.16)
    if held:
        _limit_line(axes, timeline, held, MUTED, (0, (5, 2)))
    axes.set_ylim(bottom=0)
    return chart_of(
        axes, "under-way", "Requests under way",
        "Mean number of requests begun and not settled; those that wait for a retry or for their turn count too, so it "
        "may be above the most attempts in flight at once (api.concurrency, or what the endpoints were found to take).",
        [_of_the_run(edges), "requests under way", "limit of attempts in flight"],
        [[when, sum(busy[i:j]) / (j - i), _limit(held, edges[i])] for i, j, when in _grouped(edges)],
        [("arm-5", "requests under way"), *([("quiet dashed", "limit of attempts in flight")] if held else [])],
    )  # fmt: skip


def limits(timeline: Mapping[str, Any]) -> Chart | None:
    """Draw how many attempts each of several endpoints was allowed to have in flight."""
    edges = timeline["edges"]
    held = {name: steps for name, raw in timeline["limits"].items() if (steps := _held(timeline, raw))}
    if len(held) < 2:
        return None  # of one endpoint, the chart of requests under way has it
    shown = sorted(held, key=lambda name: (-max(limit for _, limit in held[name]), name))[: len(OVER_TIME)]
    axes = _axes(timeline, 230, "attempts")
    for number, (name, color) in enumerate(zip(shown, OVER_TIME, strict=False)):
        _limit_line(axes, timeline, held[name], color, (0, (5, 2)) if number % 2 else "-")
    axes.set_ylim(0, 1.05 * max(1, *(limit for name in shown for _, limit in held[name])))
    rest = f" {len(held) - len(shown):,} more endpoints are not drawn." if len(held) > len(shown) else ""
    return chart_of(
        axes, "limits", "Limits of the endpoints",
        "Most attempts in flight at each endpoint, as its own queue, its refusals or its goodput asked for; 0 while it "
        f"was away.{rest}",
        [_of_the_run(edges), *shown],
        [[when, *(_limit(held[name], edges[i]) for name in shown)] for i, _, when in _grouped(edges)],
        [(f"arm-{number}{' dashed' * (number % 2)}", name) for number, name in enumerate(shown, 4)],
    )  # fmt: skip


def failures(timeline: Mapping[str, Any]) -> Chart | None:
    """Draw how many attempts failed, by kind, one on top of the other."""
    edges, kinds = timeline["edges"], _kinds(timeline["failures"])
    if not kinds or not all(drawable(*counts) for counts in kinds.values()):
        return None
    axes = _axes(timeline, 230, "failed attempts")
    unit = _unit(edges[-1])[0]
    below = [0.0] * (len(edges) - 1)
    for counts, color in zip(kinds.values(), OVER_TIME, strict=False):
        top = [low + count for low, count in zip(below, counts, strict=True)]
        axes.stairs(top, [edge / unit for edge in edges], baseline=below, color=color, fill=True, alpha=0.85)
        below = top
    axes.set_ylim(0, 1.05 * max(1, *below))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    return chart_of(
        axes, "failures-over-time", "Failed attempts",
        "Counted where their request settled, one kind on top of the other.",
        [_of_the_run(edges), *kinds],
        [[when, *(sum(counts[i:j]) for counts in kinds.values())] for i, j, when in _grouped(edges)],
        [(f"arm-{number}", kind) for number, kind in enumerate(kinds, 4)],
    )  # fmt: skip


def _axes(timeline: Mapping[str, Any], height: int, title: str) -> Axes:
    """Return axes over the run's time, with a line where each pause was cut out."""
    end = timeline["edges"][-1]
    unit, _ = _unit(end)
    axes = axes_of(height)
    axes.set_xlim(0, end / unit)
    axes.xaxis.set_major_formatter(FuncFormatter(compact))
    axes.set_xlabel(_of_the_run(timeline["edges"]))
    axes.set_title(title, loc="left", fontsize=12, color=MUTED)
    for at, _ in timeline["pauses"]["first"]:
        if drawable(at) and at <= end:
            axes.axvline(at / unit, color=MUTED, linestyle=(0, (1, 2)), linewidth=1.4)
    return axes


def _steps(
    axes: Axes, timeline: Mapping[str, Any], values: Sequence[float], color: str, dashes: Any, *, fill: float = 0.0
) -> None:
    """Draw one value a bin."""
    unit = _unit(timeline["edges"][-1])[0]
    edges = [edge / unit for edge in timeline["edges"]]
    if fill:
        axes.stairs(values, edges, color=color, fill=True, alpha=fill)
    axes.stairs(values, edges, baseline=None, color=color, linestyle=dashes, linewidth=1.8)


def _held(timeline: Mapping[str, Any], steps: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    """Return the steps of a limit that can be drawn."""
    return [(at, limit) for at, limit in steps if drawable(at, limit) and at <= timeline["edges"][-1]]


def _limit_line(
    axes: Axes, timeline: Mapping[str, Any], held: Sequence[tuple[float, float]], color: str, dashes: Any
) -> None:
    """Draw a limit as steps, to the end of the run."""
    end = timeline["edges"][-1]
    unit = _unit(end)[0]
    times = [*(at / unit for at, _ in held), end / unit]
    axes.step(times, [*(limit for _, limit in held), held[-1][1]], where="post", color=color, linestyle=dashes,
              linewidth=1.8)  # fmt: skip


def _unit(seconds: float) -> tuple[float, str]:
    """Return the unit of an axis of so many seconds: how many seconds it has, and its name."""
    return next((size, name) for least, size, name in UNITS if seconds >= least)


def _of_the_run(edges: Sequence[float]) -> str:
    return f"{_unit(edges[-1])[1]} of the run"


def _kinds(failed: Mapping[str, Sequence[int]]) -> dict[str, Sequence[int]]:
    """Return the kinds with colours of their own, and all others as one."""
    ranked = sorted(failed, key=lambda kind: (-sum(failed[kind]), kind))
    kinds: dict[str, Sequence[int]] = {kind: failed[kind] for kind in ranked[:KINDS]}
    others = [failed[kind] for kind in ranked[KINDS:]]
    if others:
        kinds["other kinds"] = [sum(counts) for counts in zip(*others, strict=True)]
    return kinds


def _grouped(edges: Sequence[float]) -> list[tuple[int, int, str]]:
    """Return at most `ROWS` stretches of bins: the first, the one behind the last, and from when to when they are."""
    count, unit = len(edges) - 1, _unit(edges[-1])[0]
    step = -(-count // ROWS)
    groups = [(i, min(i + step, count)) for i in range(0, count, step)]
    return [(i, j, f"{edges[i] / unit:.4g} to {edges[j] / unit:.4g}") for i, j in groups]


def _limit(limits: Sequence[tuple[float, float]], at: float) -> float | None:
    """Return the limit that holds at a time."""
    return next((limit for since, limit in reversed(limits) if since <= at), None)
