"""Functions that are scored in tests, and runs of the stage on them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evoselfcode import OpenAICompletionClient, RunConfig
from evoselfcode.datagen.pipeline.run import run_stage
from evoselfcode.datagen.pipeline.summary import Summary
from evoselfcode.datagen.scoring.score import SCORE
from evoselfcode.storage import Entry, read_entries

ADD_UP: dict[str, Any] = {
    "func_name": "add_up",
    "description": "Return the sum of the values.",
    "code": '''\
import math


def add_up(values: list[int]) -> int:
    """Return the sum of the values."""
    total = 0
    for value in values:
        total = total + value
    return total
''',
}
BARE: dict[str, Any] = {
    "func_name": "add_up",
    "code": ADD_UP["code"].replace('    """Return the sum of the values."""\n', ""),
}
"""The same without its docstring."""

FACTORIAL: dict[str, Any] = {
    "func_name": "factorial",
    "description": "Return the factorial.",
    "code": 'def factorial(n):\n    """Say é."""\n    return 1 if n < 2 else n * factorial(n - 1)\n',
}
BROKEN: dict[str, Any] = {"func_name": "broken", "description": "Say nothing.", "code": "def broken(n:\n"}
ROWS = (ADD_UP, BARE, FACTORIAL, BROKEN)

PLAIN_PROMPT = "\n\nDescription:"
"""A prompt that is no comment: to the embedded model a comment is one token, so nothing would begin in it."""


def config(folder: Path, *rows: Mapping[str, Any], **score: Any) -> RunConfig:
    """Write rows and return a configuration that scores them."""
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows or ROWS), encoding="utf-8")
    section = {"rows": str(path), "description_prompt": PLAIN_PROMPT, **score}
    return RunConfig.from_mapping({"output": {"dir": str(folder)}, "score": section})


async def run(client: OpenAICompletionClient, settings: RunConfig, **options: Any) -> Summary:
    """Score into the folder."""
    return await run_stage(SCORE, client, settings, arms=settings.score.texts, **options)


def written(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of scores."""
    return [json.loads(line) for line in (folder / "score" / "scores.jsonl").read_text(encoding="utf-8").splitlines()]


def entries(folder: Path) -> list[Entry]:
    """Return what is in the journal."""
    return [entry for entry in read_entries(folder / "score") if isinstance(entry, Entry)]


def of(found: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    """Return the first row of a function."""
    return dict(next(row for row in found if row["func_name"] == name))
