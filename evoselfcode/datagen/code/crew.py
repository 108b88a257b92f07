"""A crew of processes that look at drafts, so that no text of a model can hold up or end the run.

This file decides when a process is started, given up and replaced. What one does is
:mod:`evoselfcode.datagen.code.examiner`. Where one dies, it is asked about the drafts that have no answer one by one;
the one that a process dies of then is too complex: that is its verdict.

Not :mod:`anyio.to_process` nor :mod:`concurrent.futures`: their processes run the main program again, which is a
user's script when this is called as a library, and they inherit the environment with its keys.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import anyio
import msgspec
from anyio.abc import Process

from evoselfcode.datagen.code.examiner import Draft, Examination, Rules, framed
from evoselfcode.datagen.filters.gates import Examined
from evoselfcode.datagen.filters.source import Source
from evoselfcode.errors import EvoselfcodeError
from evoselfcode.finishing import finished
from evoselfcode.records import Task

START_SECONDS = 60.0
"""Time that a process has to start: a few tenths of a second, on a machine with other work several."""

SECONDS = 30.0
"""Time from one answer to the next. A process ends itself much sooner, by the CPU time that a draft took: this is for
one that does not run at all."""

LETTERS = 1_000_000
"""Most letters of one message, if it holds more than one draft: a process has to keep it in little memory."""

_PACKAGE = str(Path(__file__).parents[3])
_KEPT = ("PATH", "LD_LIBRARY_PATH", "PYTHONHOME", "LANG", "LC_ALL")
_HARMLESS = Draft(Task(func_name="f"), "def f(x):\n    return x + 1\n", "stop")
_DIED = (OSError, anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)
"""What asking a process that has died comes to; to write to one may be a plain ``ConnectionResetError``."""

_decode = msgspec.msgpack.Decoder(Examination).decode


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Crew:
    """Up to `size` processes, started when they are first needed; close it in the end.

    Args:
        rules: How drafts are looked at.
        size: Processes; one for each processor if left out.
    """

    def __init__(self, rules: Rules, size: int | None = None) -> None:
        self._rules = framed(msgspec.msgpack.encode(rules))
        self._size = size or processors()
        self._limiter: anyio.CapacityLimiter | None = None  # made in the loop that uses it
        self._idle: list[_Worker] = []

    async def look_at(self, drafts: Sequence[Draft]) -> list[Examination]:
        """Look at drafts; one that processes die of is too complex. Cancelled: the process is ended.

        Raises:
            EvoselfcodeError: No process can be started here.
        """
        self._limiter = self._limiter or anyio.CapacityLimiter(self._size)
        async with self._limiter:
            found: list[Examination] = []
            alone = False
            while (at := len(found)) < len(drafts):
                if await self._asked([drafts[at]] if alone else _first(drafts[at:]), found):
                    continue
                if alone:
                    found.append(_hopeless(drafts[at]))
                else:  # the next one that has no answer need not be the one that it died of
                    await self.aclose()  # what is idle may be dead too
                alone = not alone
            return found

    async def _asked(self, drafts: Sequence[Draft], found: list[Examination]) -> bool:
        """Ask one process, add its answers to those that were found, and return whether that is all of them."""
        worker = self._idle.pop() if self._idle else await self._started()
        answered = 0
        try:
            with suppress(*_DIED):
                await worker.say(_framed(drafts))
                for _ in drafts:
                    found.append(_decode(await worker.hear(SECONDS)))
                    answered += 1
        finally:
            if answered == len(drafts):
                self._idle.append(worker)
            else:
                await finished(worker.end())
        return answered == len(drafts)

    async def _started(self) -> _Worker:
        opened: list[_Worker] = []

        async def open_one() -> None:
            opened.append(_Worker(await _process()))

        try:
            await finished(open_one())  # cancelled half way, asyncio would leave the process behind
            await opened[0].say(self._rules + _framed([_HARMLESS]))
            _decode(await opened[0].hear(START_SECONDS))
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


async def _process() -> Process:
    return await anyio.open_process(
        [sys.executable, "-P", "-m", "evoselfcode.datagen.code.examiner"],
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


def _first(drafts: Sequence[Draft]) -> Sequence[Draft]:
    """Return the first of them: as many as make a message that is not too long, but one in any case."""
    letters = 0
    for number, draft in enumerate(drafts):
        letters += len(draft.text)
        if letters > LETTERS:
            return drafts[: max(1, number)]
    return drafts


def _framed(drafts: Sequence[Draft]) -> bytes:
    try:
        return framed(msgspec.msgpack.encode(drafts))
    except UnicodeEncodeError:  # half of a surrogate pair, which the journal cannot hold either
        return framed(msgspec.msgpack.encode([_utf8(draft) for draft in drafts]))


def _utf8(draft: Draft) -> Draft:
    text = draft.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return msgspec.structs.replace(draft, text=text)


def _hopeless(draft: Draft) -> Examination:
    source = Source(func_name=draft.task.func_name, code=draft.task.head + draft.text, head=draft.task.head)
    return Examination(source, Examined(reasons=("too_complex",), syntax_valid=False))
