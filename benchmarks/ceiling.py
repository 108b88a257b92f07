"""Measure the load target itself by ``wrk``: how many requests a second it can answer, and what one costs it.

Run it with ``python benchmarks/ceiling.py``: a minute on two cores. It needs ``wrk`` on the PATH, the load generator in
C of that name, and says so where there is none.

**The ceiling of all other figures.** A client that is measured against the target cannot be faster than the target.
``wrk`` asks it with 64, 256 and 1,024 connections from the first core; the target is pinned to the last one. A client's
rate that stays well below these is the client's own; one that comes near says how fast the target is, and nothing else.
With one connection for each request in flight, Little's law gives the other ceiling: in flight over latency.

Two figures for each: requests a second, and CPU of the target per request (user and system, from its own clock). At
0 ms ``wrk`` is limited by the target, so the two are nearly reciprocals; after 50 ms the rate is that of Little's law
as long as the target has time to spare.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from card import Record
from replies import BODY
from serving import target

SECONDS, CONNECTIONS = 5, (64, 256, 1024)
ANSWERS: dict[str, tuple[str, ...]] = {
    "one reply of 579 bytes, at once": (),
    "names, at once": ("--names", "2000"),
    "names, after 50 ms": ("--names", "2000", "--latency", "50ms"),
}
"""What is asked for, and the options of the target."""

_COUNT = re.compile(r"(\d+) requests in ([\d.]+)(m?s)")
_ERRORS = re.compile(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)")


def version(wrk: str) -> str:
    """Return what wrk says of itself."""
    told = subprocess.run([wrk, "-v"], capture_output=True, text=True, check=False).stdout
    return told.split("[")[0].removeprefix("wrk").strip()


def script(folder: str) -> str:
    """Write what wrk sends: the body that the other benchmarks send."""
    file = Path(folder) / "post.lua"
    file.write_text(f"wrk.method = 'POST'\nwrk.body = [[{BODY.decode()}]]\n"
                    "wrk.headers['content-type'] = 'application/json'\n")  # fmt: skip
    return str(file)


def asked(wrk: str, url: str, connections: int, seconds: float, lua: str) -> tuple[int, float]:
    """Run wrk once, on the first core; return how many requests were answered, and a second of them.

    Raises:
        SystemExit: It failed, or some of the answers were errors.
    """
    command = [wrk, "-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", lua, f"{url}/v1/completions"]
    if pinned := shutil.which("taskset"):
        command = [pinned, "-c", str(min(os.sched_getaffinity(0))), *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    counted = _COUNT.search(done.stdout)
    if done.returncode or counted is None or (wrong := _ERRORS.search(done.stdout)):
        said = wrong[0] if counted and not done.returncode else done.stdout + done.stderr
        raise SystemExit(f"wrk at {connections} connections: {said}")
    requests = int(counted[1])
    return requests, requests / (float(counted[2]) / (1000 if counted[3] == "ms" else 1))


def measure(wrk: str, seconds: float) -> list[dict[str, Any]]:
    """Measure each kind of answer at each number of connections."""
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        lua = script(folder)
        for answers, options in ANSWERS.items():
            with target(*options) as at:
                asked(wrk, at.url, 64, 1.0, lua)  # everything has been called once
                for connections in CONNECTIONS:
                    before = at.counters()
                    requests, per_s = asked(wrk, at.url, connections, seconds, lua)
                    after = at.counters()
                    cpu = after["cpu_s"] - before["cpu_s"]
                    found.append({"answers": answers, "connections": connections, "requests": requests, "per_s": per_s,
                                  "cpu_us": 1e6 * cpu / (after["requests"] - before["requests"])})  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the load target by wrk.")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long each measurement takes")
    options = parser.parse_args()
    wrk = shutil.which("wrk")
    if wrk is None:
        print("wrk is not on the PATH, so the ceiling of the load target is not measured")
        return
    record = Record("ceiling", {"seconds": options.seconds, "wrk": version(wrk)})
    found = measure(wrk, options.seconds)
    print(f"The load target asked by wrk {version(wrk)}\n\n{'answers':34}{'connections':>12}{'req/s':>10}{'CPU us':>8}")
    for row in found:
        print(f"{row['answers']:34}{row['connections']:>12,}{row['per_s']:>10,.0f}{row['cpu_us']:>8.1f}")
    record.keep(found)


if __name__ == "__main__":
    main()
