"""Real runs of the command line that are sent signals."""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from evoselfcode.storage import Damage, Entry, read_entries

STILL = ("--set", "output.heartbeat_seconds=0.2", "--set", "namegen.temperature=1.0")


def begin(folder: Path, url: str, *arguments: str, command: Sequence[str] = ()) -> subprocess.Popen[str]:
    """Start a names run against a server; `command` is put before the interpreter."""
    return subprocess.Popen(
        [
            *command, sys.executable, "-m", "evoselfcode.cli", "datagen-names",
            "--set", f"api.base_url={url}", "--set", "model=evoselfcode-ngram", *STILL, *arguments,
        ],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def hear(process: subprocess.Popen[str], word: str) -> str:
    """Wait for a line with a word."""
    assert process.stderr is not None
    while True:
        assert select.select([process.stderr], [], [], 60)[0], f"nothing was said within 60 s, expected {word}"
        line = process.stderr.readline()
        assert line, f"the run ended before it said {word}"
        if word in line:
            return line


def end(process: subprocess.Popen[str], seconds: float = 60.0) -> tuple[float, str]:
    """Wait for the end; return how long it took and what was said."""
    began = time.monotonic()
    errors = process.communicate(timeout=seconds)[1]
    return time.monotonic() - began, errors


def settled(folder: Path) -> list[Entry]:
    """Return what the journal of the run holds, and insist that all of it can be read, each key once."""
    names = folder / "data" / "generated" / "names"
    found = list(read_entries(names))
    assert not [line for line in found if isinstance(line, Damage)]
    entries = [line for line in found if isinstance(line, Entry)]
    assert len({entry.key for entry in entries}) == len(entries)
    return entries


def acknowledged(folder: Path) -> int:
    """Return how many requests the last heartbeat said were settled."""
    path = folder / "data" / "generated" / "names" / "heartbeat.json"
    return int(json.loads(path.read_bytes())["settled"]) if path.exists() else 0


SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
