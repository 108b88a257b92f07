"""Measure the same requests through each peer: whole processes, from their start to their exit, as ratios to ours.

Run it with ``make bench-peers``, which installs the peers first: twenty minutes on two cores. It prints a table, the
goals, what could not be measured and why, and last one line of JSON, which is kept in ``benchmarks/results``.

**The ceiling**: 256 requests in flight at a server that takes 50 ms make 5,120 a second at most, 3.9 s for 20,000.
A client gets there only if it computes for less than 195 µs a request, which is all that one core has to give. The bare
loop takes a fifth of that; a peer that takes 4 ms is done after 80 s, whatever the server does. So CPU a request is
what tells peers apart, and the wall follows from it.

**The same for all.** The server is a process of its own on the last core, started anew for each run, which counts the
requests, the connections, and the most that were in flight (:mod:`target`). A request asks for four names of 16 tokens
at most; chat peers are answered with the same four as messages. A peer is a script of ``benchmarks/peers``, in an
environment of its own, on the first core; one that starts processes for its work has all cores. CPU is user and system
of the whole tree of processes (:mod:`whole_tree`), start and imports included. The peers take turns (A B C A B C); a
figure is the median of the rounds, with the least and the most. A ratio compares at the same number of requests.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distributions
from pathlib import Path
from statistics import median
from typing import Any

from card import RESULTS, ROOT, Record, plain, told, used
from peer_registry import OURS, PEERS, Peer, Runs, judged, ratio, unjudged

IN_FLIGHT, LATENCY = 256, "50ms"
OFFLINE = {
    "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "DO_NOT_TRACK": "1",
    "TELEMETRY_ENABLED": "false", "HF_HUB_DISABLE_TELEMETRY": "1", "EVOSELFCODE_UVLOOP": "0",
}  # fmt: skip
"""What keeps peers from asking for anything but the server; no peer is slower for it."""


class Failed(Exception):
    """A peer did not do what it was asked; the text says what it did."""


@contextmanager
def target() -> Iterator[tuple[int, int]]:
    """Serve on the last core; give the port and the process."""
    command = [sys.executable, str(ROOT / "benchmarks" / "target.py"), "--latency", LATENCY, "--names", "20000"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline()), process.pid
        finally:
            process.stdin.close()


def pairs(peers: list[Peer]) -> list[tuple[Peer, int]]:
    """Return each peer with each number of requests that it makes."""
    return [(peer, requests) for peer in peers for requests in peer.requests]


class Runner:
    """Runs peers, one at a time.

    Args:
        environments: The folder of their environments.
        limit: Seconds that one run may take.
        folder: Where they write.
        in_flight: How many requests at once; None leaves it to each.
    """

    def __init__(self, environments: Path, limit: float, folder: Path, in_flight: int | None = IN_FLIGHT) -> None:
        self.environments, self.limit, self.folder, self.in_flight = environments, limit, folder, in_flight
        self._count = 0

    def python(self, peer: Peer) -> Path:
        return self.environments / peer.environment / "bin" / "python" if peer.environment else Path(sys.executable)

    def missing(self, peer: Peer) -> str | None:
        """Say why a peer cannot be run, if it cannot."""
        if not peer.environment or (self.environments / peer.environment / ".installed").exists():
            return None
        said = self.environments / f"{peer.environment}.failed"
        return f"cannot be installed: {plain(said.read_text())}" if said.exists() else "not installed"

    def versions(self, peer: Peer) -> dict[str, str]:
        """Return the versions of what a peer consists of."""
        home = self.environments / peer.environment
        path = list(map(str, home.glob("lib/python*/site-packages"))) if peer.environment else sys.path
        found = {re.sub(r"[-_.]+", "-", it.metadata["Name"]).lower(): it.version for it in distributions(path=path)}
        return {name: found[name] for name in peer.packages if name in found}

    def run(self, peer: Peer, requests: int) -> dict[str, Any]:
        """Run a peer once.

        Raises:
            Failed: It did not end in time, or with an error, or without all answers.
        """
        self._count += 1
        folder = self.folder / f"{self._count}-{peer.name}"
        home = self.folder / f"home-{peer.environment or 'own'}"
        folder.mkdir()
        home.mkdir(exist_ok=True)
        with target() as (port, server):
            work = {"url": f"http://127.0.0.1:{port}/v1", "requests": requests, "in_flight": self.in_flight,
                    "out": str(folder / "answers.jsonl")}  # fmt: skip
            script = ROOT / "benchmarks" / "peers" / f"{peer.name}.py"
            cores = sorted(os.sched_getaffinity(0))
            asked = {"command": [str(self.python(peer)), str(script), json.dumps(work)], "limit_s": self.limit,
                     "cores": cores if peer.processes else cores[:1], "log": str(folder / "log")}  # fmt: skip
            command = [sys.executable, str(ROOT / "benchmarks" / "whole_tree.py"), json.dumps(asked)]
            busy = used() - used(server)
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=self.environ(peer, home),
                                  cwd=folder)  # fmt: skip
            told = json.loads(done.stdout)
            busy = used() - used(server) - busy - told["cpu_s"] - told.pop("own_s")
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/target/counters", timeout=10) as reply:
                counted = json.load(reply)
        self._check(told, counted, requests, (folder / "log").read_text(errors="replace"))
        return told | {
            "cpu_us": 1e6 * told["cpu_s"] / requests, "per_s": requests / told["wall_s"],
            "others": max(0.0, busy) / told["wall_s"],
            "server": {key: counted[key] for key in ("requests", "connections", "most_in_flight", "cpu_s")},
        }  # fmt: skip

    def _check(self, told: dict[str, Any], counted: dict[str, Any], requests: int, log: str) -> None:
        said = [line for line in log.splitlines() if line.strip()]
        if told["timed_out"]:
            raise Failed(f"{counted['requests']:,} of {requests:,} requests within {self.limit:g} s, then stopped")
        if told["code"]:
            raise Failed(f"ended with {told['code']}: {plain(said[-1]) if said else 'it said nothing'}")
        answers = [json.loads(line)["ok"] for line in said if line.startswith('{"ok":')]
        if not answers or answers[-1] < requests:
            raise Failed(f"{answers[-1] if answers else 'no'} answers to {requests:,} requests")
        if counted["requests"] < requests:
            raise Failed(f"says {answers[-1]:,} answers, where the server was asked {counted['requests']:,} times")

    def environ(self, peer: Peer, home: Path) -> dict[str, str]:
        """Return the variables that a peer is run with; `home` is what it takes for its user's folder."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        own = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "PYTHONWARNINGS": "ignore"} | OFFLINE
        tables = sorted(self.environments.glob("*/lib/python*/site-packages/litellm/litellm_core_utils/tokenizers"))
        if tables:  # the tables of tiktoken, which it would fetch; litellm has them with it
            own["TIKTOKEN_CACHE_DIR"] = str(tables[0])
        return kept | own | ({} if peer.environment else {"PYTHONPATH": str(ROOT)})


