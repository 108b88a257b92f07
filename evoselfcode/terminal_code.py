"""What people see of a filter of code: what it came to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from evoselfcode.terminal import output, printable


def code_card(metrics: Mapping[str, Any], folder: Path) -> None:
    """Print what became of the draws of each arm, and where the files are, on the standard output.

    Raises:
        OSError: It cannot be written to.
    """
    from rich.table import Table
    from rich.text import Text

    console = output()
    table = Table(box=None, pad_edge=False)
    for column in ("arm", "draws", "parse", "kept", "quarantined", "yield"):
        table.add_column(column, justify="left" if column == "arm" else "right")
    table.add_column("dropped", overflow="fold")
    for name, arm in metrics["arms"].items():
        draws, kept = arm["draws"], arm["kept"]
        table.add_row(
            printable(name),
            f"{draws:,}",
            f"{arm['syntax_valid']:,}",
            f"{kept:,}",
            f"{arm['quarantined']:,}",
            f"{kept / draws:.1%}" if draws else "-",
            Text(", ".join(_dropped(arm["reasons"]))),
        )
    console.print(table)
    for warning in metrics["warnings"]:
        console.print(Text(f"warning: {printable(warning)}", style="yellow"), soft_wrap=True)
    for file, rows in (("filtered.jsonl", metrics["kept"]), ("raw.jsonl", metrics["draws"])):
        console.print(Text(printable(f"{folder / file}  {rows:,} rows")), soft_wrap=True)


def _dropped(reasons: Mapping[str, int]) -> Iterable[str]:
    ranked = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return (f"{reason} {count:,}" for reason, count in ranked if reason != "quarantined")


def code_report_card(report: Mapping[str, Any], *, after_the_filter: bool = False) -> None:
    """Print the answer of a report and where its page is, on the standard output.

    Args:
        report: The report of a code run.
        after_the_filter: Whether :func:`code_card` has told the numbers of the arms and the warnings.

    Raises:
        OSError: It cannot be written to.
    """
    from rich.text import Text

    console = output()
    console.print(Text(printable(report["answer"]["sentence"]), style="bold"), soft_wrap=True)
    if report["scores"]:
        console.print(Text(printable(report["scores"]["sentence"])), soft_wrap=True)
    if not after_the_filter:
        for arm in report["arms"]:
            steps = ", ".join(f"{step['count']:,} {step['step']}" for step in arm["funnel"][1:])
            told = f"{arm['arm']}: {arm['draws']:,} draws, of which {steps} ({_range(arm['yield'])})"
            console.print(Text(printable(told)), soft_wrap=True)
        for warning in report["warnings"]:
            console.print(Text(f"warning: {printable(warning)}", style="yellow"), soft_wrap=True)
    console.print(Text(printable(str(Path(report["folder"]) / "report.html"))), soft_wrap=True)


def _range(share: Mapping[str, float]) -> str:
    return f"{share['estimate']:.1%}, {share['low']:.1%} to {share['high']:.1%}"


def audit_table(audit: Mapping[str, Any]) -> None:
    """Print what each gate does to a corpus, on the standard output.

    Raises:
        OSError: It cannot be written to.
    """
    from rich.table import Table
    from rich.text import Text

    console = output()
    programs, good = audit["programs"], audit["good"]
    console.print(Text(printable(f"{audit['corpus']}: {programs:,} programs, {good:,} known to be good"), style="bold"))
    table = Table(box=None, pad_edge=False)
    for column in ("gate", "drops", "loses", "alone drops", "alone loses", ""):
        table.add_column(column, justify="left" if column in ("gate", "") else "right")
    for gate in audit["gates"]:
        alone = gate["alone"]
        numbers = (gate["drops"], gate["loses"], alone["drops"], alone["loses"])
        table.add_row(gate["gate"], *(f"{number:,}" for number in numbers), "" if gate["on"] else "off")
    console.print(table)
    kept, kept_good = audit["kept"], audit["kept_good"]
    lost = (
        f"{good - kept_good:,} of the good are lost ({(good - kept_good) / good:.2%})"
        if good
        else "none is known to be good"
    )
    console.print(Text(f"{kept:,} are kept, {kept_good:,} of them good; {lost}"))
