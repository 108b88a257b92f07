"""Arguments for a function, made from the types in its head. Model-written text is parsed here, never evaluated.

Hypothesis makes the values (the extra ``execute``). Heads that name the same types get the same arguments, in every
run: draws of one name can be held against each other by what they return.
"""

from __future__ import annotations

import ast
import hashlib
import string
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

EXAMPLES = 50
"""Calls of a function; science: 50 of hypothesis, derandomised."""

NUMBERS = (-10, 20)
"""Integers lie in between: ``fib(20)`` of the naive kind takes 2 milliseconds, ``fib(40)`` 20 seconds."""

LONGEST = 8
"""Items of a list, letters of a text, at most."""

_LETTERS = string.ascii_letters + string.digits + " _-,.()[]{}+*/éß"
_LISTS = {"list", "List", "Sequence", "Iterable", "Collection", "MutableSequence", "Reversible"}
_SETS = {"set", "Set", "AbstractSet", "MutableSet"}
_DICTS = {"dict", "Dict", "Mapping", "MutableMapping", "DefaultDict", "defaultdict", "OrderedDict", "Counter"}
_LOOSE = {"Any", "object", "Hashable"}
_DEEPEST = 6


class Inputs(msgspec.Struct, frozen=True):
    """What a function can be called with.

    Attributes:
        status: ``typed``: here are the arguments. ``no_arguments``: it takes none, and is called once. ``untyped``: a
            parameter says no type. ``unsupported``: a parameter's type is one that no arguments are made for.
        calls: Arguments of each call, as tuples in Python's notation.
        loose: Whether a type stands for anything (``Any``, a bare ``list``), so that a ``TypeError`` says little.
    """

    status: Literal["typed", "no_arguments", "untyped", "unsupported"]
    calls: tuple[str, ...] = ()
    loose: bool = False


class _Unsupported(Exception):
    pass


def typed_inputs(code: str, func_name: str, examples: int = EXAMPLES) -> Inputs:
    """Make arguments for a function.

    The first time for a combination of types it takes about 50 milliseconds: call it beside the event loop.

    Args:
        code: Text that defines it.
        func_name: The function.
        examples: How many calls to make arguments for; fewer, if there are not so many.
    """
    function = find(code, func_name)
    if function is None:
        return Inputs("unsupported")
    needed = _needed(function.args)
    if needed is None:
        return Inputs("untyped")
    if not needed:
        return Inputs("no_arguments" if not _positional(function.args) else "untyped", ("()",))
    try:
        return _made("\n".join(map(ast.unparse, needed)), examples)
    except (_Unsupported, RecursionError):
        return Inputs("unsupported")


