"""Measure the export: rows per second and memory for each kind of file, next to pyarrow's own writer and orjson lines.

Run it with ``python benchmarks/export.py`` from a checkout. It prints a card for people and, last, one line of JSON for
machines. A million rows take fifteen minutes of one core; ``--rows 50000`` is enough for the ratios.

The ceilings write the same columns of the same rows: one Parquet file by ``pyarrow.parquet.write_table``, a table at
a time, and lines by ``orjson.dumps``. They read the rows as an export does and know their columns beforehand. An export
reads the rows twice, finds their columns and which of them belong on one side of the split, and takes functions apart
by their trees: what that costs is shown by exports of the layout ``rows`` without a split, with one, and of all
layouts.

Each way runs in a process of its own, whose peak memory is its own; the ways take turns, and a figure is the median of
the rounds with the smallest and the largest. CPU seconds, and the ratios, depend less on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

import orjson
from card import Record

from evoselfcode.config import Export
from evoselfcode.datagen.exporting.columns import Found
from evoselfcode.datagen.exporting.exports import export_run
from evoselfcode.datagen.exporting.layouts import TAKEN, Layout, Shown, about, layouts_of
from evoselfcode.datagen.exporting.shards import ROWS_OF_A_GROUP, arrow_schema
from evoselfcode.datagen.exporting.source import source_of

VERBS = "count find merge split sort filter group rank parse join scan swap pack fold walk sum".split()  # noqa: SIM905
NOUNS = "list tree graph word line node path pair range table queue stack cell token block index".split()  # noqa: SIM905
LIKE = 0.05
"""Share of the rows that are near duplicates of another one."""


def function(chance: random.Random, number: int) -> tuple[str, str]:
    """Write a function of 4 to 20 lines, and its name."""
    name = f"{chance.choice(VERBS)}_{chance.choice(NOUNS)}_{chance.choice(NOUNS)}_{number:x}"
    names = [f"{chance.choice(NOUNS)}{chance.randrange(40)}" for _ in range(6)]
    first, second, *inner = dict.fromkeys([*names, "left", "right", "found"])
    lines = [f"def {name}({first}: list[int], {second}: int = {chance.randrange(90)}) -> int:",
             f'    """{chance.choice(VERBS).title()} the {chance.choice(NOUNS)} of {first} by {second}."""',
             f"    {inner[0]} = {inner[1]} = {second} + {chance.randrange(1000)}"]  # fmt: skip
    for _ in range(chance.randint(1, 8)):
        one = chance.choice(inner[:2])
        match chance.randrange(4):
            case 0:
                lines.append(f"    {one} = {one} {chance.choice('+-*%|')} (len({first}) + {chance.randrange(500)})")
            case 1:
                item = chance.choice(NOUNS)
                lines += [f"    for {item} in {first}:", f"        {one} += {item} {chance.choice('*+-^')} {second}"]
            case 2:
                lines += [f"    if {one} > {chance.randrange(5000)}:", f"        {one} -= {chance.randrange(1, 99)}"]
            case _:
                lines.append(
                    f"    {one} = max({one}, sum({first}[{chance.randrange(9)}:]) {chance.choice('+-')} {second})"
                )
    return name, "\n".join([*lines, f"    return {inner[0]}\n"])


def rows(count: int) -> Iterator[dict[str, Any]]:
    """Yield rows of many shapes, one in twenty nearly the same as the one before."""
    chance, name, code = random.Random(7), "", ""
    for number in range(count):
        if number % 2 == 0 or chance.random() > 2 * LIKE:
            name, code = function(chance, number)
        else:
            code = code.replace(name, f"{name}_too").replace("max(", "min(", 1)
            name = f"{name}_too"
        digest = sha256(code.encode()).hexdigest()
        yield {
            "id": f"{number:032x}:{number % 4}:{digest[:16]}", "func_name": name, "code": code,
            "source": ("L2R", "FIM")[number % 2], "description": f"Work on {number} things, return what comes.",
            "syntax_valid": True, "finish_reason": "stop", "verdict": "kept", "model": "starcoder2-3b",
            "hashes": {"raw": digest, "ast": digest[::-1], "alpha": digest[8:] + digest[:8]},
            "key": f"{number:032x}", "index": number % 4, "logprob": -chance.random() * 90,
            "measures": {"lines": code.count("\n"), "nodes": len(code) // 5, "docstring": True, "annotated": 1.0},
            "lint": [], "scores": {"perplexity": 1 + chance.random(), "ifd": chance.random(), "tokens": len(code) // 4},
            "quality": {"lint": chance.random(), "cyclomatic": chance.randint(1, 9)},
            "choice": {"rank": number, "fused": chance.random()},
        }  # fmt: skip


def made_rows(path: Path) -> tuple[Layout, Iterator[dict[str, Any]]]:
    """Return the layout of all columns and the rows in it, as the ceilings write them."""
    source, found, config = source_of(path), Found(TAKEN), Export()
    for name in ("quality_lint", "quality_cyclomatic", "choice_rank", "choice_fused"):
        found.look_at(name, 0.5)
    layout = layouts_of(Export(formats=("rows",)), [], found.columns())[0][0]

    def each() -> Iterator[dict[str, Any]]:
        for row in source.read():
            made = layout.make(Shown(row, None, about(row, config, "evoselfcode")))
            if isinstance(made, dict):
                yield made

    return layout, each()


def pyarrow_alone(path: Path, out: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    layout, each = made_rows(path)
    schema, waiting, count = arrow_schema(layout.columns), [], 0
    with pq.ParquetWriter(out / "all.parquet", schema, compression="zstd") as writer:
        for row in each:
            waiting.append(row)
            count += 1
            if len(waiting) == ROWS_OF_A_GROUP:
                writer.write_table(pa.Table.from_pylist(waiting, schema=schema))
                waiting = []
        writer.write_table(pa.Table.from_pylist(waiting, schema=schema))
    return count


def orjson_alone(path: Path, out: Path) -> int:
    _, each = made_rows(path)
    count = 0
    with (out / "all.jsonl").open("wb") as file:
        for row in each:
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
            count += 1
    return count


def exported(**config: Any) -> Callable[[Path, Path], int]:
    return lambda path, out: export_run(path, out / "export", Export(**config)).rows


ROWS_ONLY: dict[str, Any] = {"formats": ("rows",), "validation": 0}
WAYS: dict[str, tuple[str, Callable[[Path, Path], int]]] = {
    "pyarrow": ("pyarrow's writer, the same columns", pyarrow_alone),
    "orjson": ("orjson lines, the same columns", orjson_alone),
    "parquet": ("rows to Parquet, no split", exported(files="parquet", **ROWS_ONLY)),
    "jsonl": ("rows to JSONL, no split", exported(files="jsonl", **ROWS_ONLY)),
    "jsonl.zst": ("rows to JSONL.zst, no split", exported(files="jsonl.zst", **ROWS_ONLY)),
    "split": ("rows to Parquet, with the split", exported(files="parquet", formats=("rows",))),
    "all": ("all six layouts to Parquet, with the split", exported(files="parquet")),
}
RATIOS = (
    ("parquet", "pyarrow"), ("jsonl", "orjson"), ("jsonl.zst", "orjson"), ("split", "parquet"), ("all", "split"),
)  # fmt: skip


def one(way: str, path: Path) -> None:
    """Run one way in this process, and say what it took."""
    with tempfile.TemporaryDirectory(dir=path.parent) as out:
        began, cpu = time.perf_counter(), time.process_time()
        count = WAYS[way][1](path, Path(out))
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        size = sum(file.stat().st_size for file in Path(out).rglob("*") if file.is_file())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rows_per_s": count / took, "per_cpu_s": count / cpu, "peak_mib": peak, "mb": size / 1e6}))


def measure(count: int, rounds: int, ways: list[str]) -> dict[str, Any]:
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        with path.open("wb") as file:
            for row in rows(count):
                file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        for _ in range(rounds):
            for way in ways:
                command = [sys.executable, __file__, "--way", way, "--path", str(path)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                found[way].append(json.loads(done.stdout))
        size = path.stat().st_size
    return {
        "rows": count,
        "mean_bytes": round(size / count),
        "ways": {way: {key: spread([one[key] for one in each]) for key in each[0]} for way, each in found.items()},
        "ratios_per_cpu_s": {f"{a} / {b}": ratio(found[a], found[b]) for a, b in RATIOS if a in found and b in found},
    }


def spread(found: list[float]) -> dict[str, float]:
    return {"median": round(median(found), 1), "least": round(min(found), 1), "most": round(max(found), 1)}


def ratio(first: list[dict[str, float]], second: list[dict[str, float]]) -> float:
    return round(median(a["per_cpu_s"] / b["per_cpu_s"] for a, b in zip(first, second, strict=True)), 3)


def card(found: dict[str, Any]) -> str:
    lines = [
        f"exporting {found['rows']:,} rows of {found['mean_bytes']} bytes, Python {platform.python_version()}",
        "",
        f"{'':46}{'rows/s':>9}{'least':>9}{'most':>9}{'per CPU s':>11}{'peak MiB':>10}{'MB':>8}",
    ]
    for way, said in found["ways"].items():
        speed = said["rows_per_s"]
        lines.append(
            f"{WAYS[way][0]:46}{speed['median']:>9,.0f}{speed['least']:>9,.0f}{speed['most']:>9,.0f}"
            f"{said['per_cpu_s']['median']:>11,.0f}{said['peak_mib']['most']:>10,.0f}{said['mb']['median']:>8,.0f}"
        )
    return "\n".join([*lines, "", *(f"{name:40}{ratio:>9}" for name, ratio in found["ratios_per_cpu_s"].items())])


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the export.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="how many rows there are")
    parser.add_argument("--rounds", type=int, default=1, help="how often each way is measured")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="which ways; all if left out")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        one(options.way, options.path)
        return
    settings = {"rows": options.rows, "rounds": options.rounds, "ways": options.ways}
    record = Record("export", settings, ("msgspec", "numpy", "orjson", "pyarrow", "zstandard"))
    found = measure(options.rows, options.rounds, options.ways)
    print(card(found))
    record.keep(found)


if __name__ == "__main__":
    main()
