"""Alternatives: what else a model held possible in the place of each token, in every shape that servers tell it in.

This file decides how those shapes are read. They are read apart from the reply and only where they were asked for: a
run that wants texts alone does not pay for them. A shape that is odd gives none, and loses no text.

- legacy: ``top_logprobs``, one object a token with the likeliest tokens as keys. vLLM puts the drawn token there too,
  so there may be one more than was asked for; a place without is ``null``.
- chat: ``content[].top_logprobs``, a list of objects with ``token`` and ``logprob``; llama.cpp answers so on
  ``/v1/completions`` too.
- native: ``completion_probabilities[].top_logprobs`` of llama.cpp, ``logprobs[].top_logprobs`` of Ollama, as in chat.
"""

from __future__ import annotations

import msgspec

from evoselfcode.wire.failures import UNREADABLE

Alternatives = tuple[dict[str, float], ...]


class _Ranked(msgspec.Struct):
    token: str = ""
    logprob: float | None = None


class _Place(msgspec.Struct):
    top_logprobs: list[_Ranked] | None = None


class _Told(msgspec.Struct):
    top_logprobs: list[dict[str, float | None] | None] | None = None
    content: list[_Place] | None = None


class _Infill(msgspec.Struct):
    index: int = 0
    completion_probabilities: list[_Place] | None = None


class _Ollama(msgspec.Struct):
    logprobs: list[_Place] | None = None


_told = msgspec.json.Decoder(_Told)
_infill = msgspec.json.Decoder(_Infill | list[_Infill])
_ollama = msgspec.json.Decoder(_Ollama)


def of_choice(raw: bytes | msgspec.Raw, tokens: int) -> Alternatives | None:
    """Read the ``logprobs`` of a choice, in the legacy shape or that of chat.

    Args:
        raw: The JSON of that field.
        tokens: How many tokens the choice has; another number of places is no alternatives.
    """
    try:
        told = _told.decode(raw)
    except UNREADABLE:  # absent, or of another shape
        return None
    if told.content:
        return _listed(told.content, tokens)
    return _made([_known(place or {}) for place in told.top_logprobs or ()], tokens)


def of_infill(body: bytes, tokens: list[int]) -> list[Alternatives | None]:
    """Read llama.cpp's native reply, result by result in the order of their index."""
    try:
        decoded = _infill.decode(body)
    except UNREADABLE:
        return [None] * len(tokens)
    results = sorted(decoded if isinstance(decoded, list) else [decoded], key=lambda result: result.index)
    if len(results) != len(tokens):
        return [None] * len(tokens)
    return [_listed(it.completion_probabilities or [], count) for it, count in zip(results, tokens, strict=True)]


def of_ollama(body: bytes, tokens: int) -> Alternatives | None:
    """Read Ollama's native reply."""
    try:
        return _listed(_ollama.decode(body).logprobs or [], tokens)
    except UNREADABLE:
        return None


def _listed(places: list[_Place], tokens: int) -> Alternatives | None:
    return _made([_known({it.token: it.logprob for it in place.top_logprobs or ()}) for place in places], tokens)


def _known(place: dict[str, float | None]) -> dict[str, float]:
    return {token: logprob for token, logprob in place.items() if logprob is not None}


def _made(places: list[dict[str, float]], tokens: int) -> Alternatives | None:
    return tuple(places) if places and len(places) == tokens else None
