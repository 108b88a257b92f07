"""Rows of functions to export: a few by hand, and as many different ones as a test wants."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from evoselfcode.datagen.filters.code_tree import read
from evoselfcode.datagen.filters.hashes import hashes_of
from evoselfcode.datagen.filters.source import Source

MODEL = "starcoder2-3b"
WORDS = ("apple", "birch", "cedar", "daisy", "elder", "fern", "grape", "hazel", "iris", "juniper", "kale", "linden")


def function(number: int, name: str | None = None) -> str:
    """Write a function; those of two numbers share few runs of five lexemes."""
    name = name or f"{WORDS[number % 12]}_{WORDS[number // 12 % 12]}_{number}"
    first, second, third = (WORDS[number * step % 12] + str(number % (7 * step)) for step in (1, 5, 7))
    return (
        f'def {name}({first}: int, {second}: int) -> int:\n    """Add up {number}."""\n'
        f"    {third} = [{first} * {number}, {second} + {number * 3}]\n"
        f"    for {first}_{number} in range({second}):\n"
        f"        {third}.append({first}_{number} ** {number % 13} - {number})\n"
        f"    return sum({third}) % {number + 2}\n"
    )


def row(number: int, **fields: Any) -> dict[str, Any]:
    """Make a row as ``filtered.jsonl`` has it, and what ``chosen.jsonl`` has besides."""
    code = fields.get("code", function(number))
    name = fields.get("func_name", code.partition("def ")[2].partition("(")[0])
    tree = read(Source(func_name=name, code=code))
    hashes = None if isinstance(tree, str) else hashes_of(code, tree.walk)
    made: dict[str, Any] = {
        "func_name": name, "source": "FIM" if number % 2 else "L2R", "description": f"Add up {number}.", "code": code,
        "syntax_valid": True, "finish_reason": "stop", "verdict": "kept", "reason": None, "reasons": [], "of": None,
        "hashes": None if hashes is None else {"raw": hashes.raw, "ast": hashes.ast, "alpha": hashes.alpha},
        "model": MODEL, "key": f"{number:032x}", "index": number % 4, "logprob": -float(number),
        "measures": {"lines": 6, "nodes": 40, "docstring": True, "annotated": 1.0},
        "lint": ["F841"] if number % 3 else [],
        "execution": {"status": "pass", "level": "landlock", "asserts": {"passed": number, "of": number}},
        "quality": {"lint": 0.5, "deep": {"band": number}}, "scores": {"perplexity": 2.5, "tokens": 40},
        "rating": {"problem": 4.5}, "choice": {"rank": number, "because": "first"},
    }  # fmt: skip
    return made | fields


def written(folder: Path, rows: Iterable[Any], name: str = "chosen.jsonl") -> Path:
    """Write rows into the folder of a code run, and return it."""
    run = folder / "code"
    run.mkdir(parents=True, exist_ok=True)
    with (run / name).open("wb") as file:
        for one in rows:
            file.write(one if isinstance(one, bytes) else json.dumps(one).encode() + b"\n")
    return run
