"""What people see when a run has ended: what it came to, arm by arm, and where its files are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from evoselfcode.terminal import output, printable

if TYPE_CHECKING:
    from rich.table import Table

    from evoselfcode.datagen.pipeline.summary import Summary
    from evoselfcode.engine import Meter

NAMES_SHOWN = 12
"""Names of each file that the card shows."""


def card(summary: Summary, remarks: Sequence[str] = ()) -> None:
    """Print what a run came to, on the standard output.

    Args:
        summary: The run.
        remarks: What else is to be told of it.

    Raises:
        OSError: It cannot be written to.
    """
    from rich.text import Text

    console = output()
    console.print(Text(_title(summary), style="bold"))
    if summary.files:  # else what was drawn is filtered first, and shown then
        console.print(_funnel(summary.meter))
    for line in (*_totals(summary), *remarks):
        console.print(Text(printable(line)), soft_wrap=True)
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
    part = "" if summary.shard is None else f", shard {summary.shard}"
    return printable(f"{summary.stage}{part}: {dialect.model} on {dialect.server}{fim}")


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
            Text(counted(reasons)),
        )
    return table


def _totals(summary: Summary) -> Iterable[str]:
    meter = summary.meter
    tokens = f"tokens: {meter.prompt_tokens:,} prompt, {meter.completion_tokens:,} completion"
    if summary.merged is not None and not summary.sent:
        yield f"{tokens}. {meter.settled:,} requests, merged from {summary.merged} shards; no request was sent."
    elif not summary.sent:
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
        yield f"left out: {arms}: {why}"
    if meter.dead:
        yield f"given up: {meter.dead:,} requests; why is in {summary.folder / 'journal'}"
    if meter.failures:
        yield f"failed attempts: {counted(meter.failures)}"
    repeated = sum(count for (_, reason), count in meter.reasons.items() if reason == "duplicate")
    if repeated > sum(meter.draws.values()) / 2:
        yield "more than half of the draws repeat a name: a higher namegen.temperature finds more"
    if summary.damaged:
        where = f" ({'; '.join(summary.damages)})" if summary.damages else ""
        yield f"damaged journal lines: {summary.damaged}{where}; their requests were asked again"


def counted(counts: Counter[str]) -> str:
    """List words and how often each was counted, the most frequent first."""
    return ", ".join(f"{name} {count:,}" for name, count in counts.most_common())


def _first_names(path: Path) -> list[str]:
    names = []
    with path.open("rb") as file:
        for _, line in zip(range(NAMES_SHOWN), file, strict=False):
            names.append(printable(str(orjson.loads(line)["func_name"])))
    return names
