"""Novelty: how much of a function no function for another name has.

It is the share of its runs of five lexemes that no function for another name has in the same file. This file decides
that, and how little memory it takes. What a run of lexemes is, is :mod:`evoselfcode.datagen.filters.shingles`.
"""

from __future__ import annotations

import numpy as np

from evoselfcode.datagen.filters.shingles import Shingles, shingles

LARGEST = 1 << 27
"""Places of the largest table: 256 MiB. A million functions fill about a third of it."""

_SHARED = np.uint16(0xFFFF)


class Novelty:
    """Takes all functions in any order, and then says of each how much of it is its name's alone.

    A run has a place by its hash, and a place remembers one name, or that there are several. Two runs that share a
    place are taken for one: where a table is a third full, each run has that chance of being taken for a shared one.

    Args:
        letters: About how many letters the functions have together; eight places are made for each up to the largest
            table, and a run begins at every third letter or so.
    """

    def __init__(self, letters: int) -> None:
        places = 1 << max(12, (8 * letters - 1).bit_length())
        self._owners = np.zeros(min(LARGEST, places), np.uint16)

    def add(self, owner: int, code: str) -> None:
        """Take a function.

        Args:
            owner: A hash of its name; 16 bits of it are looked at.
            code: Its text.
        """
        places, mark = self._places(code), _mark(owner)
        found = self._owners[places]
        self._owners[places] = np.where((found == 0) | (found == mark), mark, _SHARED)

    def of(self, owner: int, code: str) -> float:
        """Return the share of a function's runs that is its name's alone, from 0 to 1."""
        return round(float(np.mean(self._owners[self._places(code)] == _mark(owner))), 4)

    def _places(self, code: str) -> Shingles:
        return shingles(code) % np.uint64(len(self._owners))


def _mark(owner: int) -> np.uint16:
    return np.uint16(1 + owner % 0xFFFE)
