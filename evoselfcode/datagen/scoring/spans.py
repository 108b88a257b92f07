"""Sum the numbers of a text's tokens up for each part of it.

This file decides to which part a token belongs: to the one in which it begins. The first token of a document has no
number, also where a server gives one: nothing stands before it, so the numbers of two models could not be compared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from evoselfcode.records import Choice
from evoselfcode.spans import Span
from evoselfcode.stats import likelihood

WHOLE = "whole"
"""The part of a text that has no parts."""


def spans_of(
    choice: Choice, bounds: Sequence[tuple[int, str]] = ((0, WHOLE),), *, begins: bool = True
) -> dict[str, Span]:
    """Return the numbers of each part of a text; parts of one name are one.

    Args:
        choice: The text in tokens, with their log-probabilities.
        bounds: Where each part begins, in characters, from 0 on, and its name.
        begins: Whether the document begins with the text.
    """
    if choice.tokens is None or choice.logprobs is None:
        return {WHOLE: Span(0, len(choice.text.encode("utf-8", "surrogatepass")), mean=choice.mean_logprob)}
    found = {name: _Part() for _, name in bounds}
    at = current = 0
    for number, (token, logprob) in enumerate(zip(choice.tokens, choice.logprobs, strict=True)):
        while token and current + 1 < len(bounds) and bounds[current + 1][0] <= at:
            current += 1  # an empty piece is of the character before it
        at += len(token)
        if number == 0 and (begins or logprob is None):
            continue  # the first of the document, or what begins before the text
        found[bounds[current][1]].add(token, logprob)
    return {name: part.span() for name, part in found.items()}


class _Part:
    """The tokens of a part."""

    def __init__(self) -> None:
        self._logprobs: list[float | None] = []
        self._bytes = 0

    def add(self, token: str, logprob: float | None) -> None:
        self._logprobs.append(logprob if logprob is not None and math.isfinite(logprob) else None)
        self._bytes += len(token.encode("utf-8", "surrogatepass"))

    def span(self) -> Span:
        known = [value for value in self._logprobs if value is not None]
        if not known or len(known) < len(self._logprobs):
            return Span(len(self._logprobs), self._bytes)
        return Span(
            len(known),
            self._bytes,
            likelihood.total(known),
            likelihood.tail(known),
            likelihood.least(known),
            known[0],
        )
