"""Folders of runs with names to review."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from evoselfcode.records import Candidate, Choice, Completion, L2r, Outcome, Request, Sampling, Usage, Verdict
from evoselfcode.storage import Journal, draw_of, make_entry, write_rows

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    "</script><svg onload=alert(3)>",
    "javascript:alert(4)",
    "{{ style }}",
    "\u202egnp.exe",
    "name\x1b[31m\x00\u2028",
    "a" * 255,
    "мир_日本語_😀",
]
"""What no gate of ours lets through, and a file that somebody else made may hold."""


def write_run(folder: Path, draws: Mapping[str, Sequence[str]], *, also: Sequence[str] = ()) -> Path:
    """Write the journal and the view of a run.

    Args:
        folder: Where.
        draws: Of each arm, the names in the order in which they were drawn.
        also: Names that the view has besides, as if somebody had written them into it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder)
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for arm, names in draws.items():
        for number, name in enumerate(names):
            prompt, sampling = L2r("def "), Sampling(max_new_tokens=4)
            request = Request(
                key=f"{arm}{number}", prompt=prompt, sampling=sampling, stage="names", arm=arm, number=number
            )
            candidate = Candidate(arm=arm, number=number, index=0, text=name, raw_text=name, finish_reason="stop")
            outcome = Outcome(request, Completion((Choice(name, "stop"),), Usage(3, 4), "m"), 1, 0.5)
            reason = "duplicate" if (arm, name) in rows else None
            journal.append(make_entry(outcome, (draw_of(candidate, Verdict(reason)),)))
            rows.setdefault((arm, name), {"func_name": name, "source": arm, "raw_text": name})
    journal.close(0.0)
    added = [{"func_name": name, "source": "FIM", "raw_text": name} for name in also]
    write_rows(folder / "combined_raw.jsonl", [*rows.values(), *added])
    return folder


def decided(folder: Path) -> list[tuple[str, str, list[str]]]:
    """Return what the file of decisions says, without the times."""
    lines = (folder / "decisions.jsonl").read_bytes().splitlines()
    return [(row["func_name"], row["decision"], row["tags"]) for row in map(orjson.loads, lines)]
