"""What is exported: which file, and what of its rows is read.

This file decides where rows come from and which of them are none. It refuses to know what becomes of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from evoselfcode.datagen.filters import canonical
from evoselfcode.datagen.filters.hashes import Hashes, raw_hash
from evoselfcode.errors import StorageError, UsageError
from evoselfcode.storage import Damage, digest_of, read_rows

CHOSEN, FILTERED = "chosen.jsonl", "filtered.jsonl"
RANKED, CHOICE, METRICS = "ranked.jsonl", "choice.json", "metrics.json"
"""Written by a choice before and after what was chosen; by the filter, what it came to."""


class SourceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A function that may become a row of a dataset: of ``chosen.jsonl``, ``filtered.jsonl``, or of anybody's file.

    All but `func_name` and `code` may be missing; what the fields say is that of
    :class:`evoselfcode.datagen.code.rows.CodeFileRow` and, for the last four, of ``chosen.jsonl``.
    """

    func_name: str
    code: str
    id: str | None = None
    source: str | None = None
    description: str | None = None
    syntax_valid: bool | None = None
    finish_reason: str | None = None
    verdict: str | None = None
    hashes: Hashes | None = None
    model: str | None = None
    key: str | None = None
    index: int | None = None
    logprob: float | None = None
    measures: dict[str, Any] | None = None
    lint: tuple[str, ...] | None = None
    execution: dict[str, Any] | None = None
    agreement: dict[str, Any] | None = None
    quality: dict[str, Any] | None = None
    scores: dict[str, Any] | None = None
    rating: dict[str, Any] | None = None
    choice: dict[str, Any] | None = None

    @property
    def identity(self) -> str:
        """What no other row is called: its `id`, or what that would be."""
        if self.id is not None:
            return self.id
        begin = raw_hash(self.code)[:16]
        return f"{self.func_name}:{begin}" if self.key is None else f"{self.key}:{self.index or 0}:{begin}"

    @property
    def canonical(self) -> str:
        """What its name is counted by."""
        return canonical(self.func_name)


def number_of(*texts: str) -> int:
    """Return 64 bits that are the same for the same texts, everywhere."""
    digest = blake2b("\0".join(texts).encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "little")


def share_of(*texts: str) -> float:
    """Return a number from 0 to below 1 that is the same for the same texts, everywhere."""
    return (number_of(*texts) >> 11) / (1 << 53)


@dataclass
class Source:
    """A file of rows.

    Attributes:
        path: The file.
        folder: The folder of the code run that it lies in, or the file's own.
        remarks: What a reader should know.
        rows: How many rows the last reading gave.
        left_out: How many lines it passed over, and why.
    """

    path: Path
    folder: Path
    remarks: list[str] = field(default_factory=list)
    rows: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    _state: tuple[int, int] | None = None

    def read(self) -> Iterator[SourceRow]:
        """Yield the rows that are to be exported, in the order of the file.

        Raises:
            StorageError: The file cannot be read, or is another one than at the first reading.
            UsageError: It is compressed, and zstandard is not installed.
        """
        self._same()
        self.rows, self.left_out = 0, {}
        for row in read_rows(self.path, SourceRow):
            why = "unreadable" if isinstance(row, Damage) else _objection(row)
            if why is not None:
                self.left_out[why] = self.left_out.get(why, 0) + 1
            elif isinstance(row, SourceRow):
                self.rows += 1
                yield row
        self._same()

    def _same(self) -> None:
        try:
            found = self.path.stat()
        except OSError as error:
            raise StorageError(f"cannot read {self.path}: {error.strerror or error}") from error
        state = (found.st_size, found.st_mtime_ns)
        if self._state not in (None, state):
            raise StorageError(f"{self.path} was changed while it was read", hint="run the same command again")
        self._state = state


def _objection(row: SourceRow) -> str | None:
    """Return why a row is none for a dataset, or ``None``."""
    if row.verdict not in (None, "kept"):
        return "not_kept"
    return None if row.func_name and row.code.strip() else "empty"


def _outdated(chosen: Path) -> Iterator[str]:
    """Say so if what was chosen is not what would be today: there was a new filtering, or a choice was cut."""
    if not chosen.with_name(RANKED).exists():
        return  # rows of somebody's own
    try:
        choice = msgspec.json.decode(chosen.with_name(CHOICE).read_bytes(), type=_Choice)
    except FileNotFoundError:
        yield f"a choice was cut short, and {chosen.name} may be of an earlier one: choose-code again"
    except (OSError, msgspec.DecodeError, RecursionError):
        return  # the card says that it cannot be read
    else:
        filtered = chosen.with_name(METRICS)
        if choice.filtered and filtered.is_file() and digest_of(filtered) != choice.filtered:
            yield f"functions were filtered again since {chosen.name} was written: choose-code again"


class _Choice(msgspec.Struct):
    filtered: str | None = None


LEFT_OUT = {
    "unreadable": "they are no rows of functions",
    "not_kept": "the filter did not keep them",
    "empty": "they have no name or no code",
}
"""Why lines of a source are passed over."""


def source_of(run: Path) -> Source:
    """Find what there is to export.

    Args:
        run: The folder of a code run, or a file of rows.

    Raises:
        UsageError: There is nothing.
    """
    if run.is_file():
        return Source(run, run.parent)
    for name, remark in ((CHOSEN, None), (FILTERED, "nothing was chosen: every function that the filter kept is in")):
        for path in (run / name, run / f"{name}.zst"):
            if path.is_file():
                return Source(path, run, [remark] if remark else [*_outdated(path)])
    raise UsageError(
        f"{run} holds neither {CHOSEN} nor {FILTERED}",
        hint="name the folder of a code run that was filtered, or a JSONL file with func_name and code",
    )
