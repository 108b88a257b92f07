"""How servers show one token: as text, as bytes, as the vocabulary writes it, or not at all.

This file decides which bytes a token may stand for. It refuses to know where in a text it stands: that is
:mod:`evoselfcode.wire.alignment`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import msgspec

REPLACEMENT = "\ufffd"
"""What a decoder shows for bytes that are no whole character: a token may be a piece of one."""

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_ESCAPED = re.compile(r"bytes:((?:\\x[0-9a-fA-F]{2})+)")
_WORD_BEHIND_SPACE = re.compile(r" \S")


class Spelling(msgspec.Struct, frozen=True):
    """One way of showing tokens, which a server uses for all of them.

    Attributes:
        name: What it is called.
        read: Gives the bytes that a token may stand for.
        padded: Whether a token at the start of the text, or behind a special token, may show a space that is not there
            (SentencePiece puts one before the text).
        fits: Says whether these tokens can be of this kind at all.
    """

    name: str
    read: Callable[[str], tuple[bytes, ...]]
    padded: bool = False
    fits: Callable[[Iterable[str]], bool] = lambda _: True


def _plain(token: str) -> tuple[bytes, ...]:
    return (token.encode("utf-8", "replace"),)


def _pieces_of_characters(token: str) -> tuple[bytes, ...]:
    """SGLang shows them in Latin-1, OpenAI's older models as ``bytes:\\xe2\\x82``."""
    escaped = _ESCAPED.fullmatch(token)
    if escaped:
        return (bytes.fromhex(escaped[1].replace("\\x", "")),)
    latin = token and all("\x80" <= letter <= "\xff" for letter in token)
    return (*_plain(token), *((token.encode("latin-1"),) if latin else ()))


def _sentencepiece(token: str) -> tuple[bytes, ...]:
    byte = _BYTE.fullmatch(token)
    return (bytes([int(byte[1], 16)]),) if byte else _plain(token.replace("▁", " "))


def _stripped(token: str) -> tuple[bytes, ...]:
    """SentencePiece's decoder takes the first space off whatever it is given, here each token by itself."""
    return (*_plain(token), b" " + _plain(token)[0])


def _strips(tokens: Iterable[str]) -> bool:
    return not any(_WORD_BEHIND_SPACE.match(token) for token in tokens)


def _letters_of_bytes() -> dict[str, int]:
    """Return the letters that byte-level vocabularies (GPT-2's) write for the 256 bytes: ``Ġ`` is a space."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {chr(256 + i): byte for i, byte in enumerate(hidden)}


_LETTERS = _letters_of_bytes()


def _byte_level(token: str) -> tuple[bytes, ...]:
    if all(letter in _LETTERS for letter in token):
        return (bytes(_LETTERS[letter] for letter in token),)
    return _plain(token)  # a special token stands in the vocabulary as it is


SPELLINGS = (
    Spelling("text", _plain),
    Spelling("text, and pieces of characters as bytes", _pieces_of_characters),
    Spelling("SentencePiece", _sentencepiece, padded=True),
    Spelling("text without its leading space", _stripped, fits=_strips),
    Spelling("byte-level", _byte_level),
)
"""In the order in which they are tried. The first that covers the whole text is the server's: what the plain one
covers to the last byte is no coincidence."""
