"""Sabotages of the program that the simulator must notice, and within how many seeds it does.

``python -m sim.mutants`` writes the table of `docs/explanation/simulation.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sim.run import play
from sim.scenario import scenario

MOST_SEEDS = 100
"""Seeds within which a mutant must die."""


MUTANTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {}
"""What is sabotaged, in words, and how."""


def dies_at(name: str) -> tuple[int, str] | None:
    """Return how many seeds a mutant outlives and one, and what it broke; ``None`` if it outlives all."""
    with pytest.MonkeyPatch.context() as patch:
        MUTANTS[name](patch)
        for seed in range(MOST_SEEDS):
            with TemporaryDirectory() as folder:
                if told := play(scenario(seed), Path(folder)).broken:
                    return seed + 1, told[0]
    return None


if __name__ == "__main__":
    for name in MUTANTS:
        print("|", name, "|", *dies_at(name) or ("outlives all", ""), "|")
