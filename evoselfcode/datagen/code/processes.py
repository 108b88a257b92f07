"""A crew of processes that look at what strangers wrote, so that no text can hold up or end the run.

This file decides when a process is started, given up and replaced. It refuses to know what one does: that is a kind of
crew (:mod:`evoselfcode.datagen.code.crew`, :mod:`evoselfcode.datagen.choosing.gauging`) and its program. Where one
dies, it is asked about the texts that have no answer one by one; the one that a process dies of is hopeless.

Not :mod:`anyio.to_process` nor :mod:`concurrent.futures`: their processes run the main program again, which is a
user's script when this is called as a library, and they inherit the environment with its keys.
"""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

import anyio
from anyio.abc import Process

from evoselfcode.datagen.code.examiner import framed
from evoselfcode.errors import EvoselfcodeError
from evoselfcode.finishing import finished

Asked = TypeVar("Asked")
Found = TypeVar("Found")

START_SECONDS = 60.0
"""Time that a process has to start: a few tenths of a second, on a machine with other work several."""

SECONDS = 30.0
"""Time from one answer to the next. A process ends itself much sooner, by the CPU time that a text took: this is for
one that does not run at all."""

LETTERS = 1_000_000
"""Most letters of one message, if it holds more than one text: a process has to keep it in little memory."""

_PACKAGE = str(Path(__file__).parents[3])
_KEPT = ("PATH", "LD_LIBRARY_PATH", "PYTHONHOME", "LANG", "LC_ALL")
_DIED = (OSError, anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)
"""What asking a process that has died comes to; to write to one may be a plain ``ConnectionResetError``."""


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Processes(ABC, Generic[Asked, Found]):
    """Up to `size` processes, started when they are first needed; close it in the end.

    Args:
        rules: What a process is told before anything is asked, as the messages of its program; perhaps nothing.
        size: Processes; one for each processor if left out.
    """

    program: ClassVar[str]
    """The module that a process runs; it answers every list of texts by one message each."""

    def __init__(self, rules: bytes = b"", size: int | None = None) -> None:
        self._rules = rules
        self._size = size or processors()
        self._limiter: anyio.CapacityLimiter | None = None  # made in the loop that uses it
        self._idle: list[_Worker] = []

    @abstractmethod
    def harmless(self) -> Asked:
        """Return what a new process is asked first, to see that it runs."""

    @abstractmethod
    def hopeless(self, asked: Asked) -> Found:
        """Return the answer about what a process dies of."""

    @abstractmethod
    def letters(self, asked: Asked) -> int:
        """Return how long it is."""

    @abstractmethod
    def encoded(self, asked: Sequence[Asked]) -> bytes:
        """Return the message that asks about them."""

    @abstractmethod
    def decoded(self, answer: bytes) -> Found:
        """Return what an answer says."""

    async def look_at(self, asked: Sequence[Asked]) -> list[Found]:
        """Look at texts; what processes die of is hopeless. Cancelled: the process is ended.

        Raises:
            EvoselfcodeError: No process can be started here.
        """
        self._limiter = self._limiter or anyio.CapacityLimiter(self._size)
        async with self._limiter:
            found: list[Found] = []
            alone = False
            while (at := len(found)) < len(asked):
                if await self._asked([asked[at]] if alone else self._first(asked[at:]), found):
                    continue
                if alone:
                    found.append(self.hopeless(asked[at]))
                else:  # the next one that has no answer need not be the one that it died of
                    await self.aclose()  # what is idle may be dead too
                alone = not alone
            return found

    async def _asked(self, asked: Sequence[Asked], found: list[Found]) -> bool:
        """Ask one process, add its answers to those that were found, and return whether that is all of them."""
        worker = self._idle.pop() if self._idle else await self._started()
        answered = 0
        try:
            with suppress(*_DIED):
                await worker.say(framed(self.encoded(asked)))
                for _ in asked:
                    found.append(self.decoded(await worker.hear(SECONDS)))
                    answered += 1
        finally:
            if answered == len(asked):
                self._idle.append(worker)
            else:
                await finished(worker.end())
        return answered == len(asked)

    def _first(self, asked: Sequence[Asked]) -> Sequence[Asked]:
        """Return the first of them: as many as make a message that is not too long, but one in any case."""
        letters = 0
        for number, one in enumerate(asked):
            letters += self.letters(one)
            if letters > LETTERS:
                return asked[: max(1, number)]
        return asked

    async def _started(self) -> _Worker:
        opened: list[_Worker] = []

        async def open_one() -> None:
            opened.append(_Worker(await _process(self.program)))

        try:
            await finished(open_one())  # cancelled half way, asyncio would leave the process behind
            await opened[0].say(self._rules + framed(self.encoded([self.harmless()])))
            self.decoded(await opened[0].hear(START_SECONDS))
        except BaseException as error:
            for worker in opened:
                await finished(worker.end())
            if isinstance(error, Exception):
                raise EvoselfcodeError(
                    f"a process that looks at code cannot be started: {error!r}",
                    hint="this machine may be out of memory or processes",
                ) from error
            raise
        return opened[0]

    async def aclose(self) -> None:
        """End the processes that nobody asks. Cancelled: they are ended before it returns."""
        await finished(self._end_all())

    async def _end_all(self) -> None:
        while self._idle:
            await self._idle.pop().end()


def harmless_environment() -> dict[str, str]:
    """Return what a child process needs of the environment; keys are not in it."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ}


def utf8(text: str) -> str:
    """Return a text with lone surrogates, which no message can hold, replaced by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


async def _process(program: str) -> Process:
    return await anyio.open_process(
        [sys.executable, "-P", "-m", program],
        env=harmless_environment() | {"PYTHONPATH": os.pathsep.join(filter(None, [*sys.path, _PACKAGE]))},
        start_new_session=True,  # Ctrl-C is the run's to obey
    )


class _Worker:
    """One process and its pipes."""

    def __init__(self, process: Process) -> None:
        if process.stdin is None or process.stdout is None:
            raise ValueError("a process without pipes")
        self.pid = process.pid
        self._process = process
        self._stdin = process.stdin
        self._stdout = process.stdout
        self._heard = bytearray()

    async def say(self, message: bytes) -> None:
        await self._stdin.send(message)

    async def hear(self, seconds: float) -> bytes:
        while len(self._heard) < 4 or len(self._heard) < (end := 4 + int.from_bytes(self._heard[:4], "big")):
            with anyio.fail_after(seconds):
                self._heard += await self._stdout.receive()
        answer = bytes(self._heard[4:end])
        del self._heard[:end]
        return answer

    async def end(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.aclose()
