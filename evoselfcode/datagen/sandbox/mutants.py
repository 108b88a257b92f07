"""Whether checks say anything: small bugs are put into the code, and the checks must notice.

Five operators of our own (a mutation tool would write files and run a test suite): a comparison turned round, an
arithmetic operator exchanged, a constant raised by one, a condition negated, something else returned.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, islice
from random import Random

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
        if mutate(_copied(node), function)
    ]
    step = max(1.0, len(places) / most)
    chosen = [places[int(at * step)] for at in range(min(most, len(places)))]
    original = ast.unparse(ast.parse(program))
    made = (Mutant(operator, _with_bug(program, func_name, number, operator)) for number, operator in chosen)
    return tuple(mutant for mutant in made if mutant.program != original)


def one_bug(program: str, func_name: str, random: Random) -> Mutant | None:
    """Put one bug into a function and leave all else of the text as it is: comments, blank lines, quotes.

    Operators and constants of the body come first: a condition negated, or something else returned, is taken where
    there are none.

    Args:
        program: Text that defines it.
        func_name: The function.
        random: Chooses the place.

    Returns:
        ``None`` if there is no place for one, or the text does not parse.
    """
    function = find(program, func_name)
    if function is None:
        return None
    body = {id(node) for statement in function.body for node in ast.walk(statement)}
    places = [
        (operator in ("negation", "return"), random.random(), number, operator)
        for number, node in enumerate(ast.walk(function))
        if id(node) in body
        for operator, mutate in _OPERATORS.items()
        if mutate(_copied(node), function)
    ]
    made = (_patched(program, func_name, number, operator) for _, _, number, operator in sorted(places))
    return next((mutant for mutant in made if mutant is not None), None)


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


def _copied(node: ast.AST) -> ast.AST:
    """Copy a node and its lists, which is all that an operator changes; not what is below it."""
    copied = copy.copy(node)
    for name, value in ast.iter_fields(node):
        if isinstance(value, list):
            setattr(copied, name, [*value])
    return copied


def _with_bug(program: str, func_name: str, number: int, operator: str) -> str:
    tree = ast.parse(program)
    function, node = _place(tree, func_name, number)
    _OPERATORS[operator](node, function)
    return ast.unparse(ast.fix_missing_locations(tree))


def _place(tree: ast.Module, func_name: str, number: int) -> tuple[ast.AST, ast.AST]:
    function = next(
        node
        for node in reversed(tree.body)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == func_name
    )
    return function, next(islice(ast.walk(function), number, None))


def _patched(program: str, func_name: str, number: int, operator: str) -> Mutant | None:
    """Write a bug into the text itself; ``None`` unless the text then is the mutant and nothing else."""
    tree = ast.parse(program)
    function, node = _place(tree, func_name, number)
    begin, end = _extent(program, node.test if isinstance(node, ast.If | ast.While | ast.IfExp) else node)
    before = ast.dump(tree)
    _OPERATORS[operator](node, function)
    changed = node.test if isinstance(node, ast.If | ast.While | ast.IfExp) else node
    written = ast.unparse(ast.fix_missing_locations(changed))
    data = program.encode()
    if ast.dump(tree) == before:
        return None
    for told in (written, f"({written})"):  # what binds weaker now needs parentheses
        text = (data[:begin] + told.encode() + data[end:]).decode()
        try:
            if ast.dump(ast.parse(text)) == ast.dump(tree):
                return Mutant(operator, text)
        except (SyntaxError, ValueError):
            continue
    return None


def _extent(program: str, node: ast.AST) -> tuple[int, int]:
    """Return where a node begins and ends in a text, in bytes."""
    begins = [0, *accumulate(map(len, program.encode().splitlines(keepends=True)))]
    first, last = getattr(node, "lineno", 1), getattr(node, "end_lineno", 1)
    return begins[first - 1] + getattr(node, "col_offset", 0), begins[last - 1] + getattr(node, "end_col_offset", 0)


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
