"""Measure the filter of code: functions per second, with and without ruff and execution, next to ceilings and peers.

Run it with ``python benchmarks/filters.py``: two minutes on two cores. A card for people, last a line of JSON.

The ceiling: a gate that looks at a tree cannot be faster than ``ast.parse`` makes one, and both processors can do no
more than twice what one does. What the whole costs beyond that is the walk over the tree, twenty gates of text, the
search for benchmarks' tasks, the hand-over to another process, and the files.

The corpus: completions of HumanEval's tasks that parse, without the docstrings of their prompts, 300 to 500 letters
each, under another name than the benchmark's. Each is drawn several times, as a model repeats itself; where duplicates
are measured alone, every function is there once.

The ways take turns (A B C A B C), so that other work meets all of them; a figure is the median of the rounds with the
smallest and the largest. CPU seconds and ratios depend less on what else the machine does.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import json
import os
import platform
import re
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import anyio
from datasketch import MinHash, MinHashLSH

from evoselfcode.config import RunConfig
from evoselfcode.datagen.code.crew import Crew
from evoselfcode.datagen.code.examiner import Draft, Examiner
from evoselfcode.datagen.code.filtering import filter_code
from evoselfcode.datagen.code.linting import AT_ONCE, lint
from evoselfcode.datagen.code.processes import processors
from evoselfcode.datagen.code.rules import rules_of
from evoselfcode.datagen.filters.duplicates import Duplicates, shingles
from evoselfcode.datagen.filters.function_text import cut
from evoselfcode.datagen.filters.gates import RUFF_GATE
from evoselfcode.datagen.sandbox import probe
from evoselfcode.errors import UsageError
from evoselfcode.records import Choice, Completion, L2r, Outcome, Request, Sampling, Task
from evoselfcode.storage import MANIFEST, Draw, Journal, Manifest, make_entry, write_manifest

CORPUS = Path(__file__).parents[1] / "tests" / "data" / "codegen16b_humaneval_even.jsonl.gz"
SHORTEST, LONGEST = 300, 500
N = 4
"""Choices of a request, as a run asks for them."""

AT_A_TIME = 64
"""Requests that are judged at once, as many as a run has under way."""

RUFF_ROWS, EXECUTED_ROWS = 24, 256
"""Functions of the ways that take milliseconds or more for each."""

_DEF = re.compile(r"def (\w+)\([^)]*\)[^:\n]*:\n")


def corpus() -> list[Draft]:
    """Return the functions, each once."""
    found: dict[str, Draft] = {}
    with gzip.open(CORPUS, "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            at = row["prompt"].rindex(f"def {row['entry_point']}(")
            head = _DEF.match(row["prompt"], at)
            for text in next(value for value in row.values() if isinstance(value, list)) if head else ():
                code, complete = cut(head[0], text, None)
                if SHORTEST <= len(code) <= LONGEST and complete and parses(row["prompt"][:at] + code):
                    found[code] = draft(row["entry_point"], row["prompt"][:at], head[0], code)
    return list(found.values())


def parses(program: str) -> bool:
    try:
        ast.parse(program)
    except (SyntaxError, ValueError):
        return False
    return True


def draft(name: str, context: str, head: str, code: str) -> Draft:
    """Make a draft of a function, and give it a name that no benchmark has."""
    head, code = (re.sub(rf"\b{name}\b", f"{name}_anew", text) for text in (head, code))
    return Draft(Task(func_name=f"{name}_anew", head=head, context=context), code[len(head) :], "stop")


def checked_out() -> str | None:
    """Return the commit, with a plus sign if files differ from it."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.stdout.strip() + ("+" if changed.stdout else "")


def journal(folder: Path, drafts: Sequence[Draft]) -> Path:
    """Write a run of the code stage whose model drew `drafts`, and return its folder."""
    run = folder / "code"
    run.mkdir()
    write_manifest(
        run / MANIFEST,
        Manifest(stage="code", versions={}, fingerprint={}, config={}, base_url="", preflight={}, started="",
                 updated="", state="complete", counts={}),
    )  # fmt: skip
    sampling, lines = Sampling(max_new_tokens=256, n=N, seed=0), Journal(run)
    for number in range(0, len(drafts), N):
        drawn = drafts[number : number + N]
        for index, one in enumerate(drawn):  # every row its own task: the functions are of many
            request = Request(key=f"{number + index:032x}", prompt=L2r(one.task.head), sampling=sampling, stage="code",
                              arm="L2R", number=number + index, task=one.task)  # fmt: skip
            outcome = Outcome(request, Completion((Choice(one.text, "stop"),), model="codegen-16b"), 1, 1.0)
            lines.append(make_entry(outcome, (Draw(raw_text=one.text, text="", finish_reason="stop"),)))
    lines.close(0.0)
    return run


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
        self.run = journal(folder, self.drafts)
        (folder / "few").mkdir()
        self.few = journal(folder / "few", once[:EXECUTED_ROWS])
        self.rules = rules_of(RunConfig.from_mapping({}))
        self.examiner = Examiner(self.rules)
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
        """Look at drafts as a run does: those of one request together, many requests at once."""
        asked = iter([self.drafts[at : at + N] for at in range(0, len(self.drafts), N)])

        async def worker() -> None:
            for few in asked:
                await crew.look_at(few)

        async with aclosing(Crew(self.rules)) as crew, anyio.create_task_group() as group:
            for _ in range(AT_A_TIME):
                group.start_soon(worker)
        return len(self.drafts)

    async def ruff_each(self) -> int:
        for program in self.programs[:RUFF_ROWS]:
            await lint([program], RUFF_GATE)
        return RUFF_ROWS

    async def ruff_many(self) -> int:
        await lint(self.programs[:AT_ONCE], RUFF_GATE)
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


def ratio(one: list[tuple[float, float]], other: list[tuple[float, float]]) -> float:
    return round(median(x[1] / y[1] for x, y in zip(one, other, strict=True)), 3)


def card(found: dict[str, Any]) -> str:
    machine = found["machine"]
    lines = [
        f"filtering code, Python {platform.python_version()}, {machine['processors']} cores of {machine['kind']}",
        f"{found['functions']:,} functions of {found['mean_bytes']} bytes, {found['draws']:,} draws",
        "",
        f"{'functions per second':40}{'median':>9}{'least':>9}{'most':>9}{'per CPU s':>11}",
    ]
    for name, rates in found["rows_per_s"].items():
        lines.append(f"{WAYS[name]:40}" + "".join(f"{value:>{11 if key == 'per_cpu_s' else 9},.0f}"
                                                  for key, value in rates.items()))  # fmt: skip
    return "\n".join([*lines, "", *(f"{name:40}{ratio:>9}" for name, ratio in found["ratios_per_cpu_s"].items())])


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the filter of code.")
    parser.add_argument("--rounds", type=int, default=5, help="how often each way is measured")
    parser.add_argument("--times", type=int, default=16, help="how often each function was drawn")
    options = parser.parse_args()
    before = os.getloadavg()[0]
    found = anyio.run(measure, options.rounds, options.times)
    found["machine"] = {"processors": processors(), "kind": platform.machine(), "system": platform.system(),
                        "load_before": before, "load_after": os.getloadavg()[0]}  # fmt: skip
    print(card(found))
    libraries = ("evoselfcode", "anyio", "datasketch", "msgspec", "numpy", "ruff")
    versions = {"python": platform.python_version()} | {name: version(name) for name in libraries}
    about = {"benchmark": "filters", "versions": versions, "commit": checked_out(), "rounds": options.rounds}
    print(json.dumps(about | found))


if __name__ == "__main__":
    main()
