"""The functions that are rated: which file they are read from, and which of them serve the checks of the ratings.

This file decides which rows each arm is about. Rows are chosen by a hash of what they are called: their order in the
file changes nothing, and a row that is added changes at most one choice of each arm. It refuses to know what is asked.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any

from evoselfcode.config import RunConfig
from evoselfcode.datagen.code.filtering import FILTERED, RAW
from evoselfcode.datagen.sandbox.mutants import one_bug
from evoselfcode.datagen.scoring.functions import Function, once, read_functions_as
from evoselfcode.errors import UsageError
from evoselfcode.storage import Damage, read_rows

RATING, RETEST, MUTANT, FAILED = ARMS = ("rating", "retest", "mutant", "failed")
"""What is asked about: each row; some again; some with a bug put in; some that failed when they were run."""


class Rateable(Function, frozen=True, kw_only=True):
    """A row, and what is known of what it does.

    Attributes:
        reasons: Every gate that objects to it.
        execution: What came of running it, where that was done.
    """

    reasons: tuple[str, ...] = ()
    execution: dict[str, Any] | None = None

    @property
    def status(self) -> str | None:
        """What came of running it: ``pass``, what is wrong with it, or ``None`` where that is not known."""
        status = (self.execution or {}).get("status")
        return status if isinstance(status, str) and status != "sandbox_error" else None


def rows_file(config: RunConfig) -> Path:
    """Return the file of the functions that are rated.

    Raises:
        UsageError: It is not there.
    """
    given = config.rating.rows
    path = Path(config.output.dir) / "code" / FILTERED if given is None else Path(given)
    if path.is_file():
        return path
    if given is not None:
        raise UsageError(f"{path} is no file", hint="the path of rows is relative to the folder you are in")
    raise UsageError(
        f"there is no code to rate: {path} is not there",
        hint="run datagen-code first, or name a JSONL file with func_name and code by --rows",
    )


def read_arm(config: RunConfig, arm: str) -> Iterator[Rateable]:
    """Yield the rows that an arm is about, in the order of their file.

    Raises:
        UsageError: A file is not there, or a line of it is no row.
        StorageError: A file cannot be read.
    """
    path, rating = rows_file(config), config.rating
    if arm == RATING:
        yield from read_functions_as(path, Rateable)
    elif arm == RETEST:
        yield from _chosen(lambda: read_functions_as(path, Rateable), rating.seed, arm, rating.retest)
    elif arm == MUTANT and rating.mutants:
        passed = any(row.status == "pass" for row in read_functions_as(path, Rateable))
        rows = (lambda: _passed(path)) if passed else (lambda: read_functions_as(path, Rateable))
        yield from _chosen(rows, rating.seed, arm, rating.mutants)
    elif arm == FAILED and (path.parent / RAW).is_file():
        yield from _chosen(lambda: _failed_alone(path.parent / RAW), rating.seed, arm, rating.failed)


def _passed(path: Path) -> Iterator[Rateable]:
    return (row for row in read_functions_as(path, Rateable) if row.status == "pass")


def _failed_alone(path: Path) -> Iterator[Rateable]:
    """Yield the functions that nothing is against but that they failed: they look as good as those that passed.

    A line that is none is passed over: nobody named this file, and it may be something else that is called so.
    """
    known = (row for row in read_rows(path, Rateable) if not isinstance(row, Damage))
    return once(row for row in known if row.reasons == ("failed",) and row.status not in (None, "pass"))


def _chosen(rows: Callable[[], Iterator[Rateable]], seed: int, arm: str, most: int) -> Iterator[Rateable]:
    """Yield the rows whose hashes are least."""
    if not most:
        return
    names = (row.row for row in rows())
    chosen = {name for _, name in heapq.nsmallest(most, ((_place(seed, arm, name), name) for name in names))}
    yield from (row for row in rows() if row.row in chosen)


def _place(seed: int, arm: str, name: str) -> bytes:
    return blake2b(f"{seed}/{arm}/{name}".encode("utf-8", "surrogatepass"), digest_size=8).digest()


def code_of(arm: str, seed: int, row: Rateable) -> str | None:
    """Return the text that is rated; ``None`` where no bug can be put into it."""
    if arm != MUTANT:
        return row.code
    mutant = one_bug(row.code, row.func_name, Random(f"{seed}/{row.row}"))
    return None if mutant is None else mutant.program
