"""The functions that are scored: rows of ``code/filtered.jsonl``, or of a file of the user's.

This file decides which file is read, what counts as a row of it and what a row is called. It refuses to know what is
asked about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar

import msgspec

from evoselfcode.config import RunConfig
from evoselfcode.datagen.code.filtering import FILTERED
from evoselfcode.datagen.code.rows import origin_id
from evoselfcode.errors import UsageError
from evoselfcode.storage import Damage, read_rows

SHAPE = "one object a line; description and id, if they are there, are text too"


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """A row; what else it holds is passed over.

    Attributes:
        func_name: The function's name.
        code: Its text; there may be imports and helpers around it.
        description: What it is said to do, if anything is.
        source: The arm that drew it, if one did.
        id: What it is called elsewhere, if it has such a name.
        key: The request that drew it, if one did.
        index: Which of that request's choices it is.
        logprob: Sum of the log-probabilities of the tokens that were drawn, in nats.
    """

    func_name: str
    code: str
    description: str | None = None
    source: str | None = None
    id: str | None = None
    key: str | None = None
    index: int | None = None
    logprob: float | None = None

    @property
    def told(self) -> str:
        """What it is said to do, on one line."""
        return " ".join((self.description or "").split())

    @property
    def row(self) -> str:
        """What other files call it: :func:`evoselfcode.datagen.code.rows.row_id` where it was drawn by a run.

        A row that nobody gave a name is called by what it says: equal rows are one.
        """
        if self.id:
            return self.id
        if self.key:
            return origin_id(self.key, self.index or 0, self.code)
        return self._digest(16)

    @property
    def asked_as(self) -> str:
        """What the journal calls it. A row that keeps its id and says something else now is another one.

        Else its numbers were made of answers about what it said before.
        """
        return f"{self.id}@{self._digest(8)}" if self.id else self.row

    def _digest(self, size: int) -> str:
        written = (self.func_name, self.code, self.told)
        return blake2b(msgspec.json.encode(written), digest_size=size).hexdigest()


F = TypeVar("F", bound=Function)


def file_of(config: RunConfig) -> Path:
    """Return the file that is scored.

    Raises:
        UsageError: It is not there.
    """
    if config.score.rows is not None:
        path = Path(config.score.rows)
        if not path.is_file():
            raise UsageError(f"{path} is no file", hint="the path of rows is relative to the folder you are in")
        return path
    path = Path(config.output.dir) / "code" / FILTERED
    if not path.is_file():
        raise UsageError(
            f"there is no code to score: {path} is not there",
            hint="run datagen-code first, or name a JSONL file with func_name and code by --rows",
        )
    return path


def read_functions(path: Path) -> Iterator[Function]:
    """Yield the rows of a file, each once.

    Raises:
        UsageError: A line is no row.
        StorageError: The file cannot be read.
    """
    return read_functions_as(path, Function)


def read_functions_as(path: Path, kind: type[F]) -> Iterator[F]:
    """Do as :func:`read_functions`, for rows of which more is to be known."""
    return once(_checked(path, kind))


def once(functions: Iterable[F]) -> Iterator[F]:
    """Yield rows, but none that is there twice.

    Raises:
        UsageError: Two rows that differ have the same id.
    """
    seen: dict[bytes, int] = {}
    for function in functions:
        known = len(seen)
        identity = blake2b(function.row.encode(), digest_size=16).digest()
        content = hash((function.func_name, function.code, function.told))
        if seen.setdefault(identity, content) != content:
            raise UsageError(
                f"two functions have the id {function.row[:60]!r}",
                hint="give each an id of its own, or none: then it is called by what it says",
            )
        if len(seen) > known:
            yield function


def _checked(path: Path, kind: type[F]) -> Iterator[F]:
    for number, row in enumerate(read_rows(path, kind), 1):
        if isinstance(row, Damage):
            why = f": {row.why}" if row.why else ""
            raise UsageError(
                f"{path} line {number}: is no JSON object with func_name and code of text{why}", hint=SHAPE
            )
        if not row.func_name or not row.code.strip():
            raise UsageError(f"{path} line {number}: its func_name or its code is empty")
        yield row
