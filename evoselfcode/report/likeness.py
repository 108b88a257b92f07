"""How unlike each other the names of an arm are: the Vendi score over how they are spelled.

This file decides which names are looked at and what makes two of them alike: the runs of three characters that they
share. What they mean is nothing it knows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from evoselfcode.report.draws import Draws
from evoselfcode.stats.species import vendi

MOST_NAMES = 300
"""Names looked at: the score costs their third power, here some 20 ms."""


def vendi_scores(arms: Mapping[str, Draws]) -> dict[str, dict[str, Any] | None]:
    """Return the Vendi score of each arm over equally many of its names; ``None`` for an arm without names.

    The score grows with the number of names, so all arms are cut to that of the arm with fewest, at most
    :data:`MOST_NAMES`. Which names is decided by their hashes: by chance, and always the same.
    """
    most = min((len(draws.names) for draws in arms.values() if draws.names), default=0)
    most = min(most, MOST_NAMES)
    return {
        name: {"names": most, "score": vendi(alike(chosen(draws.names, most)).tolist())} if draws.names else None
        for name, draws in arms.items()
    }


def chosen(names: Iterable[str], most: int) -> list[str]:
    """Return the `most` names with the smallest hashes."""
    return sorted(names, key=lambda name: (blake2b(name.encode(errors="surrogatepass")).digest(), name))[:most]


def alike(names: Iterable[str]) -> npt.NDArray[np.float64]:
    """Return how alike each two names are, from 0 to 1: the cosine of how often each has which three characters."""
    counts = [_trigrams(name) for name in names]
    places = {trigram: place for place, trigram in enumerate(sorted({t for found in counts for t in found}))}
    vectors = np.zeros((len(counts), len(places)))
    for row, found in enumerate(counts):
        for trigram, count in found.items():
            vectors[row, places[trigram]] = count
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines: npt.NDArray[np.float64] = vectors @ vectors.T
    return cosines


def _trigrams(name: str) -> Counter[str]:
    """Count the runs of three characters of a name whose ends are marked; a name of none is its own."""
    padded = f"^{name}$"
    return Counter(padded[start : start + 3] for start in range(max(1, len(padded) - 2)))
