"""One run of one client against the toy vLLM: started as its users start it, watched from the server, stopped.

This file decides when a run is steady and what is counted of it. It refuses to know what is compared with what.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from card import plain
from serving import ROOT, At, target

N, TOKENS, SEQUENCE_S = 4, 25.0, 0.93
"""Choices of a request, mean tokens of a sequence, and the seconds that one takes when all slots are busy: the toy
decodes 26.0 tokens a second for each, and the longest are cut, so that 24 is the mean that is left."""

STARTED = 10
"""Requests after which a client is past its checks of the server, and its time begins."""

STOPPED = threading.Event()
"""Set when all runs are to end at once."""

PATIENCE = 100.0
"""Seconds that a client may take to get there: one that makes a task of each request works long before it sends any."""


class Run(NamedTuple):
    """What is run.

    Attributes:
        slots: Slots of the server.
        client: ``auto``, ``static``, or the script of a peer.
        in_flight: Requests in flight; ``None`` leaves it to the client.
        metrics: Whether the server tells its queue.
        seconds: How long it runs once it has started.
        window: How many of the last seconds are counted as steady.
        command: What is started; empty for this project.
        environ: Its environment.
        spread: Whether it may use the target's core too, for it starts processes for its work.
    """

    slots: int
    client: str
    in_flight: int | None
    metrics: bool
    seconds: float
    window: float
    command: tuple[str, ...] = ()
    environ: dict[str, str] | None = None
    spread: bool = False

    @property
    def requests(self) -> int:
        """A fifth more requests than the server can answer in the time and a little, so that the client is never done.

        Not many more: who sends all at once is to stand in no longer a queue than its work makes.
        """
        return 100 + round(1.2 * (self.seconds + 5) * self.slots / N / SEQUENCE_S)


def measure(run: Run) -> dict[str, Any]:
    """Run it once; ``failed`` is a sentence if the client did not do as it was asked."""
    options = ["--slots", str(run.slots), "--tokens", str(TOKENS), *([] if run.metrics else ["--no-metrics"])]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, target(*options) as at:
        log = Path(folder) / "log"
        client = started(run, at, Path(folder), log)
        try:
            told = watched(run, at, client)
        finally:
            stop(client)
        if "failed" in told:
            lines = log.read_text(errors="replace").strip().splitlines()
            told["failed"] += f": {plain(lines[-1])[:200]}" if lines else ""
    about = {"slots": run.slots, "client": run.client, "in_flight": run.in_flight, "metrics": run.metrics}
    return about | told


def started(run: Run, at: At, folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start the client, in a group of processes of its own."""
    if run.command:
        work = {"url": f"{at.url}/v1", "requests": run.requests, "in_flight": run.in_flight,
                "out": str(folder / "out.jsonl")}  # fmt: skip
        command, environ = [*run.command, json.dumps(work)], (run.environ or {}) | {"HOME": str(folder)}
    else:
        config = {"model": "m", "api": {"base_url": at.url, "concurrency": run.in_flight or "auto"},
                  "namegen": {"n": N, "num_requests": run.requests // 2},
                  "output": {"dir": str(folder / "out")}}  # fmt: skip
        file = folder / "datagen.yaml"  # what is JSON is YAML too
        file.write_text(json.dumps(config))
        command = [sys.executable, "-m", "evoselfcode.cli", "datagen-names", "--config", str(file)]
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    with log.open("wb") as said:
        client = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environ, cwd=folder,
                                  start_new_session=True)  # fmt: skip
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1 and not run.spread:
        os.sched_setaffinity(client.pid, cores[:-1])
    return client


def stop(client: subprocess.Popen[bytes]) -> None:
    """Stop the client and what it started; what it had in flight is of no interest any more."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(client.pid, signal.SIGKILL)
    client.wait()


def watched(run: Run, at: At, client: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Let it run its time, and return what the server saw."""
    born = time.monotonic()
    while (seen := at.counters())["requests"] < STARTED:
        if client.poll() is not None or time.monotonic() > born + PATIENCE:
            return {"failed": f"{seen['requests']} requests, then it ended with {client.returncode}"
                    if client.returncode is not None else f"{seen['requests']} requests in {PATIENCE:g} s"}  # fmt: skip
        if STOPPED.wait(0.5):
            return {"failed": "stopped"}
    began, started_s = seen["second"], time.monotonic() - born
    until = began + run.seconds
    while (seen := at.counters(0, 0))["second"] < until:
        if client.poll() is not None:
            return {"failed": f"{seen['requests']:,} requests, then it ended with {client.returncode}"}
        if STOPPED.wait(min(2.0, max(0.05, until - seen["second"]))):
            return {"failed": "stopped"}
    steady, whole = at.counters(began + run.seconds - run.window, until), at.counters(0, until)
    return {"started_s": round(started_s, 1)} | figures(steady, whole)


def figures(steady: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    """Make figures of what the server counted in the window and in the whole run."""
    slots, ceiling = steady["slots"], steady["ceiling_tokens_per_s"]
    busy = whole["series"]["busy"]
    return {
        "goodput": goodput(steady) / ceiling,
        "goodput_whole": goodput(whole) / ceiling,
        "tokens_per_s": goodput(steady),
        "busy": mean(steady["series"]["busy"]) / slots,
        "waiting": mean(steady["series"]["waiting"]) / slots,
        "p50_s": steady["latency"].get("p50_s"),
        "p99_s": steady["latency"].get("p99_s"),
        "ramp_s": next((second for second, one in enumerate(busy) if one >= 0.95 * slots), None),
        "most_in_flight": whole["most_in_flight"],
        "connections": whole["connections"],
        "late_s": whole["late_s"],
        "series": {name: whole["series"][name] for name in ("busy", "waiting", "tokens")},
    }


def goodput(counted: dict[str, Any]) -> float:
    """Return the tokens a second that were decoded for connections that were still open."""
    series = counted["series"]
    return (sum(series["tokens"]) - sum(series["wasted"])) / max(1, len(series["tokens"]))


def mean(values: list[float]) -> float:
    return sum(values) / max(1, len(values))
