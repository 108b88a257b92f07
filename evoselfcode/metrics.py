"""A run's numbers for Prometheus: on a port while it lasts, and as a file.

This file decides which number has which name; the names are frozen (``docs/reference/metrics.md``). Numbers are read
off what the run counts anyway when somebody asks, in the thread of whoever asks: a run pays nothing for them. The
registry is the run's own, so that two runs in one program do not add up.

Counters are of this process: what an earlier one settled would look like a burst.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evoselfcode import __version__
from evoselfcode.errors import UsageError
from evoselfcode.progress import Progress
from evoselfcode.terminal import say

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from evoselfcode.config import Output
    from evoselfcode.engine import Durations, FleetStatistics

Lines = Callable[[object], Iterable[bytes]]
"""Returns what a metrics file holds."""

CAUSES = {
    "connect": "connect",
    "loading": "loading",
    "disconnect": "reset",
    "timeout": "timeout",
    "rate_limited": "http_429",
    "overloaded": "http_503",
    "server_error": "http_5xx",
    "bad_reply": "bad_body",
    "too_large": "too_large",
}
"""Why an attempt failed, as a label; another kind of failure is its own."""


@contextmanager
def served(progress: Progress, output: Output) -> Iterator[Lines | None]:
    """Open the port, if one is wanted, and close it at the end; yield what makes the file's lines, if one is wanted.

    Raises:
        UsageError: The port cannot be taken, or prometheus-client is not installed.
    """
    if output.metrics_port is None and output.metrics_file is None:
        yield None
        return
    try:
        import prometheus_client
    except ImportError as error:
        raise UsageError(
            f"output.metrics_port and output.metrics_file need {error.name}", hint='pip install "evoselfcode[metrics]"'
        ) from error
    registry = prometheus_client.CollectorRegistry()
    registry.register(Numbers(progress))

    def lines(beat: object) -> list[bytes]:
        return [prometheus_client.generate_latest(registry)]

    if output.metrics_port is None:
        yield lines
        return
    host, port = output.metrics_host, output.metrics_port
    try:
        server, thread = prometheus_client.start_http_server(port, host, registry)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host} port {port} (output.metrics_port): {error.strerror or error}",
            hint="0 takes a free port; null opens none",
        ) from error
    say(f"metrics: http://{host}:{server.server_port}/metrics")
    try:
        yield lines
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def file_of(output: Output, lines: Lines | None) -> list[tuple[Path, Lines]]:
    """Return the metrics file and what it holds, if one is wanted."""
    return [] if lines is None or output.metrics_file is None else [(Path(output.metrics_file), lines)]


class Numbers:
    """Reads a run's numbers when it is asked to: a collector of prometheus-client.

    Args:
        progress: Follows the run.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics. Called in another thread than the run's: what may grow meanwhile is copied first."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

        yield InfoMetricFamily(
            "evoself_build",
            "Versions of this program and of Python.",
            {"version": __version__, "python": platform.python_version()},
        )
        summary, fleet = self._progress.summary, self._progress.fleet
        if summary is None or fleet is None:
            return
        meter, stage = summary.meter, self._progress.stage

        def gauge(name: str, text: str, value: float, **labels: str) -> Metric:
            made = GaugeMetricFamily(name, text, labels=list(labels))
            made.add_metric(list(labels.values()), value)
            return made

        def counter(name: str, text: str, label: str, counts: dict[str, int]) -> Metric:
            made = CounterMetricFamily(name, text, labels=[label])
            for value, count in sorted(counts.items()):
                made.add_metric([value], count)
            return made

        yield from _endpoints(fleet)
        yield gauge("evoself_queue_rows", "Rows of the plan that are not settled.", meter.remaining, stage=stage)
        causes = _causes(meter.failures)
        yield counter("evoself_retries", "Failed attempts of this process, by cause.", "reason", causes)
        tokens = {"prompt": meter.new_prompt_tokens, "completion": meter.new_tokens - meter.new_prompt_tokens}
        yield counter("evoself_tokens", "Tokens that this process was served, by type.", "type", tokens)
        states = dict.fromkeys(("ok", "filtered", "dead"), 0) | dict(meter.rows)
        yield counter("evoself_rows", "Rows that this process settled, by state.", "state", states)
        yield gauge("evoself_retry_budget_tokens", "Retries that may be made at once.", fleet.budget)
        yield gauge("evoself_event_loop_lag_seconds", "Longest delay of the event loop of late.", fleet.lag)
        yield histogram("evoself_request_duration_seconds", "From a row's first attempt to its end.", meter.durations)
        commits = summary.commits
        yield histogram("evoself_commit_duration_seconds", "Of writing and syncing rows.", commits.durations)
        yield gauge("evoself_uncommitted_rows", "Rows that are settled and not yet synced.", commits.pending)
        yield gauge("evoself_last_commit_timestamp_seconds", "Unix time of the last commit.", commits.last)


def _endpoints(fleet: FleetStatistics) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    flying = GaugeMetricFamily("evoself_requests_in_flight", "Attempts under way.", labels=["endpoint"])
    limit = GaugeMetricFamily("evoself_concurrency_limit", "Attempts that may be under way.", labels=["endpoint"])
    up = GaugeMetricFamily("evoself_endpoint_up", "1 if it is asked, 0 if it is left alone.", labels=["endpoint"])
    attempts = CounterMetricFamily(
        "evoself_request_attempts", "Attempts that have ended, by outcome.", labels=["endpoint", "outcome"]
    )
    for it in fleet.endpoints:
        flying.add_metric([it.name], it.in_flight)
        limit.add_metric([it.name], it.limit)
        up.add_metric([it.name], it.state in ("up", "returning"))
        for outcome, count in sorted(dict(it.attempts).items()):
            attempts.add_metric([it.name, outcome], count)
    yield from (flying, limit, up, attempts)


def _causes(failures: dict[str, int]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for kind, count in dict(failures).items():
        cause = CAUSES.get(kind, kind)
        counts[cause] = counts.get(cause, 0) + count
    return counts


def histogram(name: str, text: str, durations: Durations) -> Metric:
    """Make a histogram of what was counted by bounds."""
    from prometheus_client.core import HistogramMetricFamily

    counts, total = list(durations.counts), durations.total
    buckets: list[Any] = []
    so_far = 0
    for bound, count in zip((*durations.bounds, "+Inf"), counts, strict=True):
        so_far += count
        buckets.append((str(bound), so_far))
    made = HistogramMetricFamily(name, text)
    made.add_metric([], buckets, total)
    return made
