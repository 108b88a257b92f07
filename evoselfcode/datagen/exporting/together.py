"""Which functions belong on one side of a split: those that are nearly the same, by their text or by their name.

This file decides what makes two functions inseparable and finds all such pairs. It refuses to know which side is which.

Pairs of a Jaccard similarity of at least *t* are found without exception, by prefixes (Chaudhuri, Ganti and Kaushik,
ICDE 2006; Bayardo, Ma and Srikant, WWW 2007): if the shingles of all functions are sorted, the rarest first, two sets
that are so alike share one of the first ``n - ceil(t n) + 1`` shingles of each. Where more than :data:`MOST` functions
share such a shingle, all of them are put on one side without a look: that parts no pair, and keeps the time in
proportion to the rows.

What is in memory of a function is some numbers; its shingles are in a file.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt

from evoselfcode.datagen.filters.shingles import shingles
from evoselfcode.storage import PassingFile, storage_errors

MOST = 64
"""Functions that share a rare shingle and are compared, each with each."""

BITS = 256
"""Bits that stand for the shingles of a function: each that one has and another lacks is a shingle that it lacks."""

ROWS_AT_ONCE = 2_000
PARTS = 16
"""Files that the rare shingles are spread over, so that one of them fits into memory."""

Numbers = npt.NDArray[np.uint64]
_ENTRY = np.dtype([("shingle", "<u8"), ("row", "<u4")])


class Together:
    """Sets of rows that grow together."""

    def __init__(self, rows: int) -> None:
        self._parent = array("i", range(rows))

    def root(self, row: int) -> int:
        """Return the row that stands for the set of `row`: the first of it."""
        parent = self._parent
        while (above := parent[row]) != row:
            parent[row] = row = parent[above]
        return row

    def unite(self, one: int, other: int) -> None:
        """Make the sets of two rows one."""
        one, other = self.root(one), self.root(other)
        self._parent[max(one, other)] = min(one, other)

    def unite_equal(self, keys: Numbers) -> None:
        """Make one of all rows with the same key; a key of 0 is none."""
        order = np.argsort(keys, kind="stable")
        same = np.flatnonzero((keys[order][1:] == keys[order][:-1]) & (keys[order][1:] != 0))
        for place in same.tolist():
            self.unite(int(order[place]), int(order[place + 1]))

    def roots(self) -> npt.NDArray[np.int64]:
        """Return, for every row, the row that stands for its set."""
        return np.fromiter(map(self.root, range(len(self._parent))), np.int64, len(self._parent))


class Likeness(PassingFile):
    """Takes functions in their order, and then says which are nearly the same.

    Args:
        folder: Where files are made; they are gone when this is left.
        threshold: Jaccard similarity of the shingles from which on functions are.
    """

    def __init__(self, folder: Path, threshold: float) -> None:
        super().__init__(folder / ".shingles")
        self._threshold = threshold
        self._sizes = array("I")
        self._sets = array("Q")

    def add(self, code: str) -> None:
        """Take a function.

        Raises:
            StorageError: It cannot be written.
        """
        found = shingles(code).astype("<u8").tobytes()
        with storage_errors(self._path, "write"):
            self._file.write(found)
        self._sizes.append(len(found) // 8)
        self._sets.append(int.from_bytes(blake2b(found, digest_size=8).digest(), "little") or 1)

    def unite(self, together: Together, compared: Callable[[int], None] = lambda entries: None) -> None:
        """Make one of all functions that are nearly the same.

        Args:
            together: The sets.
            compared: Told how many entries of rare shingles have been looked at; what it raises ends the work.

        Raises:
            StorageError: A file cannot be written or read.
        """
        sets = np.frombuffer(self._sets, np.uint64)
        together.unite_equal(sets)
        firsts = np.unique(sets, return_index=True)[1]
        alone = np.zeros(len(sets), bool)
        alone[firsts] = True  # of equal sets one is compared
        sizes = np.frombuffer(self._sizes, np.uint32).astype(np.int64)
        with storage_errors(self._path, "write and read"):
            self._file.flush()
            done = 0
            for entries in self._entries(sizes, alone):
                for looked_at in self._compare(entries, sizes, together):
                    compared(done + looked_at)
                done += len(entries)

    def _entries(self, sizes: npt.NDArray[np.int64], alone: npt.NDArray[np.bool_]) -> Iterator[npt.NDArray[np.void]]:
        """Yield the rare shingles of all functions with their rows, in parts that hold all of a shingle's rows."""
        bits = min(26, max(10, int(sizes.sum()).bit_length() + 1))
        shift = np.uint64(64 - bits)
        counts = np.zeros(1 << bits, np.uint8)
        self._bits = np.zeros((len(sizes), BITS // 64), np.uint64)
        for first, own, hashes in self._chunks(sizes):
            has = np.zeros((len(own), BITS), np.bool_)
            has[np.repeat(np.arange(len(own)), own), hashes % np.uint64(BITS)] = True
            self._bits[first : first + len(own)] = np.packbits(has, axis=1).view(np.uint64)
            buckets, often = np.unique(hashes >> shift, return_counts=True)
            counts[buckets] = np.minimum(counts[buckets] + often, 255)
        needed = sizes - np.ceil(self._threshold * sizes - 1e-9).astype(np.int64) + 1
        names = [self._path.with_name(f"{self._path.name}-{part}") for part in range(PARTS)]
        files = [name.open("w+b") for name in names]
        try:
            for first, own, hashes in self._chunks(sizes):
                rows = np.repeat(np.arange(first, first + len(own)), own)
                often = counts[hashes >> shift]
                order = np.lexsort((hashes, often, rows))
                place = np.arange(len(rows)) - np.repeat(np.cumsum(own) - own, own)
                rare = order[(place < needed[rows]) & (often[order] > 1) & alone[rows]]
                entries = np.empty(len(rare), _ENTRY)
                entries["shingle"], entries["row"] = hashes[rare], rows[rare]
                part = (entries["shingle"] >> np.uint64(8)) % np.uint64(PARTS)
                for number, file in enumerate(files):
                    file.write(entries[part == number].tobytes())
            for file in files:
                file.seek(0)
                yield np.frombuffer(file.read(), _ENTRY)
        finally:
            for name, file in zip(names, files, strict=True):
                name.unlink(missing_ok=True)
                file.close()

    def _chunks(self, sizes: npt.NDArray[np.int64]) -> Iterator[tuple[int, npt.NDArray[np.int64], Numbers]]:
        """Yield the first row, the sizes and the shingles of a few functions at once."""
        self._file.seek(0)
        for first in range(0, len(sizes), ROWS_AT_ONCE):
            own = sizes[first : first + ROWS_AT_ONCE]
            yield first, own, np.frombuffer(self._file.read(8 * int(own.sum())), "<u8")

    def _compare(
        self, entries: npt.NDArray[np.void], sizes: npt.NDArray[np.int64], together: Together
    ) -> Iterator[int]:
        """Compare the functions of each shingle, and yield how many entries that were."""
        begins = 8 * (np.cumsum(sizes) - sizes)
        order = np.lexsort((entries["row"], sizes[entries["row"]], entries["shingle"]))
        sorted_shingles, rows = entries["shingle"][order], entries["row"][order]
        edges = np.flatnonzero(np.diff(sorted_shingles)) + 1
        starts = np.concatenate(([0], edges))
        lengths = np.diff(np.concatenate((starts, [len(rows)])))
        several = lengths > 1
        for start, length in zip(starts[several].tolist(), lengths[several].tolist(), strict=True):
            few = rows[start : start + length].tolist()
            if length > MOST:
                for row in few[1:]:
                    together.unite(few[0], row)
            else:
                self._pairs(few, [(int(begins[row]), int(sizes[row])) for row in few], together)
            yield start + length

    def _pairs(self, rows: list[int], places: list[tuple[int, int]], together: Together) -> None:
        """Compare each function with the others whose bits leave it possible that they are like it."""
        read: dict[int, frozenset[int]] = {}
        bits, sizes = self._bits[rows], np.array([size for _, size in places])
        lacks = np.bitwise_count(bits[:, None] & ~bits[None]).sum(axis=2, dtype=np.int64)
        most = np.minimum(sizes[:, None] - lacks, sizes[None] - lacks.T)  # shingles that both can have
        near = most >= self._threshold * (sizes[:, None] + sizes[None] - most) - 1e-9
        for at, before in np.argwhere(np.tril(near, -1)).tolist():
            if together.root(rows[before]) == together.root(rows[at]):
                continue
            mine, theirs = (self._set(read, which, places[which]) for which in (at, before))
            both = len(mine & theirs)
            if both >= self._threshold * (len(mine) + len(theirs) - both) - 1e-9:
                together.unite(rows[at], rows[before])

    def _set(self, read: dict[int, frozenset[int]], which: int, place: tuple[int, int]) -> frozenset[int]:
        if which not in read:
            data = os.pread(self._file.fileno(), 8 * place[1], place[0])
            read[which] = frozenset(memoryview(data).cast("Q"))
        return read[which]


def sides(roots: npt.NDArray[np.int64], numbers: Iterable[int], share: float) -> npt.NDArray[np.bool_]:
    """Say which rows are for validation: all of a set or none, by the smallest of its numbers.

    A row that is added later moves another one only where the two belong together. The side follows from a hash of
    the smallest number, not from that itself: the smallest of many numbers is small.

    Args:
        roots: For every row, the row that stands for its set.
        numbers: For every row, 64 bits that say who it is.
        share: Share of the sets that is for validation.
    """
    who = np.fromiter(numbers, np.uint64)
    least = np.full(len(who), np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(least, roots, who)
    limit = int(share * (1 << 64))
    chosen = np.zeros(len(who), bool)
    for root in np.unique(roots).tolist():
        digest = blake2b(int(least[root]).to_bytes(8, "little"), digest_size=8, person=b"validation").digest()
        chosen[root] = int.from_bytes(digest, "little") < limit
    return np.asarray(chosen[roots])
