"""The embedded model's front door: prompts and sampling in, completions and log-probabilities out.

This file decides how a :class:`~evoselfcode.records.Prompt` becomes a context and a draft a
:class:`~evoselfcode.records.Choice`, and that one process builds the model once. It refuses to know the wire.
"""

from __future__ import annotations

from functools import lru_cache, partial
from random import Random
from threading import Lock

from evoselfcode.local.corpus import read_corpus
from evoselfcode.local.language import END, SPELL, Language
from evoselfcode.local.lexer import Token, lex
from evoselfcode.local.sampler import Draft, Seam, fill, write
from evoselfcode.local.store import DEPTH, NOVEL, load_index
from evoselfcode.records import Choice, Completion, Fim, Prompt, Sampling, Usage

MODEL_ID = "evoselfcode-ngram"

_PROMPTS = 64  # a run asks the same prompt thousands of times; cutting it into tokens once is enough
_SUFFIXES = 8
_loading = Lock()
_loaded: list[EmbeddedModel] = []


class EmbeddedModel:
    """A small, honest language model of the installed standard library's functions.

    It may be used from several threads; the same seed gives the same text whatever else is asked at the same time.

    Args:
        language: The token model.
        digest: Identity of the corpus, for a run's manifest.
    """

    def __init__(self, language: Language, digest: str) -> None:
        self.digest = digest
        self._language = language
        self._read = lru_cache(maxsize=_PROMPTS)(self._read_text)
        self._seam = lru_cache(maxsize=_SUFFIXES)(partial(Seam, language))

    @classmethod
    def load(cls) -> EmbeddedModel:
        """Return the process's model; the first call builds it (seconds, once) or reads it from the cache.

        Raises:
            UsageError: The interpreter comes without the standard library's source files.
        """
        with _loading:
            if not _loaded:
                corpus = read_corpus()
                _loaded.append(cls(Language(load_index(corpus)), corpus.digest))
            return _loaded[0]

    def generate(self, prompt: Prompt, sampling: Sampling) -> Completion:
        """Draw ``sampling.n`` choices; choice *i* is drawn with the seed ``sampling.seed + i``.

        Log-probabilities are ln P of each token given all text before it, at temperature 1. In FIM they are those of
        the middle after the prefix: what the suffix adds to them is not a number per token.
        """
        drafts = self.drafts(prompt, sampling)
        shown = sampling.logprobs is not None
        choices = tuple(
            Choice(
                text=draft.text,
                finish_reason=draft.finish,
                tokens=tuple(draft.tokens) if shown else None,
                logprobs=tuple(draft.logprobs) if shown else None,
            )
            for draft in drafts
        )
        usage = Usage(self.count_prompt(prompt), sum(draft.drawn for draft in drafts))
        return Completion(choices, usage, MODEL_ID)

    def drafts(self, prompt: Prompt, sampling: Sampling) -> list[Draft]:
        """Draw the choices and keep what a reply with alternatives needs to know of each token."""
        before = prompt.prefix if isinstance(prompt, Fim) else prompt.prompt
        suffix = prompt.suffix if isinstance(prompt, Fim) else ""
        context = self._read(before)[0]
        return [
            fill(self._language, context, self._seam(suffix), sampling, random)
            if suffix
            else write(self._language, context, sampling, random)
            for random in _randoms(sampling)
        ]

    def count_prompt(self, prompt: Prompt) -> int:
        """Count the tokens of a prompt; a suffix counts."""
        if isinstance(prompt, Fim):
            return self._read(prompt.prefix)[1] + self._read(prompt.suffix)[1]
        return self._read(prompt.prompt)[1]

    def score(self, text: str) -> list[tuple[str, float]]:
        """Return every token of `text` with ln P(token | all before it); the first one has a probability too."""
        return [(token, logprob) for token, logprob, _ in self.charged(text)]

    def charged(self, text: str) -> list[tuple[str, float, str]]:
        """Return every token of `text` with its ln P and the model's context before it."""
        context = self._language.START
        charged = []
        for token in lex(text):
            charged.append((token[1], self._language.charge(context, token), context))
            context = (context + self._language.encode([token]))[-DEPTH:]
        return charged

    def next_distribution(self, context: str) -> dict[str, float]:
        """Return P of every token that may follow the text `context`, with
        :data:`~evoselfcode.local.language.SPELL` and :data:`~evoselfcode.local.language.END`; the sum is 1.
        """
        return self._language.likeliest(self._read(context)[0])

    def likeliest(self, context: str, count: int) -> dict[str, float]:
        """Return P of the `count` likeliest tokens after a context of :meth:`charged` or of a draft."""
        return self._language.likeliest(context, count)

    def tokenize(self, text: str) -> list[int]:
        """Return the number of every token of `text`; all unknown tokens of one kind share a number."""
        return [self._number(code) for code in self._language.encode(lex(text))]

    def number(self, context: str, token: str) -> int:
        """Return the number of one token after a context of :meth:`charged`, or of an event of :meth:`likeliest`."""
        events = {SPELL: NOVEL, END: self._language.START}
        return self._number(events.get(token) or self._language.encode(lex(token, self._language.kind(context))))

    def _number(self, symbols: str) -> int:
        return ord(symbols[0]) - ord(self._language.START)

    def _read_text(self, text: str) -> tuple[str, int]:
        """Return the context that `text` leaves behind, and its length in tokens."""
        tokens: list[Token] = lex(text)
        symbols = self._language.START + self._language.encode(tokens)
        return symbols[-DEPTH:], len(tokens)


def _randoms(sampling: Sampling) -> list[Random]:
    """Seed one source of randomness per choice, from text: ``Random(-1)`` and ``Random(1)`` are the same."""
    seed = sampling.seed
    return [Random(None if seed is None else f"{seed + i}") for i in range(sampling.n)]
