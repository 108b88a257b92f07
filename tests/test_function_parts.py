"""The parts of a function: they are its text, and each is what its name says."""

from __future__ import annotations

import ast
from itertools import pairwise

import pytest
from code_corpus import drawn
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.datagen.filters.function_parts import Parts, split

CASES = {
    "plain": ("def ", "add", "(a, b):\n", "", "    return a + b\n"),
    "docstring": ("def ", "add", "(a, b):\n", '    """Add."""\n', "    return a + b\n"),
    "long docstring": ("def ", "add", "(a,\n  b: dict = {1: 2}) -> 'a:b':  # a: b\n",
                       '    r"""Ädd\n\n  x: y\n    """  # so\n',
                       "\n    # then\n    return a + b\n"),
    "one line": ("def ", "add", "(a, b):", "", " return a + b\n"),
    "one line with docstring": ("def ", "add", "(a):", " 'x';", " return a\n"),
    "before and behind": ("import re\n\n\n@cache\nasync def ", "add", "(\n    a,  # : no\n):\n", "    'ü'\n",
                          "    return a\n\n\nX = 1\n"),
    "lambda": ("def ", "add", "(a=lambda x: x, *, b=(1), **c):\n", "", "    # why\n    return a\n"),
    "nested": ("def ", "add", "():\n", "", "    @cache\n    def inner():\n        return 1\n    return inner\n"),
    "other letters": ("def ", "größe", "(ä='ß:') -> 'ß':\n", "    'ß'\n", "    return ä\n"),
    "line ends": ("def ", "add", "(a):\r\n", "    'x'\r\n", "    return a\r\n"),
    "old line ends": ("def ", "add", "(a):\r", "    'x'\r", "    return a\r"),
    "continued": ("def \\\n ", "add", " \\\n (a) \\\n :\n", "", "    return a"),
    "form feed": ("def ", "add", "(a):\f\n", "", "    x = '\f\x0b\x1c\u2028'\n    return x\n"),
}  # fmt: skip


def whole(code: str, func_name: str = "f") -> Parts | None:
    parts = split(code, func_name)
    return parts if parts is not None and parts.has_body and parts.name is not None else None


def cut(code: str, parts: Parts) -> tuple[str, ...]:
    assert parts.name is not None
    places = [0, parts.name, parts.name_end, parts.docstring, parts.body, len(code)]
    return tuple(code[a:b] for a, b in pairwise(places))


@pytest.mark.parametrize("case", CASES)
def test_each_part_is_where_it_is(case: str) -> None:
    """Sabotage: count columns in characters; take the first colon behind the name; or let a comment's colon count."""
    code = "".join(CASES[case])
    parts = whole(code, CASES[case][1])
    assert parts is not None
    assert cut(code, parts) == CASES[case]


def test_the_body_ends_with_its_last_statement() -> None:
    """Sabotage: take the end of the text."""
    code = "def f(a):\n    return [\n        a]  # so\n\n\nX = 1\n"
    parts = whole(code)
    assert parts is not None
    assert code[parts.body : parts.body_end] == "    return [\n        a]"


@pytest.mark.parametrize(
    "code",
    ["", "x = 1\n", "def f(:\n", "def f():\n    'only'\n", "class A:\n    def f(self): return 1\n",
     "def f():\0 return 1", "def f(): return '\ud800'\n", "def f(x):\n    return " + "-" * 100_000 + "x\n"],
)  # fmt: skip
def test_what_has_no_parts_has_none(code: str) -> None:
    """Sabotage: let an exception of Python's parser through."""
    assert whole(code) is None


def test_the_function_that_is_meant_is_taken() -> None:
    """Sabotage: take the first function whatever it is called."""
    code = "def inner(x):\n    return x\n\n\ndef outer(x):\n    return inner(x)\n"
    parts = whole(code, "outer")
    assert parts is not None
    assert code[parts.name : parts.name_end] == "outer"
    assert code[parts.body :] == "    return inner(x)\n"
    assert whole(code, "other") is None


def test_real_functions_come_apart_into_a_head_that_wants_a_body() -> None:
    """Sabotage: let the body begin behind its first line, or leave a comment of the head to the body."""
    cut_apart = 0
    for code, name in [(one.ours.code, one.ours.func_name) for one in drawn()[::7]]:
        parts = whole(code, name)
        if parts is None or parts.name is None:
            continue
        cut_apart += 1
        assert 0 < parts.name < parts.name_end < parts.docstring <= parts.body < parts.body_end <= len(code)
        head = code[: parts.body].rstrip()
        line = code[: parts.body].endswith("\n")
        ast.parse(head + ("\n    pass\n" if line else " pass\n"))
    assert cut_apart > 100


@given(st.text(alphabet="def f(x):\n\"'#,\\ \treturnäß\u2028\r1", max_size=60))
def test_any_text_has_parts_or_none(code: str) -> None:
    """Sabotage: index the lines as :meth:`str.splitlines` cuts them."""
    for text in (code, "def f(x):" + code, "def f(x):\n  'd'" + code):
        parts = whole(text)
        if parts is not None:
            assert 0 < parts.name < parts.name_end <= parts.docstring <= parts.body < parts.body_end <= len(text)
