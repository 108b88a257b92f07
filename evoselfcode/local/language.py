"""The token model: what may come next, and how likely it is.

This file decides P(token | context) and joins the two models that make it: n-grams of known tokens, and letters for
all others. It refuses to know about prompts, stop strings and suffixes.

The order is 3 inside the name of a ``def``, so that pieces of known names combine to new ones, and 8 elsewhere, so that
code stays code; the escape mass is scaled by 1/4 in both (measured on the standard library: of the orders 2, 3 and 6,
order 3 gives the most new names that are still identifiers).
"""

from __future__ import annotations

import math
from random import Random
from typing import NamedTuple

from evoselfcode.local.letters import LetterModel
from evoselfcode.local.lexer import KINDS, NAME_KINDS, Token, lex
from evoselfcode.local.ngram import NGram, Node, pick
from evoselfcode.local.store import BOUNDARY, DEPTH, NOVEL, Index, symbol, unseen

SPELL = "<spell>"
"""How the event "a word outside the vocabulary, spelled letter by letter" is named in distributions."""

END = "<end>"
"""How the event "the text ends here" is named in distributions."""

_ALPHA = 0.25
_NAME_DEPTH = 3


class Drawn(NamedTuple):
    """One drawn token.

    Attributes:
        text: Its text; empty when the text ends.
        symbols: What to append to the context.
        logprob: ln P of the draw under the model itself: temperature 1, the whole vocabulary.
        end: Whether this is the end of the text.
    """

    text: str
    symbols: str
    logprob: float
    end: bool


class Language:
    """A language model over the tokens of :mod:`evoselfcode.local.lexer`.

    A *context* is a string of symbols that begins with :data:`START`; its last :data:`DEPTH` symbols suffice.

    Args:
        index: The lexed corpus.
    """

    START = BOUNDARY

    def __init__(self, index: Index) -> None:
        numbered = list(enumerate(index.types))
        self._symbols = {token: symbol(i) for i, token in numbered}
        self._texts = {symbol(i): text for i, (_, text) in numbered}
        self._kinds = {unseen(kind): kind for kind in KINDS.values()}
        self._kinds |= {symbol(i): kind for i, (kind, _) in numbered}
        self._model = NGram(index.tokens, depth=DEPTH, alpha=_ALPHA, kind=self._kinds.__getitem__, novel=NOVEL)
        self._name_letters = LetterModel(index.name_words)
        self._code_letters = LetterModel(index.code_words)

    def kind(self, context: str) -> int:
        """Return the kind of the last token of `context`, which a lexer needs to go on."""
        return self._kinds[context[-1]]

    def encode(self, tokens: list[Token]) -> str:
        """Write tokens as symbols."""
        return "".join(self._symbols.get(token) or unseen(token[0]) for token in tokens)

    def charge(self, context: str, token: Token) -> float:
        """Return ln P(token | context); a token that cannot be drawn whole pays for every letter."""
        known = self._symbols.get(token)
        with self._model.lock:
            node = self._node(context)
            probability = node.probability(known) if known else 0.0
            if probability > 0:
                return math.log(probability)
            escape = math.log(node.probability(NOVEL))
        return escape + self._letters(context).logprob(token[1])

    def draw(self, context: str, random: Random, exponent: float, top_p: float) -> Drawn:
        """Draw the next token.

        Args:
            exponent: 1 / temperature; infinite for greedy.
            top_p: Mass of the nucleus in (0, 1].
        """
        with self._model.lock:
            node = self._node(context)
            drawn = pick(node, random, exponent, top_p) or BOUNDARY
            logprob = math.log(node.probability(drawn))
        if drawn == BOUNDARY:
            return Drawn("", "", logprob, end=True)
        if drawn != NOVEL:
            return Drawn(self._texts[drawn], drawn, logprob, end=False)
        letters = self._letters(context)
        word = letters.spell(random, exponent, top_p)
        symbols = self.encode(lex(word, self.kind(context)))
        return Drawn(word, symbols, logprob + letters.logprob(word), end=False)

    def likeliest(self, context: str, count: int | None = None) -> dict[str, float]:
        """Return P of the `count` likeliest next tokens (default: of all), with :data:`SPELL` and :data:`END`."""
        special = {NOVEL: SPELL, BOUNDARY: END}
        shown: dict[str, float] = {}
        with self._model.lock:
            for p, drawn in self._node(context).symbols():
                if count is not None and len(shown) >= count:
                    break
                text = special.get(drawn) or self._texts[drawn]
                shown[text] = shown.get(text, 0.0) + p
        return shown

    def _node(self, context: str) -> Node:
        return self._model.node(context[-_NAME_DEPTH:] if self.kind(context) in NAME_KINDS else context[-DEPTH:])

    def _letters(self, context: str) -> LetterModel:
        return self._name_letters if self.kind(context) in NAME_KINDS else self._code_letters
