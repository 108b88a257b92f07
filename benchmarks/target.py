"""The load target: a server on loopback that costs the other side nothing but what it asks for.

``python benchmarks/target.py --latency 50ms --names 20000`` prints its port and answers until its standard input ends.
It is one process, pinned to the last core; ``benchmarks/ceiling.py`` measures the most that it answers.

- **What it answers**: ``POST /v1/completions`` and ``/v1/chat/completions`` with as many choices as ``n`` says, with
  log-probabilities and as a stream of events where they are asked for; ``GET /v1/models`` as vLLM does. The texts are
  empty (579 bytes for four), or with ``--names`` those of the stage of names, in turn (:mod:`replies`).
- **When**: at once, after ``--latency``, or with ``--slots`` when a toy vLLM has decoded it (:mod:`toy_server`), which
  tells its queue at ``GET /metrics`` unless ``--no-metrics`` is given.
- **What goes wrong**: ``--fault``, in the words of ``evoselfcode serve``.
- **What it saw**: ``GET /target/counters``.

A stream is written at once when its reply is due, not token by token. ``max_tokens`` is not looked at.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.append(str(Path(__file__).parents[1] / "tests"))  # the toy is that of the simulator

from replies import MODELS, framed
from target_loop import Line, Loop
from target_replies import GENERATIONS, Replies, asked, encoded
from toy_server import ToyServer, metrics

from evoselfcode.errors import ConfigError
from evoselfcode.local.faults import Fault, Latency, draw_fault, parse_fault, parse_latency, reason

DRIP_SECONDS = 0.05
"""Seconds between two bytes of a reply that drips."""


class Options(NamedTuple):
    """How the target behaves; see ``--help``."""

    latency: Latency = Latency()
    names: int = 0
    slots: int = 0
    tokens: float = 40.0
    sigma: float = 1.0
    metrics: bool = True
    faults: tuple[Fault, ...] = ()
    seed: int = 0


class Target:
    """Decides what is answered, and when; the sockets are the loop's (:mod:`target_loop`)."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.loop = Loop(self.take, self.gone)
        self.replies = Replies(options.names or (20_000 if options.slots else 0), ready=not options.slots)
        self.toy = ToyServer(options.slots, options.tokens, options.sigma, options.seed) if options.slots else None
        if self.toy is not None:
            self.loop.tick, self.loop.wake = self.decode, self.toy.next_end
        self.random = Random(f"{options.seed}/latency")
        self.slow = options.latency.high > 0
        self.plain = not self.slow and not options.faults and self.toy is None
        self.requests = self.answered = self.struck = 0

    def take(self, line: Line, request: bytes) -> bytes | None:
        """Take one request; return its reply if it is due at once."""
        if not request.startswith(GENERATIONS):
            return self.about(request)
        self.requests += 1
        if self.plain:
            self.answered += 1
            return self.replies(request)
        fault = draw_fault(self.options.faults, self.requests, self.options.seed) if self.options.faults else None
        if fault is not None:
            self.struck += 1
            return self.strike(fault, line, request)
        if self.toy is not None:
            self.decode(now := time.monotonic())
            self.toy.offer(line, request, asked(request).n, now)
            return None
        return self.after(line, self.replies(request))

    def after(self, line: Line, reply: bytes) -> bytes | None:
        """Have a reply sent after the latency, or return it if there is none."""
        self.answered += 1
        if not self.slow:
            return reply
        self.loop.later(self.options.latency.draw(self.random), line, reply)
        return None

    def decode(self, now: float) -> None:
        """Answer what the toy has decoded by now."""
        assert self.toy is not None
        for line, request, tokens in self.toy.advance(now):
            reply = self.after(line, self.replies.told(request, tokens))
            if reply is not None:
                self.loop.send(line, reply)

    def gone(self, line: Line) -> None:
        """Forget what a closed connection had asked for, as vLLM aborts it."""
        if self.toy is not None:
            self.decode(time.monotonic())
            self.toy.abandon(line)

    def strike(self, fault: Fault, line: Line, request: bytes) -> bytes | None:
        """Do what a fault does instead of answering, or in the middle of it."""
        if fault.kind == "status":
            wait = "" if fault.retry_after is None else f"retry-after: {fault.retry_after:g}\r\n"
            said = encoded({"error": {"message": reason(fault.status), "code": fault.status}})
            return framed(said, status=f"{fault.status} {reason(fault.status)}", more=wait)
        if fault.kind == "html":
            return framed(b"<html><body><h1>Bad Gateway</h1></body></html>", "text/html")
        reply = self.replies(request)
        if fault.kind == "drop":
            self.loop.later(0.0, line, None)
        elif fault.kind == "truncate":
            self.loop.later(0.0, line, reply[: len(reply) - 200])
            self.loop.later(0.0, line, None)
        elif fault.kind == "drip":
            for place in range(len(reply)):
                self.loop.later(place * DRIP_SECONDS, line, reply[place : place + 1])
        return None  # a stall is no reply ever

    def about(self, request: bytes) -> bytes:
        """Answer what is no generation."""
        path, _, query = request.split(b" ", 2)[1].decode("latin-1").partition("?")
        if not request.startswith(b"GET "):
            return framed(b'{"error":{"message":"no such path"}}', status="404 Not Found")
        if path == "/v1/models":
            return framed(MODELS)
        if path == "/target/counters":
            return framed(encoded(self.counters(query)))
        if path == "/metrics" and self.toy is not None and self.options.metrics:
            self.decode(time.monotonic())
            return framed(metrics(self.toy.load()), "text/plain; version=0.0.4; charset=utf-8")
        return framed(b'{"error":{"message":"no such path"}}', status="404 Not Found")

    def counters(self, query: str) -> dict[str, Any]:
        """Return what was seen, and of the toy what it did from second ``since`` to second ``until``."""
        told = {"requests": self.requests, "answered": self.answered, "faults": self.struck}
        told |= self.loop.counters() | {"cpu_s": time.process_time(), "tokens": self.replies.tokens}
        if self.toy is None:
            return told
        self.decode(time.monotonic())
        wanted = dict(part.split("=", 1) for part in query.split("&") if "=" in part)
        span = float(wanted.get("since", 0)), float(wanted.get("until", "inf"))
        return told | self.toy.counters(*span)


