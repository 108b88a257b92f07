"""How every chart looks, and how matplotlib's SVG is made fit for a page.

While matplotlib draws, colours are stand-ins; afterwards they become CSS variables, so that a chart follows the
reader's light or dark theme. Fonts are the page's. Ids get the chart's own prefix, and only those that are referred to
stay. Nothing that matplotlib writes reaches beyond its own element.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

WIDTH = 460
"""User units. At 400 px of screen a letter of 13 units is then 10 px high."""

INK, MUTED, GRID, CARD = "#010203", "#010204", "#010205", "#010206"
SERIES = tuple(f"#0102{number:02x}" for number in range(0x11, 0x19))
OVER_TIME = SERIES[4:]
"""Colours of lines that are of no arm: those that the usual two arms leave free."""

VARIABLES = {INK: "ink", MUTED: "muted", GRID: "grid", CARD: "card"} | {
    color: f"arm-{number}" for number, color in enumerate(SERIES)
}
"""Colours that stand for CSS variables while matplotlib draws."""

SETTINGS: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "axes.labelcolor": MUTED,
    "axes.labelpad": 7,
    "axes.labelsize": 12,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.unicode_minus": False,
    "figure.dpi": 72,
    "figure.facecolor": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": 13,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "path.simplify": False,
    "savefig.dpi": 72,
    "svg.fonttype": "none",
    "svg.hashsalt": "evoselfcode",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": GRID,
    "xtick.labelcolor": MUTED,
    "xtick.labelsize": 12,
    "ytick.color": GRID,
    "ytick.labelcolor": MUTED,
    "ytick.labelsize": 12,
    "ytick.left": False,
}

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
FONT = re.compile(r"font(?:-family)?: ?(?:(?:\w+ )*?([\d.]+px)(?: [^;]*)?|[^;]*)(;|$)")


LARGEST = 1e12
"""A number above it is no count of this program's; a chart with one is left out."""

ROWS = 20
"""Rows of the table beside a curve: as many as one reads."""


@dataclass(frozen=True)
class Chart:
    """One chart.

    Attributes:
        key: What it is called in ids: letters and dashes.
        title: What it shows, in a few words.
        description: How to read it, in a sentence or two.
        svg: The drawing, one ``<svg>`` element.
        head: The titles of the table's columns.
        rows: The numbers that were drawn, one list of cells a row.
        legend: Names of the lines with the CSS class of each, where they are not arms.
    """

    key: str
    title: str
    description: str
    svg: str
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]
    legend: Sequence[tuple[str, str]] = ()


@contextmanager
def style() -> Iterator[None]:
    """Draw with our settings on top of matplotlib's own, whatever the user's matplotlibrc says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        yield


def axes_of(height: int, *, left: int = 54, top: int = 26) -> Axes:
    """Return the axes of a new figure of `height` user units, with horizontal grid lines."""
    figure = Figure(figsize=(WIDTH / 72, height / 72))
    axes = figure.add_axes((left / WIDTH, 48 / height, 1 - (left + 18) / WIDTH, max(0.1, 1 - (48 + top) / height)))
    axes.grid(visible=True, axis="y")
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_formatter(FuncFormatter(compact))
    axes.xaxis.set_major_formatter(FuncFormatter(compact))
    return axes


def drawable(*numbers: float) -> bool:
    """Say whether these can be drawn: finite, no less than 0, and of a size that occurs."""
    return all(math.isfinite(number) and 0 <= number <= LARGEST for number in numbers)


def chart_of(
    axes: Axes,
    key: str,
    title: str,
    description: str,
    head: Sequence[str],
    rows: Sequence[Sequence[Any]],
    legend: Sequence[tuple[str, str]] = (),
) -> Chart:
    """Return the chart that these axes are."""
    return Chart(key, title, description, svg(axes, key, title, description), head, rows, legend)


def svg(axes: Axes, key: str, title: str, description: str) -> str:
    """Write the figure of these axes as an element of a page, named by `title` and `description`.

    Args:
        axes: What was drawn; made by :func:`axes_of`.
        key: What all its ids begin with; one a page.
        title: What it shows.
        description: How it is read.
    """
    assert isinstance(axes.figure, Figure)
    written = io.StringIO()
    nothing: dict[str, Any] = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    axes.figure.savefig(written, format="svg", metadata=nothing)
    return _fit_for_a_page(written.getvalue(), key, title, description)


def _fit_for_a_page(drawn: str, key: str, title: str, description: str) -> str:
    """Return matplotlib's SVG as an element of a page: themed, named, with ids of its own and no style for others."""
    root = ElementTree.fromstring(drawn)  # noqa: S314 (our own drawing)
    linked = {node.attrib[LINK].removeprefix("#") for node in root.iter() if LINK in node.attrib}
    linked |= set(re.findall(r"url\(#([^)]+)\)", drawn))
    for parent in list(root.iter()):
        for child in [node for node in parent if node.tag == SVG + "style"]:
            parent.remove(child)
    for node in root.iter():
        node.text, node.tail = (node.text or "").strip(), ""
        node.tag = node.tag.removeprefix(SVG)
        attributes, node.attrib = dict(node.attrib), {}
        for name, value in attributes.items():
            if name == "id":
                if value in linked:
                    node.set("id", f"{key}-{value}")
            elif name == LINK:
                node.set("href", f"#{key}-{value.removeprefix('#')}")
            elif name == "style":
                node.set("style", _themed(value))
            else:
                node.set(name, " ".join(value.split()).replace("url(#", f"url(#{key}-"))
    root.attrib = {
        "viewBox": root.attrib["viewBox"], "role": "img", "aria-labelledby": f"{key}-title {key}-desc", "class": "chart"
    }  # fmt: skip
    for tag, text in (("desc", description), ("title", title)):
        named = ElementTree.Element(tag, {"id": f"{key}-{tag}"})
        named.text = text
        root.insert(0, named)
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)


def _themed(style: str) -> str:
    """Return a style attribute with CSS variables for colours and the page's own font."""
    style = FONT.sub(lambda found: f"font-size: {found[1]};" if found[1] else "", style)
    for color, variable in VARIABLES.items():
        style = style.replace(color, f"var(--{variable})")
    return style


def compact(value: float, _: Any = None) -> str:
    """Return a number of an axis: 12,500 as 12.5k."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{letter}"
    return f"{value:.4g}"
