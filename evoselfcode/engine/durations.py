"""How long things took, counted by bounds: what a histogram of Prometheus is made of.

This file decides how a duration is counted. It has no clock and keeps no single duration.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

REQUEST_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800)
"""Seconds of a request: a long generation behind a full queue takes half an hour, and the buckets that OpenTelemetry
advises end at 82 s."""

COMMIT_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Seconds of a commit: milliseconds on a disk of its own, much more on a network's that is busy."""


class Durations:
    """Counts durations.

    Args:
        bounds: Upper limits of the buckets in seconds, ascending; what is longer is in one more.

    Attributes:
        counts: Durations in each bucket.
        total: Their sum in seconds.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds
