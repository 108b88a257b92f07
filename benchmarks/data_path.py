"""Measure what becomes of rows behind the journal, as cost against size: the filter, duplicates, the reports.

    python benchmarks/data_path.py [--series reports-names ...] [--largest ROWS]

The ceiling of each is what nobody can do without. A filter that looks at a tree has to parse: ``ast.parse`` of the same
functions. A report has to read what it reports: the journal's lines, or the filter's rows, decoded and nothing else.
Duplicates have a peer, datasketch's ``MinHashLSH``, which compares nothing that it finds. Ceiling and peer are measured
over the same rows, in the same process, right after. The peak of memory is that of this process by then.

Cost is CPU seconds, of child processes too, in a process of its own for each size. If it is a constant times size to
the power of p, then the logarithm of cost is a straight line over the logarithm of size with the slope p: 1 is linear,
2 is quadratic. The slope of four sizes is fitted by least squares. A report has a part that is the same for every run,
charts, of a third of a second, so its slope over small sizes is below 1; look at the *last* one too, which is that
between the two largest sizes. On a busy machine the later sizes cost more, the ceiling's too: compare the two slopes.
"""

from __future__ import annotations

import argparse
import ast
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import msgspec
from card import Record
from duplicates import exponent, rows, stream
from made_runs import code_run, corpus, distinct, names_run

from evoselfcode.config import RunConfig
from evoselfcode.datagen.code.filtering import RAW, filter_code
from evoselfcode.datagen.code.reporting import report_code
from evoselfcode.datagen.code.rows import CodeFileRow
from evoselfcode.datagen.filters.duplicates import Duplicates, shingles
from evoselfcode.datagen.pipeline.reporting import report_run
from evoselfcode.storage import read_once

SMALL = 200
"""Rows that a process looks at first, with the clock stopped: libraries are loaded then."""


peaks: list[float] = []
"""MiB that this process held at most, after each piece of work that was timed."""


def timed(work: Callable[[], Any]) -> float:
    """Return CPU seconds, of child processes that ended too."""
    start = used()
    work()
    took = used() - start
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return took


def used() -> float:
    """Return them finer than ``os.times`` does, which counts hundredths."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def code(size: int, folder: Path) -> Path:
    return code_run(folder / str(size), distinct(corpus(), size))


def filtered(run: Path) -> Path:
    anyio.run(filter_code, [run], RunConfig())
    return run


def filter_(size: int, folder: Path) -> tuple[float, float]:
    run, drafts = code(size, folder), distinct(corpus(), size)
    programs = [one.task.context + one.task.head + one.text for one in drafts]
    filtered(code(SMALL, folder / "small"))

    def parse() -> None:
        for program in programs:
            ast.parse(program)

    cost = timed(lambda: filtered(run))
    return timed(parse), cost


def duplicates(size: int, folder: Path) -> tuple[float, float]:
    made = rows(stream("distinct", size), 0, size)
    found = Duplicates()

    def ours() -> None:
        for row in made:
            found.add(*row)
        found.verdicts()

    shingles(made[0][1])
    cost = timed(ours)
    return timed(lambda: datasketch([code for _, code, _, _ in made])), cost


def datasketch(codes: list[str]) -> None:
    """Do it the peer's way: a MinHash of 128 of the same shingles each, one index."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=0.7, num_perm=128)
    for number, text in enumerate(codes):
        sketch = MinHash(num_perm=128, hashfunc=int)
        sketch.update_batch((shingles(text) & 0xFFFFFFFF).tolist())
        if not index.query(sketch):
            index.insert(str(number), sketch)


def report_names(size: int, folder: Path) -> tuple[float, float]:
    run = names_run(folder, size)
    report_run(names_run(folder / "small", SMALL))
    cost = timed(lambda: report_run(run))
    return timed(lambda: sum(1 for _ in read_once(run))), cost


def report_of_code(size: int, folder: Path) -> tuple[float, float]:
    run = filtered(code(size, folder))
    report_code(filtered(code(SMALL, folder / "small")))
    decode = msgspec.json.Decoder(CodeFileRow).decode

    def read() -> None:
        with (run / RAW).open("rb") as file:
            for line in file:
                decode(line)

    cost = timed(lambda: report_code(run))
    return timed(read), cost


