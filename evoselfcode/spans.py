"""What is kept of the tokens of a part of a text that was scored: a few numbers, not one for each token."""

from __future__ import annotations

import msgspec


class Span(msgspec.Struct, frozen=True, omit_defaults=True):
    """The tokens that begin in one part of a text. Log-probabilities are natural, in nats.

    Attributes:
        tokens: How many there are, without the first of a document; 0 too where the server tells no tokens.
        bytes: UTF-8 bytes of these tokens.
        logprob: Sum of their log-probabilities; ``None`` if there are no tokens, or one of them has none.
        tail: Their 5th percentile.
        least: The least of them.
        first: The first of them.
        mean: Their mean, where the server tells no tokens but this.
    """

    tokens: int
    bytes: int
    logprob: float | None = None
    tail: float | None = None
    least: float | None = None
    first: float | None = None
    mean: float | None = None
