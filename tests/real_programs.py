"""Programs that a model wrote: a prompt of HumanEval and a completion, cut where the next thing begins."""

from __future__ import annotations

import gzip
import json
from functools import cache
from itertools import islice
from pathlib import Path

CORPUS = Path(__file__).parent / "data" / "codegen16b_humaneval_even.jsonl.gz"
STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")


@cache
def programs(tasks: int = 82) -> tuple[str, ...]:
    """Return the distinct programs of the first tasks, a hundred or fewer for each."""
    found: dict[str, None] = {}
    with gzip.open(CORPUS, "rt", encoding="utf-8") as lines:
        for task in map(json.loads, islice(lines, tasks)):
            for text in task["samples"]:
                ends = [place for stop in STOPS if (place := text.find(stop)) >= 0]
                found[task["prompt"] + text[: min(ends, default=len(text))]] = None
    return tuple(found)
