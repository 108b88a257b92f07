"""ruff's rules as a gate: those that drop almost only wrong programs, and why no more (one process for all files)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from code_corpus import drawn, solutions

from evoselfcode.datagen.filters.gates import RUFF_GATE, examine

DEFAULT = "E4,E7,E9,F"
"""ruff's default rules of many years, which would be the gate if nobody named others; those of 0.17 flag even more."""

KINDS = ("solution", "passed", "failed")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with programs that parse: the solutions, the correct ones, and the wrong ones (distinct)."""
    folder = tmp_path_factory.mktemp("programs")
    texts: dict[str, Iterable[str]] = {
        "solution": (it.source.program for it in solutions()),
        "passed": (it.ours.program for it in drawn() if it.passed),
        "failed": sorted({it.ours.program for it in drawn() if not it.passed and examine(it.ours).syntax_valid}),
    }
    for kind, found in texts.items():
        for number, text in enumerate(found):
            (folder / f"{kind}_{number}.py").write_text(text, encoding="utf-8")
    return folder


def flagged(folder: Path, rules: str) -> dict[str, int]:
    """Return how many programs of each kind ruff objects to by `rules`."""
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--exit-zero", "--output-format=json"]
    command += [f"--select={rules}"] if rules else []
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=True)
    files = {Path(found["filename"]).name for found in json.loads(done.stdout)}
    return {kind: sum(name.startswith(kind) for name in files) for kind in KINDS}


def test_the_gate_of_ruff_loses_almost_nothing_that_is_correct(programs: Path) -> None:
    """At most 0.3 % of 1,924. Sabotage: RUFF_GATE = "E4,E7,E9,F", ruff's default rules, or add E741 to it."""
    found = flagged(programs, RUFF_GATE)
    assert found["solution"] == 0
    assert found["passed"] / 1_924 <= 0.003
    assert found["failed"] > 400


@pytest.mark.parametrize("rules", [DEFAULT, ""])
def test_the_default_rules_of_ruff_are_no_gate(programs: Path, rules: str) -> None:
    """They lose a fifth of what is correct, and 32 of HumanEval's own solutions. Sabotage: DEFAULT = RUFF_GATE here."""
    found = flagged(programs, rules)
    assert found["solution"] == 32 or not rules
    assert found["passed"] / 1_924 > 0.05
