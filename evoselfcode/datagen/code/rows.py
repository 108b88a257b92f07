"""The rows of the code stage's files: what they hold, and where they wait until the last verdict is known.

This file decides what a row looks like and in which order rows are written. It refuses to judge.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import msgspec

from evoselfcode.datagen.code.examiner import Draft, Examination
from evoselfcode.datagen.code.rowstage import task_of
from evoselfcode.datagen.filters.gates import CODE_REASONS
from evoselfcode.datagen.filters.hashes import Hashes, raw_hash
from evoselfcode.storage import Draw, Entry, PassingFile, storage_errors

SPOOL = ".filtering.jsonl"
"""Where rows wait; left behind by a kill, it is begun anew."""

SetAside = Literal["kept", "dropped", "quarantined"]


class Measures(msgspec.Struct, frozen=True):
    """What is counted of a function, and drops nothing.

    Attributes:
        lines: Lines of its text.
        nodes: Nodes of its tree, docstrings and annotations aside; 0 where there is none.
        docstring: Whether it has a docstring.
        annotated: Share of the parameters and the result that are annotated, from 0 to 1.
    """

    lines: int
    nodes: int
    docstring: bool
    annotated: float


class CodeFileRow(msgspec.Struct, frozen=True, kw_only=True):
    """A draw of the code stage, kept or not, as ``raw.jsonl`` shows it.

    Attributes:
        func_name: What the function was to be called.
        source: The arm that drew it.
        description: What it was said to do.
        code: The function, cut where the next top-level statement begins.
        syntax_valid: Whether Python parses it.
        finish_reason: Why its text ended.
        verdict: ``kept``, ``dropped`` or ``quarantined``.
        reason: Why it is not kept: the first of `reasons`, of those that drop it.
        reasons: Every gate that objects, in the order of the ladder.
        of: What the reason points to: the draw that is kept instead, the task that it repeats or is named like.
        hashes: Of its text, of its tree, and of its tree with names made alike; ``None`` if it has no tree.
        model: The model that drew it, as the server names it.
        key: The request's key.
        index: Which of the request's choices, from 0.
        logprob: Sum of its token log-probabilities in nats, where the server gives them.
        measures: Lines, nodes of the tree, whether there is a docstring, share of annotated parameters and result.
        lint: Rules of ruff that lower its worth and drop nothing; ``None`` where ruff was not asked.
        execution: What came of running it, where that was asked for.
        agreement: Which other draws for the name pass the same asserts, where some were run.
    """

    func_name: str
    source: str
    description: str
    code: str
    syntax_valid: bool
    finish_reason: str | None
    verdict: SetAside
    reason: str | None
    reasons: tuple[str, ...]
    of: str | None
    hashes: Hashes | None
    model: str | None
    key: str
    index: int
    logprob: float | None
    measures: Measures
    lint: tuple[str, ...] | None = None
    execution: dict[str, Any] | None = None
    agreement: dict[str, Any] | None = None


def row_id(row: CodeFileRow) -> str:
    """Return what no other row is called: where its text came from, and the beginning of its hash.

    Two runs may have asked for the same and drawn something else. Other stages say by it which row they are about.
    """
    return origin_id(row.key, row.index, row.code)


def origin_id(key: str, index: int, code: str) -> str:
    """Return the id of the row of a request's choice that became `code`."""
    return f"{key}:{index}:{raw_hash(code)[:16]}"


def objecting(row: CodeFileRow, gate: str, *, of: str | None = None) -> CodeFileRow:
    """Return the row with what one more gate objects to, and what that points to."""
    objections = {*row.reasons, gate}
    every = tuple(filter(objections.__contains__, CODE_REASONS))
    verdict, reason = verdict_on(every)
    return msgspec.structs.replace(row, verdict=verdict, reason=reason, reasons=every, of=of or row.of)


