"""Measure what is right of what is chosen: one of a hundred functions, by six ways, on asserts of five origins.

Run it with ``python benchmarks/best_of_n.py`` from a checkout: seconds. It prints a card for people and, last, one
line of JSON for machines. It runs no code: ``tests/data/best_of_n.json.gz`` has which programs pass which asserts.
``--again FOLDER MODEL.gguf …`` has models write asserts, runs all programs, and writes that file anew: an hour on two
cores, for a model of 500 million parameters; what a model has written stays in the folder.

The floor is a draw at random. The ceiling is a chooser that knows: where one of the hundred is right, it takes it.

A chooser that holds several for the best is credited with the share of them that is right. The draws of one task
resemble each other, so an interval is that of the tasks: 10,000 times as many are drawn anew. Whether a function is
right by HumanEval's tests decides what is counted, never what is chosen.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import fmean
from typing import Any, get_args

import anyio

sys.path.append(str(Path(__file__).parents[1] / "tests"))  # the corpus, the ways and the test's numbers are one

from card import Record
from choosers import DRAWS, FEWER, TIMES, WAYS, Pool, Source, any_draw, gap, interval, right, stored, tasks, truth

from evoselfcode.stats.intervals import Interval


def measure() -> dict[str, Any]:
    found: dict[str, Any] = {
        "any_draw": shown(interval(any_draw())),
        "ceiling": sum(any(task.passed) for task in tasks()) / len(tasks()),
        "sources": {name: measured(source) for name, source in stored().sources.items()},
    }
    first = next(iter(stored().sources.values()))
    for n in FEWER:
        few = right(first, "kept", n=n, times=TIMES)
        found.setdefault("fewer", {})[n] = {name: round(fmean(values), 4) for name, values in few.items()}
    return found


def measured(source: Source) -> dict[str, Any]:
    has = [task.name in source.asserts for task in tasks()]
    told: dict[str, Any] = {
        "about": source.about,
        "tasks": sum(has),
        "asserts": sum(map(len, source.asserts.values())),
        "truth": truth(source, "kept")._asdict(),
    }
    for pool in get_args(Pool):
        found = right(source, pool)
        told[pool] = {name: shown(interval(values)) for name, values in found.items()} | {
            "gap": shown(gap(found)), "gap where there are asserts": shown(gap(found, has))
        }  # fmt: skip
    return told


def shown(found: Interval) -> list[float]:
    return [round(value, 4) for value in (found.estimate, found.low, found.high)]


def card(found: dict[str, Any]) -> str:
    low, high = found["any_draw"][1:]
    lines = [
        f"best of {DRAWS}, {len(tasks())} tasks of HumanEval, CodeGen-Mono-16B",
        f"any draw {found['any_draw'][0]:.3f} [{low:.3f}, {high:.3f}], one that knows {found['ceiling']:.3f}",
    ]
    for name, told in found["sources"].items():
        lines += [
            "",
            f"{name}: {told['asserts']:,} asserts for {told['tasks']} tasks; {told['truth']['hold']:.3f} of them hold",
            f"{'':28}{'what parses':>24}{'what is kept':>24}",
            *(f"{way:28}{ranged(told['parsed'][way]):>24}{ranged(told['kept'][way]):>24}"
              for way in (*WAYS, "gap", "gap where there are asserts")),
        ]  # fmt: skip
    lines += ["", f"{'of fewer draws, kept':28}" + "".join(f"{n:>9}" for n in found["fewer"])]
    lines += [f"{way:28}" + "".join(f"{told[way]:>9.3f}" for told in found["fewer"].values()) for way in WAYS]
    return "\n".join(lines)


def ranged(values: list[float]) -> str:
    return f"{values[0]:.3f} [{values[1]:.3f}, {values[2]:.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what is right of what is chosen.")
    parser.add_argument("--again", nargs="+", type=Path, metavar=("FOLDER", "MODEL"),
                        help="write the evidence anew: a folder for what models write, and GGUF files")  # fmt: skip
    options = parser.parse_args()
    if options.again:
        from best_of_n_evidence import make

        anyio.run(make, options.again[0], options.again[1:])
    record = Record("best_of_n", {"again": bool(options.again)}, ("numpy",))
    found = measure()
    print(card(found))
    record.keep({"evidence": stored().about} | found)


if __name__ == "__main__":
    main()
