"""What people see: progress on a terminal, heartbeat lines elsewhere, the card at the end, the doctor's table.

This file decides how a run is shown. Nothing is told by colour alone, and text that a model or a server wrote is
never read as markup.
"""

from __future__ import annotations

import io
import os
import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import orjson

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID
    from rich.table import Table

    from evoselfcode.clients import Check, Findings
    from evoselfcode.datagen.pipeline.summary import Summary
    from evoselfcode.engine import FleetStatistics, Meter

NAMES_SHOWN = 12
"""Names of each file that the card shows."""


def say(text: str) -> None:
    """Print a line for people on the standard error, if somebody is there: nobody listening ends no run."""
    if sys.stderr is not None:  # it is where a program was started with the descriptor closed
        with suppress(OSError, ValueError):  # a full disk below a log, a pipe whose reader has left
            print(printable(text), file=sys.stderr, flush=True)


def leave() -> None:
    """Flush what was printed, and drop what cannot be written: Python would end with a code of its own, 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def printable(text: str) -> str:
    """Replace control characters, which could drive the terminal, by U+FFFD; newlines stay."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


class Display(Protocol):
    """Shows the progress of a run; entered around it."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the screen tidy."""

    def update(self, summary: Summary, gate: FleetStatistics) -> None:
        """Show the state of things."""


def display(heartbeat_seconds: float, *, quiet: bool = False) -> Display:
    """Choose a display: bars on a terminal, lines elsewhere, nothing if `quiet`."""
    if quiet:
        return Lines(float("inf"))
    redrawn = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    return Bars() if redrawn else Lines(heartbeat_seconds)


