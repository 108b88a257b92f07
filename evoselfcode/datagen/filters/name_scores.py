"""How good a function's name is: soft scores in [0, 1] and their weighted mean.

This file decides what each score rewards and what it weighs. It refuses to reject anything: a rule such as
"begins with a verb" would throw away ``quick_sort`` and ``dijkstra``. Whether a word is known is handed in, so that no
dictionary is needed here.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from evoselfcode.datagen.filters.name_words import (
    ALGORITHM_NOUNS,
    ARGUMENTLESS,
    ENTRY_VERBS,
    SURROUNDINGS,
    TECHNICAL,
    VERBS,
)

WEIGHTS: dict[str, float] = {
    "dictionary": 4.0,
    "words": 1.0,
    "shape": 1.0,
    "typicality": 1.0,
    "specificity": 1.0,
    "arguments": 4.0,
    "distance": 1.0,
}
"""What each score weighs in the mean. The order is that of the files."""

KNOWN_ZIPF = 2.5
"""A word is known from this Zipf frequency on: three uses in ten million words."""

MOST_BITS = 10.0
"""A name drawn once in 1,024 draws or less often is as specific as can be."""

TAIL = 0.1
"""Share of names at either end of the log-probabilities whose typicality falls."""

_TERMS = TECHNICAL | VERBS | ALGORITHM_NOUNS
_WORD = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+")
_LENGTHS = {0: 0.0, 1: 0.6, 6: 0.7, 7: 0.4}
"""Scores of word counts outside of 2 to 5; longer names get 0.2."""


def words_of(name: str) -> tuple[str, ...]:
    """Split a name at underscores and capitals, in lower case; digits stay at the word before them."""
    return tuple(word.lower() for word in _WORD.findall(name))


def dictionary(words: Sequence[str], known: Callable[[str], bool]) -> float:
    """Return the share of words that are known or technical; digits are ignored, and so are words of digits."""
    bare = [(word, word.rstrip("0123456789")) for word in words]
    told = [word in _TERMS or letters in _TERMS or known(letters) for word, letters in bare if letters]
    return sum(told) / len(told) if told else 0.0


def word_count(words: Sequence[str]) -> float:
    """Reward 2 to 5 words: one says little, six and more are a sentence."""
    return 1.0 if 2 <= len(words) <= 5 else _LENGTHS.get(len(words), 0.2)


def shape(words: Sequence[str]) -> float:
    """Reward a verb in front *or* the noun of an algorithm at the end."""
    return float(bool(words) and (words[0] in VERBS or words[-1] in ALGORITHM_NOUNS or words[-1] in TECHNICAL))


def arguments(words: Sequence[str]) -> float:
    """Return 0 for names of functions that take no argument, such as ``get_config`` or ``setup``, else 1.

    A function that takes nothing computes nothing; SelfCodeAlign's sanitiser drops such functions as "likely bad
    examples" (arXiv 2410.24198).
    """
    if not words:
        return 0.0
    begins = words[0] in ENTRY_VERBS or words[0] in ARGUMENTLESS or words[0] in SURROUNDINGS
    about_nothing = len(words) > 1 and begins and all(word in SURROUNDINGS for word in words[1:])
    return float(not (about_nothing or "".join(words) in ARGUMENTLESS))


def specificity(count: int, total: int) -> float:
    """Return the information of a name, -log2 of its share of the draws, on a scale that ends at :data:`MOST_BITS`.

    In a small run the scale ends where the run does: a name drawn once in it is specific, whatever its size.

    Args:
        count: Draws of the name.
        total: Draws of all names.
    """
    most = min(MOST_BITS, math.log2(total))
    return min(1.0, math.log2(total / count) / most) if most else 1.0


def typicality(values: Sequence[float | None]) -> list[float | None]:
    """Score log-probabilities by their rank among each other: 1 in the middle, falling to 0 in the tails.

    What the model finds most improbable is often a slip, what it finds most probable a commonplace. A value that is
    missing stays missing, and weighs nothing.

    Args:
        values: Log-probability of each name, in nats per byte.
    """
    known = sorted(value for value in values if value is not None)
    scores: list[float | None] = []
    for value in values:
        if value is None:
            scores.append(None)
            continue
        rank = (bisect_left(known, value) + bisect_right(known, value)) / (2 * len(known))
        scores.append(min(1.0, min(rank, 1 - rank) / TAIL))
    return scores


def mean(scores: Mapping[str, float | None]) -> float:
    """Return the mean of the scores that are there, weighted by :data:`WEIGHTS`, to four digits."""
    there = [(WEIGHTS[name], score) for name, score in scores.items() if score is not None]
    return round(math.fsum(w * s for w, s in there) / math.fsum(w for w, _ in there), 4)


class Crowd:
    """The words of the names selected so far, to see how alone the next one stands."""

    def __init__(self) -> None:
        self._all_but_one: Counter[tuple[str, ...]] = Counter()

    def distance(self, words: Sequence[str]) -> float:
        """Return 1 where no selected name has all words but one of this name's, and less the more there are.

        Of *w* words, *w* - 1 are then not new: the distance approaches 1/*w* as the names with them grow in number.
        """
        if len(words) < 2:
            return 1.0
        near = max(self._all_but_one[key] for key in _all_but_one(words))
        return 1 - (len(words) - 1) / len(words) * near / (near + 1)

    def add(self, words: Sequence[str]) -> None:
        """Count a name as selected."""
        self._all_but_one.update(_all_but_one(words))


def _all_but_one(words: Sequence[str]) -> set[tuple[str, ...]]:
    ordered = sorted(words)
    return {(*ordered[:i], *ordered[i + 1 :]) for i in range(len(ordered))}