SERIES: dict[str, tuple[str, str, Callable[[int, Path], tuple[float, float]], tuple[int, ...]]] = {
    "filter": ("filter-code, from journal to files", "ast.parse", filter_, (1_000, 2_000, 5_000, 10_000)),
    "duplicates": ("duplicates, all distinct", "datasketch", duplicates, (5_000, 10_000, 20_000, 50_000)),
    "report-names": ("report of names", "reading the journal", report_names, (10_000, 30_000, 100_000, 300_000)),
    "report-code": ("report of code", "reading the rows", report_of_code, (1_000, 3_000, 10_000, 20_000)),
}
"""What it is, what it is compared with, how both are measured, and rows."""


def series(name: str, largest: int | None = None) -> dict[str, Any]:
    """Measure one at its sizes, but none that is larger than asked."""
    sizes = [size for size in SERIES[name][3] if largest is None or size <= largest]
    return fitted(sizes, [child(name, size) for size in sizes])


def fitted(sizes: list[int], found: list[dict[str, float]]) -> dict[str, Any]:
    """Return the costs with the slopes of their logarithms: of ours, of the last step alone, and of the ceiling."""
    cost, ceiling = ([one[key] for one in found] for key in ("cpu_s", "ceiling_cpu_s"))
    slopes = {"exponent": exponent(sizes, cost), "last_exponent": exponent(sizes[-2:], cost[-2:]),
              "ceiling_exponent": exponent(sizes, ceiling)} if len(sizes) > 1 else {}  # fmt: skip
    return {"sizes": sizes, "cpu_s": cost, "ceiling_cpu_s": ceiling, "peak_mib": [one["peak_mib"] for one in found],
            **slopes, "rows_per_cpu_s": sizes[-1] / cost[-1], "times_the_ceiling": cost[-1] / ceiling[-1]}  # fmt: skip


def child(name: str, size: int) -> dict[str, float]:
    """Run one measurement in a process of its own."""
    command = [sys.executable, __file__, "--measure", name, str(size)]
    return dict(json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout))


def measure(name: str, size: int) -> dict[str, float]:
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        ceiling, cost = SERIES[name][2](size, Path(folder))
    return {"cpu_s": cost, "ceiling_cpu_s": ceiling, "peak_mib": peaks[0], "took_s": time.perf_counter() - began}


def card(found: dict[str, dict[str, Any]]) -> str:
    told = []
    for name, one in found.items():
        what, ceiling, _, _ = SERIES[name]
        told += ["", what, f"{'rows':>10}{'CPU s':>10}{'rows/CPU s':>12}{'MiB':>8}   times {ceiling}"]
        columns = (one[key] for key in ("sizes", "cpu_s", "ceiling_cpu_s", "peak_mib"))
        for size, cost, beside, peak in zip(*columns, strict=True):
            told.append(f"{size:10,}{cost:10.2f}{size / cost:12,.0f}{peak:8,.0f}{cost / beside:12.1f}")
        if "exponent" in one:
            slopes = f"{one['exponent']:.2f}, at last {one['last_exponent']:.2f}"
            told.append(f"cost grows like size to the power of {slopes}; {ceiling}: {one['ceiling_exponent']:.2f}")
    return "\n".join(told[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the data path: cost against size.")
    parser.add_argument("--series", nargs="+", choices=SERIES, default=list(SERIES), help="what is measured")
    parser.add_argument("--largest", type=int, default=None, help="no size above this one")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        return print(json.dumps(measure(options.measure[0], int(options.measure[1]))))
    settings = {"series": options.series, "largest": options.largest}
    record = Record("data_path", settings, ("datasketch", "matplotlib", "msgspec", "numpy", "scipy"))
    wanted = [name for name in options.series if options.largest is None or SERIES[name][3][0] <= options.largest]
    found = {name: series(name, options.largest) for name in wanted}
    print(card(found))
    record.keep(found)
    return None


if __name__ == "__main__":
    main()
