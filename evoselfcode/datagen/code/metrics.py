"""What a filter came to, in numbers: ``metrics.json``.

This file decides what is counted, and whether what was counted is of today's journals and settings.
"""

from __future__ import annotations

import platform
from collections import Counter, defaultdict
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from evoselfcode.config import RunConfig
from evoselfcode.datagen.code.executing import asserts_files
from evoselfcode.datagen.code.rows import CodeFileRow
from evoselfcode.datagen.code.rules import settings_of
from evoselfcode.datagen.filters.gates import CODE_REASONS
from evoselfcode.errors import StorageError
from evoselfcode.storage import journal_files, storage_errors

METRICS = "metrics.json"

VERSION = 1
"""Raised when a field changes its meaning."""

REPEATS = frozenset({"duplicate", "near_duplicate"})


class _Arm:
    """The counts of one arm."""

    def __init__(self) -> None:
        self.verdicts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.objections: Counter[str] = Counter()
        self.syntax_valid = 0
        self.distinct: dict[str, set[bytes]] = {"raw": set(), "ast": set(), "alpha": set()}

    def add(self, row: CodeFileRow) -> None:
        self.verdicts[row.verdict] += 1
        self.syntax_valid += row.syntax_valid
        self.objections.update(row.reasons)
        if row.reason is not None:
            self.reasons[row.reason] += 1
        if row.hashes is not None and not set(row.reasons) - REPEATS:
            for kind, seen in self.distinct.items():
                seen.add(bytes.fromhex(getattr(row.hashes, kind)[:24]))  # 96 bits: no two of 10^9 rows are alike

    def document(self) -> dict[str, Any]:
        return {
            "draws": self.verdicts.total(),
            "syntax_valid": self.syntax_valid,
            "kept": self.verdicts["kept"],
            "quarantined": self.verdicts["quarantined"],
            "dropped": self.verdicts["dropped"],
            "accepted": {kind: len(seen) for kind, seen in self.distinct.items()},
            "reasons": {reason: self.reasons[reason] for reason in CODE_REASONS if self.reasons[reason]},
            "objections": {reason: self.objections[reason] for reason in CODE_REASONS if self.objections[reason]},
        }


class Counts:
    """Counts rows as they are written."""

    def __init__(self) -> None:
        self._arms: defaultdict[str, _Arm] = defaultdict(_Arm)

    def add(self, row: CodeFileRow) -> CodeFileRow:
        """Count a row and hand it on."""
        self._arms[row.source].add(row)
        return row

    def document(self, stamp: dict[str, Any], remarks: Sequence[str]) -> dict[str, Any]:
        """Return what is in ``metrics.json``."""
        arms = {name: self._arms[name].document() for name in sorted(self._arms)}
        totals = {key: sum(arm[key] for arm in arms.values()) for key in ("draws", "kept", "quarantined", "dropped")}
        versions = {"python": platform.python_version()} | {name: version(name) for name in ("evoselfcode", "msgspec")}
        return {
            "version": VERSION,
            "stage": "code",
            "warnings": list(remarks),
            **totals,
            "arms": arms,
            "versions": versions,
            "of": stamp,
        }


def stamp_of(folders: Sequence[Path], config: RunConfig) -> dict[str, Any]:
    """Return what a result depends on: journals, settings, and the files that settings name.

    Raises:
        StorageError: One of them cannot be read.
    """
    read = [segment.path for folder in folders for segment in journal_files(folder)]
    read += [Path(name) for name in config.filters.contamination]
    if config.filters.execute:
        read += asserts_files(config, [folder.parent for folder in folders])
    files = {str(path.absolute()): _state(path) for path in read}
    return {"files": files, "filters": settings_of(config), "evoselfcode": version("evoselfcode")}


def _state(path: Path) -> list[int]:
    with storage_errors(path, "read"):
        found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def known_metrics(folder: Path, stamp: dict[str, Any]) -> dict[str, Any] | None:
    """Return what an earlier filter of the same journals under the same settings came to; ``None`` if there is none."""
    try:
        with storage_errors(folder / METRICS, "read"):
            known = msgspec.json.decode((folder / METRICS).read_bytes(), type=dict[str, Any])
    except (StorageError, msgspec.DecodeError):
        return None
    now = msgspec.json.decode(msgspec.json.encode(stamp))
    return known if known.get("version") == VERSION and known.get("of") == now else None
