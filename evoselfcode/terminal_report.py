"""The report in ten lines: what people see of it on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evoselfcode.terminal import output, printable


def report_card(report: Mapping[str, Any]) -> None:
    """Print the answer, a line for each comparison and arm, and where the page is, on the standard output.

    Raises:
        OSError: It cannot be written to.
    """
    from rich.text import Text

    console = output()
    console.print(Text(printable(report["answer"]["sentence"]), style="bold"), soft_wrap=True)
    for line in (*_comparisons(report["comparisons"]), *_arms(report["arms"]), *_overlap(report["comparisons"])):
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


def _comparisons(comparisons: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """Tell each of several comparisons; of a single one the answer has told."""
    if len(comparisons) > 1:
        for one in comparisons:
            yield f"{one['arms'][0]} against {one['arms'][1]} ({', '.join(one['factors'])}): {one['sentence']}"


def _overlap(comparisons: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    if len(comparisons) == 1:
        overlap = comparisons[0]["overlap"]
        alone = ", ".join(f"{count:,} by {arm} alone" for arm, count in overlap["only"].items())
        yield f"both arms found {overlap['both']:,} names; {alone}"
