"""Report a run: read its journal and manifest, write ``report.json`` and ``report.html`` beside them.

This file decides where a report comes from and goes to. What is in it is :mod:`evoselfcode.report`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from evoselfcode.config import Cell, RunConfig, cells, contrasts
from evoselfcode.datagen.filters import NAME_REASONS, canonical
from evoselfcode.datagen.pipeline.events import read_events
from evoselfcode.datagen.pipeline.reading import read_run
from evoselfcode.errors import ConfigError, UsageError
from evoselfcode.storage import MANIFEST, Manifest, atomic_write, journal_files, read_manifest, write_document

DOCUMENT, PAGE = "report.json", "report.html"


def stage_of(folder: Path) -> str | None:
    """Return the stage of the run in `folder`; ``None`` if there is no run.

    Raises:
        StorageError: The manifest cannot be read.
    """
    manifest = read_manifest(folder / MANIFEST)
    return None if manifest is None else manifest.stage


def reported(folder: Path) -> bool:
    """Say whether the report in `folder` is of the whole journal: a full disk or Ctrl-C may have ended the last one."""
    try:
        page, files = (folder / PAGE).stat().st_mtime_ns, journal_files(folder)
        return bool(files) and all(segment.path.stat().st_mtime_ns <= page for segment in files)
    except OSError:
        return False


def report_run(folder: Path) -> dict[str, Any]:
    """Write the report of the run in `folder` and return it as plain data.

    Raises:
        UsageError: There is no run in the folder, or the statistics libraries are not installed.
        StorageError: A file cannot be read or written.
    """
    try:
        from evoselfcode.report.document import document
        from evoselfcode.report.page import render
    except ImportError as error:
        raise UsageError(f"the report needs {error.name}", hint='pip install "evoselfcode[report]"') from error
    run = read_run(folder, "names")
    config = _config(run.manifest)
    known = cells(config) if config else {}
    drawn = sorted({entry.arm for entry in run.entries if entry.draws})
    report = document(
        run.entries,
        run.manifest,
        os.fsencode(folder).decode(errors="replace"),
        meanings=NAME_REASONS,
        canonical=canonical,
        pairs=_pairs(known, drawn),
        topics_by_arm={name: cell.topics for name, cell in known.items() if cell.topics},
        events=read_events(folder),
        warnings=[*run.remarks, *_ended(run.manifest), *_remarks(config, drawn)],
    )
    write_document(folder / DOCUMENT, report)
    atomic_write(folder / PAGE, [render(report).encode()])
    return report


def _config(manifest: Manifest) -> RunConfig | None:
    """Return the run's settings; ``None`` where they are those of another version: the numbers stand without them."""
    try:
        return RunConfig.from_mapping(manifest.config)
    except ConfigError:
        return None


def _ended(manifest: Manifest) -> list[str]:
    return [f"{arm} ended early: {why}" for arm, why in manifest.ended_early.items()]


def _remarks(config: RunConfig | None, drawn: list[str]) -> list[str]:
    """Say what of the run's settings a reader should know before the numbers."""
    if config is None:
        return []
    told = [warning.partition("\nhint: ")[0] for warning in config.warnings()]
    asked = {name: cell for name, cell in cells(config).items() if name in drawn}
    promising = [name for name, cell in asked.items() if (cell.suffix or "").startswith("()")]
    if 0 < len(promising) < len(asked):
        told.append(
            f"the suffix of {', '.join(promising)} promises a function without arguments, which the other prompts do "
            "not: the arms were asked for different kinds of names"
        )
    return told


def _pairs(known: dict[str, Cell], drawn: list[str]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return which arms with draws to compare; two whose settings are not known are compared all the same."""
    if set(drawn) <= set(known):
        return contrasts({name: cell for name, cell in known.items() if name in drawn})
    return {(drawn[0], drawn[1]): ()} if len(drawn) == 2 else {}
