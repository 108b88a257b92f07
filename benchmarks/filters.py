"""Measure the filter of code: functions per second, with and without ruff and execution, next to ceilings and peers.

Run it with ``python benchmarks/filters.py``: two minutes on two cores. A card for people, last a line of JSON.

The ceiling: a gate that looks at a tree cannot be faster than ``ast.parse`` makes one, and both processors can do no
more than twice what one does. What the whole costs beyond that is the walk over the tree, twenty gates of text, the
search for benchmarks' tasks, the hand-over to another process, and the files.

The corpus is that of :mod:`made_runs`. Each function is drawn several times, as a model repeats itself; where
duplicates are measured alone, every function is there once.

Two goals are judged. G14: with processes that have started, two cores look at 1.8 times as many draws a second as one,
and the hand-over takes 10 µs a draw from the run's own process at most. G15: ruff is started once for 256 files or
more, and that gives 50 times the rate of a process for each.

The ways take turns (A B C A B C), so that other work meets all of them; a figure is the median of the rounds with the
smallest and the largest. CPU seconds and ratios depend less on what else the machine does.
"""

from __future__ import annotations

import argparse
import ast
import os
import platform
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from statistics import median
from typing import Any, Literal

import anyio
from card import Judged, Record, judge, told
from datasketch import MinHash, MinHashLSH
from made_runs import N, code_run, corpus

from evoselfcode.config import RunConfig
from evoselfcode.datagen.code.crew import Crew
from evoselfcode.datagen.code.examiner import Draft, Examiner
from evoselfcode.datagen.code.filtering import filter_code
from evoselfcode.datagen.code.linting import AT_ONCE, lint
from evoselfcode.datagen.code.processes import processors
from evoselfcode.datagen.code.rules import rules_of
from evoselfcode.datagen.filters.duplicates import Duplicates, shingles
from evoselfcode.datagen.filters.gates import RUFF_GATE
from evoselfcode.datagen.sandbox import probe
from evoselfcode.errors import UsageError

started: list[str] = []
"""An entry for each child process that was started."""

AT_A_TIME = 64
"""Requests that are judged at once, as many as a run has under way."""

RUFF_ROWS, EXECUTED_ROWS = 24, 256
"""Functions of the ways that take milliseconds or more for each."""


class Ways:
    """What is measured: each returns how many functions it has looked at.

    Args:
        once: Functions, each once.
        times: How often each was drawn.
        folder: A folder of its own for files.
    """

    def __init__(self, once: list[Draft], times: int, folder: Path) -> None:
        self.once, self.drafts = once, once * times
        self.programs = [one.task.context + one.task.head + one.text for one in once]
        self.run = code_run(folder, self.drafts)
        self.few = code_run(folder / "few", once[:EXECUTED_ROWS])
        self.rules = rules_of(RunConfig.from_mapping({}))
        self.examiner = Examiner(self.rules)
        self.judged: list[tuple[float, float]] = []  # draws a second, and µs of this process for each, while it judged
        self.linters = 0
        self.hashed = [(one.task.head + one.text, self.examiner.look_at(one).examined.hashes) for one in once]

    async def parse(self) -> int:
        for program in self.programs:
            ast.parse(program)
        return len(self.programs)

    async def examine(self) -> int:
        for one in self.once:
            self.examiner.look_at(one)
        return len(self.once)

    async def judge(self) -> int:
        """Look at drafts as a run does: those of one request together, many requests at once.

        What it is like once the processes have started, as they do once a run, is kept in `judged`.
        """
        asked = iter([self.drafts[at : at + N] for at in range(0, len(self.drafts), N)])

        async def worker() -> None:
            for few in asked:
                await crew.look_at(few)

        async with aclosing(Crew(self.rules)) as crew:
            async with anyio.create_task_group() as group:
                for _ in range(processors()):
                    group.start_soon(crew.look_at, self.once[:AT_A_TIME])
            wall, cpu = time.perf_counter(), time.process_time()
            async with anyio.create_task_group() as group:
                for _ in range(AT_A_TIME):
                    group.start_soon(worker)
            cpu = time.process_time() - cpu
            self.judged.append((len(self.drafts) / (time.perf_counter() - wall), 1e6 * cpu / len(self.drafts)))
        return len(self.drafts)

    async def ruff_each(self) -> int:
        for program in self.programs[:RUFF_ROWS]:
            await lint([program], RUFF_GATE)
        return RUFF_ROWS

    async def ruff_many(self) -> int:
        started.clear()
        await lint(self.programs[:AT_ONCE], RUFF_GATE)
        self.linters = len(started)
        return len(self.programs[:AT_ONCE])

    async def duplicates(self) -> int:
        found = Duplicates()
        for number, (code, hashes) in enumerate(self.hashed):
            found.add(str(number), code, hashes.alpha if hashes else "", (0.0,))
        found.verdicts()
        return len(self.hashed)

    async def datasketch(self) -> int:
        """The peer's way: a MinHash of 128 of the same shingles each, one index, no comparison of what it finds."""
        index = MinHashLSH(threshold=0.7, num_perm=128)
        for number, (code, _) in enumerate(self.hashed):
            sketch = MinHash(num_perm=128, hashfunc=int)
            sketch.update_batch((shingles(code) & 0xFFFFFFFF).tolist())
            if not index.query(sketch):
                index.insert(str(number), sketch)
        return len(self.hashed)

    async def filter(self) -> int:
        return await self._filtered(self.run, {})

    async def filter_ruff(self) -> int:
        return await self._filtered(self.run, {"enable_ruff": True})

    async def execute(self) -> int:
        return await self._filtered(self.few, {"execute": True})

    async def _filtered(self, run: Path, filters: dict[str, Any]) -> int:
        metrics = await filter_code([run], RunConfig.from_mapping({"filters": filters}))
        return int(metrics["draws"])


