"""One bug in a function, and all else of its text as it was."""

from __future__ import annotations

import ast
import difflib
from collections import Counter
from random import Random

import pytest

from evoselfcode.datagen.sandbox.mutants import Mutant, one_bug

CODE = '''\
import math


def f(a: int, b: int = 2) -> int:
    """Return \u00e9 3."""
    # keep me
    x = (a  <  b)   # compare
    y = a - b * 2 + math.floor(
        a / 3)
    if not x:
        y += 1
    return y if x else int(f"{a+1}")


LIMIT = 9
'''


def changed(code: str, mutant: Mutant | None) -> list[tuple[str, str]]:
    assert mutant is not None
    lines = list(difflib.ndiff(code.splitlines(), mutant.program.splitlines()))
    return list(zip((it for it in lines if it[0] == "-"), (it for it in lines if it[0] == "+"), strict=False))


def test_one_place_changes_and_the_rest_is_as_it_was() -> None:
    """Sabotage: write it with ``ast.unparse``; count columns in characters, not bytes; change a default."""
    operators: Counter[str] = Counter()
    for seed in range(60):
        mutant = one_bug(CODE, "f", Random(seed))
        assert mutant is not None
        operators[mutant.operator] += 1
        assert "# keep me" in mutant.program
        assert "b: int = 2" in mutant.program
        assert "LIMIT = 9" in mutant.program
        assert '"""Return \u00e9 3."""' in mutant.program
        assert 1 <= len(changed(CODE, mutant)) <= 2
        assert ast.dump(ast.parse(mutant.program)) != ast.dump(ast.parse(CODE))
    assert operators.keys() == {"comparison", "arithmetic", "constant"}
    assert one_bug(CODE, "f", Random(3)) == one_bug(CODE, "f", Random(3))


@pytest.mark.parametrize(
    ("body", "after"),
    [
        ("return x - y * z", {"return x - (y + z)", "return x + y * z"}),
        ("return (x\n        * y) - z", {"return x * y + z", "return (x + y) - z"}),
        ("return x ** 2", {"return x * 2", "return x ** 3"}),
        ("x -= 1", {"x += 1", "x -= 2"}),
        ("return -1", {"return -2"}),
        ("return x", {"return None"}),
        ("if x: return y", {"if not x: return y", "if x: return x"}),
    ],
)
def test_bugs(body: str, after: set[str]) -> None:
    """Sabotage: leave the parentheses out where what is written binds weaker; take a return before an operator."""
    code = f"def f(x{', y, z' if 'y' in body else ''}):\n    {body}\n"
    made = [one_bug(code, "f", Random(seed)) for seed in range(40)]
    assert {mutant.program.partition(":\n    ")[2].strip() for mutant in made if mutant} == after


def test_where_there_is_no_place_there_is_no_bug() -> None:
    for code in ("def f(x):\n    pass\n", "def f(", "x = 1 + 1\n", "def g(x):\n    return 1\n", ""):
        assert one_bug(code, "f", Random(0)) is None
