"""Find every place of a context in a sequence.

This file decides how the training sequence is sorted and searched: a suffix array (Manber and Myers 1993), cut at the
longest context. It refuses to know what is counted at the places.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from itertools import accumulate

import msgspec


class Sorted(msgspec.Struct, frozen=True, array_like=True):
    """A sequence of symbols with its suffix array: all that is worth keeping of a model.

    Attributes:
        text: The sequence.
        order: Positions sorted by the ``depth + 1`` symbols that begin at each; an ``array("I")`` as bytes.
    """

    text: str
    order: bytes

    @classmethod
    def of(cls, text: str, depth: int) -> Sorted:
        """Sort the positions of `text` for contexts of up to `depth` symbols."""
        order = sorted(range(len(text)), key=lambda position: text[position : position + depth + 1])
        return cls(text, array("I", order).tobytes())


class Places:
    """The places of every context of up to `depth` symbols in a sorted sequence.

    Args:
        source: The sequence.
    """

    def __init__(self, source: Sorted) -> None:
        self._text = source.text
        self._order = array("I")
        self._order.frombytes(source.order)
        counts = sorted(Counter(source.text).items())
        ends = accumulate(count for _, count in counts)
        # Where the contexts that begin with each symbol lie: most searches are over after a few steps from there.
        self._ranges = {symbol: (end - count, end) for (symbol, count), end in zip(counts, ends, strict=True)}

    def followers(self, context: str) -> Counter[str]:
        """Count the symbols that follow `context` (not empty); the end of the sequence is not one."""
        text, order, length = self._text, self._order, len(context)

        def head(position: int) -> str:
            return text[position : position + length]

        first, last = self._ranges.get(context[0], (0, 0))
        start = bisect_left(order, context, first, last, key=head)
        if start == last or head(order[start]) != context:
            return Counter()
        end = bisect_right(order, context, start, last, key=head)
        counts = Counter([text[place + length : place + length + 1] for place in order[start:end]])
        del counts[""]
        return counts
