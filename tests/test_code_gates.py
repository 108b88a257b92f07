"""The ladder of gates: what each drops, in which order, and that it is quiet and total."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.datagen.filters.gates import CODE_REASONS, GATES, Examined, Limits, examine
from evoselfcode.datagen.filters.source import Source

EVERY = Limits(off=())
GOOD = "def f(x):\n    y = x * 2\n    return y + 1\n"
BRIEF = (
    "too_long, too_short, truncated, unparsable, too_complex, not_one_function, signature, docstring_only, placeholder,"
    " no_return, no_argument, unused_argument, constant, too_small, layout, repetition, import, banned_call,"
    " global_state, dunder, secret, licence, docstring, ruff, contaminated, quarantined, failed, duplicate,"
    " near_duplicate"
)


def reasons(code: str, head: str = "", context: str = "", limits: Limits = EVERY) -> tuple[str, ...]:
    return examine(Source(func_name="f", code=code, head=head, context=context), limits).reasons


def f(body: str, arguments: str = "x") -> str:
    return f"def f({arguments}):\n    {body}\n"


def test_the_reasons_are_those_of_the_ladder_in_its_order() -> None:
    """Sabotage: swap two gates."""
    assert ", ".join(CODE_REASONS) == BRIEF
    assert list(GATES) == BRIEF.split(", ")[: len(GATES)]


def test_good_code_is_kept() -> None:
    assert reasons(GOOD) == ()
    assert examine(Source(func_name="f", code=GOOD)).reason is None


DROPPED = [
    ("too_long", "def f(x):\n" + "    x += 1\n" * 2_000),
    ("too_short", "def f(x): 0"),
    ("unparsable", "def f(x:\n    return x\n"),
    ("unparsable", f("return x\0")),
    ("unparsable", f("return '\ud800'")),
    ("unparsable", f("return 1\n  return 2")),
    ("too_complex", f("return " + "-" * 10_000 + "x")),
    ("too_complex", f("return " + "x + " * 3_000 + "x")),
    ("too_complex", f("return " + "x + " * 150 + "x")),
    ("not_one_function", "x = 1\ny = 2\nz = 3\n"),
    ("not_one_function", "def g(x):\n    return x + 1\n"),
    ("not_one_function", GOOD + "def g(x):\n    return x + 1\n"),
    ("not_one_function", GOOD + GOOD),
    ("not_one_function", GOOD + "print(f(1))\n"),
    ("not_one_function", "class A:\n    " + GOOD.replace("\n", "\n    ")),
    ("docstring_only", f("'''Say x.'''")),
    ("docstring_only", f("'''Say x.'''\n    'and more'\n    # ...")),
    ("placeholder", f("pass  # nothing to be seen")),
    ("placeholder", f("'''Say x.'''\n    ...")),
    ("placeholder", f("raise NotImplementedError('later')")),
    ("placeholder", f("'''Say x.'''\n    pass\n    raise NotImplementedError")),
    ("placeholder", f("# TODO: say x\n    return x + 1")),
    ("placeholder", f("# write your code here\n    return x + 1")),
    ("placeholder", f("# Your code goes here.\n    return x + 1")),
    ("no_return", f("x.sort()")),
    ("no_return", f("if x:\n        return\n    print(x)")),
    ("no_argument", f("return [1, 2, sum([3])]", "")),
    ("unused_argument", f("return [1, 2, sum([3])]", "x")),
    ("unused_argument", f("return x + 1 + 2", "x, /, y, *, z")),
    ("unused_argument", f("x = 3\n    return 4 + abs(5)")),
    ("constant", f("if x > 3:\n        return True\n    return True")),
    ("constant", f("y = x + 1\n    return -1")),
    ("constant", f("while x > 3:\n        x -= 1\n    return [1, {2: 3}]")),
    ("too_small", f("return x")),
    ("layout", "def f(x):\n" + "    x += 1\n" * 151 + "    return x\n"),
    ("layout", f("return x + 1  " + "#" * 200)),
    ("layout", f("# one\n    # two\n    # three\n    return x + 1")),
    ("layout", f("return x + 1  # \u202e nimda")),
    ("layout", f("return x + '\ufffd'")),
    ("repetition", f("\n    ".join(["x += 1"] * 20) + "\n    return x")),
    ("repetition", f("return [x, " + "x - 1 - 2 - x, " * 20 + "]")),
    ("import", f("import os\n    return os.path.join(x, x)")),
    ("import", f("from numpy.linalg import norm\n    return norm(x)")),
    ("import", f("from . import other\n    return other(x)")),
    ("import", "import sys\n\n" + GOOD),
    ("banned_call", f("return eval(x) + 1")),
    ("banned_call", f("return list(map(exec, x))")),
    ("banned_call", f("return open(x).read()")),
    ("banned_call", f("return [input(), x]")),
    ("global_state", f("global y\n    y = x + 1\n    return y")),
    ("global_state", f("nonlocal y\n    y = x + 1\n    return y")),
    ("global_state", f("def g():\n        global y\n        y = x\n    g()\n    return y")),
    ("dunder", f("return x.__class__.__subclasses__()")),
    ("dunder", f("return f.__globals__[x]")),
    ("dunder", f("return __builtins__[x]")),
    ("secret", f("return x + 'AKIAIOSFODNN7EXAMPLE'")),
    ("secret", f("api_key = 'aB3dE6gH9jK2mN5pQ8sT'\n    return x + api_key")),
    ("secret", f("return x + 'jane.doe@gmail.com'")),
    ("secret", f("return x + '93.184.216.34'")),
    ("secret", f("return x + '-----BEGIN RSA PRIVATE KEY-----'")),
    ("licence", f("# Copyright 2019 Jane Doe\n    return x + 1")),
    ("licence", f("# Licensed under the MIT License\n    return x + 1")),
    ("licence", f("# https://github.com/jane/project\n    return x + 1")),
]


@pytest.mark.parametrize(("reason", "code"), DROPPED)
def test_each_gate_drops(reason: str, code: str) -> None:
    """Sabotage: let any predicate return ``False``."""
    assert reason in reasons(code)


@pytest.mark.parametrize(
    "reason", [reason for reason in GATES if reason not in ("truncated", "signature", "docstring")]
)
def test_each_gate_can_be_switched_off(reason: str) -> None:
    """Sabotage: do not look at ``off`` in one of the answers of examine."""
    code = next(code for gate, code in DROPPED if gate == reason)
    limits = Limits(off=(reason,))
    assert reason not in reasons(code, limits=limits)


KEPT = [
    f("return len(x)"),
    f("return x[::-1]"),
    f("yield from x[1:]"),
    f("return x ** 2", "x, _unused, *rest, **named"),
    f("return x ** 2", "self, x"),
    f("x += 1\n    return 3 + 4"),
    f("todo = [x]\n    return todo + [1]"),
    f("return 'todo: ' + x + '!'"),
    f("return x if x else raise_(x)"),
    f("x.append(1)\n    return True"),
    f("assert x\n    return True"),
    f("for y in x:\n        if y > 3:\n            return False\n    return True"),
    f("if x > 3:\n        return True"),
    f("def g():\n        nonlocal x\n        x = 2\n    g()\n    return x"),
    f("import math\n    return math.sqrt(x)"),
    f("from collections.abc import Iterable\n    return isinstance(x, Iterable)"),
    f("return input + 1", "input"),
    f("import re\n    return re.compile(x).match('a')"),
    f("class A:\n        def __init__(self):\n            super().__init__()\n            self.x = x\n    return A()"),
    f("return x == 'user@example.com'"),
    f("return x.startswith('192.168.0.1') or x == '127.0.0.1' or x == '1.2.3.4' or x == '999.999.999.999'"),
    f("return x + '2.10.3' + 'licence plate'"),
    f("'''Say x, " + "y" * 300 + "'''\n    return x + 1"),
    "async def f(x):\n    return await x + 1\n",
    "@cache\ndef f(x):\n    return x + 1\n",
    "import math\nLIMIT: int = 3\n\n\ndef f(x):\n    return math.sqrt(x) + LIMIT\n",
]


@pytest.mark.parametrize("code", KEPT)
def test_what_looks_alike_is_kept(code: str) -> None:
    """Sabotage: call every function constant whose last statement returns a literal, or drop every ``eval``-like name
    whether it is bound or not, or every word ``todo``."""
    assert reasons(code) == ()


def test_a_truncated_function_says_so_first() -> None:
    source = Source(func_name="f", code="def f(x):\n    return (x +\n", complete=False)
    assert examine(source).reasons[:2] == ("truncated", "unparsable")


def test_nothing_else_is_looked_at_where_code_is_too_long() -> None:
    """Sabotage: parse before the length is asked for."""
    assert reasons("def f(x:\n" * 5_000) == ("too_long",)
    assert not examine(Source(func_name="f", code=GOOD + "#" * 20_000)).syntax_valid


HEAD = "def f(x: int, y=(1, 2)) -> int:\n"


@pytest.mark.parametrize(
    ("head", "code", "dropped"),
    [
        (HEAD, HEAD + "    return x + y[0]\n", False),
        (HEAD, "def f(x: int, y=(1, 2)):\n    return x + y[0]\n", False),
        (HEAD, "def f(x: int, y=(1, 3)):\n    return x + y[0]\n", True),
        (HEAD, "def f(x: str, y=(1, 2)):\n    return x + y[0]\n", True),
        (HEAD, "def f(x: int, *, y=(1, 2)):\n    return x + y[0]\n", True),
        (HEAD + "    '''Say.'''\n", "def f(y):\n    return y + 1\n", True),
        (HEAD + "    '''Say.'''\n    ", "def f(y):\n    return y + 1\n", True),
        ("def f(x", "def f(x, y):\n    return x + y\n", False),
        ("def f(", "def f(x, y):\n    return x + y\n", False),
        ("def f(x): ", "def f(y): return y + 1\n", True),
    ],
)
def test_a_complete_head_fixes_the_parameters(head: str, code: str, dropped: bool) -> None:
    """Sabotage: compare the names of parameters only, or take an incomplete head for a complete one."""
    assert ("signature" in reasons(code, head)) is dropped


GOOGLE = 'def f(x, *rest, y=1):\n    """Say.\n\n    Args:\n        {}\n\n    Returns:\n        x: It.\n    """\n'


@pytest.mark.parametrize(
    ("told", "dropped"),
    [
        ("x: One\n            more: line.\n        *rest: Others.\n        y (int): Two.", False),
        ("x: One.\n        rest: Others.\n        y: Two.", False),
        ("x: One.\n        y: Two.", True),
        ("x: One.\n        rest: Others.\n        z: Two.", True),
        ("rest: Others.\n        x: One.\n        y: Two.", True),
    ],
)
def test_the_arguments_that_a_google_docstring_tells_of_are_the_parameters(told: str, dropped: bool) -> None:
    """Sabotage: compare sets, or count the lines that go on with an entry."""
    head = GOOGLE.format(told)
    code = head + "    return x + sum(rest) + y\n"
    assert reasons(code, head) == (("docstring",) if dropped else ())
    assert reasons(code) == ()
    assert reasons(code, limits=Limits(require_docstring=True)) == (("docstring",) if dropped else ())
    assert reasons(GOOD, limits=Limits(require_docstring=True)) == ("docstring",)


def test_what_the_prompt_wrote_is_no_placeholder_of_the_models() -> None:
    """Sabotage: look for the words in all of the code."""
    head = 'def f(x):\n    """Write your code here."""\n'
    assert reasons(head + "    return x + 1\n", head) == ()
    assert reasons(head + "    return x + 1\n") == ("placeholder",)


def test_functions_of_the_context_do_not_count() -> None:
    """Sabotage: do not count the context's lines."""
    context = "import os\r\n\r\r\rdef g(x):\r    return eval(x)\n\n"
    assert reasons(GOOD, context=context) == ()
    assert reasons(GOOD, context="def f(") == ("unparsable",)


