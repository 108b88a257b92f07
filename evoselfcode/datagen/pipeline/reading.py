"""Reading a run from its folder alone, for the commands that look at what it drew.

This file decides what counts as a run that can be read, and what a reader should know first. It asks nothing of any
server, and a run that is under way may be read too: what its journal holds by then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from evoselfcode.errors import UsageError
from evoselfcode.storage import JOURNAL, MANIFEST, Damage, Entry, Manifest, read_manifest, read_once

SHOWN = 3
"""Damages whose places are told."""


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
    manifest = manifest_of(folder, stage)
    remarks = _incomplete(manifest)
    lines = list(read_once(folder))
    entries = [line for line in lines if isinstance(line, Entry)]
    damages = [line for line in lines if isinstance(line, Damage)]
    return Run(manifest, entries, remarks + _damaged(len(damages), damages[:SHOWN]))


def manifest_of(folder: Path, stage: str) -> Manifest:
    """Return how the run of `stage` in `folder` was made.

    Raises:
        UsageError: There is no run in the folder, or one of another stage.
        StorageError: The manifest cannot be read.
    """
    manifest = read_manifest(folder / MANIFEST)
    if manifest is None or not (folder / JOURNAL).is_dir():
        raise UsageError(
            f"{folder} holds no run: it has no {MANIFEST if manifest is None else JOURNAL}",
            hint=f"name the folder that a run wrote, such as data/generated/{stage}",
        )
    if manifest.stage != stage:
        raise UsageError(f"{folder} is a run of the stage {manifest.stage!r}, expected one of {stage!r}")
    return manifest


class Journals:
    """The journals of several runs of one stage of Stage B, read row by row.

    Args:
        folders: Their folders.
        stage: Their stage.

    Raises:
        UsageError: There is no run in a folder, or one of another stage.
        StorageError: A manifest cannot be read.
    """

    def __init__(self, folders: Sequence[Path], stage: str) -> None:
        self._stage = stage
        self._folders = {folder: manifest_of(folder, stage) for folder in folders}
        self._damaged = 0
        self._damages: list[Damage] = []

    def entries(self) -> Iterator[Entry]:
        """Yield the settled requests in the order of settling; one that is in two journals, twice.

        Raises:
            StorageError: A journal cannot be read.
        """
        self._damaged, self._damages = 0, []
        for folder in self._folders:
            for line in read_once(folder):
                if isinstance(line, Entry) and line.stage == self._stage and line.task is not None:
                    yield line
                else:
                    self._damaged += 1
                    if isinstance(line, Damage) and len(self._damages) < SHOWN:
                        self._damages.append(line)

    def remarks(self) -> list[str]:
        """Return what a reader should know of what was read."""
        told = [remark for manifest in self._folders.values() for remark in _incomplete(manifest)]
        return told + _damaged(self._damaged, self._damages)


def _incomplete(manifest: Manifest) -> list[str]:
    return [] if manifest.state == "complete" else [f"the run is not complete: it is {manifest.state}"]


def _damaged(lines: int, damages: Sequence[Damage]) -> list[str]:
    where = "".join(f"; {place_of(damage)}" for damage in damages)
    return [f"{lines} damaged journal lines are left out{where}"] if lines else []


def place_of(damage: Damage) -> str:
    """Say where a damage of the journal is, and what it is, where that is known."""
    return f"{damage.file} at byte {damage.offset}" + (f": {damage.why}" if damage.why else "")
