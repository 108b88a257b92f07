"""Functions that are nearly the same: which better function makes another one superfluous.

This file decides when two functions are near duplicates, and how few pairs are compared to find them. It refuses to
know what better means: functions are handed in from the best on, and a function goes where a better one that is kept
is like it.

Compared are those that MinHash says may be alike: the 252 minima of a function's shingles stand in 42 bands of 6, and
two functions of Jaccard similarity *s* have a whole band in common with the probability 1 - (1 - s⁶)⁴² (Leskovec,
Rajaraman and Ullman, Mining of Massive Datasets, section 3.4.2): 0.995 at 0.7, 0.48 at 0.5, 0.03 at 0.3. Then the
shingles themselves are compared, so that nothing is dropped that is not alike.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from evoselfcode.datagen.filters.shingles import Shingles

BANDS = 42
ROWS = 6
"""Bands, and minima in each."""

MOST = 64
"""Functions that one is compared with, those of the emptiest buckets first.

Among 20,000 functions that are all alike in 65 % of their shingles, 32, 64 and 128 miss the same 6 of 200 planted
pairs of similarity 0.75, and none of similarity 0.9; without a limit the time would grow with the square of such a
cluster.
"""

Bands = npt.NDArray[np.uint32]
"""One number for each of the 42 bands: those of two functions are equal where the six minima are."""

Ints = npt.NDArray[np.int64]


def signer() -> Callable[[Shingles], Bands]:
    """Return what computes the bands of a function, with the MinHash of datasketch.

    The scheme and the seed are written out because they decide which pairs are found, and a default may change.

    Raises:
        ImportError: datasketch is not installed.
    """
    from datasketch import MinHash  # type: ignore[import-untyped]

    half = np.uint64(32)
    sketch: Any = MinHash(BANDS * ROWS, seed=1, hashfunc=int, scheme="affine32")
    factors = np.random.RandomState(2).randint(0, 1 << 63, ROWS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)

    def sign(shingles: Shingles) -> Bands:
        sketch.clear()
        sketch.update_batch((shingles >> half).tolist())
        minima = sketch.hashvalues.reshape(BANDS, ROWS).astype(np.uint64)
        return np.asarray((minima @ factors) >> half, np.uint32)

    return sign


def near_duplicates(bands: Bands, shingles: Sequence[bytes], order: Ints, threshold: float) -> dict[int, int]:
    """Return the functions that go, each with the kept one that it is like.

    Args:
        bands: The bands of every function, a row each.
        shingles: The shingles of every function, as the bytes of 64-bit numbers.
        order: The rows from the best function on.
        threshold: Jaccard similarity of the shingles from which on functions are alike.
    """
    gone: dict[int, int] = {}
    places, buckets = _shared(bands, order)
    kept = _Kept(buckets)
    first_of_each = np.flatnonzero(np.diff(places, prepend=-1))
    for start, end in pairwise([*first_of_each.tolist(), len(places)]):
        row, own = int(order[places[start]]), buckets[start:end].tolist()
        alike = _first_alike(shingles[row], ((rival, shingles[rival]) for rival in kept.rivals(own)), threshold)
        if alike is None:
            kept.add(row, own)
        else:
            gone[row] = alike
    return gone


def _shared(bands: Bands, order: Ints) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return pairs of a place in the order and a bucket of two functions or more, by place and then by band."""
    places, buckets, count = [np.empty(0, np.int32)], [np.empty(0, np.int32)], 0
    for band in range(BANDS if len(order) else 0):
        numbers = bands[order, band]
        place = np.argsort(numbers, kind="stable")
        numbers = numbers[place]
        new = np.append(True, numbers[1:] != numbers[:-1])
        shared = ~(new & np.append(new[1:], True))
        places.append(place[shared].astype(np.int32))
        buckets.append(np.cumsum(new[shared], dtype=np.int32) + np.int32(count - 1))
        count += int(new[shared].sum())
    by_place = np.argsort(np.concatenate(places), kind="stable")
    return np.concatenate(places)[by_place], np.concatenate(buckets)[by_place]


class _Kept:
    """The kept functions in every bucket, the best first: flat arrays, because lists take ten times the memory."""

    def __init__(self, buckets: npt.NDArray[np.int32]) -> None:
        ends = np.cumsum(np.bincount(buckets))
        self._starts = array("q", [0, *ends.tolist()])
        self._counts = array("i", bytes(4 * len(ends)))
        self._rows = array("i", bytes(4 * len(buckets)))

    def add(self, row: int, buckets: Iterable[int]) -> None:
        for bucket in buckets:
            self._rows[self._starts[bucket] + self._counts[bucket]] = row
            self._counts[bucket] += 1

    def rivals(self, buckets: Iterable[int]) -> Iterator[int]:
        """Yield at most :data:`MOST` functions that are in one of the buckets, those of the emptiest first.

        Whoever shares a bucket with few shares it for being alike, not for the phrases that everybody uses.
        """
        seen: set[int] = set()
        for bucket in sorted(buckets, key=self._counts.__getitem__):
            start = self._starts[bucket]
            for place in range(start, start + self._counts[bucket]):
                rival = self._rows[place]
                if rival not in seen:
                    yield rival
                    seen.add(rival)
                    if len(seen) == MOST:
                        return


def _first_alike(shingles: bytes, rivals: Iterable[tuple[int, bytes]], threshold: float) -> int | None:
    """Return the first rival whose Jaccard similarity reaches the threshold: shared shingles by all of both."""
    mine: frozenset[int] | None = None
    for rival, theirs in rivals:
        fewer, more = sorted((len(shingles), len(theirs)))
        if fewer / more < threshold:
            continue
        if mine is None:
            mine = frozenset(memoryview(shingles).cast("Q"))
        both = len(mine.intersection(memoryview(theirs).cast("Q")))
        if both / ((fewer + more) // 8 - both) >= threshold:
            return rival
    return None
