"""Soak the generator: a million requests of four names each, and what grows while they run.

Run it with ``make soak``: about five minutes. ``--over loopback`` sends them to a server on another core; by default
the replies come from this process, over no socket. ``--new`` has every name be new, to see what a kept name costs.

Every 10,000 rows the resident memory, the open files, the tasks and the threads are written down. What must grow is
counted apart: names that are kept are remembered, so that a duplicate is known. The slope is that of a straight line
through all after the first fifth, when the pool of names that the replies draw from has been seen.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count, cycle
from pathlib import Path
from statistics import linear_regression
from typing import Any

import httpx
import msgspec
from card import Record
from generator import server
from replies import MODELS, body, replies

from evoselfcode.clients import OpenAICompletionClient
from evoselfcode.config import RunConfig
from evoselfcode.datagen.pipeline.namegen import NAMES
from evoselfcode.datagen.pipeline.run import run_stage
from evoselfcode.loops import run

EVERY = 10_000
POOL = 20_000
MOST_MB, MOST_SLOPE = 300.0, 1.0
"""MiB of resident memory at any time; MiB for each 100,000 rows."""


class Fake(httpx.AsyncBaseTransport):
    """Answers after 10 ms, in this process, with names."""

    def __init__(self, *, new: bool) -> None:
        numbers = count()
        one = body(0, [f"count_{'0' * 12}"] * 4, logprobs=False)
        self._bodies = (
            cycle(replies(POOL))
            if not new
            else (one.replace(b"count_000000000000", b"count_%012x" % next(numbers), 1)
                  .replace(b"count_000000000000", b"merge_%012x" % next(numbers), 1)
                  .replace(b"count_000000000000", b"split_%012x" % next(numbers), 1)
                  .replace(b"count_000000000000", b"build_%012x" % next(numbers), 1) for _ in count())
        )  # fmt: skip

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.01)
        said = MODELS if request.method == "GET" else next(self._bodies)
        return httpx.Response(200, headers={"content-type": "application/json"}, stream=httpx.ByteStream(said))


class Reading(msgspec.Struct):
    """What there was when so many rows were settled."""

    rows: int
    kept: int
    mb: float
    files: int
    tasks: int
    threads: int


def resident() -> float:
    """Return the resident memory in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def written(folder: str) -> float:
    """Return the megabytes of all files in a folder."""
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 1e6


@asynccontextmanager
async def reached(over: str, *, new: bool) -> AsyncIterator[tuple[str, Any]]:
    """Give an address and what carries calls to it; ``None`` is the direct lane."""
    if over == "loopback":
        with server(0.0) as (port, _):
            yield f"http://127.0.0.1:{port}", None
    else:
        yield "http://fake", Fake(new=new)


async def soak(options: argparse.Namespace) -> dict[str, Any]:
    """Run the stage of names, and read what grows."""
    readings: list[Reading] = []

    def report(summary: Any, _: Any) -> None:
        meter = summary.meter
        if meter.settled // EVERY > (readings[-1].rows // EVERY if readings else 0):
            readings.append(Reading(
                meter.settled, meter.kept.total(), resident(), open_files(),
                len(asyncio.all_tasks()), threading.active_count(),
            ))  # fmt: skip
            print(f"\r{meter.settled:,} rows, {readings[-1].mb:.0f} MiB", end="", file=sys.stderr)

    async with reached(options.over, new=options.new) as (url, carrier):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            config = RunConfig.from_mapping({
                "model": "m",
                "api": {"base_url": url, "concurrency": options.in_flight, "fim": {"mode": "suffix"}},
                "namegen": {"num_requests": options.requests // 2, "logprobs": False},
                "output": {"dir": folder},
            })  # fmt: skip
            client = OpenAICompletionClient(url, "m", fim_mode="suffix", http_client=carrier)
            began = time.perf_counter()
            summary = await run_stage(NAMES, client, config, report=report)
            megabytes = written(folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    late = [reading for reading in readings if options.requests // 5 <= reading.rows < options.requests - EVERY]
    slope = linear_regression([reading.rows for reading in late], [reading.mb for reading in late]).slope * 1e5
    last = readings[-1]
    grown = (last.mb - late[0].mb) * 2**20
    return {
        "rows": summary.meter.settled, "kept": summary.meter.kept.total(), "dead": summary.meter.dead,
        "seconds": time.perf_counter() - began, "written_mb": megabytes,
        "mib_per_100000_rows": slope, "mib_at_the_last_row": last.mb, "mib_peak_with_views": peak,
        **({"bytes_per_kept_name": grown / max(1, last.kept - late[0].kept)} if options.new else {}),
        "steady": {name: sorted({getattr(it, name) for it in late}) for name in ("files", "tasks", "threads")},
        "readings": [msgspec.structs.astuple(reading) for reading in readings],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="Soak the generator.")
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--in-flight", type=int, default=256)
    parser.add_argument("--over", choices=["nothing", "loopback"], default="nothing", help="what replies come over")
    parser.add_argument("--new", action="store_true", help="every name is new")
    parser.add_argument("--folder", type=Path, default=None, help="where the run is written")
    options = parser.parse_args()
    if options.requests < 5 * EVERY:
        parser.error(f"--requests is {options.requests}, expected {5 * EVERY} or more: it reads each {EVERY} rows")
    settings = {"requests": options.requests, "in_flight": options.in_flight, "over": options.over, "new": options.new}
    variant = "-new" if options.new else "-loopback" if options.over == "loopback" else ""
    record = Record(f"soak{variant}", settings, ("anyio", "httptools", "httpx", "msgspec", "uvloop"))
    cpu = time.process_time()
    found = run(soak, options)
    cpu = time.process_time() - cpu
    print(file=sys.stderr)
    for name, value in found.items():
        if name != "readings":
            print(f"{name:24}{value:,.2f}" if isinstance(value, float) else f"{name:24}{value}")
    flat = found["mib_per_100000_rows"] < MOST_SLOPE or options.new
    kept = found["mib_peak_with_views"] <= MOST_MB
    print(f"{'cpu_us_per_row':24}{1e6 * cpu / found['rows']:.1f}")
    print("flat, and within bounds" if flat and kept else "NOT within bounds")
    record.keep(found | {"cpu_us_per_row": 1e6 * cpu / found["rows"]})
    sys.exit(not (flat and kept))


if __name__ == "__main__":
    main()
