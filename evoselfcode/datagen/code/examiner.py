"""Look at what a model wrote, in a process of its own: hostile text may cost that process, never the run.

This file is both what is said between a run and such a process and the process itself
(``python -m evoselfcode.datagen.code.examiner``). It decides what of a draw is looked at; what a gate objects to is
:mod:`evoselfcode.datagen.filters.gates`. It has no event loop and imports nothing that a run needs.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import BinaryIO, TypeVar

import msgspec

from evoselfcode.datagen.filters.contamination import Hit, Index
from evoselfcode.datagen.filters.function_text import cut, trim
from evoselfcode.datagen.filters.gates import CODE_REASONS, Examined, Limits, examine
from evoselfcode.datagen.filters.hashes import nameless_hash_of
from evoselfcode.datagen.filters.source import Source
from evoselfcode.datagen.sandbox.inputs import Inputs
from evoselfcode.datagen.sandbox.jobs import Check
from evoselfcode.records import Task

T = TypeVar("T")

MEMORY = 512 * 2**20
"""Bytes of address space that looking at text may add to the process."""

TOGETHER = 60 * 2**10
"""Bytes of answers that are written together: whoever waits for them is woken less often. A pipe holds 64 KiB."""

LONG = 4096
"""Letters of a draft that a process may die of: what was found before is then written first."""


class Draft(msgspec.Struct, frozen=True, array_like=True):
    """What a model wrote of a function."""

    task: Task
    text: str
    finish_reason: str | None = None


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """How drafts are looked at.

    Attributes:
        limits: The gates' thresholds, and which gates are off.
        trim: Whether a function that ran out of tokens is trimmed to its last complete statement.
        tasks: Tasks that must not be in the data: the name of a file and its rows.
        checks: Whether to say what a function is to be run with.
        seconds: CPU time that one draft may take; the slowest of real ones takes a few hundredths of a second. Not
            time on the wall: a draft has to get the same verdict on a machine with other work.
    """

    limits: Limits
    trim: bool = False
    tasks: tuple[tuple[str, tuple[dict[str, str], ...]], ...] = ()
    checks: bool = False
    seconds: float = 2.0


class Checks(msgspec.Struct, frozen=True, array_like=True):
    """What a function is to be run with: arguments made of its types, and the examples of its docstring."""

    inputs: Inputs = Inputs("untyped")
    examples: tuple[Check, ...] = ()


class Examination(msgspec.Struct, frozen=True, array_like=True):
    """What was found.

    Attributes:
        source: The function as it was judged.
        examined: What the gates say, of all drafts that stand alone.
        hit: The task that it repeats, if any.
        quarantine: The benchmark that has a task of its name, if any.
        checks: What it is to be run with, if that was asked for and no gate drops it.
    """

    source: Source
    examined: Examined
    hit: Hit | None = None
    quarantine: str | None = None
    checks: Checks = Checks()


class Examiner:
    """Looks at drafts under the same rules. It may take long, or all memory: never in the process of a run.

    Args:
        rules: How drafts are looked at.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._known = Index.builtin()
        for name, rows in rules.tasks:
            self._known |= Index.of_rows(name, rows, nameless_hash_of)

    def look_at(self, draft: Draft) -> Examination:
        """Look at one draft."""
        task, rules = draft.task, self._rules
        code, complete = cut(task.head, draft.text, draft.finish_reason)
        if rules.trim and not complete:
            code, complete = trim(code), True
        source = Source(func_name=task.func_name, code=code, head=task.head, context=task.context, complete=complete)
        found = examine(source, rules.limits)
        hit, quarantine = self._known_task(source, found, task.description)
        objecting = {*found.reasons, *(["contaminated"] if hit else []), *(["quarantined"] if quarantine else [])}
        found = msgspec.structs.replace(found, reasons=tuple(filter(objecting.__contains__, CODE_REASONS)))
        wanted = rules.checks and not objecting - {"quarantined"}
        return Examination(source, found, hit, quarantine, _checks_of(source) if wanted else Checks())

    def _known_task(self, source: Source, found: Examined, description: str) -> tuple[Hit | None, str | None]:
        if found.reasons and not found.syntax_valid:  # dropped already, and perhaps for its length
            return None, None
        off = self._rules.limits.off
        hit = None if "contaminated" in off else self._known.find(source.code, found.nameless, description)
        return hit, None if "quarantined" in off else self._known.quarantine(source.func_name)


def _checks_of(source: Source) -> Checks:
    from evoselfcode.datagen.sandbox.checks import doctest_checks
    from evoselfcode.datagen.sandbox.inputs import typed_inputs

    name = source.func_name
    return Checks(typed_inputs(source.program, name), doctest_checks(source.code, name))


def serve(asked: BinaryIO, answered: BinaryIO) -> None:
    """Answer until `asked` ends: first the rules, then lists of drafts; every draft has an answer of its own."""
    rules = msgspec.msgpack.decode(read_message(asked) or b"", type=Rules)
    decode = msgspec.msgpack.Decoder(list[Draft]).decode
    answer(asked, answered, decode, Examiner(rules).look_at, lambda draft: len(draft.text), rules.seconds)


def answer(
    asked: BinaryIO,
    answered: BinaryIO,
    decode: Callable[[bytes], list[T]],
    look_at: Callable[[T], object],
    letters: Callable[[T], int],
    seconds: float,
) -> None:
    """Answer lists of texts until `asked` ends, each text by a message of its own.

    A text that takes more than `seconds` of CPU time ends the process by SIGPROF, in the middle of the parser too: no
    handler is run.
    """
    allowed = 0.0  # the first message takes as long as it takes: modules are imported
    while (message := read_message(asked)) is not None:
        for one in decode(message):
            if letters(one) > LONG:
                answered.flush()
            signal.setitimer(signal.ITIMER_PROF, allowed)
            found = msgspec.msgpack.encode(look_at(one))
            signal.setitimer(signal.ITIMER_PROF, 0)
            answered.write(framed(found))
        answered.flush()
        allowed = seconds


def framed(message: bytes) -> bytes:
    """Put its length before a message, in four bytes."""
    return len(message).to_bytes(4, "big") + message


def read_message(stream: BinaryIO) -> bytes | None:
    """Read one message; ``None`` at the end."""
    head = stream.read(4)
    return stream.read(int.from_bytes(head, "big")) if len(head) == 4 else None


def be(program: Callable[[BinaryIO, BinaryIO], None]) -> None:
    """Be a process that looks at texts in little memory, silently, until the run closes the pipe or is gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    used = int(open("/proc/self/statm", "rb").read().split()[0]) * resource.getpagesize()  # noqa: PTH123, SIM115
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # whoever started the run may have told it to be ignored
    with open(1, "wb", buffering=TOGETHER, closefd=False) as answered:
        program(sys.stdin.buffer, answered)


if __name__ == "__main__":
    be(serve)
