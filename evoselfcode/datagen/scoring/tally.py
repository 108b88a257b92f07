"""What the texts of many functions came to, kept small until each is asked for in the order of the file.

This file decides what is remembered of an answer. What scores it makes is :mod:`.numbers`.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import msgspec

from evoselfcode.datagen.filters.function_parts import BODY
from evoselfcode.datagen.scoring.functions import Function
from evoselfcode.datagen.scoring.numbers import ScoreRow, chain_of, scores_of
from evoselfcode.datagen.scoring.texts import TEXTS, text_of
from evoselfcode.spans import Span
from evoselfcode.storage import Entry

_Number = float | None
_Numbers = tuple[str, int, int, _Number, _Number, _Number, _Number, _Number]
"""A part's name and its span, field by field."""

_Answer = tuple[int, str | None, tuple[_Numbers, ...]]
"""Which text, why it has no numbers, and the numbers of its parts."""


class Tally:
    """Remembers what was answered about each function: some 400 bytes for one with six texts."""

    def __init__(self) -> None:
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(tuple[_Answer, ...]).decode
        self._rows: dict[bytes, bytes] = {}
        self._names: dict[str, bytes] = {}

    def add(self, entry: Entry) -> None:
        """Take a request that is settled."""
        if entry.row is not None:
            identity = _identity(entry.row)
            known = self._decode(self._rows[identity]) if identity in self._rows else ()
            self._rows[identity] = self._encode((*known, _answer(entry)))
        elif entry.task is not None:
            self._names[entry.task.func_name] = self._encode((_answer(entry),))

    def row(self, function: Function, description_prompt: str) -> ScoreRow:
        """Return the scores of a function."""
        heard = dict(self._heard(function.asked_as, function.func_name))
        for text in TEXTS:
            if text not in heard:
                given = text_of(text, function, description_prompt)
                heard[text] = given if isinstance(given, str) else "not_asked"
        scores, why = scores_of(heard)
        size = len(function.code.encode("utf-8", "surrogatepass"))
        return ScoreRow(
            id=function.row,
            func_name=function.func_name,
            source=function.source,
            scores=scores,
            unknown=why,
            chain=chain_of(heard),
            drawn_logprob=None if function.logprob is None else function.logprob / size,
        )

    def _heard(self, row: str, func_name: str) -> Iterator[tuple[str, dict[str, Span] | str]]:
        for encoded in (self._rows.get(_identity(row)), self._names.get(func_name)):
            for text, why, parts in self._decode(encoded) if encoded else ():
                spans = {name: Span(tokens, size, *numbers) for name, tokens, size, *numbers in parts}
                yield TEXTS[text], spans if why is None else why


def _answer(entry: Entry) -> _Answer:
    text = TEXTS.index(entry.arm)
    if entry.failure is not None:
        return text, entry.failure.kind, ()
    spans = (entry.draws[0].parts or {}) if entry.draws else {}
    return text, None if spans else "no_tokens", tuple(_small(name, span) for name, span in spans.items())


def _small(name: str, span: Span) -> _Numbers:
    """Leave out what no score is made of: of other parts than the body, single tokens."""
    if name == BODY:
        return name, span.tokens, span.bytes, span.logprob, span.tail, span.least, span.first, span.mean
    return name, span.tokens, span.bytes, span.logprob, None, None, None, span.mean


def _identity(row: str) -> bytes:
    return blake2b(row.encode(), digest_size=16).digest()
