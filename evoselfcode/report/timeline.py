"""A run over time, from the times at which its requests settled: how fast, how many at once, what failed.

This file decides how the run's time is cut into bins and what a pause is. It refuses to know how that is drawn. Times
are whole milliseconds and are sorted first, so that the order of the entries changes no number.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from evoselfcode.report.incidents import Episode, episodes, limits_by_endpoint, total
from evoselfcode.storage import Entry

MOST_BINS = 120
"""Bins of a chart: at 460 units of width, one is as wide as its line."""

BIN_REQUESTS = 8
"""Requests a bin should have on average: with fewer, a chart shows chance."""

FEWEST_BINS = 12

PAUSE = 15 * 60 * 1000
"""Milliseconds without any request under way that are a pause: nobody waits so long for a retry."""

LATEST = 10**11
"""Unix time in seconds, in the year 5138; what is beyond is no time at which a request settled."""

SHOWN_PAUSES = 20

SHOWN_EPISODES = 40

MOST_STEPS = 400
"""Steps of a limit: more of them are thinner than a line. The last one in each part of the run's time is kept."""

Times = npt.NDArray[np.int64]


class _Axis:
    """The time of a run without its pauses, in milliseconds from its first request.

    Args:
        begin: When each request began, in milliseconds of Unix time.
        end: When it settled.
    """

    def __init__(self, begin: Times, end: Times) -> None:
        order = np.argsort(begin, kind="stable")
        begin, reach = begin[order], np.maximum.accumulate(end[order])
        last = np.flatnonzero(begin[1:] > reach[:-1] + PAUSE)  # the last to begin before each pause
        self.begins, self.ends = begin[[0, *(last + 1)]], reach[[*last, -1]]
        lengths = self.ends - self.begins
        self._places = np.cumsum(lengths) - lengths
        self.length = max(1, int(lengths.sum()))

    def place(self, times: Any) -> Times:
        """Return where moments lie on the axis; those in a pause, where it was cut out."""
        at = np.maximum(0, np.searchsorted(self.begins, times, side="right") - 1)
        return np.asarray(self._places[at] + np.clip(times - self.begins[at], 0, self.ends[at] - self.begins[at]))

    def pauses(self) -> list[tuple[int, int]]:
        """Return where each pause was cut out, and how long it was."""
        return list(zip(self._places[1:].tolist(), (self.begins[1:] - self.ends[:-1]).tolist(), strict=True))


class _Dated(NamedTuple):
    """What is kept of an entry: when it began and settled, in milliseconds of Unix time, and what it gave."""

    begin: int
    end: int
    kept: int
    failures: tuple[str, ...]


def kept_in_journal(entry: Entry) -> int:
    """Count the draws that were kept as they came."""
    return sum(draw.reason is None for draw in entry.draws)


