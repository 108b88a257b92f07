"""A toy vLLM in real time: slots, a first-come queue, and the decoding rate of ``tests/sim/toy.py``.

With `b` sequences running it decodes ``peak * b / (b + half)`` tokens a second, shared evenly: 26 tokens a second for
each sequence when all slots are busy, whatever their number. A sequence of 40 tokens then takes 1.5 s. A request for
`n` choices is `n` sequences, and answered when the last of them has ended. What a client stops waiting for is aborted,
and frees its slot, as on vLLM.

This file decides which request is done when, and counts. It refuses to know sockets: a line is what the reply is for.

Times are seconds since the first request. What is counted by the second is a mean over that second, except tokens:
those decoded in it, as they are decoded and not when their reply is sent, so that a count over ten seconds does not
depend on which long answer ended in them.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from random import Random
from typing import Any, NamedTuple

from sim.toy import Request, Toy, log_normal
from target_loop import Line

from evoselfcode.wire.load import Load

LONGEST = 6.0
"""Longest sequence, in means: as 4,096 tokens are to the 680 of the toy's own lengths."""


class Job(NamedTuple):
    """A request at the server: for which connection, what it asked, and when it came."""

    line: Line
    asked: bytes
    came: float


class ToyServer:
    """The server.

    Args:
        slots: Most sequences at once.
        tokens: Mean length of a sequence, before the longest are cut.
        sigma: Sigma of its log-normal distribution.
        seed: Seed of the lengths.
    """

    def __init__(self, slots: int, tokens: float, sigma: float, seed: int) -> None:
        self.toy = Toy(slots)
        self._lengths = log_normal(tokens, sigma, LONGEST * tokens)
        self._random = Random(f"{seed}/lengths")
        self._began: float | None = None
        self._asked: dict[Line, Request] = {}
        self._second = {"busy": 0.0, "waiting": 0.0, "tokens": 0.0, "wasted": 0.0}
        self._seconds: list[dict[str, float]] = []
        self._ended: list[tuple[float, float]] = []
        self._late = 0.0

    def offer(self, line: Line, asked: bytes, n: int, now: float) -> None:
        """Take a request for `n` sequences at a time of the monotonic clock, to which it has been advanced."""
        if self._began is None:
            self._began = now
        job = Job(line, asked, now - self._began)
        request = self._asked[line] = Request(job, job.came)  # type: ignore[arg-type]
        self.toy.offer(request, [max(1.0, round(self._lengths(self._random))) for _ in range(n)])

    def next_end(self) -> float:
        """Return when the next sequence ends, on the monotonic clock."""
        return math.inf if self._began is None else self._began + self.toy.next_end()

    def advance(self, now: float) -> list[tuple[Line, bytes, int]]:
        """Go on to a time of the monotonic clock; return what is done by then, and its tokens."""
        if self._began is None:
            return []
        done: list[tuple[Line, bytes, int]] = []
        until, toy = now - self._began, self.toy
        while True:
            over = len(self._seconds) + 1.0
            at = min(toy.next_end(), over, until)
            for name, each in (("busy", 1.0), ("tokens", toy.rate())):
                self._second[name] += len(toy.running) * each * (at - toy.now)
            self._second["waiting"] += len(toy.queue) * (at - toy.now)
            for request in toy.advance(at):
                job: Job = request.client  # type: ignore[assignment]
                del self._asked[job.line]
                self._ended.append((at, at - job.came))
                self._late = max(self._late, until - at)
                done.append((job.line, job.asked, round(request.tokens)))
            if at >= over:
                self._seconds.append(self._second)
                self._second = dict.fromkeys(self._second, 0.0)
            if at >= until:
                return done

    def abandon(self, line: Line) -> None:
        """Abort what a connection waits for; what it got so far is wasted."""
        request = self._asked.pop(line, None)
        if request is None:
            return
        toy = self.toy
        unsent = sum(length for asked, length in toy.queue if asked is request)
        unsent += sum(each.ends - toy.read for each in toy.running if each.request is request)
        self._second["wasted"] += request.tokens - unsent
        toy.queue = deque(entry for entry in toy.queue if entry[0] is not request)
        toy.running = [each for each in toy.running if each.request is not request]
        heapq.heapify(toy.running)
        toy.advance(toy.now)  # its slots are taken by those that wait

    def load(self) -> Load:
        """Say how busy the server is."""
        return self.toy.load()

    def counters(self, since: float, until: float) -> dict[str, Any]:
        """Return what each second saw from second `since` to `until`, and how long those took that ended in them."""
        first, last = max(0, math.ceil(since)), min(len(self._seconds), math.floor(min(until, 1e9)))
        took = sorted(seconds for at, seconds in self._ended if since <= at < until)
        quantiles = {name: took[int(part * len(took))] for name, part in (("p50_s", 0.5), ("p99_s", 0.99)) if took}
        return {
            "slots": self.toy.slots,
            "ceiling_tokens_per_s": self.toy.peak * self.toy.slots / (self.toy.slots + self.toy.half),
            "second": self.toy.now,
            "ended": len(took),
            "latency": quantiles,
            "late_s": self._late,
            "series": {name: [round(each[name], 2) for each in self._seconds[first:last]] for name in self._second},
        }


def metrics(load: Load) -> bytes:
    """Write the queue as vLLM's ``/metrics`` does, with a few of the lines around it."""
    labels = '{engine="0",model_name="m"}'
    gauges = {
        "num_requests_running": ("Number of requests in model execution batches.", load.running),
        "num_requests_waiting": ("Number of requests waiting to be processed.", load.waiting),
    }
    return "".join(
        f"# HELP vllm:{name} {told}\n# TYPE vllm:{name} gauge\nvllm:{name}{labels} {value:.1f}\n"
        for name, (told, value) in gauges.items()
    ).encode()
