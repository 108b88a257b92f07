"""The crew that looks at drafts: what of :mod:`evoselfcode.datagen.code.processes` is about drafts.

What one of its processes does is :mod:`evoselfcode.datagen.code.examiner`. A draft that a process dies of is too
complex: that is its verdict.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from evoselfcode.datagen.code.examiner import Draft, Examination, Rules, framed
from evoselfcode.datagen.code.processes import Processes, utf8
from evoselfcode.datagen.filters.gates import Examined
from evoselfcode.datagen.filters.source import Source
from evoselfcode.records import Task

_HARMLESS = Draft(Task(func_name="f"), "def f(x):\n    return x + 1\n", "stop")

_decode = msgspec.msgpack.Decoder(Examination).decode


class Crew(Processes[Draft, Examination]):
    """Up to `size` processes that look at drafts, started when they are first needed; close it in the end.

    Args:
        rules: How drafts are looked at.
        size: Processes; one for each processor if left out.
    """

    program = "evoselfcode.datagen.code.examiner"

    def __init__(self, rules: Rules, size: int | None = None) -> None:
        super().__init__(framed(msgspec.msgpack.encode(rules)), size)

    def harmless(self) -> Draft:
        """Return a draft of no consequence."""
        return _HARMLESS

    def hopeless(self, asked: Draft) -> Examination:
        """Return what is said of a draft that processes die of: it is too complex."""
        head = asked.task.head
        source = Source(func_name=asked.task.func_name, code=head + asked.text, head=head)
        return Examination(source, Examined(reasons=("too_complex",), syntax_valid=False))

    def letters(self, asked: Draft) -> int:
        """Return the letters of a draft."""
        return len(asked.text)

    def encoded(self, asked: Sequence[Draft]) -> bytes:
        """Return drafts as a process reads them."""
        try:
            return msgspec.msgpack.encode(asked)
        except UnicodeEncodeError:  # half of a surrogate pair, which the journal cannot hold either
            return msgspec.msgpack.encode([msgspec.structs.replace(one, text=utf8(one.text)) for one in asked])

    def decoded(self, answer: bytearray) -> Examination:
        """Return what a process found."""
        return _decode(answer)
