"""Write the entry points of a benchmark into evoselfcode/datagen/filters/benchmark_names.json.

    python scripts/write_benchmark_names.py HumanEval HumanEval.jsonl.gz --licence MIT --source "openai/human-eval"

The file has one JSON object per line (it may be gzipped). The name is its ``entry_point``; where there is none, as in
MBPP, it is the function that the first of ``test_list`` calls. Other benchmarks of the list stay as they are.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import gzip
import json
import sys
from pathlib import Path
from typing import Any

from evoselfcode.datagen.filters.benchmarks import BENCHMARK_NAMES


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("title", help="name of the benchmark")
    parser.add_argument("file", type=Path, help="its JSONL, gzipped or not")
    parser.add_argument("--source", required=True, help="where the file is from")
    parser.add_argument("--licence", required=True, help="its licence")
    parser.add_argument("--into", type=Path, default=BENCHMARK_NAMES, help="the list to write")
    chosen = parser.parse_args()
    tasks = read_tasks(chosen.file)
    names = [name for name in map(entry_point, tasks) if name]
    if len(names) < len(tasks):
        print(f"{len(tasks) - len(names)} of {len(tasks)} tasks name no function", file=sys.stderr)
    known = json.loads(chosen.into.read_text(encoding="utf-8")) if chosen.into.exists() else {}
    known[chosen.title] = {
        "source": chosen.source,
        "licence": chosen.licence,
        "tasks": len(tasks),
        "names": sorted(set(names)),
    }
    chosen.into.write_text(json.dumps(known, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def read_tasks(file: Path) -> list[dict[str, Any]]:
    """Read the tasks of a benchmark's file."""
    raw = file.read_bytes()
    text = gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def entry_point(task: dict[str, Any]) -> str | None:
    """Return the function that a task asks for."""
    if "entry_point" in task:
        return str(task["entry_point"])
    nodes = (node for test in task.get("test_list", ()) for node in ast.walk(ast.parse(test)))
    called = [node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    wrappers = {*dir(builtins), "isclose"}
    # one task of MBPP asks for a function called sum
    return next((name for name in called if name not in wrappers), called[0] if called else None)


if __name__ == "__main__":
    sys.exit(main())
