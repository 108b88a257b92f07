"""Where the signature, the docstring and the body of a function begin, whatever it is written like."""

from __future__ import annotations

import ast
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from real_programs import programs

from evoselfcode.datagen.filters.function_parts import AROUND, BODY, DOCSTRING, SIGNATURE, Parts, split

Pieces = list[tuple[str, str]]


def pieces(code: str, name: str = "f") -> Pieces:
    parts = split(code, name)
    assert parts is not None
    bounds = [*parts.bounds, (len(code), "")]
    return [(part, code[begin:end]) for (begin, part), (end, _) in pairwise(bounds)]


CASES: dict[str, Pieces] = {
    "plain": [
        (SIGNATURE, "def f(x):\n"),
        (DOCSTRING, '    """Say x."""\n'),
        (BODY, "    return x\n"),
    ],
    "one line": [(SIGNATURE, "def f(x):"), (BODY, " return x\n")],
    "one line with a docstring": [(SIGNATURE, "def f(x):"), (DOCSTRING, ' "Say x.";'), (BODY, " return x")],
    "no docstring, a comment before the body": [(SIGNATURE, "def f(x):\n"), (BODY, "    # Say x.\n    return x\n")],
    "tabs": [(SIGNATURE, "def f(x):\n"), (DOCSTRING, "\t'''Say.'''\n"), (BODY, "\treturn x\n")],
    "unicode": [
        (SIGNATURE, "def f(é='ß𝄞', *, ö: 'ä:' = 1) -> 'é:':  # é: ü\n"),
        (DOCSTRING, '    """Ä 𝄞."""  # ä\n'),
        (BODY, "    return é  # ö\n"),
    ],
    "several lines and decorators": [
        (AROUND, "import math\n\n\ndef helper(x): return x\n\n\n"),
        (SIGNATURE, "@cache\n@other(a=':')\nasync def f(\n    x: int = (lambda: 1)(),  # x:\n    /,\n) -> int:\n"),
        (DOCSTRING, "    # first\n    'Say x.'\n"),
        (BODY, "    if x:\n\n        return 1\n    return helper(x)\n    # the end\n"),
        (AROUND, "\n# behind\ndef g(): pass\n"),
    ],
    "a lambda for an annotation": [(SIGNATURE, "def f() -> (lambda: 0):"), (BODY, " pass")],
    "a continued line": [(SIGNATURE, "def f(x):"), (BODY, " \\\n  return x\n")],
    "carriage returns": [
        (SIGNATURE, "def f(\r\n  x):\r\n"),
        (DOCSTRING, '  """a\r\n  """\r\n'),
        (BODY, "  return x\r"),
    ],
    "a docstring in brackets": [(SIGNATURE, "def f():\n"), (DOCSTRING, "    ('a'\n  'b')\n"), (BODY, "    return 1")],
    "nothing but a docstring": [(SIGNATURE, "def f():\n"), (DOCSTRING, '    """Say x."""')],
    "the second of this name does not count": [
        (SIGNATURE, "def f():\n"),
        (BODY, "    return 1\n"),
        (AROUND, "def f():\n    return 2\n"),
    ],
}


@pytest.mark.parametrize("case", CASES)
def test_parts(case: str) -> None:
    """Sabotage: count bytes for characters; look for the first colon; give a line end to the part behind it."""
    expected = CASES[case]
    assert pieces("".join(text for _, text in expected)) == expected


@pytest.mark.parametrize(
    "code", ["def g(): pass\n", "class A:\n    def f(self): pass\n", "def f(:\n", "", "\0", "\ud800", "(" * 9000]
)
def test_what_has_no_parts(code: str) -> None:
    """Sabotage: let an exception of the parser through, or search the whole tree for the function."""
    assert split(code, "f") is None


NAMES = st.sampled_from(["x", "é", "values", "ﬁ", "名"])
COMMENTS = st.sampled_from(["", "  # note: é", "# )"])
DOCSTRINGS = st.sampled_from([None, '"""Say."""', "'é𝄞:'", 'r"""a\n\n  b"""', "('a' 'b')"])
DEFAULTS = st.sampled_from(["", "=1", "=(lambda: 'é:')", ": 'ü' = {1: 2}", ": list[int]"])
BODIES = st.sampled_from(["return {0}", "# é\n    return {0}", "if {0}:\n        return 1\n    return 'ß'"])


@st.composite
def functions(draw: st.DrawFn) -> tuple[str, str, str | None, str]:
    """Draw a function: what is before it, its signature, its docstring and its body."""
    argument, end = draw(NAMES), draw(st.sampled_from(["\n", "\r\n"]))
    before = draw(st.sampled_from(["", "import é\n", "def g():\n    return ')'\n\n\n", "# f: 'é'\n@g\n"]))
    prefix, breaks = draw(st.sampled_from(["", "async "])), draw(st.sampled_from(["", "\n  # é:\n  "]))
    header = f"{prefix}def f({breaks}{argument}{draw(DEFAULTS)}{breaks}){draw(st.sampled_from(['', ' -> é']))}:"
    header += draw(COMMENTS) + "\n"
    docstring, body = draw(DOCSTRINGS), draw(BODIES).format(argument)
    told = None if docstring is None else f"    {docstring}{draw(COMMENTS)}\n"
    whole = [text.replace("\n", end) for text in (before, header, told or "", f"    {body}\n")]
    return whole[0], whole[1], None if told is None else whole[2], whole[3]


@given(functions(), st.sampled_from(["", "\n\ndef g(): return f(1)\n"]))
def test_any_function(parts: tuple[str, str, str | None, str], after: str) -> None:
    """Sabotage: as above, or begin the function behind its decorators."""
    before, header, docstring, body = parts
    code = before + header + (docstring or "") + body + after
    found = split(code, "f")
    assert found is not None
    assert "".join(text for _, text in pieces(code)) == code
    decorated = before.endswith(("@g\n", "@g\r\n"))
    assert found.signature == (code.index("@g") if decorated else len(before))
    assert found.docstring == len(before + header)
    assert found.has_docstring == (docstring is not None)
    assert found.body_text == body
    assert found.name is not None
    assert code[found.name :].startswith("f(")


def test_real_programs_are_the_same_without_their_docstring() -> None:
    """Functions that a model wrote. Sabotage: end a docstring at its quotes where a line end follows."""
    looked = 0
    for program in programs(12):
        tree = ast.parse(program) if compiles(program) else None
        function = next((node for node in (tree.body if tree else ()) if isinstance(node, ast.FunctionDef)), None)
        if function is None or ast.get_docstring(function) is None or len(function.body) == 1:
            continue
        found = split(program, function.name)
        assert found is not None
        assert ast.dump(ast.parse(bare(found))) == ast.dump(without_docstring(program, function.name))
        looked += 1
    assert looked > 200


def compiles(program: str) -> bool:
    try:
        ast.parse(program)
    except SyntaxError:
        return False
    return True


def bare(parts: Parts) -> str:
    return parts.header + parts.code[parts.body :]


def without_docstring(program: str, name: str) -> ast.Module:
    tree = ast.parse(program)
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
    function.body = function.body[1:]
    return tree
