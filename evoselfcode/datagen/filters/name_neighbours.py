"""Names that are nearly the same: which better name makes another one superfluous.

This file decides when two names are near duplicates. It refuses to know what better means: names are handed in from
the best on, and those that are kept are said to be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from evoselfcode.datagen.filters.name_scores import words_of
from evoselfcode.datagen.filters.name_words import DIRECTIONS, FILLERS

NEAR = 92
"""Names are near duplicates from this similarity of their sorted words on (100: equal)."""

START = 3
"""Letters in which two words must begin alike to be forms of one word."""

Find = Callable[[str, list[str]], int | None]
"""Returns which of some texts is most similar to a text, the first of several, or ``None`` below :data:`NEAR`."""


def compared(name: str) -> str:
    """Return what names are compared by: their words in order of the alphabet, without numbers and fillers.

    So ``sort_list``, ``list_sort`` and ``sort_list_algorithm_2`` are one. Where a word gives the others a direction,
    their order stays: ``roman_to_int`` is not ``int_to_roman``.
    """
    words = list(words_of(name))
    telling = [word for word in words if not word.isdigit()] or words
    while len(telling) > 1 and telling[-1] in FILLERS and telling[-2] not in DIRECTIONS:
        telling.pop()
    return " ".join(telling if DIRECTIONS.intersection(telling[1:-1]) else sorted(telling))


def starts(text: str) -> tuple[str, ...]:
    """Return how the words of a text begin; of texts that say the same, this is the same.

    ``longest_increasing_path`` and ``longest_decreasing_path`` are 92 % the same letters and two different functions:
    words in which two names differ must begin alike, as ``path`` and ``paths`` do. A word more makes another name,
    since it may be ``not``.
    """
    return tuple(sorted(word[:START] for word in text.split()))


class Neighbours:
    """The names that were kept, to find those that the next name nearly repeats.

    Only names whose words begin alike are compared, so that a hundred thousand names take seconds.

    Args:
        find: Finds the most similar of some texts: :func:`similar`.
    """

    def __init__(self, find: Find) -> None:
        self._find = find
        self._texts: dict[tuple[str, ...], list[str]] = defaultdict(list)
        self._names: dict[tuple[str, ...], list[str]] = defaultdict(list)

    def near(self, name: str) -> str | None:
        """Return the kept name that `name` nearly repeats: the most similar one, of several the first kept."""
        text = compared(name)
        key = starts(text)
        found = self._find(text, self._texts[key]) if key in self._texts else None
        return None if found is None else self._names[key][found]

    def keep(self, name: str) -> None:
        """Count a name as kept."""
        text = compared(name)
        key = starts(text)
        self._texts[key].append(text)
        self._names[key].append(name)


def similar() -> Find:
    """Return what finds the most similar text, by ``fuzz.ratio`` of rapidfuzz.

    The similarity is 100 (1 - d / n), with the letters n of both texts together and the d that must be deleted or
    inserted to make one of the other.

    Raises:
        ImportError: rapidfuzz is not installed.
    """
    from rapidfuzz import fuzz, process

    def find(text: str, texts: list[str]) -> int | None:
        best = process.extractOne(text, texts, scorer=fuzz.ratio, score_cutoff=NEAR)
        return None if best is None else int(best[2])

    return find
