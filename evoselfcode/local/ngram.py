"""An n-gram model with back-off over any sequence of symbols, exact and lazy.

This file decides the probability of a symbol after a context, and how one is drawn. It refuses to know what a symbol
stands for: one character of a ``str`` is one symbol, tokens and letters alike, so that a context is a slice and
the whole index is a suffix array (:mod:`evoselfcode.local.suffix_array`).

The formula is interpolated Witten-Bell smoothing (Witten and Bell 1991, method C; Chen and Goodman 1998, section
2.5) with the escape mass scaled by `alpha`::

    P(s | c) = (count(c s) + alpha * distinct(c) * P(s | c without its first symbol)) / (count(c) + alpha * distinct(c))

At the bottom stands not one distribution over all symbols but one for each *kind* of the last symbol, so that symbols
that can never follow get nothing. There, a `novel` symbol takes the mass of everything never seen, with the share
of symbols seen once as its estimate (Good 1953): (once + 1) / (count + once + 1).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from math import inf
from random import Random
from threading import RLock

from evoselfcode.local.suffix_array import Places, Sorted

CACHED = 1_500_000
"""Table entries kept between draws, about 60 bytes each; past it the tables are dropped and made anew."""

_NAMED = 3
"""Entries charged for a context that is remembered: its key of up to eight symbols, and where it leads."""

_REDRAWS = 16
"""Draws before the likeliest other symbol is taken: a nucleus may hold nothing but the unwanted one."""


class Node:
    """The distribution after one context: own counts on top of the distribution of the next shorter context.

    Args:
        counts: How often each symbol follows.
        total: Their sum (with the escape mass, for a node with a parent).
        escape: Mass left to the parent, in [0, 1).
        parent: Node of the shorter context; ``None`` at the bottom.
        spend: Told the number of table entries made.
    """

    __slots__ = ("_counts", "_masses", "_parent", "_ranked", "_rest", "_spend", "_sums", "_total", "escape")

    def __init__(
        self,
        counts: dict[str, int],
        total: float,
        escape: float,
        parent: Node | None,
        spend: Callable[[int], None],
    ) -> None:
        self._counts = counts
        self._total = total
        self.escape = escape
        self._parent = parent
        self._spend = spend
        self._ranked: list[tuple[float, str]] = []
        self._rest = self._in_order()
        self._masses: dict[float, float] = {}
        self._sums: dict[float, list[float]] = {}
        spend(len(counts) + 10)

    def probability(self, symbol: str) -> float:
        """Return P(symbol | context)."""
        node, scale, found = self, 1.0, 0.0
        while True:
            count = node._counts.get(symbol)
            if count:
                found += scale * count / node._total
            if node._parent is None:
                return found
            scale *= node.escape
            node = node._parent

    def at(self, rank: int) -> tuple[float, str] | None:
        """Return the symbol of this rank (0 is the likeliest) with its probability, or ``None`` past the last."""
        ranked = self._ranked
        while len(ranked) <= rank:
            item = next(self._rest, None)
            if item is None:
                return None
            ranked.append(item)
            self._spend(1)
        return ranked[rank]

    def draw(self, u: float, exponent: float, top_p: float) -> str:
        """Return the symbol at `u` of the distribution sharpened by `exponent` and cut to the nucleus.

        Args:
            u: A uniform number in [0, 1).
            exponent: 1 / temperature.
            top_p: Mass of the nucleus: the fewest likeliest symbols that reach it (Holtzman et al. 2020).
        """
        whole = self.mass(exponent)
        if top_p < 1:
            goal = top_p * whole
            kept = self._reach(goal, exponent)
            sums = self._sums[exponent]
            if kept and sums[kept - 1] == goal:  # reached to the last bit: the next symbol is one too many
                kept -= 1
            return self._ranked[self._reach(u * sums[kept], exponent)][1]
        return self._ranked[self._reach(u * whole, exponent)][1]

    def _reach(self, goal: float, exponent: float) -> int:
        """Return the first rank at which the running sum of the sharpened weights passes `goal`."""
        sums = self._sums.setdefault(exponent, [])
        while not sums or sums[-1] <= goal:
            item = self.at(len(sums))
            if item is None:
                return len(sums) - 1
            weight = (item[0] / self._ranked[0][0]) ** exponent
            sums.append((sums[-1] if sums else 0.0) + weight)
            self._spend(1)
        return bisect_right(sums, goal)

    def mass(self, exponent: float) -> float:
        """Return the sum of (P / peak) ** exponent over all symbols, from the parent's sum: no full table is made."""
        if exponent == 1.0:
            return 1.0 / self.peak()
        known = self._masses.get(exponent)
        if known is None:
            peak = self.peak()
            known = sum((self.probability(symbol) / peak) ** exponent for symbol in self._counts)
            parent = self._parent
            if parent is not None:
                top = parent.peak()
                own = sum((parent.probability(symbol) / top) ** exponent for symbol in self._counts)
                known += (self.escape * top / peak) ** exponent * max(0.0, parent.mass(exponent) - own)
            self._masses[exponent] = known
            self._spend(_NAMED)  # with the list of sums that a draw adds
        return known

    def peak(self) -> float:
        """Return the probability of the likeliest symbol."""
        first = self.at(0)
        return first[0] if first else 1.0

    def _in_order(self) -> Iterator[tuple[float, str]]:
        """Merge own symbols and the parent's others, likeliest first; equals in the order of the symbols."""
        counts = self._counts
        sorted_own = sorted(((self.probability(s), s) for s in counts), key=lambda item: (-item[0], item[1]))
        own = iter([*sorted_own, (-1.0, "")])
        mine = next(own)
        rank = 0
        while self._parent is not None and (item := self._parent.at(rank)) is not None:
            rank += 1
            if item[1] in counts:
                continue
            theirs = (item[0] * self.escape, item[1])
            while mine[0] > theirs[0] or (mine[0] == theirs[0] and mine[1] < theirs[1]):
                yield mine
                mine = next(own)
            yield theirs
        while mine[1]:
            yield mine
            mine = next(own)

    def forget(self) -> None:
        """Drop the sums kept for each temperature asked for."""
        self._masses.clear()
        self._sums.clear()

    def symbols(self) -> Iterator[tuple[float, str]]:
        """List every symbol that has a probability, likeliest first."""
        rank = 0
        while (item := self.at(rank)) is not None:
            yield item
            rank += 1


