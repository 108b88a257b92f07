"""Gauge the quality of many functions: ruff over many at once, trees in processes of their own.

This file decides who is asked for what. What the answers are worth is :mod:`evoselfcode.datagen.choosing.quality`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from importlib.metadata import version
from importlib.util import find_spec
from types import TracebackType
from typing import Self

import msgspec

from evoselfcode.datagen.choosing.measuring import Measured, Text
from evoselfcode.datagen.choosing.quality import Quality, quality_of
from evoselfcode.datagen.code.linting import remarks, require_ruff
from evoselfcode.datagen.code.processes import Processes, utf8
from evoselfcode.datagen.code.rows import CodeFileRow
from evoselfcode.datagen.filters.gates import RUFF_SCORE
from evoselfcode.errors import UsageError

TOOLS = {"lint": "ruff", "complexity": "lizard", "cognitive": "complexipy", "docstring": "docstring-parser"}
"""Which library counts what. Others count otherwise, so files name it with its version."""

_HARMLESS = Text("f", 'def f(x):\n    """Return x."""\n    return x\n')

_decode = msgspec.msgpack.Decoder(Measured).decode


class Measuring(Processes[Text, Measured]):
    """Processes that measure functions."""

    program = "evoselfcode.datagen.choosing.measuring"

    def harmless(self) -> Text:
        """Return a function that needs every library."""
        return _HARMLESS

    def hopeless(self, asked: Text) -> Measured:
        """Return that nothing is known of a function that processes die of."""
        return Measured()

    def letters(self, asked: Text) -> int:
        """Return the letters of a function."""
        return len(asked.code)

    def encoded(self, asked: Sequence[Text]) -> bytes:
        """Return functions as a process reads them."""
        try:
            return msgspec.msgpack.encode(asked)
        except UnicodeEncodeError:
            return msgspec.msgpack.encode([Text(one.func_name, utf8(one.code)) for one in asked])

    def decoded(self, answer: bytearray) -> Measured:
        """Return what a process counted."""
        return _decode(answer)


class Gauge:
    """Gauges functions while it is entered; no process stays behind."""

    def __init__(self) -> None:
        self._measuring = Measuring()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the processes. Cancelled: they are ended before it returns."""
        async with aclosing(self._measuring):
            pass

    async def qualities(self, rows: Sequence[CodeFileRow]) -> list[Quality]:
        """Return the quality of each row. Cancelled: ruff and the process are ended.

        Raises:
            EvoselfcodeError: Ruff fails, or no process can be started here.
        """
        said = await remarks([row.code for row in rows], RUFF_SCORE, hint="run the same command again")
        measured = await self._measuring.look_at([Text(row.func_name, row.code) for row in rows])
        return [
            quality_of((remark.rule for remark in found), counted, row.measures.annotated)
            for row, found, counted in zip(rows, said, measured, strict=True)
        ]


def require_libraries() -> None:
    """Say what choosing needs and is not installed: before anything is read.

    Raises:
        UsageError: A library is not installed.
    """
    require_ruff("choose-code", "choose")
    for module in ("numpy", "lizard", "complexipy", "docstring_parser"):
        if find_spec(module) is None:
            raise UsageError(f"choose-code needs {module.replace('_', '-')}", hint='pip install "evoselfcode[choose]"')


def tools() -> dict[str, str]:
    """Return which library of which version counted what."""
    return {what: f"{library} {version(library)}" for what, library in TOOLS.items()}
