"""The report in ten lines: what people see of it on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from evoselfcode.terminal import output, printable


def report_card(report: Mapping[str, Any]) -> None:
    """Print the verdict, a line for each arm, the overlap and where the page is, on the standard output.

    Raises:
        OSError: It cannot be written to.
    """
    from rich.text import Text

    console = output()
    comparison = report["comparison"]
    if comparison:
        console.print(Text(printable(comparison["sentence"]), style="bold"), soft_wrap=True)
    for line in (*_arms(report["arms"]), *_overlap(report["overlap"])):
        console.print(Text(printable(line)), soft_wrap=True)
    for warning in report["warnings"]:
        console.print(Text(f"warning: {printable(warning)}", style="yellow"), soft_wrap=True)
    console.print(Text(printable(str(Path(report["folder"]) / "report.html"))), soft_wrap=True)


def _arms(arms: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for arm in arms:
        species, forecast = arm["species"], arm["forecast"]
        unseen, later = species["unseen"], forecast["distinct"]
        yield (
            f"{arm['arm']}: {species['distinct']:,} different names in {arm['draws']:,} draws "
            f"({arm['new_per_1000']:.0f} per 1,000); the next accepted draw is new with probability "
            f"{unseen['estimate']:.2f} ({unseen['low']:.2f} to {unseen['high']:.2f}); "
            f"{forecast['draws']:,} draws would give about {later['estimate']:,.0f} "
            f"({later['low']:,.0f} to {later['high']:,.0f})"
        )


def _overlap(overlap: Mapping[str, Any] | None) -> Iterable[str]:
    if overlap:
        alone = ", ".join(f"{count:,} by {arm} alone" for arm, count in overlap["only"].items())
        yield f"both arms found {overlap['both']:,} names; {alone}"
