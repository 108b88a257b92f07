"""What a code run's report says of scores, ratings and the choice: where they are read from.

This file decides which files count and when they are too old. What is in the report is
:mod:`evoselfcode.report.score_document`. Every file is read row by row, and any but ``ranked.jsonl`` may be missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from evoselfcode.datagen.code.filtering import RAW
from evoselfcode.datagen.code.metrics import METRICS
from evoselfcode.datagen.code.rows import CodeFileRow, row_id
from evoselfcode.storage import Damage, read_rows, storage_errors

if TYPE_CHECKING:
    from evoselfcode.report.score_rows import Ran

RANKED, CHOICE = "ranked.jsonl", "choice.json"
"""What ``choose-code`` writes beside the filter's files."""

SCORES, RATINGS = Path("score", "scores.jsonl"), Path("rating", "ratings.jsonl")
"""Where the two stages that measure write, beside the folder of the code run, unless the choice was made of others."""

REPLIES, CHECKS = "replies.jsonl", "metrics.json"
"""What lies beside ratings: every reply, those about functions that failed too, and what the ratings' checks say."""

T = TypeVar("T")


def scores_of(folder: Path) -> tuple[dict[str, Any] | None, list[str]]:
    """Return what the report says of the ranked functions in `folder`, if there are some, and what is wrong with them.

    Raises:
        StorageError: A file cannot be read.
    """
    from evoselfcode.report.score_choice import ChoiceMade
    from evoselfcode.report.score_document import score_document
    from evoselfcode.report.score_health import health_in
    from evoselfcode.report.score_rows import RankedRow, ScoredRow

    if not (folder / RANKED).exists():
        return None, []
    remarks: list[str] = []
    choice = _read(folder / CHOICE, msgspec.json.Decoder(ChoiceMade).decode, remarks) or ChoiceMade()
    scores = _measured(folder, choice.files.get("scores"), SCORES)
    ratings = _measured(folder, choice.files.get("ratings"), RATINGS)
    replies = ratings.with_name(REPLIES)
    files = {"scores": scores, "rating": replies if replies.exists() else ratings}
    files = {family: path for family, path in files.items() if path.exists()}
    made = score_document(
        read_rows(folder / RANKED, RankedRow),
        choice=choice,
        health=_read(ratings.with_name(CHECKS), health_in, remarks) or {},
        ran=_ran(read_rows(folder / RAW, CodeFileRow)),
        scored=chain.from_iterable(read_rows(path, ScoredRow) for path in files.values()),
        read_elsewhere=frozenset(files),
    )
    return made, [*_outdated(folder / RANKED, folder / METRICS, scores, ratings), *remarks]


def _measured(folder: Path, named: str | None, usual: Path) -> Path:
    """Return the file that the choice was made of, where it is still there; else the one that lies beside the run."""
    return Path(named) if named is not None and Path(named).is_file() else folder.absolute().parent / usual


def _outdated(ranked: Path, *made_of: Path) -> Iterator[str]:
    """Say so if functions were filtered, scored or rated after they were ranked."""
    then = ranked.stat().st_mtime_ns
    names = [path.name for path in made_of if path.exists() and path.stat().st_mtime_ns > then]
    if names:
        yield f"{RANKED} is older than {' and '.join(names)}: choose-code again"


def _ran(rows: Iterable[CodeFileRow | Damage]) -> Iterator[Ran]:
    """Yield the functions that were run to an end that says something of them."""
    from evoselfcode.report.score_rows import Ran

    for row in rows:
        if isinstance(row, Damage) or row.execution is None:
            continue
        status = row.execution.get("status")
        if status != "sandbox_error":
            yield Ran(row_id(row), row.func_name, status == "pass")


def _read(path: Path, decode: Callable[[bytes], T], remarks: list[str]) -> T | None:
    """Return what a document says; ``None`` where there is none, and where it is none, which is told."""
    if not path.exists():
        return None
    try:
        with storage_errors(path, "read"):
            return decode(path.read_bytes())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        remarks.append(f"{path.parent.name}/{path.name} is left out: {error}")
        return None
