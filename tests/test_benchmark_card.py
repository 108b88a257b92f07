"""What a benchmark says of itself is complete, and is kept where it says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import card


def test_a_record_is_printed_as_one_line_and_kept_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sabotage: print it indented, or leave out the digest of the settings."""
    record = card.Record("trial", {"rounds": 3}, ["orjson", "no-such-distribution"], tmp_path)
    goal = {"goal": "G0", "figure": 1.0, "limit": 2.0, "met": True, "sentence": "<= 2 of nothing"}
    file = record.keep({"way": [1, 2]}, goals=[goal], others=[0.5, 0.1, 0.2])
    (line,) = capsys.readouterr().out.splitlines()
    document = json.loads(line)
    assert json.loads(file.read_text()) == document
    assert file.name == f"trial-{document['day']}-{document['commit']}-{document['settings_hash'][:6]}.json"
    assert document["versions"]["orjson"]
    assert document["versions"]["no-such-distribution"] is None
    assert document["machine"]["cores_used_by_others"] == [0.1, 0.2, 0.5]
    assert document["figures"] == {"way": [1, 2]}
    assert document["goals"] == [goal]


def test_other_settings_have_another_digest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sabotage: make the digest of the keys alone."""
    kept = [card.Record("trial", {"rounds": rounds}, (), tmp_path / str(rounds)).keep({}) for rounds in (1, 2)]
    first, second = (json.loads(file.read_text())["settings_hash"] for file in kept)
    assert first != second


def test_the_machine_is_told_by_no_name_of_it() -> None:
    """Sabotage: add the host's name."""
    assert set(card.machine()) == {"cores", "cores_allowed", "processor", "system"}
