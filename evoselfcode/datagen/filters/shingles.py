"""What functions are compared by: the runs of five lexemes of a body, as numbers.

This file decides which parts of a function count when two are compared. It refuses to know what is compared with
what. Counted are the lexemes of the body: names, numbers, strings, operators. Not counted are layout, comments,
docstrings and the signature, which functions that were written for one name share in any case: of 10,229 programs of
one benchmark, 53 % are near duplicates by their whole text and 5 % by the lexemes of their bodies.

Lexemes are cut here and not by :mod:`tokenize`, which cuts an f-string into other pieces from Python 3.12 on, fails
on text that is no Python, and takes twice as long. This cut is the same under every Python and takes any text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

Shingles = npt.NDArray[np.uint64]
"""Distinct hashes in ascending order, never none."""

LENGTH = 5
"""Lexemes of one shingle, as in StarCoder2 (arXiv 2402.19173)."""

LONGEST = 100_000
"""Letters of a text that are looked at; a function worth keeping has a hundredth of that."""

_CACHED = 64
"""Letters of a lexeme whose hash is remembered: longer ones are rare, and many of them would fill the memory."""

_LETTER = r"A-Za-z_\u0080-\U0010ffff"  # all beyond ASCII: what Unicode calls a letter depends on the Python
_LEXEME = re.compile(
    rf"""
    (?:[ \t\f\v]|\\\n|\#[^\n]*+)*+
    (
        (?:[bBfFrRtTuU]{{1,2}})?(?:
            \"\"\"(?:[^"\\]|\\.|"(?!""))*+(?:\"\"\")?
          | '''(?:[^'\\]|\\.|'(?!''))*+(?:''')?
          | "(?:[^"\\\n]|\\.)*+"?
          | '(?:[^'\\\n]|\\.)*+'?
        )
      | [{_LETTER}][{_LETTER}0-9]*+
      | 0[xX][0-9A-Fa-f_]++|0[oObB][0-9_]++
      | (?:[0-9][0-9_]*+(?:\.[0-9_]*+)?|\.[0-9][0-9_]*+)(?:[eE][-+]?[0-9][0-9_]*+)?[jJ]?
      | (?:\*\*|//|<<|>>)=?|->|:=|[-+*/%@&|^=!<>]=|\.\.\.
      | .
      | \Z
    )
    """,
    re.VERBOSE | re.DOTALL,
)
"""Takes every letter of every text, each once: blanks and comments, then one lexeme, a line end or the end."""

_DEPTHS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}
_ENDS = frozenset({"\n", ";", ""})
_MARKS = frozenset({*_DEPTHS, *_ENDS, ":"})


def shingles(code: str) -> Shingles:
    """Return the hashes of all runs of five lexemes of a function's body; a body of fewer is one run.

    A run's hash is the sum of its lexemes' hashes (64 bits of BLAKE2b), each times the odd number of its place, modulo
    2⁶⁴: the multilinear family of Kaser and Lemire (arXiv 1202.4961), the same in every process and on every machine.

    Args:
        code: Any text; valid Python is not expected, and only the first :data:`LONGEST` letters are looked at.
    """
    hashes = np.fromiter(map(_hash, lexemes(code)), np.uint64)
    if len(hashes) < LENGTH:
        hashes = np.append(hashes, np.zeros(LENGTH - len(hashes), np.uint64))
    runs = len(hashes) - LENGTH + 1
    total = hashes[:runs] * _PLACES[0]
    for place in range(1, LENGTH):
        total += hashes[place : place + runs] * _PLACES[place]
    return np.unique(total)


def lexemes(code: str) -> list[str]:
    """Return the lexemes that count: without the first signature and without statements that are nothing but strings.

    Line ends, indentation and semicolons are no lexemes, nor is a comma before a closing bracket, which formatters put
    and take away.
    """
    counted: list[str] = []
    signature = False
    for statement in _statements(code[:LONGEST]):
        if not signature and statement and _heads(statement, "def") and statement[-1] == ":":
            signature = True
        elif not all(lexeme[-1] in "\"'" for lexeme in statement):
            counted += statement
    return counted


def _statements(code: str) -> Iterator[list[str]]:
    """Cut a text into its statements; the head of a function or class, to its colon, is a statement of its own."""
    statement: list[str] = []
    depth = 0
    for lexeme in _LEXEME.findall(code.replace("\r\n", "\n").replace("\r", "\n")):
        if lexeme not in _MARKS:
            statement.append(lexeme)
            continue
        depth = max(0, depth + _DEPTHS.get(lexeme, 0))
        ended = not depth and lexeme in _ENDS
        if lexeme not in _ENDS:
            if lexeme in ")]}" and statement[-1:] == [","]:
                statement.pop()
            statement.append(lexeme)
            ended = lexeme == ":" and not depth and (_heads(statement, "def") or _heads(statement, "class"))
        if ended:
            yield statement
            statement = []
    yield statement


def _heads(statement: list[str], keyword: str) -> bool:
    return statement[0] == keyword or statement[:2] == ["async", keyword]


def _hash(lexeme: str) -> int:
    return _cached_hash(lexeme) if len(lexeme) <= _CACHED else _new_hash(lexeme)


def _new_hash(lexeme: str) -> int:
    """Hash a lexeme; of ``'a'`` and ``"a"``, which formatters exchange, the second is meant."""
    if lexeme[-1] == "'" and lexeme.count("'") == 2 and not {'"', "\\"}.intersection(lexeme):
        lexeme = lexeme.replace("'", '"')
    return int.from_bytes(blake2b(lexeme.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


_cached_hash = lru_cache(maxsize=1 << 14)(_new_hash)
_PLACES = np.array([_new_hash(f"place {place}") | 1 for place in range(LENGTH)], np.uint64)