def test_without_trees_only_texts_are_judged() -> None:
    """Sabotage: parse in spite of it."""
    limits = Limits(parse=False)
    found = examine(Source(func_name="f", code=f("return eval(x\n    # TODO")), limits)
    assert found == Examined(("placeholder",), lines=3)


@pytest.mark.parametrize("action", ["error", "default"])
def test_python_s_warnings_about_the_model_s_text_are_not_ours(action: str) -> None:
    """Sabotage: parse without ``catch_warnings``."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter(action)  # type: ignore[arg-type]
        assert reasons(f("return x + '\\d' if x is 1else 0")) == ()
    assert told == []


def test_what_was_examined_travels() -> None:
    """Sabotage: keep a set in Examined."""
    code = "def f(x: int, y) -> int:\n    'Say.'\n    return x + y\n"
    found = examine(Source(func_name="f", code=code))
    assert (found.syntax_valid, found.lines, found.docstring, found.annotated) == (True, 3, True, pytest.approx(2 / 3))
    assert found.nodes == 8
    assert pickle.loads(pickle.dumps(found)) == found
    assert msgspec.json.decode(msgspec.json.encode(found), type=Examined) == found


@given(st.text(max_size=200), st.text(max_size=20), st.text(max_size=20))
def test_no_text_is_too_strange_to_be_judged(text: str, head: str, context: str) -> None:
    for code in (text, f"def f(x):\n    {text}", head + text):
        found = examine(Source(func_name="f", code=code, head=head, context=context), EVERY)
        assert set(found.reasons) <= set(GATES)
        assert found.syntax_valid is (found.hashes is not None)


def test_importing_the_filters_is_light() -> None:
    """Sabotage: import examine at the top of filters/__init__.py."""
    program = "import sys, evoselfcode.datagen.filters; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "evoselfcode.datagen.filters.names" in loaded
    assert {"evoselfcode.datagen.filters.gates", "rapidfuzz", "numpy"} & set(loaded) == set()
