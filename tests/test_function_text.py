"""Function text: where a function ends in what a model wrote, and whether it ended there or broke off."""

from __future__ import annotations

import ast
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.datagen.filters.function_text import MOST_TRIMMED, cut, trim

HEAD = 'def f(x):\n    """Say x."""\n'
WHOLE = HEAD + "    return x\n"


@pytest.mark.parametrize(
    "rest",
    [
        "\ndef g(x):\n    return 1\n",
        "\nclass A:\n",
        "\n@cache\ndef g():\n",
        "\nasync def g():\n",
        "# a comment",
        "\nif __name__ == '__main__':\n",
        "\nprint(f(1))\n",
        "\nassert f(1) == 1\n",
        "\nfor x in range(3):\n    f(x)\n",
        "\nimport os\n",
        "\n'''a string'''\n",
        "\n```\nThis function says x.\n",
        "\nThis function says x.\n",
        "\n\f\nx = 1\n",
        "\n\fx = 1\n",
        ")\n",
        "<|endoftext|>def g(x):\n",
        "    <|fim_pad|>\n    return 2",
    ],
)
def test_a_function_ends_where_the_next_top_level_statement_begins(rest: str) -> None:
    """Sabotage: look for ``\\ndef`` and ``\\nclass`` instead of any line at column 0, or do not cut at a leak."""
    assert cut(HEAD, "    return x\n" + rest, "length") == (WHOLE, True)


@pytest.mark.parametrize(
    "body",
    [
        '    return """\nprint(x)\n"""\n',
        "    return '''\ndef g(x):\n\"\"\"\n'''\n",
        "    return [\n1,\nx,\n]\n",
        "    return f(\nx\n)\n",
        "    return x + \\\n1\n",
        "    return 'a\\\nb'\n",
        "    # it's (x\n    return x  # (\n",
        "    return '(['  # \"\n",
        "    if x:\n\n\n        return 1\n\n    return 2\n",
        '    return f"{x!r:>{10}}"\n',
        "    return r'\\'\n    \n    return '\n",
        "    s = '\\\\'\n    return s + \"'\"\n",
    ],
)
def test_what_stands_in_strings_brackets_and_continued_lines_ends_nothing(body: str) -> None:
    """Sabotages: take ``top`` marks at any depth; take strings, comments or continued lines out of the marks."""
    assert cut(HEAD, body + "\n\nprint(f(1))\n", "stop") == (HEAD + body, True)


@pytest.mark.parametrize(
    ("head", "completion"),
    [
        ("def f(", "x):\n    return x\n"),
        ("def f", "(x):\n    return x\n"),
        ("def f(x", "\n):\n    return x\n"),
        ("def f(x, y=(1,\n2)", "\n) -> int:\n    return x\n"),
        ("def f(x):", " return x\n"),
        ("async def f(x):\n", "    return x\n"),
        ("@cache\ndef f(x):\n", "    return x\n"),
        ("def f(x):\n    ", "return x\n"),
        ("def f(x):\r\n", "    return x\r\n"),
        ("", "def f(x):\n    return x\n"),
        ("", "import math\nfrom re import sub\n\nLIMIT = 3\n\n\ndef f(x):\n    return x\n"),
        ("", "@cache\ndef f(x):\n    return x\n"),
    ],
)
def test_the_head_may_end_anywhere(head: str, completion: str) -> None:
    """Sabotage: scan the completion alone instead of head and completion together."""
    whole = (head + completion).replace("\r\n", "\n")
    ast.parse(whole)
    for rest in ("", "\n\ndef g():\n    pass\n", "\nf(1)"):
        assert cut(head, completion + rest, "stop") == (whole, True)


@pytest.mark.parametrize(
    "completion",
    [
        "```python\n{}```\nThis says x.",
        "Sure! Here it is:\n\n```python\n{}\n```\n\nand\n```\ndef g():\n    pass\n```",
        "Run it:\n```sh\nmake\n```\nThe function:\n```py\n{}",
        "This function says x.\n\n{}\nThat is all.",
        "\ufeff{}",
        "\n\n{}\n",
    ],
)
def test_without_a_head_prose_and_fences_around_the_function_are_left_out(completion: str) -> None:
    """Sabotage: keep the completion as it is where the head is empty."""
    assert cut("", completion.format(WHOLE), "stop") == (WHOLE, True)


