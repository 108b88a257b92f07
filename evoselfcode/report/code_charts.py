"""The charts of a code run: numbers in, inline SVG out, each with its numbers as a table."""

from __future__ import annotations

from evoselfcode.report.charts import Arms, estimates, histogram
from evoselfcode.report.drawing import Chart, style

MOST_LINES = 40
"""Lines from which functions are put together."""


def draw_code(arms: Arms) -> dict[str, Chart]:
    """Draw every chart that these arms have numbers for, by key."""
    with style():
        made = [histogram(arms, "lines", "Lines of a function", most=MOST_LINES, of="kept functions")]
        if len(arms) > 1:  # of a single one the numbers say it all
            made.append(estimates(arms, "kept", "Share of draws kept", [arm["yield"] for arm in arms]))
    return {chart.key: chart for chart in made if chart}
