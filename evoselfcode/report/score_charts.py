"""The charts of scores and ratings: bars with intervals, arm beside arm; what passed when it was run above what failed.

Made from the part of the document that is about scores; nothing but numbers is drawn, and what a metric is called
in plain letters. This module knows nothing of HTML.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from evoselfcode.report.charts import look
from evoselfcode.report.drawing import INK, MUTED, OVER_TIME, Chart, axes_of, chart_of, style
from evoselfcode.report.score_columns import LARGEST
from evoselfcode.report.score_comparison import FAILED, PASSED

FEW_BARS = 12
"""Bars of several arms stand side by side up to so many of each; more are drawn as steps."""

GROUPS = ((PASSED, OVER_TIME[0]), (FAILED, OVER_TIME[1]))
"""Colours that the usual two arms leave free."""

Series = Sequence[tuple[int, str, Mapping[str, Any]]]
"""The place of an arm among all arms, its name, and what is told of it."""


def draw_scores(scores: Mapping[str, Any] | None, place: Mapping[str, int]) -> dict[str, Chart]:
    """Draw every chart that this part of a document has numbers for, by key.

    Args:
        scores: The part of the document that is about scores, if there is one.
        place: The place of each arm among all arms of the run: its colour and its line.
    """
    if scores is None:
        return {}
    made: list[Chart | None] = []
    with style():
        for number, one in enumerate(scores["metrics"]):
            series = [(place.get(arm["arm"], 0), arm["arm"], arm) for arm in one["arms"]]
            made.append(distribution(f"score-{number}", one, series))
        made.append(curve_areas(scores["execution"]["metrics"]))
        made += [by_outcome(f"outcome-{number}", one) for number, one in enumerate(scores["execution"]["metrics"])]
    return {chart.key: chart for chart in made if chart}


def distribution(key: str, one: Mapping[str, Any], series: Series) -> Chart | None:
    """Draw which share of each arm's functions has which values, with intervals."""
    edges, series = one["edges"], [(n, arm, told) for n, arm, told in series if told["bars"]]
    if not series or not _finite(edges):
        return None
    axes = axes_of(210)
    if len(edges) - 1 <= FEW_BARS:
        _side_by_side(axes, edges, series)
    else:
        for number, _, told in series:
            _steps(axes, edges, told["bars"], *look(number))
    _finish(axes, one, "share of functions")
    order = ", arms in the order of the legend" if len(edges) - 1 <= FEW_BARS and len(series) > 1 else ""
    return chart_of(
        axes, key, one["title"], f"Shares with 95 % intervals{order}.{_ends(one)}",
        [one["unit"] or "value", *(arm for _, arm, _ in series)],
        _rows(one, [told for *_, told in series]),
    )  # fmt: skip


def by_outcome(key: str, one: Mapping[str, Any]) -> Chart | None:
    """Draw the values of functions that passed above those of functions that failed, on one axis."""
    edges = one["edges"]
    if not _finite(edges) or not all(one[group]["bars"] for group, _ in GROUPS):
        return None
    lower = axes_of(250)
    assert isinstance(lower.figure, Figure)
    box = lower.get_position()
    half = box.height * 0.41
    lower.set_position((box.x0, box.y0, box.width, half))
    upper = lower.figure.add_axes((box.x0, box.y0 + box.height - half, box.width, half), sharex=lower, sharey=lower)
    for axes, (group, color) in zip((upper, lower), GROUPS, strict=True):
        _steps(axes, edges, one[group]["bars"], color, "-")
        axes.grid(visible=True, axis="y")
        axes.text(0.0, 1.04, group, transform=axes.transAxes, color=MUTED, fontsize=12)
    _finish(lower, one, "")
    upper.tick_params(labelbottom=False)
    area = one["auc"]
    return chart_of(
        lower, key, one["title"],
        f"Shares of functions that passed, and of those that failed, with 95 % intervals. Area under the curve "
        f"{area['estimate']:.3f} ({area['low']:.3f} to {area['high']:.3f}).{_ends(one)}",
        [one["unit"] or "value", *(group for group, _ in GROUPS)],
        _rows(one, [one[group] for group, _ in GROUPS]),
    )  # fmt: skip


