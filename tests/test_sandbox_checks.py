"""What is run of a function: arguments from its types, examples, assertions, mutants. To find out, nothing is run."""

from __future__ import annotations

import ast
import builtins
from typing import Any

import pytest

from evoselfcode.datagen.filters.asserts import vetted
from evoselfcode.datagen.sandbox import Job, Limits, Outcome, probe, run
from evoselfcode.datagen.sandbox.checks import (
    assert_checks,
    changes_in_place,
    doctest_checks,
    smoke_checks,
    smoke_fault,
)
from evoselfcode.datagen.sandbox.inputs import EXAMPLES, Inputs, _made, typed_inputs
from evoselfcode.datagen.sandbox.jobs import NOT_RUN
from evoselfcode.datagen.sandbox.mutants import VACUOUS_BELOW, mutants, notices, strength


def head(parameters: str, before: str = "") -> str:
    return f"{before}def f({parameters}):\n    return 1\n"


def values(kind: str) -> list[Any]:
    names = {"inf": float("inf"), "nan": float("nan")}
    return [eval(text, names)[0] for text in typed_inputs(head(f"x: {kind}"), "f").calls]


@pytest.mark.parametrize(
    ("kind", "holds"),
    [
        ("int", lambda x: type(x) is int and -10 <= x <= 20),
        ("float", lambda x: type(x) is float),
        ("bool", lambda x: type(x) is bool),
        ("str", lambda x: type(x) is str),
        ("bytes", lambda x: type(x) is bytes),
        ("complex", lambda x: type(x) is complex),
        ("None", lambda x: x is None),
        ("list[int]", lambda x: type(x) is list and all(type(one) is int for one in x)),
        ("typing.List[str]", lambda x: type(x) is list and all(type(one) is str for one in x)),
        ("'List[int]'", lambda x: type(x) is list),
        ("Sequence[bool]", lambda x: type(x) is list),
        ("Iterable", lambda x: type(x) is list),
        ("dict[str, list[int]]", lambda x: type(x) is dict and all(type(one) is list for one in x.values())),
        ("Mapping[str, int]", lambda x: type(x) is dict),
        ("set[int]", lambda x: type(x) is set),
        ("FrozenSet[str]", lambda x: type(x) is frozenset),
        ("tuple[int, str]", lambda x: type(x) is tuple and list(map(type, x)) == [int, str]),
        ("tuple[int, ...]", lambda x: type(x) is tuple and all(type(one) is int for one in x)),
        ("Tuple", lambda x: type(x) is tuple),
        ("Optional[int]", lambda x: x is None or type(x) is int),
        ("Union[int, str]", lambda x: type(x) in {int, str}),
        ("int | None", lambda x: x is None or type(x) is int),
        ("Literal['a', 2]", lambda x: x in {"a", 2}),
        ("Any", lambda x: True),
    ],
)
def test_arguments_are_of_the_type_that_is_written(kind: str, holds: Any) -> None:
    """Sabotage: make texts for ``bytes``."""
    found = values(kind)
    assert found
    assert all(map(holds, found))
    assert len(found) <= EXAMPLES
    assert len(found) >= 20 or kind in {"bool", "None", "Literal['a', 2]"}
    assert typed_inputs(head(f"x: {kind}"), "f").loose is (kind in {"Any", "Tuple", "Iterable"})


@pytest.mark.parametrize(
    ("parameters", "status", "filled"),
    [
        ("", "no_arguments", 0),
        ("x", "untyped", None),
        ("x: int, y", "untyped", None),
        ("x: int, y=3", "typed", 1),
        ("x: int, y: str = ''", "typed", 2),
        ("x: int, /, y: int", "typed", 2),
        ("x: int, *rest, **more", "typed", 1),
        ("x: int, *, y: int", "untyped", None),
        ("x: int, *, y: int = 1", "typed", 1),
        ("x: Callable[[int], int]", "unsupported", None),
        ("x: Tree", "unsupported", None),
        ("x: set[list[int]]", "unsupported", None),
        ("x: dict[list[int], int]", "unsupported", None),
        ("x: 'not a type'", "unsupported", None),
        ("x: __import__('os').abort()", "unsupported", None),
        ("x: list[list[list[list[list[list[list[int]]]]]]]", "unsupported", None),
    ],
)
def test_which_functions_can_be_called(parameters: str, status: str, filled: int | None) -> None:
    found = typed_inputs(head(parameters), "f")
    assert found.status == status
    assert {len(ast.literal_eval(call)) for call in found.calls} == (set() if filled is None else {filled})