WAYS: dict[str, str] = {
    "parse": "ast.parse, one core",
    "examine": "the ladder, one core, no processes",
    "judge": "the ladder as a run asks it",
    "filter": "filter-code, from journal to files",
    "filter_ruff": "filter-code with ruff",
    "execute": "filter-code with execution",
    "ruff_each": "ruff, a process for each",
    "ruff_many": f"ruff, a process for {AT_ONCE}",
    "duplicates": "duplicates, one core",
    "datasketch": "datasketch MinHashLSH, one core",
}
RATIOS = (
    ("examine", "parse"), ("judge", "examine"), ("filter", "examine"), ("filter_ruff", "filter"),
    ("ruff_many", "ruff_each"), ("duplicates", "datasketch"),
)  # fmt: skip


async def measure(rounds: int, times: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        ways = Ways(corpus(), times, Path(folder))
        rates: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS if name != "execute" or walled()}
        for _ in range(rounds):
            for name, found in rates.items():
                found.append(await rate(getattr(ways, name)))
        return {
            "functions": len(ways.once),
            "judged": {
                "rows_per_s": [rate for rate, _ in ways.judged],
                "parent_us": [us for _, us in ways.judged],
                "times_one_process": [
                    rate / alone for (rate, _), (alone, _) in zip(ways.judged, rates["examine"], strict=True)
                ],
            },
            "files_a_ruff": len(ways.programs[:AT_ONCE]) / ways.linters,
            "times_ruff_each": ratio(rates["ruff_many"], rates["ruff_each"], 0),
            "draws": len(ways.drafts),
            "mean_bytes": round(sum(len(code) for code, _ in ways.hashed) / len(ways.hashed)),
            "rows_per_s": {name: spread(found) for name, found in rates.items()},
            "ratios_per_cpu_s": {f"{a} / {b}": ratio(rates[a], rates[b]) for a, b in RATIOS},
        }


def walled() -> bool:
    """Say whether code can be run here behind a wall that a run would accept."""
    try:
        probe(least=RunConfig().filters.execution.least_wall)
    except UsageError:
        return False
    return True


async def rate(way: Callable[[], Awaitable[int]]) -> tuple[float, float]:
    """Return functions per second on the wall and per second of CPU time, ended child processes included."""
    wall, cpu = time.perf_counter(), sum(os.times()[:4])
    rows = await way()
    return rows / (time.perf_counter() - wall), rows / max(0.01, sum(os.times()[:4]) - cpu)


def spread(found: list[tuple[float, float]]) -> dict[str, float]:
    wall, cpu = zip(*found, strict=True)
    return {"median": median(wall), "least": min(wall), "most": max(wall), "per_cpu_s": median(cpu)}


def ratio(one: list[tuple[float, float]], other: list[tuple[float, float]], of: int = 1) -> float:
    return round(median(x[of] / y[of] for x, y in zip(one, other, strict=True)), 3)


def goals(found: dict[str, Any], cores: int) -> list[Judged]:
    """Judge G14, where there are two cores, and G15."""
    judged, two = found["judged"], f"times the draws a second of one process, on {cores} cores"
    asked: list[tuple[str, float, Literal["<=", ">="], float, str]] = [
        ("G14", median(judged["times_one_process"]), ">=", 1.8, two),
        ("G14", median(judged["parent_us"]), "<=", 10.0, "µs of the run's own process for each draw"),
        ("G15", found["files_a_ruff"], ">=", 256.0, "files for each process of ruff"),
        ("G15", found["times_ruff_each"], ">=", 50.0, "times the files a second of a process for each"),
    ]
    return [judge(*goal) for goal in asked if cores == 2 or goal[-1] != two]


def card(found: dict[str, Any], judged: list[Judged]) -> str:
    lines = [
        f"filtering code, Python {platform.python_version()}, {processors()} cores of {platform.machine()}",
        f"{found['functions']:,} functions of {found['mean_bytes']} bytes, {found['draws']:,} draws",
        "",
        f"{'functions per second':40}{'median':>9}{'least':>9}{'most':>9}{'per CPU s':>11}",
    ]
    for name, rates in found["rows_per_s"].items():
        lines.append(f"{WAYS[name]:40}" + "".join(f"{value:>{11 if key == 'per_cpu_s' else 9},.0f}"
                                                  for key, value in rates.items()))  # fmt: skip
    lines += ["", *(f"{name:40}{ratio:>9}" for name, ratio in found["ratios_per_cpu_s"].items()), ""]
    return "\n".join([*lines, told(judged)])


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the filter of code.")
    parser.add_argument("--rounds", type=int, default=5, help="how often each way is measured")
    parser.add_argument("--times", type=int, default=16, help="how often each function was drawn")
    options = parser.parse_args()
    packages = ("anyio", "datasketch", "msgspec", "numpy", "ruff")
    record = Record("filters", {"rounds": options.rounds, "times": options.times}, packages)
    sys.addaudithook(lambda event, _: started.append(event) if event == "subprocess.Popen" else None)
    found = anyio.run(measure, options.rounds, options.times)
    judged = goals(found, processors())
    print(card(found, judged))
    record.keep(found, goals=judged)


if __name__ == "__main__":
    main()
