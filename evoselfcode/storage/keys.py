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
from collections.abc import Iterator, Sequence
from itertools import islice
from operator import eq
from typing import NamedTuple

DIGEST = 16
"""Bytes of the digest in a key; what follows names a part."""

_FIRSTS = 256
_FEW = 4
"""Bits of how many digests are looked through: ``bytes.find`` takes 0.15 µs for 16 of them, 0.5 µs for 150."""

_CACHED = 12
"""Bits of how many digests are sorted at a time: as objects they take a quarter of a MiB."""


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
        self._packed = [_NONE] * _FIRSTS
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
        """Put what was added in order, in steps of about a millisecond.

        Yields:
            After each step, whether a digest of it was there before.
        """
        for first, runs in enumerate(self._runs):
            if runs:
                runs.append(self._packed[first].digests)
                packed = _Packing(first, sum(map(len, runs)) // DIGEST)
                parts = packed.parts(runs)
                runs.clear()
                for part in parts:
                    digests = sorted(split(b"".join(part)))
                    packed.add(digests)
                    yield any(map(eq, digests, islice(digests, 1, None)))
                self._packed[first] = packed.done()

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


_NONE = _Packed(b"", array("L", (0, 0)), 16)


class _Packing:
    """What becomes a :class:`_Packed`, a part after the other.

    They are sorted by parts that a core's own cache holds, and of which alone there are objects at a time.

    Args:
        first: The first byte of the digests.
        count: How many there are.
    """

    def __init__(self, first: int, count: int) -> None:
        self._first = first
        self._bits = min(8, max(0, count.bit_length() - _CACHED))
        self._shift = 16 - min(16, max(0, count.bit_length() - _FEW))
        self._digests: list[bytes] = []
        self._fences, self._end, self._place = array("L"), 0, 0

    def parts(self, runs: Sequence[bytes]) -> list[list[bytes]]:
        """Cut sorted runs by the second byte of their digests."""
        parts: list[list[bytes]] = [[] for _ in range(1 << self._bits)]
        for run in runs:
            seconds, begin = run[1::DIGEST], 0
            for place, part in enumerate(parts, 1):
                end = bisect_left(seconds, place << 8 - self._bits, begin)
                if end > begin:
                    part.append(run[begin * DIGEST : end * DIGEST])
                begin = end
        return parts

    def add(self, digests: list[bytes]) -> None:
        """Add the digests of the next part, sorted."""
        at, next_part = 0, self._place + (1 << 16 - self._bits)
        for place in range(self._place, next_part, 1 << self._shift):
            at = bisect_left(digests, bytes((self._first, place >> 8, place & 255)), at)
            self._fences.append(self._end + at * DIGEST)
        self._digests.append(b"".join(digests))
        self._place, self._end = next_part, self._end + len(digests) * DIGEST

    def done(self) -> _Packed:
        """Return what was added."""
        self._fences.append(self._end)
        return _Packed(b"".join(self._digests), self._fences, self._shift)
