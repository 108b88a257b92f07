"""Folders of runs with names to review, and ``evoselfcode review-names`` in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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
    journal = Journal(folder / "journal.jsonl")
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


class Server:
    """A running ``evoselfcode review-names``.

    Args:
        arguments: Of the command.
    """

    READY = "review the names at "

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "evoselfcode.cli", "review-names", *arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr
        self.warnings: list[str] = []
        while not (line := self._process.stderr.readline()).startswith(self.READY):
            assert line.startswith("warning: "), line + self._process.communicate()[1]
            self.warnings.append(line)
        self.url = line.removeprefix(self.READY).strip()

    def ended(self, number: signal.Signals) -> tuple[int, str, str]:
        """Send it a signal and wait for its end; return the exit code and what it printed after it was ready."""
        self._process.send_signal(number)
        stdout, stderr = self._process.communicate(timeout=60)
        return self._process.returncode, stdout, stderr

    def end(self) -> None:
        """Kill it, whatever it does."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def serve(*arguments: str) -> Iterator[Server]:
    """Run ``evoselfcode review-names``."""
    server = Server(*arguments)
    try:
        yield server
    finally:
        server.end()
