"""Likelihood: what the log-probabilities of a text's tokens say of it, in numbers that can be compared.

Log-probabilities are natural (nats). A number that cannot be known is ``None``: of no tokens, of tokens of which one
has no log-probability, or one that is not finite. It is never 0 and never raises.

This file decides the formulas. It refuses to know where a text begins and what it is scored for.
Sources: IFD, Li et al. (arXiv 2308.12032); coder–reviewer, Zhang et al. (arXiv 2211.16490).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

TAIL = 0.05
"""Share of a text's tokens that are no likelier than its tail."""


def total(logprobs: Sequence[float | None]) -> float | None:
    """Return the log-probability of a text: the sum over its tokens."""
    known = [value for value in logprobs if value is not None]
    return finite(math.fsum(known)) if known and len(known) == len(logprobs) else None


def mean(logprob: float | None, tokens: int) -> float | None:
    """Return the mean over `tokens` tokens whose log-probabilities add up to `logprob`."""
    return None if logprob is None or tokens < 1 else finite(logprob / tokens)


def perplexity(mean_logprob: float | None) -> float | None:
    """Return exp(-mean): between how many equally likely tokens the model chose at each step, as it were."""
    if mean_logprob is None or -mean_logprob > MOST_EXPONENT:
        return None
    return finite(math.exp(-mean_logprob))


MOST_EXPONENT = 700.0
"""Mean from which on a perplexity is no float."""


def bits(logprob: float | None) -> float | None:
    """Return how many bits a text takes that is written as short as the model can."""
    return None if logprob is None else finite(-logprob / math.log(2))


def bits_per_byte(logprob: float | None, size: int) -> float | None:
    """Return the bits for each of its `size` UTF-8 bytes: models that cut texts into other tokens can be compared."""
    whole = bits(logprob)
    return None if whole is None or size < 1 else whole / size


def tail(logprobs: Sequence[float]) -> float | None:
    """Return the 5th percentile by nearest rank: the least value that a twentieth of the tokens do not exceed.

    Of fewer than 21 tokens it is the least of all.
    """
    if not logprobs:
        return None
    return finite(sorted(logprobs)[math.ceil(TAIL * len(logprobs)) - 1])


def least(logprobs: Sequence[float]) -> float | None:
    """Return the log-probability of the unlikeliest token."""
    return finite(min(logprobs)) if logprobs else None


def ifd(mean_given: float | None, mean_alone: float | None) -> float | None:
    """Return the instruction-following difficulty: how much of a text's surprise is left when what it answers is known.

    From 1 on what stands before it is no help at all.

    Args:
        mean_given: Mean over the text's tokens, after what it answers.
        mean_alone: Mean over the same tokens, with nothing before.
    """
    if mean_given is None or mean_alone is None or mean_alone == 0:
        return None
    return finite(mean_given / mean_alone)


def pmi(logprob_given: float | None, logprob_without: float | None) -> float | None:
    """Return the pointwise mutual information of a text and what is given: by how much that makes it likelier."""
    if logprob_given is None or logprob_without is None:
        return None
    return finite(logprob_given - logprob_without)


def coder_reviewer(coder: float | None, reviewer: float | None) -> float | None:
    """Return the sum of log P(code | description) and log P(description | code)."""
    return None if coder is None or reviewer is None else finite(coder + reviewer)


def finite(value: float) -> float | None:
    """Return `value` if it is a number that JSON can hold."""
    return value if math.isfinite(value) else None