class Lines:
    """One heartbeat line every `seconds`, readable by people and by ``key=value`` parsers."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None

    def update(self, summary: Summary, gate: FleetStatistics) -> None:
        """Print a line if it is time for one."""
        if summary.seconds - self._last >= self._seconds:
            self._last = summary.seconds
            say(heartbeat(summary, gate))


def heartbeat(summary: Summary, gate: FleetStatistics) -> str:
    """Say in one line how a run is going; rates are of this process."""
    meter, seconds = summary.meter, max(summary.seconds, 1e-9)
    eta = meter.eta(summary.seconds)
    parts = [
        f"stage={summary.stage}",
        f"settled={meter.settled}/{meter.planned}",
        *(f"kept_{arm}={meter.kept[arm]}" for arm in sorted(meter.requests)),
        f"requests/s={meter.fresh / seconds:.1f}",
        f"tokens/s={meter.new_tokens / seconds:.0f}",
        f"in_flight={gate.in_flight}/{gate.slots}",
        f"failures={','.join(f'{kind}:{count}' for kind, count in meter.failures.most_common()) or 0}",
        f"dead={meter.dead}",
        f"eta={'unknown' if eta is None else f'{eta:.0f}s'}",
    ]
    return " ".join(parts)


class Bars:
    """A bar on the terminal, redrawn in place."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.table import Column

        console = Console(stderr=True)
        # Where the line is too long, the state gives way: how much is done stays readable.
        self._progress: Progress = Progress(
            TextColumn("{task.fields[stage]}", markup=False),
            BarColumn(bar_width=max(4, min(40, console.width // 5))),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TimeElapsedColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[state]}", markup=False, table_column=Column(no_wrap=True, ratio=1)),
            console=console,
            transient=True,
            expand=True,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def update(self, summary: Summary, gate: FleetStatistics) -> None:
        """Move the bar."""
        meter = summary.meter
        kept = " ".join(f"{arm} {meter.kept[arm]} kept" for arm in sorted(meter.requests))
        rate = meter.fresh / max(summary.seconds, 1e-9)
        failed = _counted(meter.failures)
        state = f"{kept}  {rate:.0f} requests/s  {gate.in_flight}/{gate.slots} in flight"
        if failed:
            state += f"  failed attempts: {failed}"
        if self._task is None:
            self._task = self._progress.add_task("", stage=summary.stage, state=state, total=meter.planned)
        self._progress.update(self._task, completed=meter.settled, total=meter.planned, state=state)


def output() -> Console:
    """Make a console on the standard output that prints in any encoding and minds no reader that has left."""
    from rich.console import Console

    class Patient(Console):
        def on_broken_pipe(self) -> None:
            # As rich does, but it also ends the process with code 1; `| head` is no failure of a run.
            self.quiet = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return Patient(highlight=False, markup=False)


def card(summary: Summary) -> None:
    """Print what a run came to, on the standard output.

    Raises:
        OSError: It cannot be written to.
    """
    from rich.text import Text

    console = output()
    console.print(Text(_title(summary), style="bold"))
    if summary.files:  # else what was drawn is filtered first, and shown then
        console.print(_funnel(summary.meter))
    for line in _totals(summary):
        console.print(Text(line), soft_wrap=True)
    for name, rows in summary.files.items():
        path = summary.folder / name
        console.print(Text(f"{path}  {rows:,} rows"), soft_wrap=True)
        shown = ", ".join(_first_names(path))
        if shown and not name.startswith("combined"):
            more = ", …" if rows > NAMES_SHOWN else ""
            console.print(Text(f"  {shown}{more}", style="dim"), soft_wrap=True)


def _title(summary: Summary) -> str:
    dialect = summary.findings.dialect
    way = dialect.fim + (f" ({dialect.family})" if dialect.fim == "sentinel" else "")
    fim = f"; FIM by {way}" if summary.fim and dialect.fim != "none" else ""
    return printable(f"{summary.stage}: {dialect.model} on {dialect.server}{fim}")


def _funnel(meter: Meter) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in ("arm", "requests", "draws", "kept", "yield"):
        table.add_column(column, justify="left" if column == "arm" else "right")
    table.add_column("dropped", overflow="fold")
    for arm in sorted(meter.requests):
        draws, kept = meter.draws[arm], meter.kept[arm]
        reasons = Counter({reason: count for (of, reason), count in meter.reasons.items() if of == arm})
        table.add_row(
            arm,
            f"{meter.requests[arm]:,}",
            f"{draws:,}",
            f"{kept:,}",
            f"{kept / draws:.1%}" if draws else "-",
            Text(_counted(reasons)),
        )
    return table


def _totals(summary: Summary) -> Iterable[str]:
    meter = summary.meter
    tokens = f"tokens: {meter.prompt_tokens:,} prompt, {meter.completion_tokens:,} completion"
    if not summary.sent:
        yield f"{tokens}. Nothing was left to ask: no request was sent."
    else:
        rate = meter.fresh / max(summary.seconds, 1e-9)
        yield f"{tokens}. {meter.fresh:,} requests in {summary.seconds:.1f} s ({rate:,.0f}/s)"
    if meter.resumed and summary.sent:
        yield f"resumed: {meter.resumed:,} requests were settled before"
    for arm, why in summary.saturated.items():
        yield f"{arm} ended early: {why}"
    for why in dict.fromkeys(summary.left_out.values()):
        arms = ", ".join(arm for arm, told in summary.left_out.items() if told == why)
        yield printable(f"left out: {arms}: {why}")
    if meter.dead:
        yield f"given up: {meter.dead:,} requests; why is in {summary.folder / 'journal.jsonl'}"
    if meter.failures:
        yield f"failed attempts: {_counted(meter.failures)}"
    repeated = sum(count for (_, reason), count in meter.reasons.items() if reason == "duplicate")
    if repeated > sum(meter.draws.values()) / 2:
        yield "more than half of the draws repeat a name: a higher namegen.temperature finds more"
    if summary.damaged:
        yield f"damaged journal lines: {summary.damaged}; their requests were asked again"


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.most_common())


def _first_names(path: Path) -> list[str]:
    names = []
    with path.open("rb") as file:
        for _, line in zip(range(NAMES_SHOWN), file, strict=False):
            names.append(printable(str(orjson.loads(line)["func_name"])))
    return names


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