def test_a_fence_within_the_function_is_the_functions() -> None:
    """Sabotage: look for fences wherever they stand."""
    code = 'def f(x):\n    """Say x.\n\n```\ndef g(x):\n    pass\n```\n    """\n    return x\n'
    assert cut("", code + "\nprint(f(1))\n", "stop") == (code, True)


def test_a_text_without_a_function_comes_back() -> None:
    assert cut("", "I cannot do that.", "stop") == ("I cannot do that.\n", True)
    assert cut("", "", "stop") == ("\n", True)
    assert cut(HEAD, "", "stop") == (HEAD, True)


@pytest.mark.parametrize(
    ("completion", "ending", "complete"),
    [
        ("    return x", "stop", True),
        ("    return x", None, True),
        ("    return x", "length", False),
        ("    return x\n\n", "length", False),
        ("    return x\n\nd", "length", True),
        ("    return '''\nd", "length", False),
        ("    return (x\ny", "length", False),
        ("    return (x\ndef g():\n", "length", True),
        ("    return x<|endoftext|>", "length", True),
    ],
)
def test_a_text_that_ended_by_length_is_complete_if_something_followed_the_function(
    completion: str, ending: str | None, complete: bool
) -> None:
    """Sabotage: call everything incomplete that ended by length."""
    assert cut(HEAD, completion, ending)[1] is complete


@given(st.text(alphabet="def fx():\n\t '\"\\#[]{}`@<|>\r\f\ufeffclass", max_size=200), st.booleans())
def test_no_text_is_too_strange_to_be_cut(text: str, headed: bool) -> None:
    head = HEAD if headed else ""
    code, complete = cut(head, text, "stop")
    assert complete
    assert code.endswith("\n")
    assert code == cut(head, code.removeprefix(head), "stop")[0] or not code.startswith(head)
    assert "\r" not in code


UNITS = ("(\na", "\na", "'", '"', '"""', "\\", "(", "\n", "    x = 1\n", "#", "```\n", "a", "'\\", "\r", " ", "\f\n")


@pytest.mark.parametrize("unit", UNITS)
def test_two_megabytes_are_cut_in_linear_time(unit: str) -> None:
    """Ten times the text takes not 100 times as long. Sabotage: look for a ``def`` in a slice of the text."""
    begin = time.perf_counter()
    for head in ("", HEAD):
        cut(head, unit * (2_000_000 // len(unit)), "length")
    assert time.perf_counter() - begin < 8


@pytest.mark.parametrize(
    ("code", "trimmed"),
    [
        ("def f(x):\n    y = x\n    return y +", "def f(x):\n    y = x\n"),
        ("def f(x):\n    y = x\n    return y", "def f(x):\n    y = x\n"),
        ("def f(x):\n    y = x\n    if y:\n        ret", "def f(x):\n    y = x\n"),
        ("def f(x):\n    y = x\n    z = [\n        1,\n        2,", "def f(x):\n    y = x\n"),
        ("def f(x):\n    y = x\n\n\n    '''never", "def f(x):\n    y = x\n"),
        ("def f(x):\n    retu", "def f(x):\n    retu"),
        ("x = 1\ny = 2\nz", "x = 1\ny = 2\nz"),
        ("def f(x):\n    y = x\n" + "    (\n" * 40, "def f(x):\n    y = x\n" + "    (\n" * 40),
        ("", ""),
    ],
)
def test_a_broken_off_function_is_trimmed_to_its_last_complete_statement(code: str, trimmed: str) -> None:
    """Sabotages: keep the last line where it parses; try without end; keep what defines no function."""
    assert trim(code) == trimmed


def test_trimming_is_bounded() -> None:
    """Sabotage: leave out the bound on letters."""
    code = "def f(x):\n" + "    x = 1\n" * (MOST_TRIMMED // 10) + "    retu"
    assert trim(code) == code
