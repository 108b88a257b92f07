"""Report a run: read its journal and manifest, write ``report.json`` and ``report.html`` beside them.

This file decides where a report comes from and goes to. What is in it is :mod:`evoselfcode.report`. Nothing is asked of
any server, and a run that is under way may be reported too: what its journal holds by then.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from evoselfcode.config import RunConfig
from evoselfcode.datagen.filters import NAME_REASONS, canonical
from evoselfcode.errors import ConfigError, UsageError
from evoselfcode.storage import Entry, Manifest, atomic_write, read_entries, read_manifest

JOURNAL, MANIFEST = "journal.jsonl", "manifest.json"

STAGES: dict[str, tuple[Mapping[str, str], Callable[[str], str]]] = {"names": (NAME_REASONS, canonical)}
"""For each stage that can be reported: what its reasons mean, and what its texts are counted by."""


def report_run(folder: Path) -> dict[str, Any]:
    """Write the report of the run in `folder` and return it as plain data.

    Raises:
        UsageError: There is no run in the folder, or the statistics libraries are not installed.
        StorageError: A file cannot be read or written.
    """
    manifest = _manifest(folder)
    meanings, key = STAGES[manifest.stage]
    try:
        from evoselfcode.report.document import document
        from evoselfcode.report.page import render
    except ImportError as error:
        raise UsageError(f"the report needs {error.name}", hint='pip install "evoselfcode[report]"') from error
    damaged: list[int] = []
    report = document(
        _entries(folder, damaged),
        manifest,
        os.fsencode(folder).decode(errors="replace"),
        meanings=meanings,
        canonical=key,
        warnings=_remarks(manifest),
    )
    if damaged:
        report["warnings"].append(f"{len(damaged)} damaged journal lines are left out")
    atomic_write(folder / "report.json", [orjson.dumps(report, option=orjson.OPT_INDENT_2), b"\n"])
    atomic_write(folder / "report.html", [render(report).encode()])
    return report


def _manifest(folder: Path) -> Manifest:
    manifest = read_manifest(folder / MANIFEST)
    if manifest is None or not (folder / JOURNAL).exists():
        raise UsageError(
            f"{folder} holds no run: it has no {MANIFEST if manifest is None else JOURNAL}",
            hint="name the folder that a run wrote, such as data/generated/names",
        )
    if manifest.stage not in STAGES:
        raise UsageError(f"{folder} is a run of the stage {manifest.stage!r}, which cannot be reported")
    return manifest


def _remarks(manifest: Manifest) -> list[str]:
    """Say what of the run's settings a reader should know before the numbers."""
    told = [] if manifest.state == "complete" else [f"the run is not complete: it is {manifest.state}"]
    told += [f"{arm} ended early: {why}" for arm, why in manifest.ended_early.items()]
    try:
        config = RunConfig.from_mapping(manifest.config)
    except ConfigError:  # of another version: the numbers stand without remarks
        return told
    told += [warning.partition("\nhint: ")[0] for warning in config.warnings()]
    if config.prompts.funcname.fim.suffix.startswith("()"):
        told.append(
            "the FIM suffix promises a function without arguments, which the L2R prompt does not: the arms were asked "
            "for different kinds of names"
        )
    return told


def _entries(folder: Path, damaged: list[int]) -> Iterator[Entry]:
    seen: set[str] = set()
    for entry in read_entries(folder / JOURNAL):
        if not isinstance(entry, Entry):
            damaged.append(entry.offset)
        elif entry.key not in seen:
            seen.add(entry.key)
            yield entry
