"""Prompts of Stage B: what fills a template, and what of the prompt is the function's beginning."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.config.code_sections import ASSERTS_TEMPLATE, DESCRIBE_TEMPLATE, SKELETON_TEMPLATE
from evoselfcode.datagen.code.prompts import fill, sentence_of, skeleton_of, task_of
from evoselfcode.datagen.code.tasks import NamedRow

GUIDE = 'This is an algorithm function.\n\ndef {func_name}():\n    """\n    {description}\n    """\n'


def test_the_guides_template_is_sent_as_written() -> None:
    """Sabotage: strip the template, or leave a placeholder."""
    text = fill(GUIDE, NamedRow("quick_sort", "Sort numbers.").values())
    assert text == 'This is an algorithm function.\n\ndef quick_sort():\n    """\n    Sort numbers.\n    """\n'
    task = task_of(text, "quick_sort", "Sort numbers.", "")
    assert task.head == 'def quick_sort():\n    """\n    Sort numbers.\n    """\n'
    assert task.context == ""


def test_lines_of_a_description_stand_where_the_first_does() -> None:
    """Sabotage: leave ``margin`` out of ``fill``."""
    values = NamedRow("f", "One.\nTwo.").values()
    assert fill(GUIDE, values).endswith('    """\n    One.\n    Two.\n    """\n')
    assert fill("# {description}\ndef {func_name}(", values) == "# One.\n# Two.\ndef f("


def test_what_was_filled_in_is_not_filled_again() -> None:
    """Sabotage: replace one placeholder after the other."""
    assert fill("{description} {func_name}", NamedRow("f", "a {func_name} b").values()) == "a {func_name} b f"


@pytest.mark.parametrize(
    ("name", "said"),
    [("merge_sorted_lists", "Merge sorted lists."), ("isPrime", "Is prime."), ("_private", "Private."), ("a", "A.")],
)
def test_a_name_says_something_where_there_is_no_description(name: str, said: str) -> None:
    assert sentence_of(name) == said
    assert NamedRow(name).values()["description"] == said


@given(st.text(max_size=200))
def test_no_description_ends_the_docstring_that_it_is_put_into(text: str) -> None:
    """Sabotage: leave out one of the replacements in ``_within_docstring``."""
    code = skeleton_of("f", "(x)", f"Begin {text} end.") + "    return x\n"
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError):
        assert "\0" in text or any("\ud800" <= c <= "\udfff" for c in text) or text.count("\r")
        return
    (function,) = tree.body
    assert isinstance(function, ast.FunctionDef)
    assert (ast.get_docstring(function) or "").endswith("end.")


def test_the_head_is_the_last_of_that_name_at_the_margin() -> None:
    """Sabotage: find the first; take ``def f`` for the beginning of ``def first``; take an indented one."""
    text = "def f(a):\n    return 1\n\n\ndef first(b):\n    def f(c): pass\n\n\ndef f(d):\n"
    task = task_of(text, "f", "", "")
    assert task.head == "def f(d):\n"
    assert task.context == text.removesuffix("def f(d):\n")
    assert task_of("async def f(x):\n", "f", "", "").head == "async def f(x):\n"
    assert task_of("Write it:\n```python\n", "f", "", "").head == ""


def test_imports_of_a_prompt_in_prose_count() -> None:
    """Sabotage: drop what does not parse altogether."""
    task = task_of("This is prose.\nimport math\nfrom typing import List\n\ndef f(x):\n", "f", "", "")
    assert task.context == "import math\nfrom typing import List\n"


@pytest.mark.parametrize("template", [DESCRIBE_TEMPLATE, SKELETON_TEMPLATE, ASSERTS_TEMPLATE])
def test_the_built_in_prompts_take_a_row(template: str) -> None:
    text = fill(template, NamedRow("clamp", "Keep a number within limits.", "(x: int) -> int").values())
    assert "clamp" in text
    assert "{" not in text.replace("{}", "")


def test_the_functions_in_our_prompts_are_python() -> None:
    values = NamedRow("clamp", "Keep a number within limits.", "(x: int) -> int").values()
    assert ast.parse(fill(SKELETON_TEMPLATE, values) + "x):\n    pass\n")
    assert ast.parse(fill(ASSERTS_TEMPLATE, values) + "1) == 1\n")
