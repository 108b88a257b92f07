"""The scores of a function, from what its texts came to.

This file decides which score is made of which texts, and why one is unknown: a number is never made of nothing. The
formulas are :mod:`evoselfcode.stats.likelihood`; what they mean is in ``docs/explanation/scores.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from evoselfcode.datagen.filters.function_parts import BODY, DOCSTRING, SIGNATURE
from evoselfcode.datagen.scoring.spans import WHOLE
from evoselfcode.spans import Span
from evoselfcode.stats import likelihood

CHAIN = (SIGNATURE, DOCSTRING, BODY)
"""The parts of a function: the log-probability of each is that after all before it."""

Heard = Mapping[str, dict[str, Span] | str]
"""For each text of a function the numbers of its parts, or why there are none."""


class Unknown(Exception):
    """A number that cannot be known, and why in one word."""


def scores_of(heard: Heard) -> tuple[dict[str, float | None], dict[str, str]]:
    """Return the scores of a function, and for each that is unknown why."""
    scores: dict[str, float | None] = {}
    why: dict[str, str] = {}
    for name, score in SCORES.items():
        try:
            scores[name] = score(heard)
        except Unknown as unknown:
            scores[name], why[name] = None, str(unknown)
    return scores, why


def chain_of(heard: Heard) -> dict[str, float | None]:
    """Return the log-probability of each part of the function, given all before it."""
    code = heard.get("code", {})
    spans = {} if isinstance(code, str) else code
    return {part: spans[part].logprob if part in spans else None for part in CHAIN}


def _spans(heard: Heard, text: str) -> dict[str, Span]:
    found = heard.get(text, "not_asked")
    if isinstance(found, str):
        raise Unknown(found)
    return found


def _part(heard: Heard, text: str, part: str) -> Span:
    """Return the numbers of a part of a text."""
    spans = _spans(heard, text)
    if part not in spans:
        raise Unknown("no_tokens" if WHOLE in spans else "no_body" if SIGNATURE in spans else "no_function")
    return spans[part]


def _all(heard: Heard, text: str) -> Span:
    """Return the numbers of all parts of a text together."""
    spans = _spans(heard, text).values()
    parts = [span for span in spans if span.tokens or span.mean is not None]
    known = [span.logprob for span in parts if span.logprob is not None]
    logprob = likelihood.total(known) if len(known) == len(parts) else None
    mean = next((span.mean for span in parts), None)
    return Span(sum(span.tokens for span in parts), sum(span.bytes for span in parts), logprob, mean=mean)


def _known(value: float | None, why: str = "no_tokens") -> float:
    if value is None:
        raise Unknown(why)
    return value


def _logprob(heard: Heard, text: str) -> float:
    return _known(_all(heard, text).logprob)


def _perplexity(heard: Heard) -> float:
    span = _all(heard, "code")
    mean = likelihood.mean(span.logprob, span.tokens) if span.mean is None else span.mean
    return _known(likelihood.perplexity(_known(mean)), "undefined")


def _bits_per_byte(heard: Heard) -> float:
    span = _all(heard, "code")
    return _known(likelihood.bits_per_byte(span.logprob, span.bytes))


def _body_logprob(heard: Heard) -> float:
    span = _part(heard, "code", BODY)
    return _known(likelihood.mean(span.logprob, span.tokens))


def _docstring_pmi(heard: Heard) -> float:
    bare, body = _logprob(heard, "bare"), _part(heard, "code", BODY)
    return _known(likelihood.mean(likelihood.pmi(body.logprob, bare), body.tokens))


def _ifd(heard: Heard) -> float:
    """Leave the first token of the body out on both sides: alone, it is the first of the document."""
    body, alone = _part(heard, "code", BODY), _all(heard, "body")
    first = _known(body.first)
    given = likelihood.mean(_known(body.logprob) - first, body.tokens - 1)
    mean = likelihood.mean(alone.logprob, alone.tokens)
    return _known(likelihood.ifd(_known(given), _known(mean)), "undefined")


def _coder_reviewer(heard: Heard) -> float:
    reviewer = _logprob(heard, "description")
    return _known(likelihood.coder_reviewer(_part(heard, "code", BODY).logprob, reviewer))


def _name_recoverability(heard: Heard) -> float:
    return _known(likelihood.pmi(_logprob(heard, "name"), _logprob(heard, "plain_name")))


def _tokens(heard: Heard) -> float:
    return _known(_all(heard, "code").tokens or None)


SCORES: dict[str, Callable[[Heard], float]] = {
    "perplexity": _perplexity,
    "bits_per_byte": _bits_per_byte,
    "body_logprob": _body_logprob,
    "docstring_pmi": _docstring_pmi,
    "ifd": _ifd,
    "coder_reviewer": _coder_reviewer,
    "tail_logprob": lambda heard: _known(_part(heard, "code", BODY).tail),
    "least_logprob": lambda heard: _known(_part(heard, "code", BODY).least),
    "name_recoverability": _name_recoverability,
    "tokens": _tokens,
}
"""The scores, in the order in which they are shown."""


UNKNOWN: dict[str, str] = {
    "not_asked": "the text was not asked about: it is none of score.texts, the server cannot, or the run was stopped",
    "no_function": "Python cannot parse the code, or it has no function of the row's name at its top level",
    "no_docstring": "the function has no docstring",
    "no_body": "nothing follows the signature and the docstring",
    "no_description": "the row has no description",
    "tells_its_name": "the function's name occurs in it: it calls itself",
    "no_tokens": "no token begins in the part, one of its tokens has no number, or the server tells one mean alone",
    "undefined": "the formula has no finite value",
}
"""Why a score is unknown, besides the kinds of failures of its text."""


class ScoreRow(msgspec.Struct, frozen=True, kw_only=True):
    """A function and its scores, as ``scores.jsonl`` shows them.

    Attributes:
        id: What other files call the row.
        func_name: The function's name.
        source: The arm that drew it; ``None`` if none did.
        scores: The scores by name; ``None`` where one is unknown.
        unknown: Why, for each that is unknown.
        chain: Log-probability of the signature, of the docstring after it, and of the body after both, in nats.
        drawn_logprob: What its tokens' log-probabilities add up to that were drawn, for each byte of the code, in nats.
    """

    id: str
    func_name: str
    source: str | None
    scores: dict[str, float | None]
    unknown: dict[str, str]
    chain: dict[str, float | None]
    drawn_logprob: float | None
