"""What people see of the scores and the ratings of code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evoselfcode.terminal import output, printable


def score_card(metrics: Mapping[str, Any]) -> None:
    """Print the middle of each score and why some are unknown, on the standard output.

    Raises:
        OSError: It cannot be written to.
    """
    from rich.table import Table
    from rich.text import Text

    console = output()
    table = Table(box=None, pad_edge=False)
    for column in ("score", "known", "low", "median", "high"):
        table.add_column(column, justify="left" if column == "score" else "right")
    table.add_column("unknown", overflow="fold")
    for name, score in metrics["scores"].items():
        numbers = ("-" if score[key] is None else f"{score[key]:,.4g}" for key in ("low", "median", "high"))
        unknown = ", ".join(f"{why} {count:,}" for why, count in score["unknown"].items())
        table.add_row(printable(name), f"{score['known']:,}", *numbers, Text(printable(unknown)))
    console.print(table)
    told = f"{metrics['drawn']:,} of {metrics['rows']:,} rows have the log-probability that they were drawn with"
    console.print(Text(told), soft_wrap=True)


def rating_card(metrics: Mapping[str, Any]) -> None:
    """Print the middle of each dimension, whether it is informative and why not, on the standard output.

    Raises:
        OSError: It cannot be written to.
    """
    from rich.table import Table
    from rich.text import Text

    console = output()
    table = Table(box=None, pad_edge=False)
    for column in ("rating", "rated", "unparsed", "median", "are 5", "kappa"):
        table.add_column(column, justify="left" if column == "rating" else "right")
    for name, found in metrics["dimensions"].items():
        table.add_row(
            printable(name),
            f"{found['rated']:,}",
            f"{found['unparsed']:,}",
            _or_dash(found["median"], "{:g}"),
            _or_dash(found["at_best"], "{:.0%}"),
            _or_dash(found["retest"]["kappa"], "{:.2f}"),
        )
    console.print(table)
    verdicts: dict[str, list[str]] = {}
    for name, found in metrics["dimensions"].items():
        told = "informative" if found["informative"] else "not informative: " + "; ".join(found["why"])
        verdicts.setdefault(told, []).append(name)
    for told, names in verdicts.items():
        console.print(Text(printable(f"{', '.join(names)}: {told}")), soft_wrap=True)
    unchecked = dict.fromkeys(why for found in metrics["dimensions"].values() for why in found["not_checked"])
    for why in unchecked:
        console.print(Text(printable(f"not checked: {why}")), soft_wrap=True)


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)
