"""What people see of a choice among functions: what it came to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evoselfcode.terminal import output, printable

STRATA_SHOWN = 12
"""Strata that the card shows."""


def choice_card(choice: Mapping[str, Any], folder: Path) -> None:
    """Print what was chosen, by what, and where the files are, on the standard output.

    Raises:
        OSError: It cannot be written to.
    """
    from rich.table import Table
    from rich.text import Text

    console = output()
    told = f"{choice['chosen']:,} of {choice['rows']:,} functions chosen, for {choice['names']:,} names"
    console.print(Text(f"{told}; {choice['pareto']:,} of them on the short list", style="bold"), soft_wrap=True)
    console.print(Text(", ".join(f"{word} {count:,}" for word, count in choice["why"].items())), soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for column in ("stratum", "complexity", "functions", "names", "chosen"):
        table.add_column(column, justify="left" if column == "stratum" else "right")
    ranked = sorted(choice["strata"], key=lambda stratum: -stratum["rows"])
    for stratum in ranked[:STRATA_SHOWN]:
        numbers = (f"{stratum[key]:,}" for key in ("rows", "names", "chosen"))
        table.add_row(Text(printable(stratum["topic"])), stratum["band"], *numbers)
    console.print(table)
    if len(ranked) > STRATA_SHOWN:
        console.print(Text(f"and {len(ranked) - STRATA_SHOWN} smaller strata"))
    console.print(_metrics(choice["metrics"]))
    for why, names in _left_out(choice["left_out"]).items():
        console.print(Text(printable(f"left out, for {why}: {', '.join(names)}")), soft_wrap=True)
    for warning in choice["warnings"]:
        console.print(Text(f"warning: {printable(warning)}", style="yellow"), soft_wrap=True)
    for file, rows in (("chosen.jsonl", choice["chosen"]), ("ranked.jsonl", choice["rows"])):
        console.print(Text(printable(f"{folder / file}  {rows:,} rows")), soft_wrap=True)


def _metrics(metrics: Mapping[str, Any]) -> Any:
    """Return the table of metrics; an AUC says how well one tells functions that agree from those that do not."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("metric", "weight", "known of", "median", "AUC", "AUC within names"):
        table.add_column(column, justify="left" if column == "metric" else "right")
    for name, told in metrics.items():
        shown = [told["median"], told["auc"], told["auc_within"]]
        numbers = ("-" if value is None else f"{value:.3f}" for value in shown)
        table.add_row(name, f"{told['weight']:g}", f"{told['rows']:,}", *numbers)
    return table


def _left_out(metrics: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the metrics that are left out by why they are."""
    reasons: dict[str, list[str]] = {}
    for name, why in metrics.items():
        reasons.setdefault(why, []).append(name)
    return reasons
