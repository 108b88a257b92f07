"""Crews of processes, and the processes themselves, seen from outside."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.lowlevel

from evoselfcode.datagen.code.crew import Crew
from evoselfcode.datagen.code.examiner import Draft, Rules
from evoselfcode.datagen.filters.gates import Limits
from evoselfcode.records import Task

TASK = Task(func_name="add_two", head="def add_two(x):\n")
GOOD = Draft(TASK, "    return x + 2\n", "stop")
BAD = Draft(TASK, "    return x +\n", "stop")
EMPTY = Draft(TASK, "    pass\n", "stop")
SLOW = Draft(TASK, "    x = x\n" * 200_000 + "    return x\n", "stop")
"""Seconds of work, where nothing says that it is too long."""

UNLIMITED = Limits(max_code_len=1 << 30, off=("too_long",))


@asynccontextmanager
async def crew(size: int = 1, *, limits: Limits = UNLIMITED, seconds: float = 60.0) -> AsyncIterator[Crew]:
    made = Crew(Rules(limits=limits, seconds=seconds), size)
    with anyio.fail_after(60):
        try:
            yield made
        finally:
            await made.aclose()


def children(parent: int | None = None) -> set[int]:
    """Return the processes whose parent is this one, or `parent`; those that have ended and were not waited for too.

    The server that is shared by the whole session is none of them.
    """
    found = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
            except OSError:  # it has just ended
                continue
            ours = int(stat.rpartition(")")[2].split()[1]) == (parent or os.getpid())
            if ours and b"llama_server.py" not in (folder / "cmdline").read_bytes():
                found.add(int(folder.name))
    return found


def examiners(parent: int | None = None) -> set[int]:
    """Return those of them that look at drafts."""
    found = set()
    for child in children(parent):
        try:
            command = Path(f"/proc/{child}/cmdline").read_bytes()
        except OSError:
            continue
        if b"evoselfcode.datagen.code.examiner" in command:
            found.add(child)
    return found


def answers(process: int) -> int:
    """Return how often a process has written in its life; -1 if it has ended."""
    try:
        return int(Path(f"/proc/{process}/io").read_text().partition("syscw:")[2].split()[0])
    except (OSError, IndexError):
        return -1


def environment(process: int) -> bytes:
    return Path(f"/proc/{process}/environ").read_bytes()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def resident(process: int) -> int:
    """Return the most memory that a process has held so far, in bytes."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds that no event tells of; ten seconds at most."""
    with anyio.fail_after(10):
        while not holds():
            await anyio.lowlevel.checkpoint()
