"""How a run is going, as everybody is told it: the line, the bar, the heartbeat's file, the metrics.

This file decides what is known of a run at a moment: its state, its pace over the last quarter of an hour, when it will
be done. It refuses to know how that is shown, and reads no clock: times are handed in.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from evoselfcode.datagen.pipeline.summary import Summary
    from evoselfcode.engine import FleetStatistics

WINDOW = 900.0
"""Seconds over which the pace is measured: what is settled now comes at today's pace, not at that of an hour ago."""

STEP = 10.0
"""Seconds from one point of the window to the next."""

State = Literal["starting", "running", "paused", "parked", "ended"]
"""``starting``: what is there is read, the server is looked at; ``paused``: all endpoints are overloaded; ``parked``:
all are away, rows wait; ``ended``: as its manifest says."""


class EndpointBeat(msgspec.Struct, frozen=True):
    """One endpoint at a moment."""

    name: str
    state: str
    in_flight: int
    limit: int


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """How a run is going at a moment; rates are of the last quarter of an hour of this process.

    Attributes:
        at: Unix time in seconds.
        pid: The process.
        stage: The stage.
        shard: Which part of the plan, ``I/N``; ``None`` if all of it.
        state: What the run does.
        since: Seconds that it has been in this state.
        settled: Requests settled, by earlier processes too.
        planned: Requests of the plan.
        kept: Choices kept, by arm.
        dead: Requests given up.
        requests_per_second: Requests settled in a second.
        tokens_per_second: Tokens of prompts and completions in a second.
        in_flight: Attempts under way.
        limit: How many may be.
        endpoints: The same for each endpoint.
        failures: Failed attempts of this process, by kind.
        eta: Seconds that the rest will take; ``None`` where nothing is settled of late.
        client_bound: Whether this process is what limits the pace.
        lag: Longest delay of the event loop in the last ten seconds, in seconds.
        rss: Memory of this process in bytes.
        free: Free space below the run's folder in bytes; ``None`` where it is not known.
    """

    at: float
    pid: int
    stage: str
    shard: str | None = None
    state: State = "starting"
    since: float = 0.0
    settled: int = 0
    planned: int = 0
    kept: dict[str, int] = {}
    dead: int = 0
    requests_per_second: float = 0.0
    tokens_per_second: float = 0.0
    in_flight: int = 0
    limit: int = 0
    endpoints: tuple[EndpointBeat, ...] = ()
    failures: dict[str, int] = {}
    eta: float | None = None
    client_bound: bool = False
    lag: float = 0.0
    rss: int = 0
    free: int | None = None


class Pace:
    """What came in the last quarter of an hour; feed it at any distance."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int, int]] = deque()
        self._last = (0.0, 0, 0)

    def add(self, seconds: float, requests: int, tokens: int) -> None:
        """Take what this process has come to.

        Args:
            seconds: Seconds since it began.
            requests: Requests that it settled.
            tokens: Tokens that it was served.
        """
        if not self._points:
            from evoselfcode.engine.pool import TICK  # a run that asks is heard of so soon at the latest

            self._points.append((max(0.0, seconds - TICK), 0, 0))
        self._last = (seconds, requests, tokens)
        if seconds - self._points[-1][0] >= STEP:
            self._points.append(self._last)
        while len(self._points) > 1 and self._points[1][0] <= seconds - WINDOW:
            self._points.popleft()

    def rates(self) -> tuple[float, float]:
        """Return requests and tokens in a second."""
        if not self._points:
            return 0.0, 0.0
        then, last = self._points[0], self._last
        span = max(last[0] - then[0], 1e-9)
        return (last[1] - then[1]) / span, (last[2] - then[2]) / span


class Progress:
    """Follows one run.

    Args:
        stage: The stage.
        shard: Which part of the plan, or ``None``.
    """

    def __init__(self, stage: str, shard: str | None = None) -> None:
        self.stage = stage
        self.shard = shard
        self.summary: Summary | None = None
        self.fleet: FleetStatistics | None = None
        self.state: State = "starting"
        self._since = 0.0
        self._pace = Pace()

    def update(self, summary: Summary, fleet: FleetStatistics) -> None:
        """Take the state of things; costs next to nothing, and is called at each news."""
        self.summary, self.fleet = summary, fleet
        self._pace.add(summary.seconds, summary.meter.fresh, summary.meter.new_tokens)
        self._turn(_state(fleet), summary.seconds)

    def end(self) -> None:
        """Take note that the run has ended."""
        self._turn("ended", self.summary.seconds if self.summary else 0.0)

    def _turn(self, state: State, seconds: float) -> None:
        if state != self.state:
            self.state, self._since = state, seconds

    def beat(self, *, at: float, pid: int, rss: int, free: int | None) -> Beat:
        """Say how the run is going.

        Args:
            at: Unix time in seconds.
            pid: This process.
            rss: Its memory in bytes.
            free: Free space below the run's folder in bytes.
        """
        summary, fleet = self.summary, self.fleet
        known = Beat(at=at, pid=pid, stage=self.stage, shard=self.shard, state=self.state, rss=rss, free=free)
        if summary is None or fleet is None:
            return known
        meter, (requests, tokens) = summary.meter, self._pace.rates()
        return msgspec.structs.replace(
            known,
            since=summary.seconds - self._since,
            settled=meter.settled,
            planned=meter.planned,
            kept={arm: meter.kept[arm] for arm in sorted(meter.requests)},
            dead=meter.dead,
            requests_per_second=requests,
            tokens_per_second=tokens,
            in_flight=fleet.in_flight,
            limit=fleet.slots,
            endpoints=tuple(EndpointBeat(it.name, it.state, it.in_flight, it.limit) for it in fleet.endpoints),
            failures=dict(meter.failures.most_common()),
            eta=meter.remaining / requests if requests > 0 else None if meter.remaining else 0.0,
            client_bound=fleet.client_bound,
            lag=fleet.lag,
        )


def _state(fleet: FleetStatistics) -> State:
    """Say what a run does whose endpoints are in these states: one that serves is enough to run."""
    states = {it.state for it in fleet.endpoints}
    if not states or states & {"up", "returning"}:
        return "running"
    return "paused" if "paused" in states else "parked"