def curve_areas(metrics: Sequence[Mapping[str, Any]]) -> Chart | None:
    """Draw how well each metric tells functions that passed from those that failed."""
    if not metrics:
        return None
    axes = axes_of(70 + 26 * len(metrics), left=190, top=12)
    axes.axvline(0.5, color=MUTED, linestyle=(0, (5, 2)), linewidth=1.4)
    for at, one in enumerate(metrics):
        area, color = one["auc"], MUTED if one["informative"] is False else INK
        axes.plot([area["low"], area["high"]], [at, at], color=color, linewidth=3, alpha=0.55)
        axes.plot([area["estimate"]], [at], color=color, marker="o", markersize=7)
    axes.set_yticks(range(len(metrics)), [one["title"] for one in metrics])
    axes.set_ylim(len(metrics) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    axes.set_xlabel("area under the curve")
    return chart_of(
        axes, "curve-areas", "How well each metric tells passed from failed",
        "The chance that a function that passed has a higher value than one that failed. Marks: estimates. Bars: 95 % "
        "intervals. At 0.5 (dashed) a metric tells nothing; below it, lower values are those of functions that pass. "
        "Grey: not informative.",
        ["metric", "area", "interval", "passed", "failed"],
        [[one["title"], f"{one['auc']['estimate']:.3f}", f"{one['auc']['low']:.3f} to {one['auc']['high']:.3f}",
          one[PASSED]["known"], one[FAILED]["known"]] for one in metrics],
    )  # fmt: skip


def _side_by_side(axes: Axes, edges: Sequence[float], series: Series) -> None:
    """Draw the bars of all arms beside each other, each with its interval."""
    width = 0.8 / len(series)
    for at, (number, _, told) in enumerate(series):
        shares = [bar["share"] for bar in told["bars"]]
        shift = (at - (len(series) - 1) / 2) * width
        xs = [(a + b) / 2 + shift * (b - a) for a, b in pairwise(edges)]
        widths = [0.92 * width * (b - a) for a, b in pairwise(edges)]
        axes.bar(xs, [s["estimate"] for s in shares], widths, color=look(number)[0], alpha=0.85, linewidth=0)
        seen = [(x, bar["share"]) for x, bar in zip(xs, told["bars"], strict=True) if bar["count"]]
        axes.vlines([x for x, _ in seen], [s["low"] for _, s in seen], [s["high"] for _, s in seen],
                    color=INK, linewidth=1.4, alpha=0.8)  # fmt: skip


def _steps(axes: Axes, edges: Sequence[float], bars: Sequence[Mapping[str, Any]], color: str, dashes: Any) -> None:
    """Draw shares as steps, with a band for their intervals."""
    low, middle, high = (
        [bar["share"][key] if bar["count"] else 0.0 for bar in bars] for key in ("low", "estimate", "high")
    )
    axes.stairs(high, edges, baseline=low, color=color, fill=True, alpha=0.22, linewidth=0)
    axes.stairs(middle, edges, color=color, linewidth=1.8, linestyle=dashes)


def _finish(axes: Axes, one: Mapping[str, Any], title: str) -> None:
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g}%"))
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.set_ylim(bottom=0)
    axes.set_xlim(one["edges"][0], one["edges"][-1])
    if _whole(one["edges"]):
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.set_title(title, loc="left", fontsize=12, color=MUTED)
    axes.set_xlabel(one["unit"])


def _rows(one: Mapping[str, Any], of: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Return the table of the numbers that were drawn: a row for each bar."""
    return [
        [place, *(_share(told["bars"][at]) for told in of)]
        for at, place in enumerate(_places(one["edges"]))
    ]  # fmt: skip


def _places(edges: Sequence[float]) -> list[str]:
    if _whole(edges):
        return [f"{(a + b) / 2:,.0f}" for a, b in pairwise(edges)]
    return [f"{a:.6g} to {b:.6g}" for a, b in pairwise(edges)]


def _whole(edges: Sequence[float]) -> bool:
    """Say whether each bar is around one whole number."""
    return all(edge % 1 == 0.5 and b - a == 1 for edge, (a, b) in zip(edges, pairwise(edges), strict=False))


def _share(bar: Mapping[str, Any]) -> str:
    share = bar["share"]
    return f"{100 * share['estimate']:.1f}% ({100 * share['low']:.1f} to {100 * share['high']:.1f}), {bar['count']:,}"


def _ends(one: Mapping[str, Any]) -> str:
    if one["family"] == "rating":
        return " Ratings stand at the nearest whole number."
    return " Values beyond the ends stand in the bars there."


def _finite(edges: Sequence[float]) -> bool:
    inside = all(math.isfinite(edge) and abs(edge) <= 2 * LARGEST for edge in edges)
    return len(edges) > 1 and inside and all(a < b for a, b in pairwise(edges))
