"""Contamination: does a function hold what a task of a benchmark holds?

This file decides by three look-ups: a shared run of text, ten shared words in a row, the same tree but for names. It
is handed text and rows and refuses to know files; HumanEval's fingerprints come with the package, in
``contamination.msgpack``, which ``scripts/write_contamination_index.py`` writes from the benchmark's own file.

It does not find what says the same in other words, nor a solution that was rewritten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

import msgspec

from evoselfcode.datagen.filters.benchmarks import benchmark_of
from evoselfcode.datagen.filters.fingerprints import HASH, Task, grams, task_of, windows, words
from evoselfcode.datagen.filters.names import canonical

SHIPPED = Path(__file__).with_name("contamination.msgpack")


class Shipped(msgspec.Struct, frozen=True):
    """The fingerprints of one benchmark.

    Attributes:
        source: Where the tasks are from.
        version: Which version of that.
        licence: Its licence.
        tasks: What is kept of each.
    """

    source: str
    version: str
    licence: str
    tasks: tuple[Task, ...]


class Hit(msgspec.Struct, frozen=True):
    """What a function has in common with a benchmark.

    Attributes:
        how: ``substring``: a run of 50 bytes, white space and quotes aside; ``ngram``: ten words in a row; ``alpha``:
            the reference solution but for names.
        of: The task, ``HumanEval/12``, or the row of a user's file, ``held_out.jsonl:3``.
    """

    how: Literal["substring", "ngram", "alpha"]
    of: str


class Index:
    """Looks functions up among tasks; never changes.

    Args:
        tasks: What is kept of each. Where two have something in common, the first has it.
    """

    def __init__(self, tasks: Iterable[Task]) -> None:
        self.tasks = tuple(tasks)

    @staticmethod
    def builtin() -> Index:
        """Return the benchmarks that come with the package; the file is read once."""
        return _builtin()

    @classmethod
    def of_rows(cls, name: str, rows: Iterable[object], alpha: Callable[[str], str | None]) -> Index:
        """Make an index of a user's rows.

        Args:
            name: What the rows are called, such as the name of their file.
            rows: Objects with a prompt, a solution or both; see :func:`fingerprints.task_of`.
            alpha: Gives the alpha hash of a program, ``None`` if it does not parse; see :meth:`find`.

        Raises:
            ValueError: A row has no text; the message says which and what was wanted.
        """
        return cls(task_of(name, number, row, alpha) for number, row in enumerate(rows, 1))

    def __or__(self, other: Index) -> Index:
        """Return an index of the tasks of both."""
        return Index(self.tasks + other.tasks)

    def find(self, code: str, alpha: str | None, description: str = "") -> Hit | None:
        """Return what a function has in common with a task, or ``None``.

        Args:
            code: The function, with the head that the prompt wrote: what a dataset holds of it counts, whoever wrote
                it.
            alpha: Its alpha hash, from what made those of the tasks, ``None`` if it has none. It should be blind to
                the function's own name too: our functions are called otherwise than a benchmark's.
            description: What was asked for in words, if the dataset holds that too.
        """
        said = [words(text) for text in (code, description)]
        for hashed in (each for text in said for each in windows(text)):
            if hashed in self._windows:
                return Hit("substring", self._windows[hashed])
        for hashed in (each for text in said for each in grams(text)):
            if hashed in self._grams:
                return Hit("ngram", self._grams[hashed])
        return Hit("alpha", self._alphas[alpha]) if alpha in self._alphas else None

    def quarantine(self, func_name: str) -> str | None:
        """Return the row or the benchmark that asks for a function of this name, or ``None``.

        A name proves nothing, ``is_prime`` is everybody's: what is called so is put aside and never dropped.
        """
        name = canonical(func_name)
        return self._names.get(name) or benchmark_of(name)

    @cached_property
    def _windows(self) -> dict[bytes, str]:
        return {hashed: task.of for task in reversed(self.tasks) for hashed in _unpacked(task.windows)}

    @cached_property
    def _grams(self) -> dict[bytes, str]:
        return {hashed: task.of for task in reversed(self.tasks) for hashed in _unpacked(task.grams)}

    @cached_property
    def _alphas(self) -> dict[str | None, str]:
        return {alpha: task.of for task in reversed(self.tasks) for alpha in task.alphas}

    @cached_property
    def _names(self) -> dict[str, str]:
        return {task.name: task.of for task in reversed(self.tasks) if task.name}


@cache
def _builtin() -> Index:
    listed = msgspec.msgpack.decode(SHIPPED.read_bytes(), type=dict[str, Shipped])
    return Index(task for benchmark in listed.values() for task in benchmark.tasks)


def _unpacked(hashes: bytes) -> Iterable[bytes]:
    return (hashes[at : at + HASH] for at in range(0, len(hashes), HASH))