def measure(runner: Runner, peers: list[Peer], rounds: int) -> tuple[Runs, dict[tuple[str, int], str]]:
    """Measure all in turns; return what was found, and why something was not."""
    runs: Runs = {}
    failed: dict[tuple[str, int], str] = {}
    for _ in range(rounds):
        for peer, requests in pairs(peers):
            if (peer.name, requests) in failed:
                continue
            if reason := runner.missing(peer):
                failed[peer.name, requests] = reason
                continue
            print(f"\r{peer.title}, {requests:,} requests{'':30}", end="", file=sys.stderr)
            try:
                runs.setdefault((peer.name, requests), []).append(runner.run(peer, requests))
            except Failed as error:
                if peer.name == OURS.name:
                    raise SystemExit(f"{peer.title}, to which all is compared: {error}") from error
                failed[peer.name, requests] = str(error)
                runs.pop((peer.name, requests), None)
    print(file=sys.stderr)
    return {key: found for key, found in runs.items() if found}, failed


def figures(runner: Runner, peers: list[Peer], runs: Runs) -> list[dict[str, Any]]:
    """Put down what was found of each, with its ratios to ours."""
    told = []
    for peer, requests in pairs(peers):
        if found := runs.get((peer.name, requests)):
            spread = {key: [pick([run[key] for run in found]) for pick in (median, min, max)]
                      for key in ("cpu_us", "wall_s", "per_s", "rss_mb")}  # fmt: skip
            told.append({"peer": peer.name, "title": peer.title, "requests": requests, "remark": peer.remark,
                         "versions": runner.versions(peer), **spread,
                         "times_ours": {key: ratio(runs, peer.name, requests, key) for key in ("cpu_us", "wall_s")},
                         "runs": found})  # fmt: skip
    return told


