"""Measure what a request costs the whole generator: as ratios to the bare loop, to what one writes by hand, to httpx.

Run it with ``python benchmarks/generator.py``: ten minutes on two cores. It prints one table and every goal, and keeps
its record. What is not installed is left out, and said to be.

**The ceiling** is :mod:`bare`: a keep-alive pool over httptools that writes bodies, decodes replies, and does nothing
else. **The generator** is the stage of names as it runs for users: plan, keys, bodies, retries, limits, deadlines,
replies, four names each parsed and judged, duplicates, the journal with its checksums and syncs, and in the end the
views. The server is a process on the other core (:mod:`target`) whose replies differ, so that filters have work.

What counts is CPU time of the client's process, user and system, all threads; it depends less on what else the machine
does than the wall does. Each measurement is a process of its own (:mod:`one_run`), and the ways take turns. A figure is
the median of the rounds, with the least and the most; trust ratios above figures.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from contextlib import AbstractContextManager
from importlib.util import find_spec
from statistics import median
from typing import Any

from card import ROOT, Record, told, used
from goals import Figures, judged
from serving import At, target

REQUESTS = 20_000
PACKAGES = ("httptools", "msgspec", "orjson", "anyio", "httpx", "uvloop", "aiohttp")

PLAN: tuple[tuple[str, float, int, int, int, dict[str, Any]], ...] = (
    # way, seconds of latency, in flight, requests, rounds, options
    *((way, 0.0, flying, REQUESTS, 3, {"uvloop": uvloop})
      for flying in (64, 256, 1024) for uvloop in (False, True) for way in ("bare", "generator")),
    *((way, 0.0, 256, REQUESTS, 3, {"logprobs": True}) for way in ("bare", "generator")),
    *((way, 0.0, 256, REQUESTS, 3, {}) for way in ("lane", "lean", "mounted", "aiohttp")),
    ("lane", 0.0, 256, REQUESTS, 3, {"uvloop": True}),
    *((way, 0.0, 256, REQUESTS, 1, {"n": n}) for n in (1, 16) for way in ("bare", "generator")),
    *((way, 0.0, 256, 2000, 1, {}) for way in ("stock", "mounted")),
    *((way, 0.05, flying, REQUESTS, 3, {"uvloop": uvloop})
      for flying in (64, 256, 1024) for uvloop in (False, True) for way in ("bare", "generator")),
    *((way, 0.5, flying, 20 * flying, 1, {}) for flying in (64, 256, 1024, 2048) for way in ("bare", "generator")),
    ("generator", 0.0, 4096, REQUESTS, 1, {}),
    *((way, 0.0, 1, 2, 3, {}) for way in ("bare", "generator")),
)  # fmt: skip


def server(latency: float) -> AbstractContextManager[At]:
    """Serve names on the last core; give the port and the process."""
    return target("--latency", f"{latency:g}s", "--names", str(REQUESTS))


def one_run(way: str, at: At, flying: int, requests: int, options: dict[str, Any]) -> dict[str, float]:
    """Measure a way once; CPU of the whole process from its start to its exit besides, and cores that others used."""
    port, process = at
    wanted = {"way": way, "port": port, "flying": flying, "requests": requests} | options
    command = [sys.executable, str(ROOT / "benchmarks" / "one_run.py"), json.dumps(wanted)]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    before, busy, served = os.times(), used() - used(process), used(process)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": path})
    after, busy = os.times(), used() - used(process) - busy
    if done.returncode:
        raise SystemExit(f"{way} at {flying} in flight ended with {done.returncode}: {done.stderr}")
    told = dict(json.loads(done.stdout))
    told.setdefault("safe_cpu_s", told["run_cpu_s"])
    told.setdefault("safe_wall_s", told["run_wall_s"])
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    wall = after.elapsed - before.elapsed
    others, target = max(0.0, busy - cpu) / wall, (used(process) - served) / wall
    return told | {
        "run_us": 1e6 * told["run_cpu_s"] / requests, "all_us": 1e6 * cpu / requests, "all_cpu_s": cpu,
        "safe_us": 1e6 * told["safe_cpu_s"] / requests, "per_s": requests / told["safe_wall_s"], "others": others,
        "target": target,
    }  # fmt: skip


def measure(rounds: int, ways: list[str]) -> Figures:
    """Measure these ways under all conditions, in turns."""
    found: Figures = {}
    for latency in dict.fromkeys(step[1] for step in PLAN):
        steps = [step for step in PLAN if step[1] == latency and step[0] in ways]
        with server(latency) as at:
            for number in range(rounds):
                for way, _, flying, requests, most, options in steps:
                    if number >= most or (options.get("uvloop") and not find_spec("uvloop")):
                        continue
                    figures = one_run(way, at, flying, requests, options)
                    told_apart = (name if on is True else f"{name}={on}" for name, on in options.items() if on)
                    named = " ".join([way, *told_apart])
                    found.setdefault((named, latency, flying, requests), []).append(figures)
                    print(f"\r{named}, {flying} in flight, {latency:g} s{'':20}", end="", file=sys.stderr)
    print(file=sys.stderr)
    return found


def table(found: Figures) -> str:
    """Show every figure, and its ratio to the bare loop of the same conditions."""
    lines = [f"{'way':20}{'latency':>8}{'in flight':>10}{'requests':>9}{'rows safe, µs':>22}{'x bare':>8}"
             f"{'with views':>22}{'x bare':>8}{'whole process':>22}{'x bare':>8}"
             f"{'req/s':>8}{'p99 ms':>8}{'MB':>5}"]  # fmt: skip
    for (way, latency, flying, requests), runs in found.items():
        base = ("bare " + way.partition(" ")[2]).strip()
        ceiling = found.get((base, latency, flying, requests))
        cells = []
        for key in ("safe_us", "run_us", "all_us"):
            values = [run[key] for run in runs]
            cells.append(f"{f'{median(values):,.0f} [{min(values):,.0f}-{max(values):,.0f}]':>22}")
            ratio = median(values) / median(run[key] for run in ceiling) if ceiling else None
            cells.append(f"{ratio:>8.2f}" if ratio else f"{'':>8}")
        middle = {key: median(run[key] for run in runs) for key in ("per_s", "p99_s", "rss_mb")}
        lines.append(f"{way:20}{latency:>7g}s{flying:>10,}{requests:>9,}{''.join(cells)}{middle['per_s']:>8,.0f}"
                     f"{1000 * middle['p99_s']:>8,.0f}{middle['rss_mb']:>5.0f}")  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what a request costs the whole generator.")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way is measured, at most")
    every = [way for way in dict.fromkeys(step[0] for step in PLAN) if way != "aiohttp" or find_spec("aiohttp")]
    parser.add_argument("--ways", nargs="+", choices=every, default=every, help="what is measured")
    options = parser.parse_args()
    record = Record("generator", vars(options), PACKAGES)
    found = measure(options.rounds, options.ways)
    goals = judged(found)
    print(f"{table(found)}\n")
    print(told(goals))
    print("".join(f"not installed, so not measured: {name}\n" for name, known in record.versions.items() if not known))
    figures = [dict(zip(("way", "latency_s", "in_flight", "requests"), key, strict=True)) | {"runs": runs}
               for key, runs in found.items()]  # fmt: skip
    record.keep(figures, goals=goals, others=[run["others"] for runs in found.values() for run in runs])


if __name__ == "__main__":
    main()
