"""Which pairs the bands of a function find: the published curves, and that ours are on theirs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from datasketch import MinHashLSH
from golden import GOLDEN

from evoselfcode.datagen.filters.near_duplicates import BANDS, ROWS, signer


def curve(bands: int, rows: int, similarity: float) -> float:
    """1 - (1 - sʳ)ᵇ: Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4.2."""
    return 1 - (1 - similarity**rows) ** bands


@pytest.mark.parametrize(("layout", "similarity"), [(layout, s) for layout, of in GOLDEN["lsh_P"].items() for s in of])
def test_the_curves_are_the_published_ones(layout: str, similarity: str) -> None:
    """FineWeb's 14 bands of 8 find 56, 77, 92 and 98.8 % at 0.7, 0.75, 0.8 and 0.85."""
    bands, rows = map(int, layout.split("x"))
    assert curve(bands, rows, float(similarity)) == pytest.approx(GOLDEN["lsh_P"][layout][similarity], abs=5e-5)


@pytest.mark.parametrize("number", [256, 250, 240, 128])
def test_a_library_left_to_choose_for_0_7_finds_half_of_the_pairs_there(number: int) -> None:
    """Why our bands are written out: its optimum weighs a pair too many as much as one too few."""
    chosen = MinHashLSH(threshold=0.7, num_perm=number)
    assert [chosen.b, chosen.r] == GOLDEN["lsh_optimal_datasketch_0.7"][str(number)]
    assert curve(chosen.b, chosen.r, 0.7) < 0.6 < curve(BANDS, ROWS, 0.7)


@pytest.mark.parametrize("similarity", [0.3, 0.5, 0.6, 0.7])
def test_our_bands_find_as_many_pairs_as_the_formula_says(similarity: float) -> None:
    """Sabotage: in signer(), let a band be the first of its six minima alone."""
    sign, random, pairs, size = signer(), np.random.default_rng(7), 1_000, 200
    shared = round(2 * size * similarity / (1 + similarity))  # of two sets of `size`, J = shared / (2 size - shared)
    found = 0
    for _ in range(pairs):
        drawn = random.integers(1 << 63, size=2 * size - shared, dtype=np.uint64)
        found += bool((sign(drawn[:size]) == sign(drawn[size - shared :])).any())
    expected = curve(BANDS, ROWS, shared / (2 * size - shared))
    assert found / pairs == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / pairs) + 1e-3)