class NGram:
    """Counts of every context in a training sequence, found through its suffix array.

    Args:
        source: The training sequence, sorted for contexts of `depth` symbols.
        depth: Longest context, in symbols.
        alpha: Scale of the escape mass.
        kind: Class of a symbol, for the distributions at the bottom.
        novel: Symbol that stands for everything not in the sequence.
        cached: Most table entries to keep.
    """

    def __init__(
        self,
        source: Sorted,
        *,
        depth: int,
        alpha: float,
        kind: Callable[[str], int],
        novel: str,
        cached: int = CACHED,
    ) -> None:
        self.lock = RLock()
        self._novel = novel
        self._places = Places(source)
        self._depth = depth
        self._alpha = alpha
        self._kind = kind
        self._nodes: dict[str, Node] = {}
        self._cached = cached
        self._spent = 0
        self._bottom = self._by_kind(source.text)
        self._unseen = Node({novel: 1}, 1.0, 0.0, None, self._spend)

    def node(self, context: str) -> Node:
        """Return the distribution after the longest known end of `context` (not empty).

        Call it, and use what it returns, while holding :attr:`lock`: nodes fill their tables as they are asked.
        """
        context = context[-self._depth :]
        if self._spent > self._cached:
            self._forget()
        known = self._nodes.get(context)
        if known is not None:
            return known
        node = self._bottom.get(self._kind(context[-1]), self._unseen)
        for length in range(1, len(context) + 1):
            part = context[-length:]
            found = self._nodes.get(part) or self._counted(part, node)
            if found is None:
                break
            node = self._nodes[part] = found
        self._nodes[context] = node
        self._spend(_NAMED)
        return node

    def _counted(self, context: str, parent: Node) -> Node | None:
        """Count what follows `context`; ``None`` where it does not occur."""
        counts = self._places.followers(context)
        if not counts:
            return None
        escape = self._alpha * len(counts)
        total = sum(counts.values()) + escape
        return Node(dict(counts), total, escape / total, parent, self._spend)

    def _by_kind(self, text: str) -> dict[int, Node]:
        """Count what follows each kind of symbol, with room for the novel one."""
        followers: dict[int, Counter[str]] = {}
        for (before, after), count in Counter(pairwise(text)).items():
            followers.setdefault(self._kind(before), Counter())[after] += count
        bottom = {}
        for kind, counts in followers.items():
            once = sum(1 for count in counts.values() if count == 1)
            counts[self._novel] = once + 1
            bottom[kind] = Node(dict(counts), float(counts.total()), 0.0, None, self._spend)
        return bottom

    def _spend(self, entries: int) -> None:
        self._spent += entries

    def _forget(self) -> None:
        """Drop every table that can be made again, the same to the last bit."""
        self._nodes.clear()
        for node in self._bottom.values():
            node.forget()
        self._spent = 0


def pick(node: Node, random: Random, exponent: float, top_p: float, *, never: str = "") -> str | None:
    """Draw a symbol other than `never`; ``None`` where there is no other.

    Args:
        exponent: 1 / temperature; infinite for greedy.
        top_p: Mass of the nucleus.
    """
    if exponent < inf:
        for _ in range(_REDRAWS):
            symbol = node.draw(random.random(), exponent, top_p)
            if symbol != never:
                return symbol
    return next((symbol for _, symbol in node.symbols() if symbol != never), None)