def table(told: list[dict[str, Any]]) -> str:
    """Show every figure for people."""
    lines = [f"{'':28}{'requests':>9}{'CPU µs a request':>26}{'x ours':>8}{'wall s':>22}{'x ours':>8}{'req/s':>8}"
             f"{'MB':>7}{'in flight':>10}{'connections':>12}{'others':>8}  version"]  # fmt: skip
    for row in told:
        cells = [f"{row['title']:28}{row['requests']:>9,}"]
        for key, width, digits in (("cpu_us", 26, 0), ("wall_s", 22, 2)):
            middle, least, most = row[key]
            cells.append(f"{f'{middle:,.{digits}f} [{least:,.{digits}f}-{most:,.{digits}f}]':>{width}}")
            times = row["times_ours"][key]
            cells.append(f"{times:>8.1f}" if times else f"{'':>8}")
        flying, opened = (max(run["server"][key] for run in row["runs"]) for key in ("most_in_flight", "connections"))
        others = median(run["others"] for run in row["runs"])
        version = next(iter(row["versions"].values()), "")
        lines.append(f"{''.join(cells)}{row['per_s'][0]:>8,.0f}{row['rss_mb'][0]:>7,.0f}{flying:>10}{opened:>12}"
                     f"{others:>8.2f}  {version}")  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    names = [peer.name for peer in PEERS]
    parser = argparse.ArgumentParser(description="Measure the same requests through each peer.")
    parser.add_argument("--rounds", type=int, default=2, help="how often each is measured")
    parser.add_argument("--peers", nargs="+", choices=names, default=names, help="what is measured, besides ours")
    parser.add_argument("--most", type=int, help="at most so many requests by each; no goal is judged then")
    parser.add_argument("--limit", type=float, default=150.0, help="seconds that one run may take")
    parser.add_argument("--environments", type=Path, default=ROOT / ".venv-peers", help="where the peers are installed")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the results are kept")
    options = parser.parse_args()
    most = options.most or max(OURS.requests)
    peers = [
        peer._replace(requests=tuple(dict.fromkeys(min(count, most) for count in peer.requests)))
        for peer in PEERS if peer.name in options.peers or peer is OURS
    ]  # fmt: skip
    settings = {"in_flight": IN_FLIGHT, "latency": LATENCY, "rounds": options.rounds, "limit_s": options.limit,
                "peers": {peer.name: peer.requests for peer in peers}}  # fmt: skip
    record = Record("peers", settings, [name for name in OURS.packages if name != "evoselfcode"], options.results)
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(options.environments.absolute(), options.limit, Path(folder))
        runs, failed = measure(runner, peers, options.rounds)
        rows = figures(runner, peers, runs)
    titles = {peer.name: peer.title for peer in peers}
    absent = [{"peer": name, "title": titles[name], "requests": requests, "reason": reason}
              for (name, requests), reason in failed.items()]  # fmt: skip
    print(f"{table(rows)}\n")
    for row in absent:
        print(f"not measured: {row['title']}, {row['requests']:,} requests: {row['reason']}")
    goals = judged(runs) if options.most is None else []
    print(told(goals))
    if open_ := unjudged(runs) if options.most is None else []:
        print(f"not judged, because the peer was not measured: {', '.join(open_)}")
    others = [run["others"] for found in runs.values() for run in found]
    record.keep({"peers": rows, "not_measured": absent, "not_judged": open_}, goals=goals, others=others)


if __name__ == "__main__":
    main()
