"""Report a run: read its journal and manifest, write ``report.json`` and ``report.html`` beside them.

This file decides where a report comes from and goes to. What is in it is :mod:`evoselfcode.report`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson

from evoselfcode.config import RunConfig
from evoselfcode.datagen.filters import NAME_REASONS, canonical
from evoselfcode.datagen.pipeline.reading import read_run
from evoselfcode.errors import ConfigError, UsageError
from evoselfcode.storage import Manifest, atomic_write


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
    report = document(
        run.entries,
        run.manifest,
        os.fsencode(folder).decode(errors="replace"),
        meanings=NAME_REASONS,
        canonical=canonical,
        warnings=[*run.remarks, *_remarks(run.manifest)],
    )
    atomic_write(folder / "report.json", [orjson.dumps(report, option=orjson.OPT_INDENT_2), b"\n"])
    atomic_write(folder / "report.html", [render(report).encode()])
    return report


def _remarks(manifest: Manifest) -> list[str]:
    """Say what of the run's settings a reader should know before the numbers."""
    told = [f"{arm} ended early: {why}" for arm, why in manifest.ended_early.items()]
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
