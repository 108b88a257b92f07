"""Spell words that the token model has never seen.

This file decides what an unseen word costs, letter by letter, and how a new one is made up. It refuses to know where
in a text the word stands.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from random import Random

from evoselfcode.local.ngram import NGram, pick
from evoselfcode.local.suffix_array import Sorted

_EDGE = "\0"
_NOVEL = "\1"
_FOREIGN = "\ufffe"  # no character, so in no source file
_DEPTH = 4
_ALPHA = 0.5
_LONGEST = 48  # letters: longer tokens are docstrings; their letters would drown the words'
_CUT = 64  # letters of a made-up word, where the draw finds no end by itself
_ANY = -math.log(0x110000)  # a letter never seen: any code point, all alike


def letters_of(words: Iterable[str]) -> Sorted:
    """Write distinct words one after the other and sort the positions, ready for a :class:`LetterModel`."""
    clean = (word for word in words if len(word) <= _LONGEST and not {_EDGE, _NOVEL} & set(word))
    return Sorted.of(_EDGE + "".join(word + _EDGE for word in sorted(clean)), _DEPTH)


class LetterModel:
    """P(letters of a word, end of word), normalised at every letter.

    Args:
        words: What :func:`letters_of` made of the words to learn from.
    """

    def __init__(self, words: Sorted) -> None:
        self._model = NGram(words, depth=_DEPTH, alpha=_ALPHA, kind=_is_edge, novel=_NOVEL)

    def logprob(self, word: str) -> float:
        """Return ln P of the letters of `word` (not empty) and of its end."""
        with self._model.lock:
            total, context = 0.0, _EDGE
            for letter in word:
                total += self._charge(context, letter)
                context = (context + _within(letter))[-_DEPTH:]
            return total + self._charge(context, _EDGE, end=True)

    def distribution(self, begun: str) -> dict[str, float]:
        """Return P(next letter | `begun`); ``""`` is the end, ``"\\1"`` all letters never seen together."""
        with self._model.lock:
            node = self._model.node((_EDGE + _within(begun))[-_DEPTH:])
            return {"" if letter == _EDGE else letter: p for p, letter in node.symbols()}

    def spell(self, random: Random, exponent: float, top_p: float) -> str:
        """Make up a word of seen letters; ``exponent = inf`` takes the likeliest letter each time."""
        word = ""
        with self._model.lock:
            while len(word) < _CUT:
                node = self._model.node((_EDGE + word)[-_DEPTH:])
                letter = pick(node, random, exponent, top_p, never=_NOVEL)
                if letter is None or letter == _EDGE:
                    break
                word += letter
        return word

    def _charge(self, context: str, letter: str, *, end: bool = False) -> float:
        node = self._model.node(context)
        known = 0.0 if letter in (_EDGE, _NOVEL) and not end else node.probability(letter)
        return math.log(known) if known > 0 else math.log(node.probability(_NOVEL)) + _ANY


def _within(letters: str) -> str:
    """Write letters of a word as a context: those that stand for its edges, or for all unseen, as one never seen."""
    return letters.translate({ord(_EDGE): _FOREIGN, ord(_NOVEL): _FOREIGN})


def _is_edge(letter: str) -> int:
    return int(letter == _EDGE)
