"""Build the index of the corpus, or read it back from the cache.

This file decides where the index lies on disk, when it is used and when it is made anew. It refuses to know what the
index is for. The cache is a convenience: a damaged file is rebuilt and a folder that cannot be written is no error.
It holds data only (MessagePack behind a checksum, never pickle): a foreign file is refused, and a forged one can make
the model say other things but cannot run anything.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from array import array
from pathlib import Path

import msgspec

from evoselfcode.local.corpus import Corpus
from evoselfcode.local.letters import letters_of
from evoselfcode.local.lexer import NAME_KINDS, Kind, Token, lex
from evoselfcode.local.suffix_array import Sorted

DEPTH = 8
"""Longest context of the token model, in tokens."""

BOUNDARY = chr(0x10000)
"""Symbol before and after every function. Symbols are code points above the BMP: a million, and no surrogates."""

NOVEL = chr(0x1001F)
"""Symbol of the event "a token that is not in the vocabulary"."""

_FORMAT = 1  # raise it when the lexer, the corpus rule or this layout changes
_FIRST = 0x10020
_SUM = 16  # bytes of checksum


class Index(msgspec.Struct, frozen=True, array_like=True):
    """The lexed corpus.

    Attributes:
        types: Every distinct token; type *i* is written as the symbol ``symbol(i)``.
        tokens: The corpus, one symbol per token, with :data:`BOUNDARY` between functions.
        name_words: The pieces of names, for their letters.
        code_words: All other tokens, for their letters.
    """

    types: list[Token]
    tokens: Sorted
    name_words: Sorted
    code_words: Sorted


def symbol(number: int) -> str:
    """Return the symbol of the type of this number."""
    return chr(_FIRST + number)


def unseen(kind: int) -> str:
    """Return the symbol that stands in a context for a token of this kind that is not in the vocabulary."""
    return chr(0x10000 + kind)


def build_index(functions: list[str]) -> Index:
    """Lex the functions and sort their contexts. About one second for the standard library."""
    numbers: dict[Token, int] = {}
    parts = [BOUNDARY]
    for function in functions:
        tokens = lex(function)
        if not any(_is_open(token) for token in tokens):
            parts += [symbol(numbers.setdefault(token, len(numbers))) for token in tokens]
            parts.append(BOUNDARY)
    return Index(
        types=list(numbers),
        tokens=Sorted.of("".join(parts), DEPTH),
        name_words=letters_of(text for kind, text in numbers if kind in NAME_KINDS - {Kind.DEF_SPACE}),
        code_words=letters_of({text for kind, text in numbers if kind not in NAME_KINDS}),
    )


def load_index(corpus: Corpus, folder: Path | None = None) -> Index:
    """Return the index of `corpus`, from `folder` (default: :func:`cache_folder`) if it is there and whole."""
    try:
        path = (folder or cache_folder()) / f"ngram-{_key(corpus)}.bin"
    except RuntimeError:
        return build_index(corpus.functions())
    index = _read(path)
    if index is None:
        index = build_index(corpus.functions())
        _write(path, msgspec.msgpack.encode(index))
    return index


def cache_folder() -> Path:
    """Return ``$EVOSELFCODE_CACHE``, else ``evoselfcode`` in ``$XDG_CACHE_HOME`` or ``~/.cache``.

    Raises:
        RuntimeError: None of them is set and the user has no home, as in containers that run under any user number.
    """
    own = os.environ.get("EVOSELFCODE_CACHE")
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")  # a relative one is to be ignored: XDG base directory specification
    return (Path(base) if base and Path(base).is_absolute() else Path("~/.cache").expanduser()) / "evoselfcode"


def _is_open(token: Token) -> bool:
    """Say whether a string lacks its end: the line rule that cut the function out cut through a string."""
    kind, text = token
    body = text.lstrip("rRbBuUfF")
    return kind == Kind.STRING and (len(body) < 2 or body[-1] != body[0])


def _key(corpus: Corpus) -> str:
    facts = (sys.version, sys.byteorder, array("I").itemsize, DEPTH, _FORMAT, corpus.digest)
    return hashlib.blake2b(repr(facts).encode(), digest_size=12).hexdigest()


def _read(path: Path) -> Index | None:
    """Read an index; ``None`` if there is none, or not a whole one."""
    try:
        data = path.read_bytes()
        if hashlib.blake2b(data[_SUM:], digest_size=_SUM).digest() != data[:_SUM]:
            return None
        return msgspec.msgpack.decode(data[_SUM:], type=Index)
    except (OSError, msgspec.MsgspecError):
        return None


def _write(path: Path, data: bytes) -> None:
    """Write whole or not at all: two processes may build at the same time, and the loser's work is the same."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.blake2b(data, digest_size=_SUM).digest() + data)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
