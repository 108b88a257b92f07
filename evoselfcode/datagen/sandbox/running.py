"""Running jobs: one and waiting for it, or many at once beside an event loop.

A job that meets a failing cell is tried again in a new one; what fails again is a ``sandbox_error``, a result like
any other, and never counts against the program.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from types import TracebackType

import anyio

from evoselfcode.datagen.sandbox.cells import Cell, CellError, Talk, Wait, wait_in_thread
from evoselfcode.datagen.sandbox.jobs import Job, Limits, Outcome, Result, Wall

TRIES = 2
"""Cells that a job may meet."""

MOST_JOBS = 500
"""Jobs of a cell; then it makes room for a new one, so that nothing can build up."""


def run(job: Job, wall: Wall, limits: Limits | None = None) -> Result:
    """Run one job in a cell of its own, blocking. Nothing of it is left when this returns.

    Args:
        job: The program and its checks.
        wall: What :func:`~evoselfcode.datagen.sandbox.probe` found.
        limits: What the program may use.
    """
    complaint = ""
    for _ in range(TRIES):
        try:
            return _run_once(job, wall, limits or Limits())
        except CellError as error:
            complaint = str(error)
    return _failed(job, wall, complaint)


def _run_once(job: Job, wall: Wall, limits: Limits) -> Result:
    cell = Cell(wall, limits)
    try:
        wait_in_thread(cell.start())
        return cell.result(job, wait_in_thread(cell.ask(job)))
    finally:
        wait_in_thread(cell.end())
        cell.close()


def _failed(job: Job, wall: Wall, complaint: str) -> Result:
    outcome = Outcome("sandbox_error", complaint[:300])
    return Result(key=job.key, level=wall.level, program=outcome, checks=(outcome,) * len(job.checks))


class Sandbox:
    """Run jobs beside an event loop, so many at once, in cells that are kept for the next job.

    Each job has a process of its own and a folder of its own, which are gone when it ends.

    Example:
        ``async with Sandbox(probe(), workers=2) as sandbox: result = await sandbox.run(job)``

    Args:
        wall: What :func:`~evoselfcode.datagen.sandbox.probe` found.
        workers: Jobs at once; as many as there are cores to spare.
        limits: What a program may use.
    """

    def __init__(self, wall: Wall, *, workers: int = 1, limits: Limits | None = None) -> None:
        self._wall, self._limits = wall, limits or Limits()
        self._slots = anyio.CapacityLimiter(workers)
        self._idle: list[Cell] = []

    async def __aenter__(self) -> Sandbox:
        """Start nothing yet: a cell is started by the first job that needs one."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the idle cells; the jobs under way must have ended."""
        while self._idle:
            await _end(self._idle.pop())

    async def run(self, job: Job) -> Result:
        """Run a job. Cancelled, its processes are killed and reaped, and its folder is removed, before this returns."""
        complaint = ""
        async with self._slots:
            for _ in range(TRIES):
                try:
                    return await self._run_once(job)
                except CellError as error:
                    complaint = str(error)
        return _failed(job, self._wall, complaint)

    async def _run_once(self, job: Job) -> Result:
        cell = self._idle.pop() if self._idle else None
        new = cell is None
        cell = cell or Cell(self._wall, self._limits)
        try:
            if new:
                await _carry(cell.start())
            result = cell.result(job, await _carry(cell.ask(job)))
        except BaseException:
            await _end(cell)
            raise
        if cell.jobs < MOST_JOBS:
            self._idle.append(cell)
        else:
            await _end(cell)
        return result


async def _carry(talk: Talk) -> bytes:
    """Carry a conversation on; cancelled, it is left where it is, and the cell is of no more use."""
    try:
        wanted = next(talk)
        while True:
            wanted = talk.send(await _ready(wanted))
    except StopIteration as answer:
        return bytes(answer.value)


async def _ready(wanted: Wait) -> bool:
    """Wait for a descriptor, or until its time is up; cancelled, nothing is left behind."""
    wait: Callable[[int], Awaitable[None]] = anyio.wait_writable if wanted.writing else anyio.wait_readable
    with anyio.move_on_after(max(0.0, min(wanted.seconds, math.inf))):
        await wait(wanted.fd)
        return True
    return False


async def _end(cell: Cell) -> None:
    """End a cell, also when cancelled: it is dead and reaped when this returns, 5 seconds later at most."""
    with anyio.CancelScope(shield=True):
        try:
            await _carry(cell.end())
        finally:
            await anyio.to_thread.run_sync(cell.close)  # its folder may be full