def test_the_same_types_get_the_same_arguments_and_no_run_differs() -> None:
    """Sabotage: seed by ``hash``."""
    first = typed_inputs(head("x: int, y: list[str]"), "f")
    _made.cache_clear()
    assert first == typed_inputs("import os\n\ndef f(a: int, b: list[str]) -> int:\n    return a\n", "f")
    assert first.calls != typed_inputs(head("x: int, y: list[int]"), "f").calls


@pytest.mark.parametrize("code", ["def f(x: int", "def g(x: int): pass", "x = 1", "(" * 500, "\0"])
def test_a_text_without_the_function_gives_nothing(code: str) -> None:
    assert typed_inputs(code, "f") == Inputs("unsupported")
    assert doctest_checks(code, "f") == ()
    assert mutants(code, "f") == ()


def outcomes(*statuses: str, detail: str = "") -> list[Outcome]:
    return [Outcome(status, detail) for status in statuses]


@pytest.mark.parametrize(
    ("found", "loose", "fault"),
    [
        (outcomes("pass", "exception:ValueError", "exception:IndexError", "exception:ZeroDivisionError"), False, None),
        (outcomes("pass", "exception:TypeError"), False, "TypeError"),
        (outcomes("pass", "exception:TypeError"), True, None),
        (outcomes("pass", "exception:NameError"), True, "NameError"),
        (outcomes("pass", "exception:AttributeError"), False, "AttributeError"),
        (outcomes("pass", "exception:UnboundLocalError"), True, "UnboundLocalError"),
        (outcomes("pass", "pass", "exception:RecursionError"), False, None),
        (outcomes("pass", "exception:RecursionError"), False, "RecursionError"),
        (outcomes("pass", "timeout", "pass"), False, None),
        (outcomes("timeout", "timeout", "pass"), False, "timeout"),
        (outcomes("pass", "timeout") + outcomes("timeout", "timeout", detail=NOT_RUN) + outcomes("pass"), False, None),
        (outcomes("pass", "crash"), False, "crash"),
        (outcomes("import"), False, "import"),
        (outcomes("pass") + outcomes("assert", detail="changes its input"), False, "changes its input"),
        (outcomes("sandbox_error", "sandbox_error"), False, None),
        ([], False, None),
    ],
)
def test_what_counts_as_a_fault(found: list[Outcome], loose: bool, fault: str | None) -> None:
    """Sabotages: count ``sandbox_error``; count one ``timeout``; count what was not run."""
    assert smoke_fault(Inputs("typed", (), loose), found) == fault


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("sort_in_place", True),
        ("reverse_inplace", True),
        ("swap_items", True),
        ("total", False),
        ("sorted_copy", False),
    ],
)
def test_a_name_may_say_that_the_input_is_changed(name: str, changes: bool) -> None:
    assert changes_in_place(name) is changes
    assert {one.in_place for one in smoke_checks(Inputs("typed", ("(1,)",)), name)} == {changes}


DOCUMENTED = '''
def f(x):
    """Double.

    >>> y = f(2)
    >>> y
    4
    >>> f('a')  # doctest: +SKIP
    'b'
    >>> f()
    Traceback (most recent call last):
    TypeError: f() missing 1 required positional argument: 'x'
    """
    return 2 * x
'''


def test_examples_are_taken_from_the_docstring() -> None:
    """Sabotage: take the examples of the whole text."""
    [one] = doctest_checks(DOCUMENTED + 'def g():\n    """\n    >>> g()\n    9\n    """\n', "f")
    assert [example[0] for example in one.examples] == ["y = f(2)\n", "y\n", "f()\n"]
    assert [example[2] for example in one.examples][:2] == [None, None]
    assert run(Job(program=DOCUMENTED, checks=(one,)), probe()).checks[0].status == "pass"
    assert doctest_checks(head("x"), "f") == ()
    assert doctest_checks('def f():\n    """\n    >>>f()\n    """\n', "f") == ()


