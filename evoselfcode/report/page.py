"""The report as one HTML page that needs nothing else: no network, no script, no font, no second file.

This file decides how numbers and names are written. What is shown, and in which order, is in ``page.html`` and, of
a code run, ``code.html``; which numbers there are is in the document. Text of a model is hostile: everything is
escaped, and characters that do not print (line ends, controls, marks that turn the writing direction) are shown as
escapes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from evoselfcode.report.charts import draw, line
from evoselfcode.report.code_charts import draw_code
from evoselfcode.report.drawing import SERIES, Chart
from evoselfcode.report.score_charts import draw_scores
from evoselfcode.report.time_charts import FUNCTIONS, draw_timeline

LONGEST = 120
"""Characters of a name or example; what is cut off says so."""


def render(document: Mapping[str, Any]) -> str:
    """Render a report.

    Args:
        document: What :func:`evoselfcode.report.document.document` makes, or the same read from ``report.json``.

    Returns:
        One HTML document. The same report gives the same text; it can be encoded as UTF-8 whatever a model wrote.
    """
    return _fill("page.html", document, draw(document["arms"]) | draw_timeline(document["timeline"]))


def render_code(document: Mapping[str, Any]) -> str:
    """Render the report of a code run.

    Args:
        document: What :func:`evoselfcode.report.code_document.code_document` makes, or the same read from
            ``report.json``.

    Returns:
        One HTML document, as :func:`render` does.
    """
    charts = draw_code(document["arms"]) | draw_timeline(document["timeline"], FUNCTIONS)
    charts |= draw_scores(document["scores"], {arm["arm"]: at for at, arm in enumerate(document["arms"])})
    return _fill("code.html", document, charts)


def _fill(template: str, document: Mapping[str, Any], charts: Mapping[str, Chart]) -> str:
    """Fill a template of this folder with a document and its charts, by key."""
    arms: Sequence[Mapping[str, Any]] = document["arms"]
    return _environment().get_template(template).render(
        document,
        charts={key: {"chart": chart, "svg": Markup(chart.svg)} for key, chart in charts.items()},  # noqa: S704
        place={arm["arm"]: number % len(SERIES) for number, arm in enumerate(arms)},
    )  # fmt: skip


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("evoselfcode.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "brief": brief, "duration": duration, "json": as_json, "line": line, "listing": listing, "measure": measure,
        "gap": gap, "number": number, "percent": percent, "primary": primary, "probability": probability,
        "whisker": whisker,
    }  # fmt: skip
    return environment


def primary(comparison: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return the metric that decides, if there is a comparison and it is in the table."""
    if comparison is None:
        return None
    return next((row for row in comparison["metrics"] if row["metric"] == comparison["primary"]), None)


def visible(value: object) -> object:
    r"""Show characters that do not print as escapes such as ``\n`` and ``\u202e``; leave markup and numbers alone."""
    if value is None:
        return "–"
    if isinstance(value, Markup) or not isinstance(value, str) or value.isprintable():
        return value
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value)


def brief(text: str, longest: int = LONGEST) -> str:
    """Cut a name or an example, and say how long it was."""
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text):,} characters)"


def listing(code: str) -> Markup:
    """Write code for an element that keeps spaces and lines; what else does not print, tabs too, is an escape."""
    return Markup("\n").join(escape(visible(line)) for line in code.split("\n"))


def as_json(value: object) -> str:
    """Write the value of a setting; in quotes if it is text, so that a space at its end is seen."""
    return json.dumps(value, ensure_ascii=False)


def number(value: float | None) -> str:
    """Write a count in full, anything else with four significant digits."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.1f}" if 1000 <= abs(value) < 1e15 else f"{value:.4g}"


def percent(value: float | None) -> str:
    """Write a share."""
    if value is None or not math.isfinite(value):
        return "–"
    digits = 1 if abs(value) >= 0.1 or value == 0 else 2
    return f"{100 * value:,.{digits}f}%" if abs(value) < 1e9 else f"{100 * value:.3g}%"


def measure(value: float | None, unit: str) -> str:
    """Write the value of a metric: shares as percentages."""
    return percent(value) if unit.startswith("share") else number(value)


def gap(value: float | None, unit: str) -> str:
    """Write a difference of two values of a metric, with its sign; of shares, in percentage points (pp)."""
    if value is None or not math.isfinite(value):
        return "–"
    share = unit.startswith("share") and abs(value) < 1e9
    written = f"{100 * abs(value):,.2f} pp" if share else number(abs(value))
    return ("+" if value > 0 else "−" if value < 0 else "") + written


def probability(value: float | None) -> str:
    """Write a p-value."""
    if value is None or not math.isfinite(value):
        return "–"
    if value >= 0.0001:
        return f"{value:.3f}" if value >= 0.1 else f"{value:.4f}"
    return "< 0.0001"


def duration(seconds: float) -> str:
    """Write a time in the two largest units that it has."""
    if not math.isfinite(seconds) or seconds < 60:
        return f"{number(round(seconds, 1)) if math.isfinite(seconds) else '–'} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60:,} h {minutes % 60} min"


def whisker(interval: Mapping[str, float]) -> dict[str, str]:
    """Return where an interval, its estimate and zero lie on a line that holds all three, as CSS percentages."""
    low, middle, high = interval["low"], interval["estimate"], interval["high"]
    reach = max(abs(low), abs(middle), abs(high))
    if not math.isfinite(reach) or not reach:
        return {"left": "50%", "width": "0%", "dot": "50%"}
    at = [50 + 46 * (edge / reach) for edge in (low, high, middle)]
    return {"left": f"{at[0]:.2f}%", "width": f"{max(0, at[1] - at[0]):.2f}%", "dot": f"{at[2]:.2f}%"}
