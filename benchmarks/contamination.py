"""Measure the contamination check: false hits among ordinary functions, and microseconds per function.

Run it with ``python benchmarks/contamination.py [FOLDER ...]``: it reads the functions of the standard library and of
every folder that is named, half a minute per 100,000. It prints a card for people and, last, one line of JSON for
machines.

The ceiling: a function of 400 bytes has some 220 windows and 30 runs of ten words, and a BLAKE2b hash takes Python 0.4
microseconds: 100 in all.

A hit is shown with the task that it is a hit of: it may be a false one, or a function that really is a benchmark's.
"""

from __future__ import annotations

import argparse
import ast
import sys
import sysconfig
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

from card import Record

from evoselfcode.datagen.filters.contamination import Index

NOT_ORDINARY = {"test", "tests", "idlelib", "lib2to3"}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folders", nargs="*", type=Path, help="folders of Python files, besides the standard library")
    folders = parser.parse_args().folders
    record = Record("contamination", {"folders": [folder.name for folder in folders]})
    index = Index.builtin()
    figures: dict[str, object] = {"tasks": len(index.tasks)}
    library = Path(sysconfig.get_paths()["stdlib"])
    for folder in [library, *folders]:
        codes = [code for file in sorted(folder.rglob("*.py")) if ordinary(file, folder) for code in functions(file)]
        began = time.perf_counter()
        hits = [(code, hit) for code in codes if (hit := index.find(code, None))]
        took = time.perf_counter() - began
        print(f"{folder}: {len(codes)} functions, {len(hits)} hits")
        for code, hit in hits:
            print(f"  {hit.how} of {hit.of}: {code.partition(chr(10))[0].strip()}")
        size = sum(map(len, codes)) / len(codes)
        print(f"  {took / len(codes) * 1e6:.0f} microseconds per function of {size:.0f} characters on average")
        figures[folder.name] = {"functions": len(codes), "hits": len(hits), "microseconds": took / len(codes) * 1e6}
    record.keep(figures)
    return 0


def ordinary(file: Path, folder: Path) -> bool:
    parts = set(file.relative_to(folder).parts)
    return not parts & NOT_ORDINARY and "site-packages" not in parts


def functions(file: Path) -> Iterator[str]:
    """Yield the functions of a file, methods and inner ones too."""
    try:
        source = file.read_text(encoding="utf-8")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (ValueError, SyntaxError):
        return
    lines = source.splitlines(keepends=True)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            yield "".join(lines[node.lineno - 1 : node.end_lineno])


if __name__ == "__main__":
    sys.exit(main())
