"""The goals of ``benchmarks/generator.py``: each a figure from what was measured, and the limit it must keep.

All but three are ratios of two figures of one run, so that they hold on any machine. G3, G4 and G6 compare with other
programs, G12 to G15 are those of the journal and of code.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Literal, NamedTuple

from card import Judged, judge

Figures = dict[tuple[str, float, int, int], list[dict[str, float]]]
"""Way with its options, seconds of latency, in flight, requests; and what each round found."""

N = 20_000


class Goal(NamedTuple):
    """A goal.

    Attributes:
        name: Its number.
        figure: Makes a figure of the medians, which are asked for by (way, latency, in flight, requests, key).
        keep: Whether the figure must be at most, or at least, the limit.
        limit: The limit.
        sentence: What the figure is.
    """

    name: str
    figure: Callable[[Callable[..., float]], float]
    keep: Literal["<=", ">="]
    limit: float
    sentence: str


SPANS = {"safe_us": "until every row is safe", "run_us": "with the check and the views", "all_us": "from start to exit"}
"""What of a run is measured; facts of a bare loop are of its whole run, or of its process."""


def _over_bare(
    flying: int, options: str = "", key: str = "run_us", latency: float = 0.0
) -> Callable[[Callable[..., float]], float]:
    return lambda m: m(f"generator{options}", latency, flying, N, key) / m(f"bare{options}", latency, flying, N, key)


GOALS: tuple[Goal, ...] = (
    *(Goal("G1", _over_bare(flying, options, key, latency), "<=", 2.5,
           f"times the bare loop's CPU at {1000 * latency:g} ms, {flying} in flight{options}, {SPANS[key]}")
      for latency in (0.05, 0.0) for options in ("", " uvloop") for key in SPANS for flying in (64, 256, 1024)),
    Goal("G1", _over_bare(256, " logprobs", "safe_us"), "<=", 2.5, "the same, 256 in flight with log-probabilities"),
    Goal("G2", lambda m: m("lean", 0.0, 256, N, "safe_us") / m("bare", 0.0, 256, N, "run_us"), "<=", 4.0,
         "times the bare loop's CPU through a transport of httpx, until every row is safe"),
    Goal("G5", lambda m: m("aiohttp", 0.0, 256, N, "run_us") / m("generator", 0.0, 256, N, "safe_us"), ">=", 1.8,
         "times less CPU than a script over aiohttp"),
    Goal("G7", lambda m: m("generator", 0.05, 256, N, "safe_wall_s") / (N * 0.05 / 256), "<=", 1.1,
         "times the ideal wall time at 50 ms, 256 in flight, until every row is safe"),
    *(Goal("G8", lambda m, c=c: m("generator", 0.5, c, 20 * c, "per_s") / (c / 0.5), ">=", 0.95,
           f"of the ideal rate at 500 ms, {c} in flight") for c in (1024, 2048)),
    *(Goal("G8", lambda m, c=c: m("generator", 0.5, c, 20 * c, "p99_s") / 0.5, "<=", 1.15,
           f"times the latency in the 99th percentile, {c} in flight") for c in (1024, 2048)),
    *(Goal("G8", lambda m, c=c: m("generator", 0.5, c, 20 * c, "p99_later_s") / 0.5, "<=", 1.15,
           f"the same without the first {c}, whose connections were being opened") for c in (1024, 2048)),
    *(Goal("G9", lambda m, o=o: m(f"generator{o}", 0.0, 1024, N, "run_us") / m(f"generator{o}", 0.0, 64, N, "run_us"),
           "<=", 1.5, f"times the CPU at 1,024 in flight of that at 64{o}") for o in ("", " uvloop")),
    Goal("G10", lambda m: m("stock", 0.0, 256, 2000, "run_us") / m("mounted", 0.0, 256, 2000, "run_us"), ">=", 12.0,
         "times less CPU with our transport in httpx.AsyncClient than with its own"),
    Goal("G11", lambda m: m("generator", 0.0, 256, N, "rss_mb"), "<=", 60.0, "MB at most, 256 in flight"),
    Goal("G11", lambda m: m("generator", 0.0, 4096, N, "rss_mb"), "<=", 120.0, "MB at most, 4,096 in flight"),
    Goal("G16", lambda m: m("generator", 0.0, 1, 2, "all_cpu_s"), "<=", 0.3, "s of CPU to import, ask and end"),
)  # fmt: skip


def judged(found: Figures) -> list[Judged]:
    """Judge every goal whose figures were measured."""

    def middle(way: str, latency: float, flying: int, requests: int, key: str) -> float:
        return median(run[key] for run in found[way, latency, flying, requests])

    told = []
    for goal in GOALS:
        try:
            figure = goal.figure(middle)
        except KeyError:  # a package is not installed
            continue
        told.append(judge(goal.name, figure, goal.keep, goal.limit, goal.sentence))
    return told