def verdict_on(reasons: Iterable[str]) -> tuple[SetAside, str | None]:
    """Return what becomes of a draw, and the first reason for it. A name alone drops nothing."""
    every = list(reasons)
    dropping = [reason for reason in every if reason != "quarantined"]
    if dropping:
        return "dropped", dropping[0]
    return ("quarantined", "quarantined") if every else ("kept", None)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A draw and the request that it came from.

    Attributes:
        entry: The request.
        choice: Which of its choices, from 0.
        draw: The draw.
    """

    entry: Entry
    choice: int
    draw: Draw

    @property
    def draft(self) -> Draft:
        """What is to be looked at."""
        return Draft(task_of(self.entry), self.draw.raw_text, self.draw.finish_reason)

    @property
    def key(self) -> str:
        """The request's key, without the part that it was asked for in."""
        return self.entry.key.partition(".")[0]

    @property
    def index(self) -> int:
        """Which of the request's choices it is, of all its parts together."""
        begin = self.entry.key.partition(".")[2].partition("-")[0]
        return self.choice + int(begin or 0)

    @property
    def id(self) -> str:
        """What no other draw is called: two runs may have asked for the same and drawn something else."""
        digest = blake2b(self.draw.raw_text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        return f"{self.key}:{self.index}:{digest}"

    @property
    def place(self) -> tuple[int, str, int, str]:
        """Where it stands in a file: by the plan, whatever came first over the network."""
        return self.entry.number, self.entry.arm, self.index, self.id

    @property
    def probability(self) -> float:
        """Mean log-probability of a byte of its text, in nats; minus infinity where the server gives none."""
        length = max(1, len(self.draw.raw_text.encode("utf-8", "surrogatepass")))
        return -math.inf if self.draw.logprob is None else self.draw.logprob / length

    def row(self, found: Examination) -> CodeFileRow:
        """Show it as it was found."""
        examined, (verdict, reason) = found.examined, verdict_on(found.examined.reasons)
        return CodeFileRow(
            func_name=found.source.func_name,
            source=self.entry.arm,
            description=task_of(self.entry).description,
            code=_utf8(found.source.code),
            syntax_valid=examined.syntax_valid,
            finish_reason=self.draw.finish_reason,
            verdict=verdict,
            reason=reason,
            reasons=examined.reasons,
            of=found.hit.of if found.hit else found.quarantine,
            hashes=examined.hashes,
            model=self.entry.model,
            key=self.key,
            index=self.index,
            logprob=self.draw.logprob,
            measures=Measures(examined.lines, examined.nodes, examined.docstring, round(examined.annotated, 4)),
        )


def _utf8(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def drawn(entries: Iterable[Entry]) -> Iterator[Drawn]:
    """Yield the draws of entries, each once: a draw that is in two journals, or in a part and in the whole, is one."""
    seen: set[bytes] = set()
    for entry in entries:
        for choice, draw in enumerate(entry.draws):
            one = Drawn(entry, choice, draw)
            identity = blake2b(one.id.encode(), digest_size=16).digest()
            if identity not in seen:
                seen.add(identity)
                yield one


class Spool(PassingFile):
    """A file in which rows wait, and from which they come in the order of the plan. Memory holds their places alone.

    Args:
        folder: Where the file is made; it is gone when this is left.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / SPOOL)
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(CodeFileRow).decode
        self._places: list[tuple[tuple[int, str, int, str], int, int]] = []
        self._end = 0

    def append(self, place: tuple[int, str, int, str], row: CodeFileRow) -> None:
        """Take a row; the last part of its place is its id.

        Raises:
            StorageError: It cannot be written.
        """
        line = self._encode(row)
        with storage_errors(self._path, "write"):
            self._file.write(line)
        self._places.append((place, self._end, len(line)))
        self._end += len(line)

    def rows(self) -> Iterator[tuple[str, CodeFileRow]]:
        """Yield the rows with their ids, in the order of their places.

        Raises:
            StorageError: One cannot be read.
        """
        self._places.sort()
        with storage_errors(self._path, "read"):
            self._file.flush()
            for place, begin, length in self._places:
                self._file.seek(begin)
                yield place[-1], self._decode(self._file.read(length))
