"""Write texts: to the right of a prompt, or between a prefix and a suffix.

This file decides how a choice is drawn and where it ends. It refuses to know how likely a token is and what a request
looks like on the wire.
"""

from __future__ import annotations

import math
from random import Random

import msgspec

from evoselfcode.local.language import Language
from evoselfcode.local.lexer import Token, lex
from evoselfcode.local.store import DEPTH
from evoselfcode.records import Sampling

_PARTICLES = 24
_HEAD_CHARS = 200
_HEAD_TOKENS = 12  # tokens of the suffix that the middle is fitted to
_SEAMS = 20_000  # contexts remembered for one suffix, about 300 bytes each


class Draft(msgspec.Struct, frozen=True):
    """One drawn text with everything that is known of it.

    Attributes:
        text: The text, without its stop string.
        tokens: Its tokens; the last one is whole where a stop string cut through it.
        logprobs: ln P of each token given all before it, at temperature 1 and without the nucleus.
        contexts: The model's context before each token, and after the last.
        drawn: Tokens drawn, the one that ended the text included.
        finish: Why it ended.
        stop: The stop string that ended it.
    """

    text: str
    tokens: list[str]
    logprobs: list[float]
    contexts: list[str]
    drawn: int
    finish: str
    stop: str | None = None


def write(language: Language, context: str, sampling: Sampling, random: Random) -> Draft:
    """Draw tokens after `context` until a stop string, the end of the text or the limit."""
    exponent = 1 / sampling.temperature if sampling.temperature > 0 else math.inf
    draft = Draft("", [], [], [context], 0, "length")
    text = ""
    for number in range(1, sampling.max_new_tokens + 1):
        drawn = language.draw(context, random, exponent, sampling.top_p)
        if drawn.end:
            return msgspec.structs.replace(draft, text=text, drawn=number, finish="stop")
        cut = _find_stop(text + drawn.text, len(text), sampling.stop)
        if cut != len(text):
            context = (context + drawn.symbols)[-DEPTH:]
            draft.tokens.append(drawn.text)
            draft.logprobs.append(drawn.logprob)
            draft.contexts.append(context)
        text += drawn.text
        if cut >= 0:
            stop = next(stop for stop in sampling.stop if text.startswith(stop, cut))
            return msgspec.structs.replace(_cut(draft, cut), text=text[:cut], drawn=number, finish="stop", stop=stop)
    return msgspec.structs.replace(draft, text=text, drawn=sampling.max_new_tokens)


def fill(language: Language, context: str, seam: Seam, sampling: Sampling, random: Random) -> Draft:
    """Draw a middle from P(middle | prefix, suffix), by sampling importance resampling (Rubin 1987).

    Bayes: P(middle | prefix, suffix) is proportional to P(middle | prefix) * P(suffix | prefix, middle). Texts are
    drawn from the first factor; every token boundary of every text is a place to end, weighted by the second
    factor, sharpened by the temperature as the draws are. At temperature 0 the texts come from a fixed seed,
    and the likeliest middle among them is taken.
    """
    greedy = sampling.temperature <= 0
    if greedy:
        random, sampling = Random("greedy"), msgspec.structs.replace(sampling, temperature=1.0, top_p=1.0)
    ends = [
        (seam.logprob(draft.contexts[length]), draft, length)
        for draft in (write(language, context, sampling, random) for _ in range(_PARTICLES))
        for length in range(_whole_tokens(draft) + 1)
    ]
    best = max(logprob for logprob, _, _ in ends)
    if greedy:
        _, draft, length = max(ends, key=lambda end: end[0] + sum(end[1].logprobs[: end[2]]))
    else:
        weights = [math.exp((logprob - best) / sampling.temperature) for logprob, _, _ in ends]
        _, draft, length = random.choices(ends, weights)[0]
    return _ended(draft, length, sampling.max_new_tokens)


class Seam:
    """How well one suffix follows a context; the same contexts come back in request after request.

    Args:
        language: The token model.
        suffix: The suffix; its first tokens decide.
    """

    def __init__(self, language: Language, suffix: str) -> None:
        self._language = language
        self._head = suffix[:_HEAD_CHARS]
        self._cut: dict[int, list[Token]] = {}
        self._known: dict[str, float] = {}

    def logprob(self, context: str) -> float:
        """Return ln P(first tokens of the suffix | context)."""
        known = self._known.get(context)
        if known is None:
            if len(self._known) >= _SEAMS:
                self._known.clear()
            known = self._known[context] = self._charged(context)
        return known

    def _charged(self, context: str) -> float:
        kind = self._language.kind(context)
        if kind not in self._cut:
            self._cut[kind] = lex(self._head, kind)[:_HEAD_TOKENS]
        total = 0.0
        for token in self._cut[kind]:
            total += self._language.charge(context, token)
            context = (context + self._language.encode([token]))[-DEPTH:]
        return total


def _find_stop(text: str, begin: int, stops: tuple[str, ...]) -> int:
    """Return where the first stop string begins that ends after `begin`, or -1."""
    found = [text.find(stop, max(0, begin - len(stop) + 1)) for stop in stops]
    return min((place for place in found if place >= 0), default=-1)


def _cut(draft: Draft, length: int) -> Draft:
    """Drop the tokens that begin at or after `length` characters."""
    kept, chars = 0, 0
    while kept < len(draft.tokens) and chars < length:
        chars += len(draft.tokens[kept])
        kept += 1
    return _head(draft, kept)


def _head(draft: Draft, count: int) -> Draft:
    return msgspec.structs.replace(
        draft,
        tokens=draft.tokens[:count],
        logprobs=draft.logprobs[:count],
        contexts=draft.contexts[: count + 1],
    )


def _whole_tokens(draft: Draft) -> int:
    """Count the tokens that no stop string cut through."""
    whole = sum(map(len, draft.tokens)) <= len(draft.text)
    return len(draft.tokens) if whole else len(draft.tokens) - 1


def _ended(draft: Draft, length: int, limit: int) -> Draft:
    """End a draft after `length` tokens, where the suffix takes over."""
    head = _head(draft, length)
    full = draft.finish == "length" and length == len(draft.tokens)
    return msgspec.structs.replace(
        head,
        text="".join(head.tokens),
        drawn=min(length + 1, limit),
        finish="length" if full else "stop",
        stop=None,
    )
