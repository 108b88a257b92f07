"""Measure goodput end to end: how much of a server the client keeps busy, with nobody tuning it, in real time.

Run it with ``python benchmarks/goodput.py [--slots 32 256 1024] [--peers]``: ten minutes on two cores, and two to four
more for each peer that is installed. It prints a card and the goals, and keeps every second of every run.

**The physics.** A toy vLLM (:mod:`target`, ``--slots``) runs so many sequences at once and queues the rest, first come,
first served. With `b` of them running it decodes ``peak * b / (b + half)`` tokens a second: fewer than its slots leave
it idle, and from the slots on there is nothing to gain. So the ceiling is known: all slots busy. What is more in flight
stands in the queue, and by Little's law a request waits there for queue over throughput. A client that sends all that
it has reaches the ceiling on such a server, and pays with latency: above the slots goodput tells nobody apart, and the
queue and the latency do.

**Who is compared.** *auto* is ``evoselfcode datagen-names`` as it comes (``api.concurrency: auto``), on a server that
tells its queue at ``/metrics`` and on one that does not. *static* is the same program with a number for its
concurrency, a sweep of what somebody might guess; the best of them is what tuning by hand can reach. *Peers* run at
their own defaults, those that have one (``--peers``; ``benchmarks/peers.py`` says how they are installed).

**What is counted** is counted by the server: tokens as they are decoded, for connections that stay open, each second. A
client that grows from 16 requests in flight needs time for it, so there are two figures: of a window at the end, and
of the whole run, its checks of the server included. Requests ask for four choices of 24 tokens in the mean (log-normal,
sigma 1): a sequence takes a second at full slots, a request two. One request is four sequences of the server.

Runs go on beside each other (``--jobs``), because they mostly wait; peers run one at a time. Clients have all cores but
the last, which is the target's. A run in which the server was late with an answer is marked: there the machine was the
limit, and not the client. The rules of the governor against each other, over hours, are measured in virtual time
(``benchmarks/governor.py``).
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from card import ROOT, Record
from goodput_card import card, judged
from goodput_run import STOPPED, TOKENS, N, Run, measure

PARTS = (0.25, 0.5, 0.7, 0.85, 1.0, 1.1, 1.25, 2.0, 4.0)
"""Static concurrencies, as sequences over slots."""

STATIC_S, WINDOW_S, AUTO_WINDOW_S, BLIND_S, PEER_S = 30.0, 15.0, 60.0, 300.0, 20.0
"""Seconds of a static run and of its window; of the windows of others; of a run without queue numbers, whose search
measures each limit for a while; of a peer's run, which grows slowly if at all."""


def auto_seconds(slots: int) -> float:
    """Return how long a run takes that grows by a quarter in five seconds, to be steady and then measured."""
    return 5.0 * math.ceil(max(0.0, math.log(slots / N / 16, 1.25))) + 30.0 + AUTO_WINDOW_S


def plan(sizes: Sequence[int]) -> list[Run]:
    """Return what is run, the longest first."""
    runs = [Run(slots, "auto", None, False, BLIND_S, AUTO_WINDOW_S) for slots in sizes]
    runs += [Run(slots, "auto", None, True, auto_seconds(slots), AUTO_WINDOW_S) for slots in sizes]
    for slots in sizes:
        counts = dict.fromkeys(max(1, round(slots * part / N)) for part in PARTS)
        runs += [Run(slots, "static", count, True, STATIC_S, WINDOW_S) for count in counts]
    return sorted(runs, key=lambda run: -run.seconds)


Versions = dict[str, dict[str, str]]
"""Peer; distribution; version."""


def peers(sizes: Sequence[int], names: Sequence[str], folder: Path) -> tuple[list[Run], Versions, dict[str, str]]:
    """Return the runs of those peers that are installed, their versions, and why others are not run.

    Args:
        sizes: Slots of the servers.
        names: Scripts of peers; none are all that there are.
        folder: A folder that is theirs.
    """
    from peer_registry import PEERS
    from peers import Runner

    runner, runs, missing = Runner(ROOT / ".venv-peers", PEER_S, folder), list[Run](), dict[str, str]()
    versions: Versions = {}
    known = {peer.name: peer for peer in PEERS if peer.environment and peer.decides}
    for name in names or known:
        if name not in known:
            raise SystemExit(f"--peers: no peer is called {name}; there are {', '.join(known)}")
        if said := runner.missing(known[name]):
            missing[name] = said
            continue
        command = (str(runner.python(known[name])), str(ROOT / "benchmarks" / "peers" / f"{name}.py"))
        versions[name] = runner.versions(known[name])
        environ = runner.environ(known[name], folder)
        runs += [Run(slots, name, None, True, PEER_S, WINDOW_S, command, environ, known[name].processes)
                 for slots in sizes]  # fmt: skip
    return runs, versions, missing


def all_of(runs: list[Run], jobs: int) -> list[dict[str, Any]]:
    """Measure runs, so many beside each other."""
    lock, done = threading.Lock(), 0

    def one(run: Run) -> dict[str, Any]:
        nonlocal done
        told = measure(run)
        with lock:
            done += 1
            name = f"{run.client} {run.in_flight or ''}".strip()
            print(f"\r{done} of {len(runs)}: {name} at {run.slots} slots{'':24}", end="", file=sys.stderr, flush=True)
        return told

    with ThreadPoolExecutor(jobs) as threads:
        try:
            found = list(threads.map(one, runs))
        except BaseException:  # Ctrl-C: what was started is stopped before this ends
            STOPPED.set()
            threads.shutdown(cancel_futures=True)
            raise
    print(file=sys.stderr)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure goodput against a toy vLLM, in real time.")
    parser.add_argument("--slots", type=int, nargs="+", default=[32, 256, 1024], help="sizes of the server")
    parser.add_argument("--peers", nargs="*", default=None, metavar="NAME", help="peers besides; no name: all of them")
    parser.add_argument("--jobs", type=int, default=4, help="runs beside each other; peers run one at a time")
    options = parser.parse_args()
    settings = {"slots": options.slots, "parts": PARTS, "n": N, "tokens": TOKENS, "jobs": options.jobs,
                "seconds": [STATIC_S, BLIND_S, PEER_S, *map(auto_seconds, options.slots)],
                "peers": options.peers}  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        others, versions, missing = (
            peers(options.slots, options.peers, Path(folder)) if options.peers is not None else ([], {}, {})
        )
        record = Record("goodput", settings, ("httptools", "msgspec", "anyio"))
        found = all_of(plan(options.slots), options.jobs)
        if others:
            found += all_of(others, 1)
    goals = judged(found)
    print(card(found, goals, missing))
    record.keep({"runs": found, "versions": versions, "not_run": missing}, goals=goals)


if __name__ == "__main__":
    main()