CLAMP = """
def clamp(value: int, low: int, high: int) -> int:
    if value < low:
        return low
    while not high:
        high += 1
    return min(value, high) * 1
"""


def test_each_operator_puts_in_one_bug() -> None:
    """Sabotage: leave an operator out of the table."""
    found = mutants(CLAMP, "clamp")
    assert {mutant.operator for mutant in found} == {"comparison", "arithmetic", "constant", "negation", "return"}
    assert len({mutant.program for mutant in found}) == len(found) == 8
    assert found == mutants(CLAMP, "clamp")
    assert mutants(CLAMP, "clamp", most=3) != found[:3]
    assert len(mutants(CLAMP, "clamp", most=3)) == 3
    original = ast.unparse(ast.parse(CLAMP)).split("\n")
    for mutant in found:
        assert sum(map(str.__ne__, mutant.program.split("\n"), original)) == 1


def test_nothing_but_the_function_is_changed() -> None:
    context = "LIMIT = 3\n\ndef other():\n    return 1 + 1\n"
    unchanged = ast.unparse(ast.parse(context))
    assert all(mutant.program.startswith(unchanged) for mutant in mutants(context + CLAMP, "clamp"))


def test_who_notices() -> None:
    assert notices([True, False], outcomes("pass", "assert")) is False
    assert notices([True, True], outcomes("pass", "timeout")) is True
    assert notices([True], outcomes("sandbox_error")) is None
    assert strength([True, False, None, True]) == pytest.approx(2 / 3)
    assert strength([None]) is None
    assert strength([]) is None


@pytest.mark.parametrize(
    ("asserts", "vacuous"),
    [
        ("assert clamp(5, 1, 3) == 3\nassert clamp(0, 1, 3) == 1\nassert clamp(2, 1, 3) == 2", False),
        ("assert isinstance(clamp(2, 1, 3), int)\nassert clamp(2, 1, 3) is not None", True),
    ],
)
def test_checks_that_say_nothing_are_found_out(asserts: str, vacuous: bool) -> None:
    """The whole way: assertions are taken, run on the code and on its mutants, and those that notice are counted."""
    wall, limits = probe(), Limits(check_seconds=0.2, seconds=1)
    checks = assert_checks(asserts.splitlines())
    own = [one.status == "pass" for one in run(Job(program=CLAMP, checks=checks), wall, limits).checks]
    assert all(own)
    found = [
        notices(own, run(Job(program=mutant.program, checks=checks), wall, limits).checks)
        for mutant in mutants(CLAMP, "clamp")
    ]
    share = strength(found)
    assert share is not None
    assert (share < VACUOUS_BELOW) is vacuous


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("def f(items: list[int]) -> int:\n    return sum(items)", None),
        ("def f(items: list[int]) -> int:\n    return max(items)", None),
        (
            "def f(items: list[int]) -> int:\n    for one in items:\n        last = one\n    return last",
            "UnboundLocalError",
        ),
        ("def f(items: list[int]) -> int:\n    return items.total()", "AttributeError"),
        ("def f(items: list[int]) -> int:\n    items.append(1)\n    return 1", "changes its input"),
        ("import random\ndef f(n: int) -> float:\n    return random.random()", "not deterministic"),
        ("def f(n: int) -> int:\n    return f(n - 1)", "RecursionError"),
    ],
)
def test_a_function_is_called_by_its_types(code: str, fault: str | None) -> None:
    inputs = typed_inputs(code, "f")
    result = run(Job(program=code, checks=smoke_checks(inputs, "f")), probe())
    assert smoke_fault(inputs, result.checks) == fault


def test_no_text_of_a_model_is_evaluated_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotage: ``eval`` an annotation."""
    for name in ("eval", "exec"):
        monkeypatch.setattr(builtins, name, lambda *parts: pytest.fail("evaluated"))
    assert typed_inputs(head("x: print('evaluated')"), "f").status == "unsupported"
    assert vetted("assert f(print('evaluated'))", "f")
    assert mutants(CLAMP, "clamp")
