"""What people see of a bench: what it will send, each level as it is measured, the card, the settings to paste."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil
from typing import TYPE_CHECKING, Any

from evoselfcode.terminal import output, printable, say

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from evoselfcode.bench.asking import Asked
    from evoselfcode.bench.levels import Level
    from evoselfcode.bench.measuring import Wish


def announce(wish: Wish, asked: Asked, n: int, tokens: int) -> None:
    """Say, before the first level, what will be sent and what bounds it."""
    doublings = (ceil(wish.most / max(1, len(asked.replicas))) - 1).bit_length() + 1
    bound = "no bound on requests (--max-requests)"
    if wish.max_requests is not None:
        bound = f"{wish.max_requests:,} requests at most"
    for arm, why in asked.left_out.items():
        say(f"warning: left out: {arm}: {why}")
    model, arms = printable(asked.findings.dialect.model), ", ".join(asked.arms)
    say(f"bench: {model} is asked what a run of names asks: {n} x {tokens} tokens a request, arms {arms}")
    say(
        f"bench: up to {doublings} levels, to {wish.most:,} in flight, and 6 between them, "
        f"{wish.seconds:g} to {3 * wish.seconds:g} s each; {wish.max_seconds:g} s at most"
    )
    say(f"bench: {bound}. What is sent is paid for where the endpoint costs money; Ctrl-C ends with what is known")


def show(level: Level) -> None:
    """Say what one level gave, on one line."""
    tokens = level.completion_tokens_per_second
    told = "" if tokens is None else f" tokens/s={tokens:,.0f}"
    waits = f" waiting={level.server.waiting:,.0f}" if level.server else ""
    failed = f" failed={sum(level.failures.values()):,}" if level.failures else ""
    say(
        f"in_flight={level.limit} requests/s={_rate(level.requests_per_second)}{told} "
        f"p50={1000 * level.latency_s.p50:,.0f}ms core={level.client.core:.0%}{waits}{failed}"
    )


def bench_card(found: Mapping[str, Any], levels: Iterable[Level]) -> None:
    """Print what was found, on the standard output.

    Args:
        found: The document for machines.
        levels: Its levels, ascending.

    Raises:
        OSError: It cannot be written to.
    """
    from rich.text import Text

    console, there, verdict = output(), found["endpoint"], found["verdict"]
    fim = f"; FIM by {there['fim']}" if there["fim"] != "none" else ""
    arms = ", ".join(found["settings"]["arms"])
    console.print(Text(printable(f"bench: {there['model']} on {there['server']}{fim}; asked: {arms}"), style="bold"))
    rows = list(levels)
    if rows:
        console.print(_table(rows, found["knee"]))
    knee = "not found" if found["knee"] is None else f"{found['knee']:,} in flight"
    lines = [("knee", knee), ("limit", f"{verdict['limit']}: {verdict['why']}"), ("do", verdict["advice"])]
    lines += [("note", remark) for remark in found["remarks"]]
    _tell(console, [(name, printable(told)) for name, told in lines])
    if found["config"] is not None:
        console.print(Text("\nTo paste, as a file that extends your own, or into it:\n", style="bold"))
        console.print(Text(printable(found["config"])), soft_wrap=True)


def _tell(console: Console, lines: list[tuple[str, str]]) -> None:
    """Print words and what they say: beside each other on a terminal, one line each in a file."""
    from rich.table import Table
    from rich.text import Text

    if not console.is_terminal:
        for name, told in lines:
            console.print(Text(f"{name:<7}{told}"), soft_wrap=True)
        return
    grid = Table.grid(padding=(0, 2))
    for name, told in lines:
        grid.add_row(Text(name), Text(told))
    console.print(grid)


def _table(levels: list[Level], knee: int | None) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    told = any(level.completion_tokens_per_second is not None for level in levels)
    queued = any(level.server is not None for level in levels)
    failed = any(level.failures for level in levels)
    heads = ["in\nflight", "\nreq/s", *(["\ntok/s"] if told else []), "p50\nms", "p95\nms", "p99\nms", "CPU\nµs/req"]
    heads += ["\ncore", "late\nms", *(["\nrun", "\nwait"] if queued else []), *(["\nfailed"] if failed else [])]
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("")
    for level in levels:
        table.add_row(*_row(level, told=told, queued=queued, failed=failed), "<" if level.limit == knee else "")
    return table


def _row(level: Level, *, told: bool, queued: bool, failed: bool) -> Iterable[str]:
    yield f"{level.limit:,}"
    yield _rate(level.requests_per_second)
    if told:
        yield _rate(level.completion_tokens_per_second or 0.0)
    for seconds in (level.latency_s.p50, level.latency_s.p95, level.latency_s.p99):
        yield _rate(1000 * seconds)
    yield f"{level.client.cpu_us_per_request:,.0f}"
    yield f"{level.client.core:.0%}"
    yield f"{1000 * level.client.late_s:,.0f}"
    if queued:
        yield from (
            ("", "") if level.server is None else (f"{level.server.running:,.0f}", f"{level.server.waiting:,.0f}")
        )
    if failed:
        yield f"{sum(level.failures.values()):,}"


def _rate(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}"
