"""Report a code run: read what its filter wrote and its journal, write ``report.json`` and ``report.html`` beside them.

This file decides where a report comes from and goes to. What is in it is :mod:`evoselfcode.report`. The rows of every
draw are read one by one, so that a long run's report needs no more memory than a short one's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from evoselfcode.datagen.code.auditing import AUDIT, KNOWN_AUDIT
from evoselfcode.datagen.code.filtering import RAW
from evoselfcode.datagen.code.metrics import METRICS
from evoselfcode.datagen.code.score_reporting import CHOICE, RANKED, scores_of
from evoselfcode.datagen.filters.gates import CODE_REASONS
from evoselfcode.datagen.pipeline.events import read_events
from evoselfcode.datagen.pipeline.reading import Journals, manifest_of
from evoselfcode.datagen.pipeline.reporting import DOCUMENT, PAGE
from evoselfcode.errors import UsageError
from evoselfcode.storage import (
    JOURNAL,
    MANIFEST,
    Entry,
    atomic_write,
    journal_files,
    read_rows,
    storage_errors,
    write_document,
)

T = TypeVar("T")


class _Of(msgspec.Struct):
    files: dict[str, tuple[int, int]]
    filters: dict[str, Any]


class _Arm(msgspec.Struct):
    accepted: dict[str, int]


class _Metrics(msgspec.Struct):
    stage: str
    draws: int
    arms: dict[str, _Arm]
    of: _Of
    warnings: tuple[str, ...] = ()


class _Alone(msgspec.Struct):
    drops: int
    loses: int


class _Gate(msgspec.Struct):
    gate: str
    on: bool
    drops: int
    loses: int
    alone: _Alone


class _Audit(msgspec.Struct):
    corpus: str
    programs: int
    good: int
    kept: int
    kept_good: int
    gates: tuple[_Gate, ...]
    filters: dict[str, Any]


def is_filtered(folder: Path) -> bool:
    """Say whether a filter of code has written into `folder`, be it a run's or one where several were joined."""
    return (folder / METRICS).exists()


def reported_code(folder: Path) -> bool:
    """Say whether the report in `folder` is of what the last filter, audit and choice wrote there."""
    try:
        page = (folder / PAGE).stat().st_mtime_ns
        made_of = [folder / of for of in (METRICS, AUDIT, RANKED, CHOICE)]
        return all(path.stat().st_mtime_ns <= page for path in made_of if path.exists())
    except OSError:
        return False


def report_code(folder: Path) -> dict[str, Any]:
    """Write the report of the code run in `folder`, or of the runs that were joined there; return it as plain data.

    Raises:
        UsageError: There is no code run in the folder, it has not been filtered, or the statistics libraries are not
            installed.
        StorageError: A file cannot be read or written.
    """
    try:
        from evoselfcode.report.code_document import code_document, other_filters
        from evoselfcode.report.code_draws import CodeDraw
        from evoselfcode.report.page import render_code
    except ImportError as error:
        raise UsageError(f"the report needs {error.name}", hint='pip install "evoselfcode[report]"') from error
    metrics = _metrics(folder)
    runs = _runs(folder, metrics)
    journals = Journals(runs, "code")
    audit, remarks = _audit(folder)
    if audit is None and not remarks:
        known = msgspec.to_builtins(_read(KNOWN_AUDIT, _Audit))
        audit = None if other_filters(known, metrics.of.filters) else known
    scores, about_scores = scores_of(folder)
    report = code_document(
        read_rows(folder / RAW, CodeDraw),
        _once(journals.entries()),
        manifest_of(runs[0], "code"),
        os.fsencode(folder).decode(errors="replace"),
        metrics=msgspec.to_builtins(metrics),
        meanings=CODE_REASONS,
        audit=audit,
        scores=scores,
        events=sorted((event for run in runs for event in read_events(run)), key=lambda event: event["at"]),
        warnings=dict.fromkeys(
            (*metrics.warnings, *journals.remarks(), *_changed(runs, metrics), *remarks, *about_scores)
        ),
    )
    write_document(folder / DOCUMENT, report)
    atomic_write(folder / PAGE, [render_code(report).encode()])
    return report


def _once(entries: Iterator[Entry]) -> Iterator[Entry]:
    """Yield each request once, though two shards asked it; given up in one, its answer in the other counts too."""
    answered: dict[bytes, bool] = {}
    for entry in entries:
        key, has_draws = entry.key.encode(), bool(entry.draws)
        if key not in answered or (has_draws and not answered[key]):
            answered[key] = has_draws
            yield entry


def _metrics(folder: Path) -> _Metrics:
    path, hint = folder / METRICS, f"evoselfcode filter-code {folder}"
    if not path.exists() or not (folder / RAW).exists():
        missing = METRICS if not path.exists() else RAW
        raise UsageError(f"the code in {folder} has not been filtered: it has no {missing}", hint=hint)
    try:
        return _read(path, _Metrics)
    except msgspec.DecodeError as error:
        raise UsageError(f"{path}: {error}", hint=hint) from None


def _audit(folder: Path) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the audit that lies beside the run, and what is wrong with it."""
    path = folder / AUDIT
    if not path.exists():
        return None, []
    try:
        found: dict[str, Any] = msgspec.to_builtins(_read(path, _Audit))
    except msgspec.DecodeError as error:
        return None, [f"{AUDIT} is left out: {error}"]
    return found, []


def _read(path: Path, kind: type[T]) -> T:
    with storage_errors(path, "read"):
        return msgspec.json.decode(path.read_bytes(), type=kind)


def _runs(folder: Path, metrics: _Metrics) -> list[Path]:
    """Return the folders of the runs that were filtered: the folder itself, unless runs were joined there."""
    of = list(dict.fromkeys(path.parents[1] for path in _journal(metrics)))
    return [folder] if len(of) < 2 and (folder / MANIFEST).exists() else of or [folder]


def _journal(metrics: _Metrics) -> dict[Path, int]:
    """Return the files of journals that were filtered, with how long they were then."""
    files = {Path(file): size for file, (size, _) in metrics.of.files.items()}
    return {path: size for path, size in files.items() if path.parent.name == JOURNAL}


def _changed(runs: list[Path], metrics: _Metrics) -> list[str]:
    """Say so if a journal has grown since it was filtered."""
    then = sum(_journal(metrics).values())
    now = sum(segment.length for run in runs for segment in journal_files(run))
    return [] if now == then else ["the run has gone on since it was filtered: filter-code counts what is new"]
