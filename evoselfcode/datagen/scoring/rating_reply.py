r"""The reply of a rater: which rating it gives in each dimension, and how probable each of the five was.

This file decides what of a text is a rating. One line a dimension, exactly one, a whole number from 1 to 5: anything
else is no rating, and none is made up for it. Where the server tells what else was held possible in the digit's place,
the rating is the mean of the five weighed by their probabilities: Liu et al. (2023), "G-Eval", arXiv 2303.16634.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import accumulate

import msgspec

from evoselfcode.datagen.scoring.rating_anchors import DIMENSIONS
from evoselfcode.records import Choice

THOUGHTS = ("<think>", "</think>")
"""What stands around the thoughts of a model, where its server leaves them in the reply. Many templates have the first
in the prompt, so that only the second is written."""

DIGITS = "12345"


class Rated(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a reply says in one dimension.

    Attributes:
        given: The digit that is written.
        probabilities: Of the ratings 1 to 5 in its place; they add up to 1. ``None`` where nothing is known of them.
        outside: Probability of what is no rating, before those of the ratings were made to add up to 1.
    """

    given: int
    probabilities: tuple[float, ...] | None = None
    outside: float | None = None

    @property
    def value(self) -> float:
        """The rating: the mean of the five weighed by their probabilities, else the digit."""
        if self.probabilities is None:
            return float(self.given)
        # They are rounded, so that they add up to 1 nearly, and the mean must not leave its range for it.
        return sum(rating * p for rating, p in enumerate(self.probabilities, 1)) / sum(self.probabilities)


Reply = dict[str, Rated]
"""By dimension; one that cannot be read is missing."""


def read_reply(choice: Choice, stops: Sequence[str] = ()) -> Reply:
    """Read a reply. Never raises, whatever the text.

    Args:
        choice: The reply.
        stops: What ends it, for servers that do not look for it.
    """
    begin, found = _behind_thoughts(choice.text), {}
    text = choice.text[begin:]
    for stop in stops:
        text = text.partition(stop)[0]
    for dimension in DIMENSIONS:
        place = _digit(text, dimension)
        if place is not None:
            found[dimension] = _weighed(choice, begin + place)
    return found


def _behind_thoughts(text: str) -> int:
    """Return where a reply begins behind what the model thought; at its end if that was not finished."""
    opened, closed = THOUGHTS
    end = text.rfind(closed)
    if end >= 0:
        return end + len(closed)
    return len(text) if text.lstrip().startswith(opened) else 0


@cache
def _line(dimension: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?im)^[ \t>*_`#-]*+{dimension}[*_`]*+[ \t]*+[:=][ \t*_`]*+"
        r"(?:([1-5])[*_`]*+[ \t]*+(?:/[ \t]*+5|out of 5)?[^0-9\n]*+$)?"
    )


def _digit(text: str, dimension: str) -> int | None:
    """Return where the rating of a dimension is written; ``None`` unless exactly one line is about it and has one."""
    lines = list(_line(dimension).finditer(text))
    if len(lines) != 1 or lines[0][1] is None:
        return None
    return lines[0].start(1)


def _weighed(choice: Choice, place: int) -> Rated:
    given = int(choice.text[place])
    told = _at(choice, place)
    if told is None:
        return Rated(given)
    before, after, others = told
    masses = [0.0] * 5
    outside = 0.0
    for token, logprob in others.items():
        mass = math.exp(min(0.0, logprob))
        digit = _between(token, before, after)
        if digit is None:
            outside += mass
        else:
            masses[digit - 1] += mass
    total = sum(masses)
    if not total > 0.0:
        return Rated(given)
    # What is not among the alternatives is no rating that is known of, so it lies outside too.
    outside = max(outside, 1.0 - total, 0.0)
    return Rated(given, tuple(round(mass / total, 4) for mass in masses), round(min(1.0, outside), 4))


def _at(choice: Choice, place: int) -> tuple[str, str, Mapping[str, float]] | None:
    """Find the token that holds the digit.

    Returns:
        What stands before and behind the digit within the token, and the alternatives in its place, itself included;
        ``None`` where the tokens are not the text, or nothing is known of them.
    """
    tokens, logprobs, alternatives = choice.tokens, choice.logprobs, choice.alternatives
    if not (tokens and logprobs and alternatives and len(tokens) == len(alternatives) == len(logprobs)):
        return None
    number = _holding(tokens, place)
    if number is None or not choice.text.startswith("".join(tokens[: number + 1])):
        return None
    token, logprob = tokens[number], logprobs[number]
    at = place - sum(map(len, tokens[:number]))
    others = dict(alternatives[number])
    if logprob is not None:
        others[token] = logprob
    return token[:at], token[at + 1 :], others


def _holding(tokens: Sequence[str], place: int) -> int | None:
    ends = accumulate(map(len, tokens))
    return next((number for number, end in enumerate(ends) if place < end), None)


def _between(token: str, before: str, after: str) -> int | None:
    """Return the rating that a token would be in the digit's place; a space before it says nothing."""
    inner = token.strip(" ")
    head, tail = before.lstrip(" "), after.rstrip(" ")
    if inner.startswith(head) and inner.endswith(tail) and len(inner) == len(head) + 1 + len(tail):
        digit = inner[len(head)]
        return int(digit) if digit in DIGITS else None
    return None
