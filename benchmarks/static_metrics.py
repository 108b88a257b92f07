"""Measure which numbers of a function tell right from wrong, on completions whose correctness is known.

Run it with ``python benchmarks/static_metrics.py``: half a minute on two cores. It prints a card for people and, last,
one line of JSON for machines.

The floor is a coin: 0.5. The ceiling is a metric that puts every right function before every wrong one: 1. *All*
compares functions of all tasks, and finds out which tasks are easy too; *within* compares those of one task only.

The corpus: 8,200 completions of 82 of HumanEval's tasks by CodeGen-16B, those that the gates let through.
"""

from __future__ import annotations

import platform
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "tests"))  # where the corpus is read

from card import Record
from code_corpus import drawn
from kept_rows import kept

from evoselfcode.datagen.choosing.gauging import Gauge, tools
from evoselfcode.datagen.choosing.quality import Quality
from evoselfcode.datagen.code.linting import AT_ONCE
from evoselfcode.datagen.code.rows import CodeFileRow, Measures
from evoselfcode.datagen.filters.gates import examine
from evoselfcode.stats.ranking import Floats, least_share, separation


def corpus() -> tuple[list[CodeFileRow], list[bool]]:
    """Return the completions that no gate objects to, and which are right."""
    rows, good = [], []
    for one in drawn():
        found = examine(one.ours)
        if found.reasons or found.hashes is None:
            continue
        measures = Measures(found.lines, found.nodes, found.docstring, found.annotated)
        rows.append(kept(func_name=one.task, code=one.ours.code, alpha=found.hashes.alpha, measures=measures))
        good.append(one.passed)
    return rows, good


async def qualities(rows: list[CodeFileRow]) -> list[Quality]:
    found = []
    async with Gauge() as gauge:
        for at in range(0, len(rows), AT_ONCE):
            some = rows[at : at + AT_ONCE]
            names = [row.code.partition("(")[0].rpartition(" ")[2] for row in some]
            found += await gauge.qualities([_named(row, name) for row, name in zip(some, names, strict=True)])
    return found


def _named(row: CodeFileRow, name: str) -> CodeFileRow:
    return kept(func_name=name, code=row.code, measures=row.measures)


def measure() -> dict[str, Any]:
    rows, good = corpus()
    alphas = [row.hashes.alpha if row.hashes else "" for row in rows]
    names = sorted({row.func_name for row in rows})
    tasks = np.array([names.index(row.func_name) for row in rows], np.int64)
    copies, draws = Counter(zip(tasks.tolist(), alphas, strict=True)), np.bincount(tasks)
    found = anyio.run(qualities, rows)
    lengths = np.array([len(row.code) for row in rows], float)
    middles = np.array([np.median(lengths[tasks == task]) for task in range(len(names))])
    times = np.array([copies[task, alpha] for task, alpha in zip(tasks.tolist(), alphas, strict=True)], float)
    values: dict[str, Floats] = {
        "evidence (copies)": least_share(times, draws[tasks].astype(float)),
        "typical": -np.abs(lengths - middles[tasks]),
        "shorter": -lengths,
    }
    for name in Quality.__struct_fields__:
        values[name] = np.array([np.nan if (it := getattr(one, name)) is None else it for one in found], float)
    right, together = np.array(good), np.zeros(len(rows), np.int64)
    return {
        "functions": len(rows),
        "right": int(right.sum()),
        "tasks": len(names),
        "metrics": {
            name: {
                "all": round(separation(value, right, together) or 0, 3),
                "within": round(separation(value, right, tasks) or 0, 3),
            }
            for name, value in values.items()
        },
        "tools": tools(),
    }


def main() -> None:
    record = Record("static_metrics", {}, ("complexipy", "docstring-parser", "lizard", "numpy", "ruff"))
    found = measure()
    print(f"which number tells right from wrong, Python {platform.python_version()}")
    print(f"{found['functions']:,} functions for {found['tasks']} tasks, {found['right']:,} of them right")
    for name, value in found["metrics"].items():
        print(f"  {name:<20} all {value['all']:.3f}   within a task {value['within']:.3f}")
    record.keep(found)


if __name__ == "__main__":
    main()
