"""Shingles: what of a function counts when two are compared, and that any text has them."""

from __future__ import annotations

import io
import re
import time
import tokenize

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from real_programs import programs

from evoselfcode.datagen.filters.near_duplicates import signer
from evoselfcode.datagen.filters.shingles import _LEXEME, LONGEST, lexemes, shingles

PLAIN = "def area(width, height):\n    total = width * height\n    return [total, 'a', 2.5e-3]\n"


@pytest.mark.parametrize(
    "same",
    [
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("    ", "\t"),
        PLAIN.replace("    total", '    """Multiply."""\n\n    # or so\n    total'),
        PLAIN.replace("    total", '    \'Multiply.\' """ Again. """\n    total'),
        PLAIN.replace("\n    return", "; return"),
        PLAIN.replace("\n    total", " total").replace("\n    return", "; return"),
        PLAIN.replace("\n    total", " 'Multiply.'; total").replace("\n    return", "; return"),
        PLAIN.replace("width * height", "width \\\n        * height  # area"),
        PLAIN.replace("[total, 'a', 2.5e-3]", '[\n        total,\n        "a",\n        2.5e-3,\n    ]'),
        PLAIN.replace("(width, height)", "(\n    width: float, height: float = (0, {}),\n) -> list[float | str]"),
        PLAIN.replace("def area", "async def surface"),
    ],
)
def test_layout_comments_docstrings_and_the_signature_do_not_count(same: str) -> None:
    """Sabotage: take ``";"`` out of _ENDS, or count the first signature, or any other line of lexemes()."""
    assert same != PLAIN
    assert lexemes(same)[:3] == ["total", "=", "width"]
    assert shingles(same).tolist() == shingles(PLAIN).tolist()


@pytest.mark.parametrize(
    "other",
    [
        PLAIN.replace("*", "+"),
        PLAIN.replace("2.5e-3", "2.5e-4"),
        PLAIN.replace("'a'", "'b'"),
        PLAIN.replace("width * height", "height * width"),
        PLAIN.replace("total", "product"),
    ],
)
def test_what_is_computed_counts(other: str) -> None:
    """Sabotage: hash ``lexeme[:1]``."""
    assert shingles(other).tolist() != shingles(PLAIN).tolist()


def test_the_signature_of_an_inner_function_counts() -> None:
    """Sabotage: leave out ``not signature``."""
    code = "def f(x):\n    def g(y):\n        return x + y\n    return g\n"
    assert lexemes(code)[:6] == ["def", "g", "(", "y", ")", ":"]
    assert lexemes("def f():\n    class A:\n        'Doc.'\n        x = 1\n") == ["class", "A", ":", "x", "=", "1"]


def test_a_short_body_is_one_shingle() -> None:
    """Sabotage: leave out the padding."""
    bodies = ["", "return x", "return y", "return x + y", "x y z return", "pass", "'doc'"]
    found = [shingles(f"def f(x):\n    {body}\n") for body in bodies]
    assert [len(one) for one in found] == [1] * len(bodies)
    assert len({int(one[0]) for one in found}) == len(bodies) - 1
    assert len(shingles("def f(x):\n    return x + y + z\n")) == 2


SHINGLES = [1051619038701959556, 2293198792719341902]
BANDS = [980701796, 1494887041, 2223467686]


def test_hashes_are_those_of_every_machine_and_version() -> None:
    """What is pinned here decides which pairs are found. Sabotage: ``seed=2`` in signer(), or another digest."""
    found = shingles(PLAIN)
    assert found.dtype == np.uint64
    assert found.tolist()[:2] == SHINGLES
    assert signer()(found).tolist()[:3] == BANDS


def test_lexemes_are_the_tokens_of_python() -> None:
    """Against :mod:`tokenize` on real programs without f-strings. Sabotage: take ``//`` out of the operators."""
    layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    compared = 0
    for code in programs()[::3]:
        try:
            told = list(tokenize.generate_tokens(io.StringIO(code).readline))
        except (tokenize.TokenError, SyntaxError):
            continue
        if re.search(r"\r|\b[rR]?[fF][rR]?[\"']", code) or any(one.type == tokenize.ERRORTOKEN for one in told):
            continue
        ours = [lexeme for lexeme in _LEXEME.findall(code) if lexeme.strip()]
        assert ours == [one.string for one in told if one.type not in layout]
        compared += 1
    assert compared > 1000


CODE = st.text(alphabet="def f(x):\n\t'\"\\#;,[]{}0.e-=*/<>!\r\x00é")
BYTES = st.binary().map(lambda data: data.decode("utf-8", "surrogateescape"))


@given(st.text() | CODE | BYTES)
def test_any_text_has_shingles(text: str) -> None:
    """Sabotage: encode lexemes without ``surrogatepass``."""
    found = shingles(text).tolist()
    assert 1 <= len(found) <= max(1, len(text))
    assert found == sorted(set(found)) == shingles(text).tolist()


HOSTILE = [*" ()#.:;", "\0", "é", "\ud800", "\\", "\\\n", "1e", "0x", "[,", "x" * 50, "'''", '"', '"\\\n', "f'"]
HOSTILE += ["def ", "def f(", "def f():", "class A:", "\n'x'"]


@pytest.mark.parametrize("piece", HOSTILE)
def test_the_time_of_a_hostile_text_is_bounded(piece: str) -> None:
    r"""Sabotage: leave ``\Z`` out of _LEXEME: the blanks to the end are then looked through from each of them."""
    text = piece * (LONGEST // len(piece))
    start = time.process_time()
    assert len(shingles(text)) >= 1
    assert time.process_time() - start < 1


def test_of_a_huge_text_the_beginning_is_looked_at() -> None:
    """Sabotage: leave out ``[:LONGEST]``."""
    huge = " ".join(f"x{number}" for number in range(LONGEST))
    assert shingles(huge).tolist() == shingles(huge[:LONGEST]).tolist() != shingles(huge[: LONGEST // 2]).tolist()
