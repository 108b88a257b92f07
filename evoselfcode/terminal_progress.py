"""What people see of a run while it lasts: a bar on a terminal, heartbeat lines elsewhere, nothing if they ask for it.

This file decides how a beat reads. What it says is :mod:`evoselfcode.progress`, when it comes
:mod:`evoselfcode.heartbeat`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from evoselfcode.terminal import printable, say

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from evoselfcode.progress import Beat


class Display(Protocol):
    """Shows how a run is going; entered around it.

    Attributes:
        every: Seconds from one beat that it wants to the next.
    """

    every: float

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the screen tidy."""

    def show(self, beat: Beat) -> None:
        """Show a beat."""


def display(heartbeat_seconds: float, *, quiet: bool = False) -> Display:
    """Choose a display: bars on a terminal, a line every so many seconds elsewhere, nothing if `quiet`."""
    if quiet:
        return Nothing(heartbeat_seconds)
    redrawn = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    return Bars() if redrawn else Lines(heartbeat_seconds)


class Nothing:
    """Shows nothing."""

    def __init__(self, every: float) -> None:
        self.every = every

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None

    def show(self, beat: Beat) -> None:
        """Show nothing."""


class Lines(Nothing):
    """Prints a line for each beat, readable by people and by ``key=value`` parsers."""

    def show(self, beat: Beat) -> None:
        """Print the line."""
        say(line(beat))


def line(beat: Beat) -> str:
    """Say in one line how a run is going."""
    return printable(" ".join(_parts(beat)))


def _parts(beat: Beat) -> Iterator[str]:
    yield f"stage={beat.stage}"
    if beat.shard is not None:
        yield f"shard={beat.shard}"
    yield f"state={beat.state}"
    if beat.state in ("parked", "paused"):
        yield f"for={beat.since:.0f}s"
    if beat.state != "starting":
        yield f"settled={beat.settled}/{beat.planned}"
        yield from (f"kept_{arm}={count}" for arm, count in beat.kept.items())
        yield f"requests/s={beat.requests_per_second:.1f}"
        yield f"tokens/s={beat.tokens_per_second:.0f}"
        yield f"in_flight={beat.in_flight}/{beat.limit}"
        if len(beat.endpoints) > 1:
            shown = (f"{_word(it.name)}:{it.state}:{it.in_flight}/{it.limit}" for it in beat.endpoints)
            yield f"endpoints={','.join(shown)}"
        yield f"failures={','.join(f'{kind}:{count}' for kind, count in beat.failures.items()) or 0}"
        yield f"dead={beat.dead}"
        if beat.client_bound:
            yield "client_bound=yes"
        yield f"lag={beat.lag:.2f}s"
    yield f"rss={beat.rss / 2**20:.0f}MiB"
    yield f"free={'unknown' if beat.free is None else f'{beat.free / 2**30:.1f}GiB'}"
    if beat.state != "starting":
        yield f"eta={'unknown' if beat.eta is None else f'{beat.eta:.0f}s'}"


def _word(text: str) -> str:
    """Return a text without what parts the pairs of a line."""
    return "".join("_" if c.isspace() or c in "=," else c for c in text)


class Bars:
    """A bar on the terminal, redrawn in place."""

    every = 0.2

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.table import Column

        console = Console(stderr=True)
        # Where the line is too long, the state gives way: how much is done stays readable.
        self._progress: RichProgress = Progress(
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

    def show(self, beat: Beat) -> None:
        """Move the bar."""
        stage = printable(beat.stage if beat.shard is None else f"{beat.stage} {beat.shard}")
        total = beat.planned or None
        state = printable(told(beat))
        if self._task is None:
            self._task = self._progress.add_task("", stage=stage, state=state, total=total)
        self._progress.update(self._task, stage=stage, completed=beat.settled, total=total, state=state)


def told(beat: Beat) -> str:
    """Say to people at a terminal how a run is going, what matters most first."""
    parts = []
    if beat.state == "parked":
        parts.append(f"parked for {beat.since:.0f} s: no endpoint answers, rows wait")
    if beat.state == "paused":
        parts.append(f"paused for {beat.since:.0f} s: the endpoint is overloaded")
    parts.append(" ".join(f"{arm} {count} kept" for arm, count in beat.kept.items()))
    parts.append(f"{beat.requests_per_second:.0f} requests/s")
    parts.append(f"{beat.in_flight}/{beat.limit} in flight")
    if beat.client_bound:
        parts.append("client-bound: this program is the bottleneck")
    if beat.failures:
        parts.append("failed attempts: " + ", ".join(f"{kind} {count:,}" for kind, count in beat.failures.items()))
    return "starting" if beat.state == "starting" else "  ".join(filter(None, parts))
