"""What one level of requests in flight gave: its figures, and what they mean taken by themselves.

This file decides how attempts become the figures of a level, and when a level shows trouble, a full client or a queue.
It refuses to know which level comes next (:mod:`evoselfcode.bench.ladder`) and how anything is measured. It has no
clock. Goodput is that of :mod:`evoselfcode.engine.knee`: requests in flight, divided by the seconds of one token.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import ceil

import msgspec

from evoselfcode.engine.governor import CROWDED
from evoselfcode.engine.knee import USED, Reading
from evoselfcode.engine.strain import BUSY, LATE
from evoselfcode.records import Completion, Failure

REFUSALS = ("rate_limited", "overloaded")
"""Failures by which a server says that it is asked too much."""

REFUSED, FAILED = 0.01, 0.05
"""Share of the attempts of a level that may be refused, and share that may fail in any way: a run gives up on as many
requests before its exit code says so. One attempt is no share: at least two must have."""


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """What this process spent on a level.

    Attributes:
        cpu_us_per_request: Processor time of all its threads, in microseconds for one answer.
        core: Part of one processor core that it used.
        kept_waiting: Part of the time that it could have run and got no processor; 0 where the system does not tell.
        late_s: The longest delay of the event loop, in seconds.
        late_share: Part of the looks in which the event loop was late by more than 0.2 s.
    """

    cpu_us_per_request: float
    core: float
    kept_waiting: float = 0.0
    late_s: float = 0.0
    late_share: float = 0.0


class Queue(msgspec.Struct, frozen=True):
    """What the servers said on the average: sequences that run and that wait, of all their clients."""

    running: float
    waiting: float


class Latency(msgspec.Struct, frozen=True):
    """Seconds of one attempt, from its first byte sent to its last received: quantiles by nearest rank."""

    p50: float
    p95: float
    p99: float


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """One level.

    Attributes:
        limit: Requests that were to be in flight.
        in_flight: Requests that were, on the average.
        seconds: How long was measured, the warm-up left out.
        attempts: Attempts that were begun, the warm-up's included.
        failures: Those of them that failed, by kind.
        completions: Answers in the time that was measured.
        goodput: Completion tokens a second; requests a second where the server does not say tokens.
        error: Standard error of that.
        requests_per_second: Answers a second.
        prompt_tokens_per_second: Tokens of their prompts, counted once a request; ``None`` where nobody says.
        completion_tokens_per_second: Tokens of all their choices; ``None`` where nobody says.
        latency_s: Of the answers.
        client: This process.
        server: The servers' queues; ``None`` where they do not tell.
    """

    limit: int
    in_flight: float
    seconds: float
    attempts: int
    failures: dict[str, int]
    completions: int
    goodput: float
    error: float
    requests_per_second: float
    prompt_tokens_per_second: float | None
    completion_tokens_per_second: float | None
    latency_s: Latency
    client: Client
    server: Queue | None = None

    @property
    def refused(self) -> bool:
        """Whether the server refused attempts as too many."""
        return self._share(sum(self.failures.get(kind, 0) for kind in REFUSALS), REFUSED)

    @property
    def in_trouble(self) -> bool:
        """Whether the level is none to ask at: nothing came of it, it was refused, or attempts failed."""
        return self.goodput <= 0 or self.refused or self._share(sum(self.failures.values()), FAILED)

    def _share(self, count: int, most: float) -> bool:
        return count > max(1.0, most * self.attempts)

    @property
    def unused(self) -> bool:
        """Whether so few were in flight that it says nothing of more: something else holds requests back."""
        return self.in_flight < USED * self.limit - 1

    @property
    def strained(self) -> bool:
        """Whether this process was at its end: a core is full, or more would be used than it gets, or its loop late."""
        return self.client.core + self.client.kept_waiting > BUSY or self.client.late_share > 1 / 2

    @property
    def crowded(self) -> bool:
        """Whether a queue stood at the server, as it tells itself."""
        return self.server is not None and self.server.waiting > CROWDED * self.server.running


class Tally:
    """Adds up what ended in some stretch of time.

    Attributes:
        completions: Answers.
        tokens: Tokens of their choices.
        prompt_tokens: Tokens of their prompts.
        seconds: Sum of their latencies.
        lost: Sum of the seconds of attempts that failed.
        latencies: Each of them, in seconds.
        ended: Attempts that ended, those included that failed or that are not added up.
    """

    def __init__(self) -> None:
        self.completions = self.tokens = self.prompt_tokens = self.ended = 0
        self.seconds = self.lost = 0.0
        self.latencies: list[float] = []

    def add(self, answer: Completion | Failure, seconds: float) -> None:
        """Take an attempt that ended."""
        if isinstance(answer, Completion):
            self.completions += 1
            self.tokens += answer.usage.completion_tokens or 0
            self.prompt_tokens += answer.usage.prompt_tokens or 0
            self.seconds += seconds
            self.latencies.append(seconds)
        else:
            self.lost += seconds


class Begun:
    """Counts the attempts that were begun at one level, and those of them that failed."""

    def __init__(self) -> None:
        self.attempts = 0
        self.failures: Counter[str] = Counter()


def level_of(
    limit: int,
    in_flight: float,
    seconds: float,
    begun: Begun,
    tally: Tally,
    reading: Reading | None,
    *,
    client: Client,
    server: Queue | None,
) -> Level:
    """Make the figures of a level.

    Args:
        limit: Requests that were to be in flight.
        in_flight: Requests that were.
        seconds: How long `tally` was added to.
        begun: What was begun, the warm-up's included.
        tally: What ended.
        reading: What one request in flight gives; ``None`` if too little ended to tell its error.
        client: This process.
        server: The servers' queues.
    """
    told = tally.tokens or tally.completions
    if reading is None:
        each = told / tally.seconds if tally.seconds else 0.0
        reading = Reading(each, each / max(1, tally.completions) ** 0.5)
    spent = tally.seconds + tally.lost
    useful = in_flight * tally.seconds / spent if spent else 0.0  # what fails is in flight, too, and gives nothing
    goodput, error = useful * reading.goodput, useful * reading.error
    per_answer = told / tally.completions if tally.completions else 1.0
    answers = goodput / per_answer
    prompts = answers * tally.prompt_tokens / tally.completions if tally.prompt_tokens else None
    return Level(
        limit=limit,
        in_flight=in_flight,
        seconds=seconds,
        attempts=begun.attempts,
        failures=dict(begun.failures.most_common()),
        completions=tally.completions,
        goodput=goodput,
        error=error,
        requests_per_second=answers,
        prompt_tokens_per_second=prompts,
        completion_tokens_per_second=goodput if tally.tokens else None,
        latency_s=Latency(*(quantile(sorted(tally.latencies), share) for share in (0.5, 0.95, 0.99))),
        client=client,
        server=server,
    )


def quantile(ascending: Sequence[float], share: float) -> float:
    """Return the quantile by nearest rank; 0 of nothing."""
    return ascending[max(0, ceil(share * len(ascending)) - 1)] if ascending else 0.0


def lateness(late: Sequence[float]) -> tuple[float, float]:
    """Return the longest of the delays of the event loop, and the share of those that are too long."""
    return max(late, default=0.0), sum(one > LATE for one in late) / max(1, len(late))
