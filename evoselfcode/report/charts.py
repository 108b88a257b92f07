"""The charts of the page: numbers in, inline SVG out, each with its numbers as a table.

No text of a model is drawn: an arm's name only where it is short and plain. The same numbers give the same bytes. This
module knows the document's arms and nothing of HTML.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from evoselfcode.report.drawing import MUTED, ROWS, SERIES, Chart, axes_of, chart_of, drawable, style

Arms = Sequence[Mapping[str, Any]]

DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (2, 1.5)), (0, (7, 2, 2, 2)))
MARKERS = "osD^vPX*"
"""Nothing is told by colour alone: each arm has its line and its marker as well."""


def draw(arms: Arms) -> dict[str, Chart]:
    """Draw every chart that these arms have numbers for, by key, whatever the user's matplotlibrc says."""
    with style():
        made = (
            saturation(arms),
            estimates(arms, "kept", "Share of draws kept", [arm["yield"] for arm in arms]),
            estimates(arms, "unseen", "Chance that the next accepted draw is a new name",
                      [arm["species"]["unseen"] for arm in arms]),
            diversity(arms),
            histogram(arms, "lengths", "Letters in a name", most=40),
            histogram(arms, "words", "Words in a name", most=8),
            logprobs(arms),
        )  # fmt: skip
    return {chart.key: chart for chart in made if chart}


def saturation(arms: Arms) -> Chart | None:
    """Draw distinct accepted names against draws, and the forecast with its band."""
    curves = [(arm, [(x, y) for x, y in arm["curve"] if drawable(x, y)]) for arm in arms]
    if not any(len(points) > 1 for _, points in curves):
        return None
    axes = axes_of(310)
    rows: list[Sequence[Any]] = []
    for number, (arm, points) in enumerate(curves):
        if not points:
            continue
        color, dashes = look(number)
        axes.plot(*zip(*points, strict=True), color=color, linestyle=dashes, linewidth=2.2)
        rows += [[arm["arm"], x, y, "counted"] for x, y in _thinned(points)]
        end, ahead = points[-1], arm["forecast"]
        told = ahead["distinct"]
        if drawable(ahead["draws"], *told.values()) and ahead["draws"] > end[0] > 0:
            xs = [end[0] + (ahead["draws"] - end[0]) * step / 24 for step in range(25)]
            low, middle, high = (_towards(end, ahead["draws"], told[k], xs) for k in ("low", "estimate", "high"))
            axes.fill_between(xs, low, high, color=color, alpha=0.18, linewidth=0)
            axes.plot(xs, middle, color=color, linestyle=(0, (1, 2)), linewidth=2)
            axes.plot(xs[-1:], middle[-1:], color=color, marker=_marker(number), markersize=6)
            rows.append([arm["arm"], ahead["draws"], told["estimate"], f"forecast, {_range(told)}"])
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("draws")
    axes.set_title("distinct accepted names", loc="left", fontsize=12, color=MUTED)
    return chart_of(
        axes, "saturation", "Distinct names against draws",
        "Lines: names counted. Dots and band: the forecast and its interval, drawn along a power law to its end.",
        ["arm", "draws", "distinct names", "how"], rows,
    )  # fmt: skip


def estimates(arms: Arms, key: str, title: str, intervals: Sequence[Mapping[str, float]]) -> Chart | None:
    """Draw one share per arm with its interval."""
    drawn = [(n, i) for n, i in enumerate(intervals) if drawable(*i.values())]
    if not drawn:
        return None
    axes = _marked_bars(arms, [(n, i["low"], i["estimate"], i["high"]) for n, i in drawn], linewidth=3, alpha=0.55)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}%"))
    return chart_of(
        axes, key, title, "Marks: estimates. Bars: 95 % intervals. The axis need not begin at zero.",
        ["arm", "estimate", "interval"],
        [[arm["arm"], f"{100 * i['estimate']:.2f}%", f"{100 * i['low']:.2f}% to {100 * i['high']:.2f}%"]
         for arm, i in zip(arms, intervals, strict=True)],
    )  # fmt: skip


def diversity(arms: Arms) -> Chart | None:
    """Draw the Hill numbers of order 0, 1 and 2 of each arm."""
    profiles = [(n, arm["species"]["hill"]) for n, arm in enumerate(arms) if drawable(*arm["species"]["hill"])]
    profiles = [(number, hill) for number, hill in profiles if hill and max(hill) > 0]
    if not profiles:
        return None
    axes = axes_of(250)
    _bars(axes, [(number, list(enumerate(hill))) for number, hill in profiles])
    axes.set_xticks(range(3), ["all (q=0)", "usual (q=1)", "often (q=2)"])
    axes.set_title("effective number of names", loc="left", fontsize=12, color=MUTED)
    return chart_of(
        axes, "diversity", "Diversity: Hill numbers",
        "How many equally frequent names would be as diverse: counting all, the usual ones, the frequent ones.",
        ["arm", "q = 0", "q = 1", "q = 2"],
        [[arm["arm"], *([*arm["species"]["hill"], None, None, None][:3])] for arm in arms],
    )  # fmt: skip


