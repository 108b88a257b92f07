"""Measure the search for duplicates: rows per second, memory per million rows, and how time grows with size.

Run it with ``python benchmarks/duplicates.py``: about six minutes, with ``--sizes 5000 20000`` half of one. It
prints a card for people and, last, one line of JSON for machines.

The ceiling: adding a function is cutting it into lexemes (a regular expression and a loop, 30 µs), hashing five at a
time (20 µs) and finding 252 minima (25 µs), so 13,000 functions per second is all there is. What is kept of one cannot
be less than its shingles, 8 bytes each, and its bands, 168 bytes.

Three streams: *distinct* functions of 400 letters; *alike*, all near duplicates of each other; *boilerplate*, half the
same and none a near duplicate of any, where every function resembles every other. Every figure is of a process of
its own on one core. The memory of a row is the growth of the process while rows are added, with a key of 32 letters, an
alpha hash of 64 and a rank of two numbers, all of them new objects; the peak is what the verdicts take besides.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from random import Random
from statistics import linear_regression
from typing import Any

from card import Record

from evoselfcode.datagen.filters.duplicates import Duplicates, shingles

STREAMS = ("distinct", "alike", "boilerplate")
SIZES = (20_000, 50_000, 100_000, 200_000)
TARGET_BYTES = 2_500
BLOCK = 1_000
"""Functions that are made at a time, with the clock stopped."""

FIRST = ("alpha", "beta", "count", "delta", "index", "left", "node", "right", "value")
WORDS = tuple(first + second for first in FIRST for second in ("", "_of", "_list", "_max", "_map", "s"))
LINES = (
    "{} = [{} for {} in {} if {} > {}]", "for {} in range({}, len({})):", "    {} += {} * {} - {}",
    "{} = max({}, key=lambda {}: {}[{}])", "if {} not in {}:", "    return {} + [{}]", "{}, {} = {}, {} % {}",
    "{}.append(({}, {}))", "while {} < {} and {}[{}] != {}:", "    {} = sorted({}, reverse=True)[: {}]",
)  # fmt: skip


def lines(random: Random, count: int) -> list[str]:
    """Write lines that look like code; no two of many thousands are the same."""
    return ["    " + "".join(part + (random.choice(WORDS) if random.random() < 0.9 else str(random.randrange(100)))
                             for part in random.choice(LINES).split("{}")) for _ in range(count)]  # fmt: skip


def stream(kind: str, seed: int) -> Iterator[str]:
    random = Random(seed)
    same = {"distinct": [], "alike": lines(random, 8), "boilerplate": lines(random, 5)}[kind]
    own = {"distinct": 7, "alike": 1, "boilerplate": 3}[kind]
    while True:
        yield "\n".join(["def compute(alpha, beta):", *same, *lines(random, own), "    return alpha"])


def rows(codes: Iterator[str], first: int, count: int) -> list[tuple[str, str, str, tuple[float, ...]]]:
    random = Random(first)
    return [(blake2b(str(number).encode(), digest_size=16).hexdigest(), code,
             blake2b(code.encode(), digest_size=32).hexdigest(), (random.random(), random.random()))
            for number, code in enumerate(islice(codes, count), first)]  # fmt: skip


def measure(kind: str, size: int) -> dict[str, float]:
    codes, judge = stream(kind, size), Duplicates()
    warm = rows(codes, 0, BLOCK)
    letters = sum(len(code) for _, code, _, _ in warm) / BLOCK
    shingled = timed(lambda: [shingles(code) for _, code, _, _ in warm])
    seconds, before = 0.0, rss()
    for first in range(0, size, BLOCK):
        block = rows(codes, first, BLOCK)
        seconds += timed(partial(add, judge, block))
    after = rss()
    judged: dict[str, tuple[str, str]] = {}
    verdict_seconds = timed(lambda: judged.update(judge.verdicts()))
    return {
        "letters": letters,
        "shingles_per_row": sum(len(shingles(code)) for _, code, _, _ in warm) / BLOCK,
        "shingles_rows_per_s": BLOCK / shingled,
        "add_rows_per_s": size / seconds,
        "add_s": seconds,
        "verdicts_s": verdict_seconds,
        "dropped": len(judged),
        "bytes_per_row": (after - before) / size,
        "peak_bytes_per_row": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - after) / size,
    }


def add(judge: Duplicates, block: list[tuple[str, str, str, tuple[float, ...]]]) -> None:
    for row in block:
        judge.add(*row)


def timed(work: Callable[[], Any]) -> float:
    """Return the CPU seconds of this process."""
    start = time.process_time()
    work()
    return time.process_time() - start


def rss() -> int:
    """Return the resident memory in bytes; Linux alone tells it."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def exponent(sizes: list[int], costs: list[float]) -> float:
    """Return the slope of log cost on log size by least squares: 1 is linear, 2 is quadratic."""
    return linear_regression([math.log(size) for size in sizes], [math.log(cost) for cost in costs]).slope


def measure_all(sizes: list[int]) -> dict[str, Any]:
    found: dict[str, Any] = {kind: {size: child(kind, size) for size in sizes} for kind in STREAMS}
    for kind in STREAMS:
        for what in ("add_s", "verdicts_s") if len(sizes) > 1 else ():
            found[f"{kind}_{what}_exponent"] = exponent(sizes, [found[kind][size][what] for size in sizes])
    return found


def child(kind: str, size: int) -> dict[str, float]:
    """Run one measurement in a process of its own, on one core."""
    command = [sys.executable, __file__, "--measure", kind, str(size)]
    return dict(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def card(found: dict[str, Any], sizes: list[int], versions: dict[str, str | None]) -> str:
    told = [f"duplicates, {', '.join(f'{name} {number}' for name, number in versions.items())}, {platform.machine()}"]
    for kind in STREAMS:
        one = found[kind][sizes[-1]]
        told += ["", f"{kind}: {one['letters']:.0f} letters, {one['shingles_per_row']:.0f} shingles a function"]
        told.append(f"{'rows':>10}{'shingles/s':>12}{'add/s':>10}{'verdicts s':>12}{'dropped':>10}"
                    f"{'MB per million':>16}{'+ peak':>8}")  # fmt: skip
        for size in sizes:
            row = found[kind][size]
            told.append(f"{size:10,}{row['shingles_rows_per_s']:12,.0f}{row['add_rows_per_s']:10,.0f}"
                        f"{row['verdicts_s']:12.2f}{row['dropped']:10,}{row['bytes_per_row']:16,.0f}"
                        f"{row['peak_bytes_per_row']:8,.0f}")  # fmt: skip
        if len(sizes) > 1:
            told.append(f"time grows like size to the power of {found[f'{kind}_add_s_exponent']:.2f} (add), "
                        f"{found[f'{kind}_verdicts_s_exponent']:.2f} (verdicts)")  # fmt: skip
    kept = found["distinct"][sizes[-1]]["bytes_per_row"]
    told += ["", f"{kept:,.0f} bytes per distinct row: {'met' if kept <= TARGET_BYTES else 'MISSED'} ({TARGET_BYTES})"]
    return "\n".join(told)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the search for duplicates.")
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES), help="rows of the streams")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is None:
        record = Record("duplicates", {"sizes": options.sizes}, ("datasketch", "numpy"))
        found = measure_all(options.sizes)
        print(card(found, options.sizes, record.versions))
        record.keep(found)
        return
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(json.dumps(measure(options.measure[0], int(options.measure[1]))))


if __name__ == "__main__":
    main()
