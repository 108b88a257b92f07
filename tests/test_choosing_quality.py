"""Static quality: known answers on HumanEval's solutions, definitions that hold, and text that ends no run."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys

import pytest
from code_corpus import solutions
from crews import children
from hypothesis import given
from hypothesis import strategies as st
from kept_rows import kept

from evoselfcode.datagen.choosing import gauging
from evoselfcode.datagen.choosing.gauging import Gauge, Measuring, tools
from evoselfcode.datagen.choosing.measuring import Measured, Text, completeness, measure
from evoselfcode.datagen.choosing.quality import CLASSES, COMPLEXITY, SIZE, class_of, lint_score, quality_of, trapezoid
from evoselfcode.datagen.filters.gates import RUFF_SCORE

PRIMES = """def f(n):
    s = 0
    for i in range(n):
        for j in range(2, i):
            if i % j == 0 and i:
                break
        else:
            s += i
    return s
"""

GOOGLE = "Args:\n    a: One.\n    b: Other.\n\nReturns:\n    Both."
NUMPY = "Parameters\n----------\na : int\n    One.\nb : int\n    Other.\n\nReturns\n-------\nint\n    Both."


def measured(code: str) -> Measured:
    return measure(Text("f", code))


def docstring(text: str, head: str = "def f(a, b):", body: str = "return a + b") -> float:
    indented = "\n    ".join(text.splitlines())
    function = ast.parse(f'{head}\n    """{indented}\n    """\n    {body}\n').body[0]
    assert isinstance(function, ast.FunctionDef)
    return completeness(function)


async def test_the_references_of_humaneval_have_the_figures_that_the_bands_are_from() -> None:
    """By radon 19 of 164 have complexity 1, the most is 15 and the mean 3.62 (functions within others aside).

    Sabotage: count by ruff's C901, or hand lizard the text as it is written.
    """
    rows = [kept(func_name=one.source.func_name, code=one.source.code) for one in solutions()]
    async with Gauge() as gauge:
        found = await gauge.qualities(rows)
    complexity = [one.complexity for one in found if one.complexity is not None]
    assert (len(complexity), complexity.count(1), max(complexity)) == (164, 18, 15)
    assert statistics.mean(complexity) == pytest.approx(3.77, abs=0.005)
    cognitive = [one.cognitive for one in found if one.cognitive is not None]
    assert (len(cognitive), cognitive.count(0), max(cognitive)) == (164, 21, 26)
    statements = sorted(one.statements for one in found if one.statements is not None)
    assert [statements[0], statistics.median(statements), statements[158], statements[-1]] == [2, 6, 16, 29]
    assert sum(one.size == 1 for one in found) == 159
    assert sum(one.band == 1 for one in found) == 146
    assert sum(one.lint == 1 for one in found) == 152
    assert children() == set()


def test_a_loop_in_a_loop_by_each_library() -> None:
    """Sabotage: give the numbers of one library to the other."""
    assert measured(PRIMES) == Measured(statements=8, complexity=5, cognitive=7, docstring=0.0)


@pytest.mark.parametrize(
    ("code", "complexity"),
    [
        ("def f(x): return x if x else 2\n", 2),
        ("async def f(x):\n    # if x:\n    return x\n", 1),
        ('def f(x):\n    """if x and y"""\n    return x\n', 1),
        ("def f(x):\n    def g(y):\n        return y or 1\n    return g(x) and x\n", 3),
        ("import math\ndef f(x):\n    return [y for y in x if y]\n", 3),
        ("x = 1\n", None),
    ],
)
def test_complexity_does_not_depend_on_layout(code: str, complexity: int | None) -> None:
    """Sabotage: hand lizard the text as it is written: it passes over a function on one line."""
    assert measured(code).complexity == complexity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", 0.0),
        ("Add two numbers.", 1 / 4),
        ("Add two numbers.\n\n>>> f(1, 2)\n3", 2 / 4),
        (f"Add two numbers.\n\n{GOOGLE}\n\nExample:\n    >>> f(1, 2)\n    3", 1.0),
        ("Add two numbers.\n\nArgs:\n    a: One.\n\nReturns:\n    Both.", 2.5 / 4),
        (f"Add.\n\n{NUMPY}", 3 / 4),
        ("Add.\n\n:param a: One.\n:param int b: Other.\n:returns: Both.", 3 / 4),
        (":param a: One.", 0.5 / 4),
        ("Add.\n\nArgs:\n    a: One.\n    c: Not there.", 1.5 / 4),
    ],
)  # fmt: skip
def test_a_docstring_is_as_complete_as_its_parts(text: str, value: float) -> None:
    """Sabotage: read one style only, count parameters that the function has not, or give a part another weight."""
    assert docstring(text) == pytest.approx(value)


def test_parts_that_do_not_apply_are_not_asked_for() -> None:
    """Sabotage: always count the result, or the parameters."""
    assert docstring("Do.\n\n>>> f()", "def f():", "pass") == 1.0
    assert docstring("Do.", "def f():", "return 1") == pytest.approx(1 / 3)
    assert docstring("Do.", "def f():", "def g():\n        return 1") == pytest.approx(1 / 2)
    assert docstring("Go.\n\nYields:\n    One by one.", "def f():", "yield 1") == pytest.approx(2 / 3)
    assert docstring("Go.\n\nArgs:\n    *a: All.\n    k: One.", "def f(self, *a, k):", "pass") == pytest.approx(2 / 3)


PIECES = (
    *("Args:", "    a: One.", "    a (int, optional): One.", "Returns:", ":param a:", ":param a b c d: x", ":raises"),
    *("a :", "Parameters", "----------", "Yields", "------", "@param a: x", "@", ":", ">>> f()", "", "    ", "Text."),
)


@given(st.text(max_size=99) | st.lists(st.sampled_from(PIECES), max_size=9).map("\n".join))
def test_any_docstring_is_read(text: str) -> None:
    """Sabotage: look at ``parsed.params[0]``."""
    function = ast.parse("def f(a):\n    ''\n    return a").body[0]
    assert isinstance(function, ast.FunctionDef)
    function.body[0] = ast.Expr(ast.Constant(text))
    assert 0 <= completeness(function) <= 1


def test_every_rule_that_lowers_the_score_has_a_class() -> None:
    """Sabotage: add a rule to ``RUFF_SCORE`` alone."""
    assert {*RUFF_SCORE.split(",")} == {*CLASSES} - {"E999"}
    assert class_of("B006") == "warning"
    assert class_of("PLE0101") == "error"
    assert class_of("PLW0603") == "warning"
    assert class_of("E501") is None


def test_lint_is_pylints_score() -> None:
    """10 - 10 * (5 * E + W + R + C) / statements. Sabotage: let errors cost one, or count each rule once."""
    assert lint_score(["F841", "F841", "E711", "RET503"], 8) == 0.5
    assert lint_score(["PLE0101"], 10) == 0.5
    assert lint_score(["PLE0101", "F401"], 5) == 0.0
    assert lint_score(["E501", "I001"], 5) == 1.0
    assert lint_score(["F401"], 0) == 0.0


@pytest.mark.parametrize(
    ("count", "size", "band"), [(1, 0.5, 0.5), (2, 1, 1), (15, 1, 1), (16, 1, 0.9333), (24, 0.5, 0.4), (40, 0, 0)]
)
def test_a_band_has_slopes(count: int, size: float, band: float) -> None:
    """Sabotage: make the less the better."""
    assert (trapezoid(count, SIZE), trapezoid(count, COMPLEXITY)) == (size, band)


def test_what_is_not_known_is_none() -> None:
    """Sabotage: count a missing number as 0."""
    found = quality_of(["F401"], Measured(), 0.25)
    assert (found.lint, found.docstring, found.size, found.band, found.typing) == (None, None, None, None, 0.25)
    assert measured("def f(:\n") == Measured()


async def test_each_finding_costs_and_each_function_has_its_own() -> None:
    """Sabotage: take ruff's rules as a set, or mix up the functions."""
    twice = "def f(a):\n    import os\n    import re\n    b = a == None\n    return a\n"
    fine = "def f(a):\n    return a\n"
    async with Gauge() as gauge:
        found = await gauge.qualities([kept(code=fine), kept(code=twice), kept(code=fine)])
    assert [one.lint for one in found] == [1.0, 0.2, 1.0]  # F401 twice, F841, E711 against five statements


