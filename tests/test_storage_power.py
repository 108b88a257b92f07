"""Power that fails at any moment, in four ways: no acknowledged row is lost, and the test would notice if one were."""

from __future__ import annotations

import os
from pathlib import Path

import power_loss
import pytest

from evoselfcode.storage import disk, segment

CRASHES = int(os.environ.get("EVOSELFCODE_CRASHES", "1000"))
"""``make kill`` takes 4,000."""


def test_no_acknowledged_row_is_lost_when_the_power_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """D2. The mutants are the tests below."""
    assert power_loss.lives(tmp_path / "run", monkeypatch, CRASHES, seed=1) is None


@pytest.mark.parametrize("seed", range(3))
def test_acknowledging_before_the_sync_is_found_within_five(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """A disk that says synced and is not. Sabotage of the harness: let ``Disk.fail`` keep what was not synced."""
    monkeypatch.setattr(power_loss.Disk, "_sync", lambda self, descriptor: None)
    lost = power_loss.lives(tmp_path / "run", monkeypatch, 5, seed=seed)
    assert lost is not None


@pytest.mark.parametrize("seed", range(3))
def test_half_a_line_that_stays_is_found_within_twenty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """The next line is glued to it. Sabotage of the harness: never cut a write short."""
    monkeypatch.setattr(segment.OpenSegment, "_cut_back", lambda self: None)
    assert power_loss.lives(tmp_path / "run", monkeypatch, 20, seed=seed) is not None


def test_a_file_whose_name_is_not_synced_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """fsync(2): a file's sync does not make its name durable. Sabotage: sync no folder in ``Journal``."""
    monkeypatch.setattr(power_loss.Disk, "_sync_folder", lambda self, folder: None)
    assert power_loss.lives(tmp_path / "run", monkeypatch, 20, seed=4) is not None
    assert disk.sync_folder.__module__ == "evoselfcode.storage.disk"
