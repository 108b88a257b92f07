"""What the first reading of the rows tells: the columns they need, who wrote them, and which side of the split each is.

This file decides what makes an odd split. Which functions belong together is
:mod:`evoselfcode.datagen.exporting.together`.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from evoselfcode.config import Export
from evoselfcode.datagen.exporting.columns import Found
from evoselfcode.datagen.exporting.layouts import TAKEN, nested
from evoselfcode.datagen.exporting.source import LEFT_OUT, Source, number_of
from evoselfcode.datagen.exporting.together import Likeness, Together, sides
from evoselfcode.errors import UsageError

LARGE = 0.5
"""Share of the functions in one set from which on a remark says so."""

Progress = Callable[[str, int], None]
"""Told what is done, and to how many rows."""


@dataclass
class Learnt:
    """What the first reading told.

    Attributes:
        found: The columns for values within values.
        models: How many functions each model wrote.
        arms: How many each arm drew.
        validation: For every row whether it is for validation.
        components: How many sets of functions stay together, and how many functions the largest has.
        remarks: What a reader should know.
    """

    found: Found
    models: Counter[str] = field(default_factory=Counter)
    arms: Counter[str] = field(default_factory=Counter)
    validation: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    components: tuple[int, int] = (0, 0)
    remarks: list[str] = field(default_factory=list)

    def most(self, what: str) -> dict[str, int]:
        """Return the counts of ``models`` or ``arms``, the largest first."""
        counts: Counter[str] = getattr(self, what)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def learn(source: Source, config: Export, folder: Path, progress: Progress) -> Learnt:
    """Read the rows for the first time.

    Args:
        source: The rows.
        config: How they are split.
        folder: Where files may be made; they are gone afterwards.
        progress: Told how far it is.

    Raises:
        UsageError: There is no row.
    """
    learnt = Learnt(Found(TAKEN))
    numbers, names, alphas = array("Q"), array("Q"), array("Q")
    with Likeness(folder, config.near_duplicates) as likeness:
        for row in source.read():
            learnt.models.update([row.model] if row.model else [])
            learnt.arms.update([row.source] if row.source else [])
            for name, value in nested(row):
                learnt.found.look_at(name, value)
            numbers.append(number_of(row.identity))
            names.append(number_of(row.canonical) or 1)
            alphas.append((number_of(row.hashes.alpha) or 1) if row.hashes else 0)
            if config.validation:
                likeness.add(row.code)
            progress("read", source.rows)
        if not source.rows:
            raise UsageError(f"{source.path} holds no function to export", hint=_why(source))
        together = Together(source.rows)
        if config.validation:
            together.unite_equal(np.frombuffer(names, np.uint64))
            together.unite_equal(np.frombuffer(alphas, np.uint64))
            likeness.unite(together, lambda entries: progress("compared", entries))
    roots = together.roots()
    sizes = np.bincount(roots)
    learnt.components = (int((sizes > 0).sum()), int(sizes.max()))
    learnt.validation = sides(roots, numbers, config.validation)
    _even_out(learnt, config)
    return learnt


def _why(source: Source) -> str:
    left = ", ".join(f"{count} lines: {LEFT_OUT[why]}" for why, count in source.left_out.items())
    return left or "the file is empty"


def _even_out(learnt: Learnt, config: Export) -> None:
    """See to it that there is something to train on, and say what is odd about the split."""
    rows = len(learnt.validation)
    if config.validation < 1 and learnt.validation.all():
        learnt.validation[:] = False
    if config.validation and not learnt.validation.any():
        learnt.remarks.append(
            f"there is no split validation: none of the {learnt.components[0]} sets of functions fell into it"
        )
    if config.validation and rows > 1 and learnt.components[1] > LARGE * rows:
        learnt.remarks.append(
            f"{learnt.components[1]} of {rows} functions are alike or named alike, so the split keeps them together"
        )
