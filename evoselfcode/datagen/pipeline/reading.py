"""Reading a run from its folder alone, for the commands that look at what it drew.

This file decides what counts as a run that can be read, and what a reader should know first. It asks nothing of any
server, and a run that is under way may be read too: what its journal holds by then.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from evoselfcode.errors import UsageError
from evoselfcode.storage import JOURNAL, MANIFEST, Entry, Manifest, read_manifest, read_once


class Run(NamedTuple):
    """A run as its folder holds it.

    Attributes:
        manifest: How it was made.
        entries: Its settled requests, each once, in the order of settling.
        remarks: What a reader should know first.
    """

    manifest: Manifest
    entries: list[Entry]
    remarks: list[str]


def read_run(folder: Path, stage: str) -> Run:
    """Read the run of `stage` in `folder`.

    Raises:
        UsageError: There is no run in the folder, or one of another stage.
        StorageError: A file cannot be read.
    """
    manifest = read_manifest(folder / MANIFEST)
    if manifest is None or not (folder / JOURNAL).exists():
        raise UsageError(
            f"{folder} holds no run: it has no {MANIFEST if manifest is None else JOURNAL}",
            hint="name the folder that a run wrote, such as data/generated/names",
        )
    if manifest.stage != stage:
        raise UsageError(f"{folder} is a run of the stage {manifest.stage!r}, expected one of {stage!r}")
    remarks = [] if manifest.state == "complete" else [f"the run is not complete: it is {manifest.state}"]
    lines = list(read_once(folder / JOURNAL))
    entries = [line for line in lines if isinstance(line, Entry)]
    if len(entries) < len(lines):
        remarks.append(f"{len(lines) - len(entries)} damaged journal lines are left out")
    return Run(manifest, entries, remarks)
