"""A run over time, from the times at which its requests settled: how fast, how many at once, what failed.

This file decides how the run's time is cut into bins and what a pause is. It refuses to know how that is drawn. One
pass over the entries, in any order, and memory that does not grow with them: counts are kept in cells of equal width,
which double where there would be too many. Sums are of whole milliseconds, so that no order of adding changes them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from evoselfcode.storage import Entry

MOST_BINS = 120
"""Bins of a chart: at 460 units of width, one is as wide as its line."""

BIN_REQUESTS = 8
"""Requests a bin should have on average: with fewer, a chart shows chance."""

FEWEST_BINS = 12

MOST_CELLS = 4096
"""Cells in memory. Once they have doubled, at least half as many are in use, so that a bin has 17 cells or more."""

PAUSE = 15 * 60 * 1000
"""Milliseconds without any request under way that are a pause: nobody waits so long for a retry."""

LATEST = 10**11
"""Unix time in seconds, in the year 5138; what is beyond is no time at which a request settled."""

SHOWN_PAUSES = 20


class _Cell:
    """What happened in a stretch of time.

    Attributes:
        first: The earliest moment at which a request began or settled, in milliseconds of Unix time.
        last: The latest one.
        settled: Requests settled.
        kept: Draws kept of these.
        change: Requests begun, less requests settled.
        moment: The same, each multiplied by its time: what the time under way is found with.
        failures: Attempts that failed of the requests settled, by kind.
    """

    __slots__ = ("change", "failures", "first", "kept", "last", "moment", "settled")

    def __init__(self) -> None:
        self.first, self.last = LATEST * 1000, 0
        self.settled = self.kept = self.change = self.moment = 0
        self.failures: Counter[str] = Counter()

    def step(self, time: int, sign: int) -> None:
        """Count that a request began (1) or settled (-1)."""
        self.first, self.last = min(self.first, time), max(self.last, time)
        self.change += sign
        self.moment += sign * time

    def take(self, other: _Cell) -> None:
        """Add what happened in another."""
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)
        self.settled += other.settled
        self.kept += other.kept
        self.change += other.change
        self.moment += other.moment
        self.failures.update(other.failures)


class Cells:
    """Counts what happened when, in at most :data:`MOST_CELLS` cells, as narrow as these allow.

    Attributes:
        width: Width of a cell in milliseconds.
        undated: Entries that do not say when they settled.
    """

    def __init__(self) -> None:
        self.width = 1
        self.undated = 0
        self._cells: dict[int, _Cell] = {}

    def add(self, entry: Entry) -> None:
        """Count one settled request."""
        if entry.at is None or not 0 <= entry.at < LATEST:
            self.undated += 1
            return
        end = round(entry.at * 1000)
        begin = round(max(0.0, entry.at - max(0.0, entry.seconds)) * 1000)
        self._at(begin).step(begin, 1)
        cell = self._at(end)
        cell.step(end, -1)
        cell.settled += 1
        cell.kept += sum(draw.reason is None for draw in entry.draws)
        cell.failures.update(entry.failures)

    def _at(self, time: int) -> _Cell:
        place = time // self.width
        found = self._cells.get(place)
        if found is None:
            found = self._cells[place] = _Cell()
            while len(self._cells) > MOST_CELLS:
                self._widen()
            found = self._cells[time // self.width]
        return found

    def _widen(self) -> None:
        self.width *= 2
        narrow, self._cells = self._cells, {}
        for place, cell in narrow.items():
            if place // 2 in self._cells:
                self._cells[place // 2].take(cell)
            else:
                self._cells[place // 2] = cell

    def in_order(self) -> list[_Cell]:
        """Return the cells that something happened in, the earliest first."""
        return [cell for _, cell in sorted(self._cells.items())]


class _Stretch(NamedTuple):
    """A time without a pause: from, to, and where it begins on the axis without pauses, all in milliseconds."""

    begin: int
    end: int
    place: int


class _Axis:
    """The time of a run without its pauses, in milliseconds from its first request."""

    def __init__(self, cells: Sequence[_Cell]) -> None:
        self.stretches: list[_Stretch] = []
        under_way, begin, end, place = 0, cells[0].first, cells[0].first, 0
        for cell in cells:
            if under_way == 0 and cell.first - end > PAUSE:
                self.stretches.append(_Stretch(begin, end, place))
                place += end - begin
                begin = cell.first
            under_way += cell.change
            end = max(end, cell.last)
        self.stretches.append(_Stretch(begin, end, place))
        self.length = max(1, place + end - begin)

    def pauses(self) -> list[tuple[int, int]]:
        """Return where each pause was cut out, and how long it was."""
        return [(b.place, b.begin - a.end) for a, b in zip(self.stretches, self.stretches[1:], strict=False)]


class _Bins:
    """The bins of equal width, filled from cells in their order."""

    def __init__(self, count: int, axis: _Axis) -> None:
        self.edges = [axis.length * number / count for number in range(count + 1)]
        self.settled, self.kept = [0] * count, [0] * count
        self.busy = [0.0] * count
        self.failures: dict[str, list[int]] = {}
        self._scale = count / axis.length

    def place(self, time: float) -> int:
        return min(len(self.settled) - 1, max(0, int(time * self._scale)))

    def count(self, cell: _Cell, time: float) -> None:
        """Count what settled in a cell at `time` of the axis."""
        bin_ = self.place(time)
        self.settled[bin_] += cell.settled
        self.kept[bin_] += cell.kept
        for kind, failed in cell.failures.items():
            self.failures.setdefault(kind, [0] * len(self.settled))[bin_] += failed

    def occupy(self, begin: float, end: float, requests: float) -> None:
        """Let so many requests be under way from `begin` to `end` of the axis."""
        if end <= begin or not requests:
            return
        for bin_ in range(self.place(begin), self.place(end) + 1):
            low, high = self.edges[bin_ : bin_ + 2]
            self.busy[bin_] += requests * max(0.0, min(end, high) - max(begin, low))


def _fill(bins: _Bins, axis: _Axis, cells: Sequence[_Cell]) -> None:
    """Put every cell into the bin of its middle, and the requests under way into the bins that they last."""
    stretches = iter(axis.stretches)
    stretch = next(stretches)
    under_way, now = 0, stretch.begin
    for cell in cells:
        bins.occupy(stretch.place + now - stretch.begin, stretch.place + cell.first - stretch.begin, under_way)
        if cell.first > stretch.end:
            stretch = next(stretches)
        begin, end = (stretch.place + time - stretch.begin for time in (cell.first, cell.last))
        bins.count(cell, (begin + end) / 2)
        # Within the cell: those under way before it stay to its end, those that began are there from then on, and
        # those that settled are gone from then on.
        lasted = under_way * (cell.last - cell.first) + cell.change * cell.last - cell.moment
        if cell.last > cell.first:
            bins.occupy(begin, end, lasted / (cell.last - cell.first))
        under_way += cell.change
        now = cell.last


def timeline(entries: Iterable[Entry], limits: Iterable[tuple[float, float]]) -> dict[str, Any] | None:
    """Say how a run went over time, or return ``None`` where no entry says when it settled.

    Args:
        entries: The journal, in any order.
        limits: The most attempts in flight at once: pairs of Unix time in seconds and the limit from then on.

    Returns:
        ``began`` (Unix time of the first request), ``seconds`` (the run's time without pauses), ``requests`` settled,
        ``undated`` (requests that do not say when), ``edges`` of the bins in seconds of the run's time, and for each
        bin the counts ``settled``, ``kept`` and ``failures`` by kind, and ``under_way``, the mean number of requests
        begun and not settled; ``limit`` as steps ``[seconds, limit]``; ``pauses``: how many, how long together, and
        where the first were cut out, as ``[seconds, length]``.
    """
    counted = Cells()
    for entry in entries:
        counted.add(entry)
    cells = counted.in_order()
    if not cells:
        return None
    axis = _Axis(cells)
    settled = sum(cell.settled for cell in cells)
    # No more bins than milliseconds: a bin has a width.
    bins = _Bins(min(MOST_BINS, max(FEWEST_BINS, settled // BIN_REQUESTS), axis.length), axis)
    _fill(bins, axis, cells)
    width = bins.edges[1]
    pauses = axis.pauses()
    return {
        "began": cells[0].first / 1000,
        "seconds": axis.length / 1000,
        "requests": settled,
        "undated": counted.undated,
        "edges": [round(edge / 1000, 6) for edge in bins.edges],
        "settled": bins.settled,
        "kept": bins.kept,
        "under_way": [round(busy / width, 3) for busy in bins.busy],
        "failures": dict(sorted(bins.failures.items(), key=lambda item: (-sum(item[1]), item[0]))),
        "limit": list(_steps(limits, axis)),
        "pauses": {
            "count": len(pauses),
            "seconds": sum(length for _, length in pauses) / 1000,
            "first": [[place / 1000, length / 1000] for place, length in pauses[:SHOWN_PAUSES]],
        },
    }


def _steps(limits: Iterable[tuple[float, float]], axis: _Axis) -> Iterator[list[float]]:
    """Yield the limits that held at some time of the run, the first from its beginning on."""
    steps: dict[float, float] = {}
    for time, limit in sorted(limits):
        moment = time * 1000
        if moment > axis.stretches[-1].end:
            break
        # Within a pause a limit holds from the end of the pause on.
        last = next((one for one in reversed(axis.stretches) if one.begin <= moment), axis.stretches[0])
        place = last.place + min(max(0.0, moment - last.begin), last.end - last.begin)
        steps[place / 1000] = limit
    yield from ([place, limit] for place, limit in steps.items())
