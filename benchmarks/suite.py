"""Run all benchmarks but that of the peers, one after the other, and show every goal they judged.

Run it with ``make bench``. Each benchmark is a process of its own, prints its card, and keeps its record under
``benchmarks/results/``. One that fails does not keep the others from running; the exit code says that it did. The
goals that compare with other programs are those of ``make bench-peers``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from card import RESULTS, ROOT, told

SUITE: tuple[tuple[str, ...], ...] = (
    ("ceiling",),
    ("generator", "--rounds", "2"),
    ("pieces",),
    ("transport", "--rounds", "3"),
    ("journal", "--large"),
    ("filters", "--times", "4", "--rounds", "3"),
    ("duplicates", "--sizes", "5000", "20000", "50000"),
    ("data_path",),
    ("export", "--rows", "50000", "--rounds", "1"),
    ("soak",),
    ("soak", "--new", "--requests", "250000"),
    ("governor",),
    ("goodput",),
)
"""Each benchmark with its arguments, in the order of running."""


def run(name: str, *arguments: str) -> bool:
    """Run one benchmark to its end; say whether it ended well."""
    print(f"\n== {name} {' '.join(arguments)}", flush=True)
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path, "EVOSELFCODE_UVLOOP": "0"}  # a way that is on uvloop says so
    command = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), *arguments]
    return subprocess.run(command, check=False, env=environment).returncode == 0


def kept_since(moment: float) -> list[dict[str, Any]]:
    """Return what was kept since a moment, in the order of keeping."""
    files = sorted((file for file in RESULTS.glob("*.json") if file.stat().st_mtime >= moment), key=_age)
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def _age(file: Path) -> float:
    return file.stat().st_mtime


def goals(documents: list[dict[str, Any]]) -> str:
    """Show every goal of these documents, in the order of their numbers."""
    found = [goal for document in documents for goal in document["goals"]]
    found.sort(key=lambda goal: int(goal["goal"].strip("G") or 0))
    return told(found)


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the benchmarks.")
    known = [*dict.fromkeys(name for name, *_ in SUITE)]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which; all if left out: {', '.join(known)}")
    names = parser.parse_args().names or known
    if unknown := [name for name in names if name not in known]:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(known)}")
    began = time.time()
    failed = [" ".join(each) for each in SUITE if each[0] in names and not run(*each)]
    print(f"\n{goals(kept_since(began))}\n\n{time.time() - began:,.0f} s")
    if "ceiling" in names and not shutil.which("wrk"):
        print("not measured: ceiling, for wrk is not on the PATH")
    for name in failed:
        print(f"failed: {name}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
