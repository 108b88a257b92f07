"""Code of known correctness: 8,200 completions of a base model, and the 164 solutions of HumanEval.

Where they are from, and their licences: tests/data/README.md.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from evoselfcode.datagen.filters.function_text import cut
from evoselfcode.datagen.filters.source import Source

DATA = Path(__file__).parent / "data"
STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
"""What CodeT cut completions at before it judged them."""


class Drawn(NamedTuple):
    """One completion: its task, the function as CodeT cut it and as we do, and whether it passed the task's tests."""

    task: str
    source: Source
    ours: Source
    passed: bool


class Solution(NamedTuple):
    """The reference solution of one task."""

    task: str
    source: Source


def lines(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(DATA / name, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def split(prompt: str, name: str) -> tuple[str, str]:
    """Return what stands before the function that a prompt asks for, and the function's head."""
    at = prompt.rindex(f"def {name}(")
    return prompt[:at], prompt[at:]


def cut_at_stops(completion: str) -> str:
    return completion[: min((at for stop in STOPS if (at := completion.find(stop)) >= 0), default=None)]


@cache
def drawn() -> tuple[Drawn, ...]:
    """Return the 8,200 completions of the 82 tasks with an even number."""
    found = []
    for row in lines("codegen16b_humaneval_even.jsonl.gz"):
        context, head = split(row["prompt"], row["entry_point"])
        for text, passed in zip(row["samples"], row["passed"], strict=True):
            theirs = Source(func_name=row["entry_point"], head=head, context=context, code=head + cut_at_stops(text))
            code, complete = cut(head, text, None)
            ours = Source(func_name=row["entry_point"], head=head, context=context, code=code, complete=complete)
            found.append(Drawn(row["task_id"], theirs, ours, passed))
    return tuple(found)


@cache
def solutions() -> tuple[Solution, ...]:
    """Return the 164 reference solutions."""
    found = []
    for row in lines("HumanEval.jsonl.gz"):
        context, head = split(row["prompt"], row["entry_point"])
        source = Source(func_name=row["entry_point"], head=head, context=context, code=head + row["canonical_solution"])
        found.append(Solution(row["task_id"], source))
    return tuple(found)
