"""The lexer: nothing is lost, nothing is scanned twice, names come in pieces, drawn texts are cut again the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.local.lexer import KINDS, Kind, lex

code = st.text("def xX_09\"'\\#\n\t ().:*é\u00b2\u0660", max_size=40) | st.text(max_size=40)


@given(code, st.sampled_from(sorted(KINDS.values())))
def test_the_tokens_of_any_text_are_the_text(text: str, after: int) -> None:
    """Sabotage: set ``position`` one further after each token."""
    assert "".join(part for _, part in lex(text, after)) == text
    assert all(part for _, part in lex(text, after))


@given(code)
def test_a_text_that_is_cut_at_a_token_boundary_goes_on_with_the_same_tokens(text: str) -> None:
    """What a prompt leaves behind and what follows it are the whole, unless a string or number is cut in two."""
    tokens = lex(text)
    for place in range(1, len(tokens)):
        kind = tokens[place - 1][0]
        head, tail = tokens[:place], tokens[place:]
        rest = "".join(part for _, part in tail)
        assert head + lex(rest, kind) == tokens


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("def binary_search(a):\n", ["def", " ", "binary", "_", "search", "(", "a", ")", ":", "\n"]),
        ("def __getHTTPReply2_():", ["def", " ", "__", "get", "HTTP", "Reply", "2", "_", "(", ")", ":"]),
        ("    return get_x", ["    ", "return", " ", "get_x"]),
        ('x = "a\\"b" # c\n', ["x", " ", "=", " ", '"a\\"b"', " ", "# c", "\n"]),
        ('rb"x"f(b)', ['rb"x"', "f", "(", "b", ")"]),
        ('"open\nnext', ['"open', "\n", "next"]),
        ('"""a\n"b"""c', ['"""a\n"b"""', "c"]),
        ("a**=b//c->d:=...", ["a", "**=", "b", "//", "c", "->", "d", ":=", "..."]),
    ],
)
def test_where_tokens_begin(text: str, parts: list[str]) -> None:
    assert [part for _, part in lex(text)] == parts


def test_the_guides_prompt_and_suffix_end_on_token_boundaries() -> None:
    """``"def "`` leaves the model inside a name; sabotage: join a word with the space before it."""
    assert lex("This is an algorithm function.\n\ndef ")[-1] == (Kind.DEF_SPACE, " ")
    assert [part for _, part in lex("():\n", Kind.LOWER)] == ["(", ")", ":", "\n"]
    assert lex("    x", Kind.NEWLINE)[0] == (Kind.INDENT, "    ")
    assert lex("x    y")[1] == (Kind.SPACE, "    ")


@pytest.mark.parametrize(
    "text", ['"' * 200_001, "'\\" * 100_000, "'''" + "\\'" * 100_000, "#" * 200_000, "_a" * 100_000]
)
def test_hostile_texts_are_cut_in_one_pass(text: str) -> None:
    """Unclosed strings and backslashes: quadratic scanning would take minutes here.

    Sabotage: repeat a repetition and require an end: ``'''(?:(?:[^'\\\\]|\\\\.)*)*'''``.
    """
    assert "".join(part for _, part in lex("def " + text)) == "def " + text