def histogram(arms: Arms, key: str, title: str, *, most: int, of: str = "accepted names") -> Chart | None:
    """Draw the share of names, or of what else `of` says, with each value; those above `most` are put together."""
    bins = [_binned(arm[key], most) for arm in arms]
    if not any(bins):
        return None
    axes = axes_of(240)
    shares = [(n, [(x, y / sum(found.values())) for x, y in found.items()]) for n, found in enumerate(bins) if found]
    first = min(x for _, points in shares for x, _ in points)
    last = max(x for _, points in shares for x, _ in points)
    if last - first <= 12:
        _bars(axes, shares)
        axes.set_xticks(range(first, last + 1))
    else:
        for number, points in shares:
            color, dashes = look(number)
            heights, edges = dict(points), [x - 0.5 for x in range(first, last + 2)]
            values = [heights.get(x, 0) for x in range(first, last + 1)]
            axes.stairs(values, edges, color=color, fill=True, alpha=0.16)
            axes.stairs(values, edges, color=color, linewidth=1.8, linestyle=dashes)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.0f}" + ("+" if x >= most else "")))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g}%"))
    axes.set_ylim(bottom=0)
    axes.set_title(f"share of {of}", loc="left", fontsize=12, color=MUTED)
    axes.set_xlabel(title.partition(" ")[0].lower())
    return chart_of(
        axes, key, title, f"Share of each arm's {of}; {most} or more are put together.",
        [title.partition(" ")[0].lower(), *(arm["arm"] for arm in arms)],
        [[f"{x}+" if x >= most else x, *(found.get(x, 0) for found in bins)]
         for x in sorted({x for found in bins for x in found})],
    )  # fmt: skip


def logprobs(arms: Arms) -> Chart | None:
    """Draw the quartiles of the log-probabilities of each arm's names."""
    told = [(number, arm["logprob"]) for number, arm in enumerate(arms) if arm["logprob"]]
    told = [(n, q) for n, q in told if drawable(*(abs(q[key]) for key in ("low", "median", "high")))]
    if not told:
        return None
    axes = _marked_bars(arms, [(n, q["low"], q["median"], q["high"]) for n, q in told], linewidth=9, alpha=0.35)
    axes.set_xlabel("nats")
    return chart_of(
        axes, "logprob", "Log-probability of accepted names",
        "Marks: medians. Bars: from the first quartile to the third. Each name counts once, as its most probable draw.",
        ["arm", "names", "first quartile", "median", "third quartile"],
        [[arms[number]["arm"], q["names"], q["low"], q["median"], q["high"]] for number, q in told],
    )  # fmt: skip


def _marked_bars(
    arms: Arms, drawn: Sequence[tuple[int, float, float, float]], *, linewidth: float, alpha: float
) -> Axes:
    """Draw one arm below the other, each a bar with a mark: its place among the arms, the low end, mark, high end."""
    axes = axes_of(66 + 34 * len(drawn), left=92, top=12)
    for place, (number, low, middle, high) in enumerate(drawn):
        color, _ = look(number)
        axes.plot([low, high], [place, place], color=color, linewidth=linewidth, alpha=alpha)
        axes.plot([middle], [place], color=color, marker=_marker(number), markersize=8)
    axes.set_yticks(range(len(drawn)), [_plain(arms[number]["arm"], number) for number, *_ in drawn])
    axes.set_ylim(len(drawn) - 0.4, -0.6)
    axes.margins(x=0.12)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(4))
    return axes


def _bars(axes: Axes, series: Sequence[tuple[int, Sequence[tuple[float, float]]]]) -> None:
    """Draw bars side by side, one group for each x."""
    width = 0.8 / len(series)
    for place, (number, points) in enumerate(series):
        xs = [x + (place - (len(series) - 1) / 2) * width for x, _ in points]
        axes.bar(xs, [y for _, y in points], width * 0.92, color=look(number)[0], alpha=0.85, linewidth=0)


def look(number: int) -> tuple[str, Any]:
    """Return the colour and the line of an arm, by its place."""
    return SERIES[number % len(SERIES)], DASHES[line(number)]


def line(number: int) -> int:
    """Return which of the lines an arm has, by its place: where colours come again, lines are others."""
    return (number + number // len(SERIES)) % len(DASHES)


def _marker(number: int) -> str:
    return MARKERS[(number + number // len(SERIES)) % len(MARKERS)]


def _plain(name: str, number: int) -> str:
    """Return an arm's name where it is short and plain; where not, its place."""
    return name if re.fullmatch(r"[\w. +-]{1,12}", name, re.ASCII) else f"arm {number + 1}"


def _thinned(points: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Yield at most `ROWS` points, evenly chosen, the last among them."""
    step = math.ceil(len(points) / ROWS)
    yield from reversed(points[::-1][::step])


def _towards(start: tuple[float, float], draws: float, height: float, xs: Iterable[float]) -> list[float]:
    """Return y at each x on the power law (Heaps' law) from the curve's end to `height` at `draws`."""
    x0, y0 = start
    if draws <= x0:
        return [height for _ in xs]
    if min(x0, y0, height) < 1:
        return [y0 + (height - y0) * (x - x0) / (draws - x0) for x in xs]
    power = math.log(height / y0) / math.log(draws / x0)
    return [y0 * (x / x0) ** power for x in xs]


def _binned(counts: Iterable[tuple[int, int]], most: int) -> dict[int, int]:
    """Return how many names have each value, in order; values above `most` count as `most`."""
    found: dict[int, int] = {}
    for value, count in counts:
        if drawable(value, count) and count:
            found[min(value, most)] = found.get(min(value, most), 0) + count
    return dict(sorted(found.items()))


def _range(interval: Mapping[str, float]) -> str:
    return f"{interval['low']:,.0f} to {interval['high']:,.0f}"
