"""What people see of a preflight: the doctor's table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from evoselfcode.terminal import output, printable

if TYPE_CHECKING:
    from evoselfcode.clients import Check, Findings


def findings_table(findings: Findings, remarks: Iterable[str]) -> None:
    """Print what a preflight found and remarks on the configuration, on the standard output.

    Raises:
        OSError: It cannot be written to.
    """
    from rich.table import Table
    from rich.text import Text

    console = output()
    table = Table(box=None, pad_edge=False)
    for column in ("", "check", "found"):
        table.add_column(column, overflow="fold")
    for check in [*findings.checks, *(_remark(text) for text in remarks)]:
        found = printable(check.found) + (f"\nhint: {printable(check.hint)}" if check.hint else "")
        style = {"warning": "yellow", "problem": "bold red"}.get(check.level, "")
        table.add_row(Text(check.level, style=style), Text(check.name), Text(found))
    console.print(table)
    console.print(Text(f"{findings.requests} requests were sent"))


def _remark(text: str) -> Check:
    from evoselfcode.clients import Check

    found, _, hint = text.partition("\nhint: ")
    return Check("configuration", "warning", found, hint)