def parsed(arguments: list[str] | None = None) -> Options:
    """Read the options.

    Raises:
        SystemExit: They are wrong; it is said why.
    """
    parser = argparse.ArgumentParser(description="Answer on a free port, which is printed, until stdin ends.")
    parser.add_argument("--latency", default="0", help="0, 50ms, 10ms..90ms (uniform), lognormal:80ms,0.5")
    parser.add_argument("--names", type=int, default=0, help="answer with so many replies of names in turn")
    parser.add_argument("--slots", type=int, default=0, help="be a toy vLLM that runs so many sequences at once")
    parser.add_argument("--tokens", type=float, default=40.0, help="mean tokens of a sequence, with --slots")
    parser.add_argument("--sigma", type=float, default=1.0, help="sigma of their log-normal lengths, with --slots")
    parser.add_argument("--no-metrics", action="store_true", help="do not tell the queue, with --slots")
    parser.add_argument("--fault", action="append", default=[], help="429:0.05, 503@10..20, drop:0.01; repeatable")
    parser.add_argument("--seed", type=int, default=0, help="seed of latencies, lengths and faults")
    told = parser.parse_args(arguments)
    if told.names < 0 or told.slots < 0 or told.tokens <= 0 or told.sigma <= 0:
        parser.error("--names and --slots are 0 or more, --tokens and --sigma above 0")
    try:
        latency = Latency() if told.latency == "0" else parse_latency(told.latency.removeprefix("uniform:"))
        faults = tuple(map(parse_fault, told.fault))
    except ConfigError as error:
        parser.error(str(error))
    return Options(latency, told.names, told.slots, told.tokens, told.sigma, not told.no_metrics, faults, told.seed)


def main() -> None:
    options = parsed()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    target = Target(options)
    print(target.loop.port, flush=True)
    target.loop.run()


if __name__ == "__main__":
    main()
