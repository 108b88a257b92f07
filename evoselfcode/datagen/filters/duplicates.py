"""Duplicates among the functions that passed every other gate: of those that say the same, the best one stays.

This file decides who stays. It refuses to know what makes a function good, a rank is handed in, and what makes two
functions the same but for their names, the alpha hash is handed in too. What it says depends on the functions alone,
not on the order in which they come, so a resumed run and a run in parts end alike.
"""

from __future__ import annotations

import numpy as np

from evoselfcode.datagen.filters.near_duplicates import BANDS, near_duplicates, signer
from evoselfcode.datagen.filters.shingles import shingles

__all__ = ["DUPLICATE_REASONS", "THRESHOLD", "Duplicates", "shingles"]

DUPLICATE_REASONS: dict[str, str] = {
    "duplicate": "the same as a better function but for names, comments and layout",
    "near_duplicate": "a better function says most of it in the same words",
}
"""Every reason a function can be dropped for here, in the order of the gates."""

THRESHOLD = 0.7
"""Jaccard similarity from which on functions are near duplicates, as in StarCoder2 (arXiv 2402.19173)."""

_ROW = BANDS * np.dtype(np.uint32).itemsize


class Duplicates:
    """Takes functions in any order, and then says which of them are superfluous.

    Of the functions with one alpha hash the best stays. Of those, from the best on, each stays unless one that stays
    has a Jaccard similarity of at least `threshold`; see docs/explanation/duplicates.md.

    Args:
        threshold: Jaccard similarity of the shingles, above 0 and at most 1. The search is made for 0.7 and more:
            below that it finds fewer pairs than there are.

    Raises:
        ValueError: The threshold is not above 0 and at most 1.
        ImportError: datasketch is not installed.
    """

    def __init__(self, threshold: float = THRESHOLD) -> None:
        if not 0 < threshold <= 1:
            raise ValueError(f"a Jaccard similarity is above 0 and at most 1, not {threshold}")
        self._threshold = threshold
        self._sign = signer()
        self._rows: dict[str, int] = {}
        self._keys: list[str] = []
        self._ranks: list[tuple[float, ...]] = []
        self._shingles: list[bytes] = []
        self._bands = bytearray()
        self._beaten: dict[str, int] = {}

    def add(self, key: str, code: str, alpha: str, rank: tuple[float, ...]) -> None:
        """Take one function; one that was taken before changes nothing.

        Args:
            key: What the function is known by; of equally good functions, that of the smallest key stays.
            code: Its text.
            alpha: Its alpha hash; ``""`` if it has none, which makes it nobody's exact duplicate.
            rank: How good it is: the higher the better, the first number first. All ranks have the same length.

        Raises:
            ValueError: A number of the rank is not a number, so that no order would be one.
        """
        if any(number != number for number in rank):
            raise ValueError(f"the rank of {key} has a part that is not a number: {rank}")
        row = self._rows.setdefault(alpha or f"none: {key}", len(self._keys))
        if row == len(self._keys):
            self._keys.append(key)
            self._ranks.append(rank)
            self._shingles.append(b"")
            self._bands += bytes(_ROW)
            self._describe(row, code)
        elif (rank, self._keys[row]) > (self._ranks[row], key):
            self._beaten[self._keys[row]] = row
            self._keys[row], self._ranks[row] = key, rank
            self._describe(row, code)
        elif key != self._keys[row]:
            self._beaten[key] = row

    def verdicts(self) -> dict[str, tuple[str, str]]:
        """Return the key of every superfluous function, in order, with the reason and the key that stays instead.

        That key always is one that stays: an exact duplicate of a near duplicate names what both make way for.
        """
        best_first = sorted(range(len(self._keys)), key=self._keys.__getitem__)
        best_first.sort(key=self._ranks.__getitem__, reverse=True)
        bands = np.frombuffer(self._bands, np.uint32).reshape(-1, BANDS)
        near = near_duplicates(bands, self._shingles, np.array(best_first, np.int64), self._threshold)
        found = {self._keys[row]: ("near_duplicate", self._keys[better]) for row, better in near.items()}
        found |= {key: ("duplicate", self._keys[near.get(row, row)]) for key, row in self._beaten.items()}
        return dict(sorted(found.items()))

    def _describe(self, row: int, code: str) -> None:
        """Remember what a function is compared by; the function that was in this row is forgotten."""
        found = shingles(code)
        self._shingles[row] = found.tobytes()
        self._bands[row * _ROW : (row + 1) * _ROW] = self._sign(found).tobytes()
