"""A crew of processes that look at what strangers wrote, so that no text can hold up or end the run.

This file decides when a process is started, given up and replaced. It refuses to know what one does: that is a kind of
crew (:mod:`evoselfcode.datagen.code.crew`, :mod:`evoselfcode.datagen.choosing.gauging`) and its program. Where one
dies, it is asked about the texts that have no answer one by one; the one that a process dies of is hopeless.

Callers that wait are asked for together: the first of them takes a process and the texts of those behind it. A message
costs what it costs, and this process pays for it, however few texts are in it.

Not :mod:`anyio.to_process` nor :mod:`concurrent.futures`: their processes run the main program again, which is a
user's script when this is called as a library, and they inherit the environment with its keys.
"""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
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

TOGETHER = 64
"""Texts of several callers that are asked about together, at most; one caller's own may be more. A text costs this
process a third in messages of 64 of what it costs in messages of 4, and no less in longer ones (16 and 55 µs on a busy
machine)."""

LETTERS = 1_000_000
"""Most letters of one message, if it holds more than one text: a process has to keep it in little memory."""

_PACKAGE = str(Path(__file__).parents[3])
_KEPT = ("PATH", "LD_LIBRARY_PATH", "PYTHONHOME", "LANG", "LC_ALL")
_DIED = (OSError, anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)
"""What asking a process that has died comes to; to write to one may be a plain ``ConnectionResetError``."""


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Caller(Generic[Asked, Found]):
    """Who waits for answers about its texts.

    Attributes:
        asked: The texts.
        found: The answers, once they are there.
        called: That they are there, or that it is its turn to lead.
        leads: Whether it has a process, and asks for itself and for those behind it.
        left: Whether it has stopped waiting.
    """

    def __init__(self, asked: Sequence[Asked]) -> None:
        self.asked = asked
        self.found: list[Found] | None = None
        self.called = anyio.Event()
        self.leads = self.left = False


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
        self._leading = 0
        self._waiting: deque[_Caller[Asked, Found]] = deque()
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
    def decoded(self, answer: bytearray) -> Found:
        """Return what an answer says."""

    async def look_at(self, asked: Sequence[Asked]) -> list[Found]:
        """Look at texts; what processes die of is hopeless. Cancelled: the process is ended, others' texts wait again.

        Raises:
            EvoselfcodeError: No process can be started here.
        """
        caller = _Caller[Asked, Found](asked)
        self._waiting.append(caller)
        self._call()
        try:
            await caller.called.wait()
            if caller.found is None:
                caller.found = await self._lead(caller)
        finally:
            if caller.found is None:
                caller.left = True
                with suppress(ValueError):
                    self._waiting.remove(caller)
            self._leading -= caller.leads
            self._call()
        return caller.found

    def _call(self) -> None:
        """Let those lead that have waited longest, as many as may have a process."""
        while self._waiting and self._leading < self._size:
            first = self._waiting.popleft()
            first.leads = True
            self._leading += 1
            first.called.set()

    async def _lead(self, caller: _Caller[Asked, Found]) -> list[Found]:
        """Find the answers for one, and for some that wait. Cancelled: those wait again, before all others."""
        others = list(self._share(len(caller.asked)))
        try:
            found = iter(await self._answers([*caller.asked, *(text for one in others for text in one.asked)]))
            own = list(islice(found, len(caller.asked)))
            for one in others:
                one.found = list(islice(found, len(one.asked)))
                one.called.set()
            return own
        finally:
            self._waiting.extendleft(one for one in reversed(others) if one.found is None and not one.left)

    def _share(self, own: int) -> Iterator[_Caller[Asked, Found]]:
        """Take from those that wait what is this process's share, so that the others have as much to do."""
        waiting = own + sum(len(one.asked) for one in self._waiting)
        room = min(TOGETHER, -(-waiting // self._size)) - own
        while self._waiting and (room := room - len(self._waiting[0].asked)) >= 0:
            yield self._waiting.popleft()

    async def _answers(self, asked: Sequence[Asked]) -> list[Found]:
        """Ask until every text has an answer; what processes die of is hopeless."""
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
                while answered < len(asked):
                    answers = await worker.hear(SECONDS)
                    found += map(self.decoded, answers)
                    answered += len(answers)
        finally:
            if answered == len(asked):
                self._idle.append(worker)
            else:
                await finished(worker.end())
        return answered == len(asked)

    def _first(self, asked: Sequence[Asked]) -> Sequence[Asked]:
        """Return the first of them: as many as make a message that is not too long, but one in any case."""
        if sum(map(self.letters, asked)) <= LETTERS:
            return asked
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
            for answer in await opened[0].hear(START_SECONDS):
                self.decoded(answer)
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

    async def hear(self, seconds: float) -> list[bytearray]:
        """Return the answers that have come, and wait until there is one."""
        while not (answers := self._whole()):
            with anyio.fail_after(seconds):
                self._heard += await self._stdout.receive()
        return answers

    def _whole(self) -> list[bytearray]:
        """Return the answers that have come to their ends."""
        heard, at, answers = self._heard, 0, []
        while len(heard) >= at + 4 and len(heard) >= (end := at + 4 + int.from_bytes(heard[at : at + 4], "big")):
            answers.append(heard[at + 4 : end])
            at = end
        del heard[:at]
        return answers

    async def end(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.aclose()
