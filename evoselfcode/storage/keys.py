"""Keys of requests, as short as they can be held: a run may have settled tens of millions.

This file decides how a key is shortened, and how many of them are kept so that each is found in a microsecond and
takes 17 bytes, where a ``set`` takes about 100. It refuses to know what having a key means.
"""

from __future__ import annotations

import struct
from array import array
from binascii import Error as NotHexadecimal
from binascii import unhexlify
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import islice
from operator import eq
from typing import NamedTuple, Self

DIGEST = 16
"""Bytes of the digest in a key; what follows names a part."""

_FIRSTS = 256
_FEW = 4
"""Bits of how many digests are looked through: ``bytes.find`` takes 0.15 µs for 16 of them, 0.5 µs for 150."""


def compact(key: str) -> bytes:
    """Return a key in half its length: its digest, and what names a part."""
    digest, _, part = key.partition(".")
    try:
        return unhexlify(digest) + part.encode()
    except (NotHexadecimal, ValueError):
        return key.encode()


def split(run: bytes) -> tuple[bytes, ...]:
    """Return the digests that stand one after the other in `run`."""
    return struct.unpack(f"{DIGEST}s" * (len(run) // DIGEST), run)


class Written:
    """Digests in the order of writing, on their way to be sorted."""

    __slots__ = ("_packed", "_texts", "add")

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._packed = bytearray()
        self.add = self._texts.append

    def pack(self) -> None:
        """Hold what was added, as hexadecimal texts, in as few bytes as digests have.

        Raises:
            ValueError: A text is no hexadecimal number, or in capitals.
        """
        text = "".join(self._texts)
        self._texts.clear()
        packed = unhexlify(text)
        if packed.hex() != text:
            raise ValueError("hexadecimal, but in capitals")
        self._packed += packed

    def split(self) -> tuple[bytes, ...]:
        """Return what was packed, one by one."""
        return split(bytes(self._packed))


class Digests:
    """Many digests: those of one first byte stand sorted, one after the other.

    They are handed in by :meth:`add`, a sorted run at a time; after :meth:`pack` they can be asked for. Where to look
    follows from the two bytes behind the first; what is left is 16 or so, which ``bytes.find`` looks through.
    """

    def __init__(self) -> None:
        self._runs: list[list[bytes]] = [[] for _ in range(_FIRSTS)]
        self._packed = [_Packed.of(0, [])] * _FIRSTS
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, run: bytes) -> None:
        """Add digests, one after the other and sorted; they are there after the next :meth:`pack`."""
        firsts = run[::DIGEST]
        begin = 0
        while begin < len(firsts):
            end = bisect_right(firsts, firsts[begin], begin)
            self._runs[firsts[begin]].append(run[begin * DIGEST : end * DIGEST])
            begin = end
        self._count += len(firsts)

    def pack(self) -> Iterator[bool]:
        """Put what was added in order, in steps of about a millisecond for each million.

        Yields:
            After each step, whether a digest of it was there before.
        """
        for first, runs in enumerate(self._runs):
            if runs:
                digests = sorted(split(b"".join((self._packed[first].digests, *runs))))
                runs.clear()
                self._packed[first] = _Packed.of(first, digests)
                yield any(map(eq, digests, islice(digests, 1, None)))

    def __contains__(self, digest: bytes) -> bool:
        """Say whether `digest` is there; what is of another length is not."""
        if len(digest) != DIGEST:
            return False
        digests, fences, shift = self._packed[digest[0]]
        place = (digest[1] << 8 | digest[2]) >> shift
        at = digests.find(digest, fences[place], fences[place + 1])
        while at % DIGEST and at > 0:  # across two that are neighbours
            at = digests.find(digest, at + 1, fences[place + 1])
        return at >= 0


class _Packed(NamedTuple):
    """The digests of one first byte.

    Attributes:
        digests: They, sorted, one after the other.
        fences: Where those begin whose next two bytes are the place in this list, shifted; and where the last end.
        shift: How many bits of these two bytes are not looked at.
    """

    digests: bytes
    fences: array[int]
    shift: int

    @classmethod
    def of(cls, first: int, digests: list[bytes]) -> Self:
        shift = 16 - min(16, max(0, len(digests).bit_length() - _FEW))
        fences, at = array("L"), 0
        for place in range(0, 1 << 16, 1 << shift):
            at = bisect_left(digests, bytes((first, place >> 8, place & 255)), at)
            fences.append(at * DIGEST)
        fences.append(len(digests) * DIGEST)
        return cls(b"".join(digests), fences, shift)