def find(code: str, func_name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """Return the last definition of a function at the top level of a text, if it can be parsed."""
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    named = [node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return next((node for node in reversed(named) if node.name == func_name), None)


def _positional(arguments: ast.arguments) -> list[ast.arg]:
    return [*arguments.posonlyargs, *arguments.args]


def _needed(arguments: ast.arguments) -> list[ast.expr] | None:
    """Return the types of the parameters that are filled, up to the first with a default and no type."""
    found: list[ast.expr] = []
    required = len(_positional(arguments)) - len(arguments.defaults)
    for number, parameter in enumerate(_positional(arguments)):
        if parameter.annotation is None:
            if number < required:
                return None
            break
        found.append(parameter.annotation)
    if any(default is None for default in arguments.kw_defaults):
        return None
    return found


@lru_cache(maxsize=4096)
def _made(types: str, examples: int) -> Inputs:
    """Make arguments for types, one a line; the same types give the same arguments."""
    from hypothesis import HealthCheck, Phase, given, seed, settings
    from hypothesis import strategies as st

    marks: set[str] = set()
    strategies = [_strategy(ast.parse(line, mode="eval").body, marks, 0) for line in types.split("\n")]
    calls: dict[str, None] = {}

    @seed(int.from_bytes(hashlib.sha256(types.encode()).digest()[:8], "big"))
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.tuples(*strategies))
    def collect(arguments: tuple[object, ...]) -> None:
        calls[repr(arguments)] = None

    collect()
    return Inputs("typed", tuple(calls), loose="loose" in marks)


def _strategy(node: ast.expr, marks: set[str], depth: int) -> SearchStrategy[Any]:
    """Return what makes values of a type that is written down.

    Raises:
        _Unsupported: There is nothing.
    """
    from hypothesis import strategies as st

    if depth > _DEEPEST:
        raise _Unsupported
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return _strategy(ast.parse(node.value, mode="eval").body, marks, depth + 1)
        except SyntaxError:
            raise _Unsupported from None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _strategy(node.left, marks, depth + 1) | _strategy(node.right, marks, depth + 1)
    if isinstance(node, ast.Subscript):
        name, inner = _name(node.value), node.slice
        parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        return _generic(name, parts, marks, depth + 1)
    name = "None" if isinstance(node, ast.Constant) and node.value is None else _name(node)
    plain: dict[str, SearchStrategy[Any]] = {
        "int": st.integers(*NUMBERS),
        "float": st.floats(-1e6, 1e6).map(lambda value: round(value, 3)) | st.integers(*NUMBERS).map(float),
        "complex": st.complex_numbers(max_magnitude=100, allow_nan=False),
        "bool": st.booleans(),
        "str": st.text(_LETTERS, max_size=LONGEST),
        "bytes": st.binary(max_size=LONGEST),
        "None": st.none(),
        "NoneType": st.none(),
    }
    if name in plain:
        return plain[name]
    marks.add("loose")
    anything = plain["int"] | plain["str"] | plain["bool"]
    if name in _LOOSE:
        return anything
    if name in _LISTS | _SETS | _DICTS | {"tuple", "Tuple", "frozenset", "FrozenSet"}:
        return _generic(name, [], marks, depth + 1, bare=plain["int"])
    raise _Unsupported


def _generic(
    name: str, parts: list[ast.expr], marks: set[str], depth: int, bare: SearchStrategy[Any] | None = None
) -> SearchStrategy[Any]:
    """Return what makes values of a type with parameters; `bare` makes what is in it if none are written."""
    from hypothesis import strategies as st

    if name == "Literal":
        return st.sampled_from([ast.literal_eval(part) for part in parts if isinstance(part, ast.Constant)] or [None])
    if name == "Annotated":
        return _strategy(parts[0], marks, depth)
    variadic = len(parts) == 2 and isinstance(parts[1], ast.Constant) and parts[1].value is ...
    made = [bare] if bare is not None else [_strategy(part, marks, depth) for part in parts[: 1 if variadic else None]]
    first, last = made[0], made[-1]
    if name == "Optional":
        return st.none() | first
    if name == "Union":
        return st.one_of(made)
    if name in {"tuple", "Tuple"}:
        many = variadic or bare is not None
        return st.lists(first, max_size=LONGEST).map(tuple) if many else st.tuples(*made)
    if name in _LISTS:
        return st.lists(first, max_size=LONGEST)
    if name in _SETS | {"frozenset", "FrozenSet"} and _hashable(parts):
        make = st.frozensets if name.lower() == "frozenset" else st.sets
        return make(first, max_size=LONGEST)
    if name in _DICTS and _hashable(parts[:1]):
        return st.dictionaries(first, last, max_size=LONGEST // 2)
    raise _Unsupported


def _hashable(parts: list[ast.expr]) -> bool:
    names = {_name(node) for part in parts for node in ast.walk(part) if isinstance(node, ast.Name | ast.Attribute)}
    return not names & (_LISTS | _SETS | _DICTS)


def _name(node: ast.expr) -> str:
    """Return the last part of a dotted name, ``List`` of ``typing.List``."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