def timeline(
    entries: Iterable[Entry],
    limits: Iterable[tuple[float, float]],
    kept_of: Callable[[Entry], int] = kept_in_journal,
    events: Iterable[Mapping[str, Any]] = (),
) -> dict[str, Any] | None:
    """Say how a run went over time, or return ``None`` where no entry says when it settled.

    Args:
        entries: The journal, in any order; read once, and no entry stays in memory.
        limits: The most attempts in flight at once: pairs of Unix time in seconds and the limit from then on. Where
            events tell the limits of the endpoints, their sum takes its place.
        kept_of: How many draws of an entry were kept.
        events: What happened to the endpoints: lines of ``events.jsonl``, in order.

    Returns:
        ``began`` (Unix time of the first request), ``seconds`` (the run's time without pauses), ``requests`` settled,
        ``undated`` (requests that do not say when), ``edges`` of the bins in seconds of the run's time, and for each
        bin the counts ``settled``, ``kept`` and ``failures`` by kind, and ``under_way``, the mean number of requests
        begun and not settled; ``limit`` of all endpoints together as steps ``[seconds, limit]``, and ``limits`` of
        each; ``episodes``: how many of each kind, and the first with ``at``, ``kind``, ``endpoint``, ``seconds`` and
        ``reason``; ``pauses``: how many, how long together, and where the first were cut out, as ``[seconds, length]``.
    """
    dated, undated = _dated(entries, kept_of)
    if not dated:
        return None
    begin = np.array([one.begin for one in dated])
    end = np.array([one.end for one in dated])
    axis = _Axis(begin, end)
    # No more bins than milliseconds: a bin has a width.
    bins = min(MOST_BINS, max(FEWEST_BINS, len(dated) // BIN_REQUESTS), axis.length)
    edges = np.linspace(0, axis.length, bins + 1)
    begin, end = axis.place(begin), axis.place(end)
    bin_of = np.clip(np.searchsorted(edges, end, side="right") - 1, 0, bins - 1)
    failures: dict[str, list[int]] = defaultdict(lambda: [0] * bins)
    for one, place in zip(dated, bin_of.tolist(), strict=True):
        for kind in one.failures:
            failures[kind][place] += 1
    under_way = np.diff(_waited(begin, edges) - _waited(end, edges)) / (axis.length / bins)
    pauses, told = axis.pauses(), list(events)
    by_endpoint = limits_by_endpoint(told)
    return {
        "began": int(axis.begins[0]) / 1000,
        "seconds": axis.length / 1000,
        "requests": len(dated),
        "undated": undated,
        "edges": [round(edge / 1000, 6) for edge in edges.tolist()],
        "settled": np.bincount(bin_of, minlength=bins).tolist(),
        "kept": np.bincount(bin_of, weights=[one.kept for one in dated], minlength=bins).astype(int).tolist(),
        "under_way": [round(max(0.0, busy), 3) for busy in under_way.tolist()],
        "failures": dict(sorted(failures.items(), key=lambda item: (-sum(item[1]), item[0]))),
        "limit": list(_steps(total(by_endpoint) or limits, axis)),
        "limits": {name: list(_steps(steps, axis)) for name, steps in sorted(by_endpoint.items())},
        "episodes": _episodes(episodes(told), axis),
        "pauses": {
            "count": len(pauses),
            "seconds": sum(length for _, length in pauses) / 1000,
            "first": [[place / 1000, length / 1000] for place, length in pauses[:SHOWN_PAUSES]],
        },
    }


def _dated(entries: Iterable[Entry], kept_of: Callable[[Entry], int]) -> tuple[list[_Dated], int]:
    """Return what entries that say when they settled come to, and how many do not say it."""
    dated, undated = [], 0
    for entry in entries:
        if entry.at is None or not 0 <= entry.at < LATEST:
            undated += 1
            continue
        begin = round(max(0.0, entry.at - max(0.0, entry.seconds)) * 1000)
        dated.append(_Dated(begin, round(entry.at * 1000), kept_of(entry), entry.failures))
    return dated, undated


def _waited(moments: Times, until: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return, for each time, how long ago the moments before it were, all together."""
    moments = np.sort(moments)
    before = np.searchsorted(moments, until)
    return np.asarray(before * until - np.concatenate(([0], np.cumsum(moments)))[before])


def _steps(limits: Iterable[tuple[float, float]], axis: _Axis) -> Iterator[list[float]]:
    """Yield the limits that held at some time of the run, the first from its beginning on."""
    steps: dict[float, float] = {}
    for time, limit in sorted(limits, key=lambda step: step[0]):
        if time * 1000 > axis.ends[-1]:
            break
        steps[float(axis.place(time * 1000)) / 1000] = limit
    if len(steps) > MOST_STEPS:
        part = axis.length / 1000 / MOST_STEPS
        steps = dict({int(place / part): (place, limit) for place, limit in steps.items()}.values())
    yield from ([place, limit] for place, limit in steps.items())


def _episodes(found: list[Episode], axis: _Axis) -> dict[str, Any]:
    """Return how many there were of each kind, and the first of them, in seconds of the run's time."""
    return {
        "count": dict(sorted(Counter(episode.kind for episode in found).items())),
        "first": [
            {
                "at": float(axis.place(episode.at * 1000)) / 1000,
                "kind": episode.kind,
                "endpoint": episode.endpoint,
                "seconds": None if episode.until is None else max(0.0, episode.until - episode.at),
                "reason": episode.reason,
            }
            for episode in found[:SHOWN_EPISODES]
        ],
    }
