"""Whether checks say anything: small bugs are put into the code, and the checks must notice.

Five operators of our own (a mutation tool would write files and run a test suite): a comparison turned round, an
arithmetic operator exchanged, a constant raised by one, a condition negated, something else returned.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Sequence

import msgspec

from evoselfcode.datagen.sandbox.inputs import find
from evoselfcode.datagen.sandbox.jobs import Outcome

MOST = 20
"""Mutants of one function at most, spread evenly over those there are."""

VACUOUS_BELOW = 0.5
"""Checks that notice fewer of the mutants say too little."""

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
}


class Mutant(msgspec.Struct, frozen=True):
    """A program with one bug in it.

    Attributes:
        operator: ``comparison``, ``arithmetic``, ``constant``, ``negation`` or ``return``.
        program: All of the text, as ``ast.unparse`` writes it.
    """

    operator: str
    program: str


def mutants(program: str, func_name: str, most: int = MOST) -> tuple[Mutant, ...]:
    """Put one bug each into copies of a program, in the function alone.

    Args:
        program: Text that defines it.
        func_name: The function.
        most: How many at most; the same ones every time.
    """
    function = find(program, func_name)
    if function is None:
        return ()
    places = [
        (number, operator)
        for number, node in enumerate(ast.walk(function))
        for operator, mutate in _OPERATORS.items()
        if mutate(copy.deepcopy(node), function)
    ]
    step = max(1.0, len(places) / most)
    chosen = [places[int(at * step)] for at in range(min(most, len(places)))]
    original = ast.unparse(ast.parse(program))
    made = (Mutant(operator, _with_bug(program, func_name, number, operator)) for number, operator in chosen)
    return tuple(mutant for mutant in made if mutant.program != original)


def notices(kept: Sequence[bool], outcomes: Sequence[Outcome]) -> bool | None:
    """Say whether the checks notice a mutant: one that the code itself passes fails.

    Args:
        kept: Per check, whether the code itself passes it.
        outcomes: Per check, what came of it with the mutant.

    Returns:
        ``None`` if the sandbox failed.
    """
    pairs = [outcome.status for keeps, outcome in zip(kept, outcomes, strict=True) if keeps]
    if "sandbox_error" in pairs:
        return None
    return any(status != "pass" for status in pairs)


def strength(noticed: Sequence[bool | None]) -> float | None:
    """Return the share of mutants that were noticed, of those that ran; ``None`` if none did."""
    known = [one for one in noticed if one is not None]
    return sum(known) / len(known) if known else None


def _with_bug(program: str, func_name: str, number: int, operator: str) -> str:
    tree = ast.parse(program)
    function = next(
        node
        for node in reversed(tree.body)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == func_name
    )
    for at, node in enumerate(ast.walk(function)):
        if at == number:
            _OPERATORS[operator](node, function)
            break
    return ast.unparse(ast.fix_missing_locations(tree))


def _comparison(node: ast.AST, function: ast.AST) -> bool:
    if not isinstance(node, ast.Compare):
        return False
    node.ops[0] = _COMPARISONS[type(node.ops[0])]()
    return True


def _arithmetic(node: ast.AST, function: ast.AST) -> bool:
    if not isinstance(node, ast.BinOp | ast.AugAssign) or type(node.op) not in _ARITHMETIC:
        return False
    node.op = _ARITHMETIC[type(node.op)]()
    return True


def _constant(node: ast.AST, function: ast.AST) -> bool:
    if not isinstance(node, ast.Constant) or type(node.value) not in {int, float}:
        return False
    node.value = node.value + 1  # type: ignore[operator]
    return True


def _negation(node: ast.AST, function: ast.AST) -> bool:
    if not isinstance(node, ast.If | ast.While | ast.IfExp) or isinstance(node.test, ast.Compare):
        return False  # a comparison is turned round instead
    node.test = ast.UnaryOp(ast.Not(), node.test)
    return True


def _return(node: ast.AST, function: ast.AST) -> bool:
    if not isinstance(node, ast.Return) or node.value is None:
        return False
    names = list(_arguments(function))
    current = node.value.id if isinstance(node.value, ast.Name) else None
    other = next((name for name in names if name != current), None)
    node.value = ast.Name(other, ast.Load()) if other else ast.Constant(None)
    return True


def _arguments(function: ast.AST) -> Iterator[str]:
    if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from (one.arg for one in [*function.args.posonlyargs, *function.args.args])


_OPERATORS: dict[str, Callable[[ast.AST, ast.AST], bool]] = {
    "comparison": _comparison,
    "arithmetic": _arithmetic,
    "constant": _constant,
    "negation": _negation,
    "return": _return,
}
