"""Measure choose-code: functions per second and the most memory, and what of it is ruff, trees and ranks.

Run it with ``python benchmarks/choosing.py [FUNCTIONS]``; 20,000 take about a minute on two cores. It prints a card for
people and, last, one line of JSON for machines.

The ceiling: ruff and the libraries that count complexity look at every function, on all processors; what the rest costs
beyond that is reading a file twice and writing it once. ``--ranks`` leaves ruff and trees out and makes their numbers
up, which shows what joining, ranking and writing a large run take.

The corpus: completions of HumanEval's tasks that parse, under other names, each made another function by a number in
it; four for a name, with made-up agreement and scores.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import anyio
import msgspec
from card import Record

from evoselfcode.config import RunConfig
from evoselfcode.datagen.choosing import gauging
from evoselfcode.datagen.choosing.choosing import choose_code
from evoselfcode.datagen.choosing.measuring import Measured
from evoselfcode.datagen.choosing.quality import Quality, quality_of
from evoselfcode.datagen.code.processes import processors
from evoselfcode.datagen.code.rows import CodeFileRow, Measures, row_id
from evoselfcode.datagen.filters.code_tree import parse
from evoselfcode.datagen.filters.function_text import cut
from evoselfcode.datagen.filters.hashes import Hashes, raw_hash
from evoselfcode.storage import write_rows

CORPUS = Path(__file__).parents[1] / "tests" / "data" / "codegen16b_humaneval_even.jsonl.gz"


def bodies() -> list[tuple[str, str]]:
    """Return the names and texts of completions that parse."""
    found = []
    for line in gzip.decompress(CORPUS.read_bytes()).splitlines():
        row = json.loads(line)
        name = row["entry_point"]
        head = row["prompt"][row["prompt"].rindex(f"def {name}(") :]
        for text in row["samples"][:25]:
            code, _ = cut(head, text, None)
            if not isinstance(parse(code), str):
                found.append((name, code))
    return found


def functions(number: int) -> Iterator[CodeFileRow]:
    known, random = bodies(), Random(0)
    for at in range(number):
        old, code = known[at % len(known)]
        name = f"task_{at // 4}"
        code = f"{code.replace(old, name).rstrip()}\n    # {at}\n"
        digest = raw_hash(code)
        told = {"size": random.randint(1, 4), "of": 4, "chosen": at % 4 < 2, "vacuous": False, "asserts": 3}
        yield CodeFileRow(
            func_name=name, source="L2R", description=f"Do {at // 4}.", code=code, syntax_valid=True,
            finish_reason="stop", verdict="kept", reason=None, reasons=(), of=None,
            hashes=Hashes(digest, digest, digest),
            model="m", key=f"{at:032x}", index=0, logprob=-random.random() * 99,
            measures=Measures(code.count("\n"), 50, True, random.choice((0.0, 0.5, 1.0))), agreement=told,
        )  # fmt: skip


def scores(folder: Path) -> Iterator[dict[str, Any]]:
    random = Random(1)
    names = ("perplexity", "bits_per_byte", "body_logprob", "docstring_pmi", "ifd", "coder_reviewer", "tail_logprob")
    decode = msgspec.json.Decoder(CodeFileRow).decode
    with (folder / "filtered.jsonl").open("rb") as file:
        for line in file:
            row = decode(line)
            told = {name: round(random.gauss(0, 1), 6) for name in names}
            yield {"id": row_id(row), "func_name": row.func_name, "source": "L2R", "scores": told}


async def made_up(gauge: gauging.Gauge, rows: Sequence[CodeFileRow]) -> list[Quality]:
    return [quality_of((), Measured(row.measures.lines, 1 + row.measures.lines % 9, 3, 0.5), 0.5) for row in rows]


def measure(number: int, ranks: bool) -> dict[str, Any]:
    if ranks:
        gauging.Gauge.qualities = made_up  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as made:
        folder = Path(made) / "code"
        folder.mkdir()
        write_rows(folder / "filtered.jsonl", functions(number))
        os.link(folder / "filtered.jsonl", folder / "raw.jsonl")
        (Path(made) / "score").mkdir()
        write_rows(Path(made) / "score" / "scores.jsonl", scores(folder))
        before, began, cpu = (
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            time.perf_counter(),
            time.process_time(),
        )
        told = anyio.run(choose_code, folder, RunConfig())
        seconds = time.perf_counter() - began
        return {
            "functions": number,
            "ranks_only": ranks,
            "chosen": told["chosen"],
            "strata": len(told["strata"]),
            "seconds": round(seconds, 2),
            "functions_per_second": round(number / seconds),
            "own_cpu_seconds": round(time.process_time() - cpu, 2),
            "memory_before_mib": before >> 10,
            "most_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
            "file_mib": round((folder / "filtered.jsonl").stat().st_size / 2**20, 1),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("functions", type=int, nargs="?", default=20_000)
    parser.add_argument("--ranks", action="store_true")
    asked = parser.parse_args()
    settings = {"functions": asked.functions, "ranks": asked.ranks}
    record = Record("choosing", settings, ("complexipy", "docstring-parser", "lizard", "msgspec", "numpy", "ruff"))
    found = measure(asked.functions, asked.ranks)
    print(f"choose-code, Python {platform.python_version()}, {processors()} cores of {platform.machine()}")
    for name, value in found.items():
        print(f"  {name.replace('_', ' '):<22} {value:>12,}")
    record.keep(found)


if __name__ == "__main__":
    main()