async def test_a_function_that_a_process_dies_of_has_no_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotage: let the time that a function takes be any, or ask for all functions again for ever."""
    slow = "def f(x):\n" + "    x = x if x else [y for y in x if y and x or y]\n" * 20_000 + "    return x\n"
    measuring = Measuring(size=1)
    try:
        found = await measuring.look_at([Text("f", PRIMES), Text("f", slow), Text("f", PRIMES)])
    finally:
        await measuring.aclose()
    assert [one.statements for one in found] == [8, None, 8]
    assert children() == set()


async def test_half_of_a_surrogate_pair_is_measured() -> None:
    """Sabotage: encode texts as they are."""
    measuring = Measuring(size=1)
    try:
        found = await measuring.look_at([Text("f", "def f(x):\n    return '\ud800'\n")])
    finally:
        await measuring.aclose()
    assert found[0].statements == 2


@pytest.mark.parametrize(
    ("module", "told"), [("ruff", "ruff"), ("lizard", "lizard"), ("docstring_parser", "docstring-parser")]
)
def test_a_library_that_is_not_installed_is_one_message(module: str, told: str) -> None:
    """Sabotage: ask for nothing before the first functions are measured."""
    code = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from evoselfcode.datagen.choosing.gauging import require_libraries\n"
        "from evoselfcode.errors import UsageError\n"
        "try: require_libraries()\n"
        "except UsageError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f'choose-code needs {told}\nhint: pip install "evoselfcode[choose]"\n'


def test_the_tools_are_named_with_their_versions() -> None:
    """Sabotage: leave a library out of ``TOOLS``."""
    assert {name.split()[0] for name in tools().values()} == {"ruff", "lizard", "complexipy", "docstring-parser"}
    assert gauging.TOOLS.keys() == {"lint", "complexity", "cognitive", "docstring"}
