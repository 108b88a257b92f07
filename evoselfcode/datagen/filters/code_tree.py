"""Gates that look at the syntax tree of a function.

This file decides what is wrong with a tree, one short predicate a reason. It refuses to know in which order they are
asked; :mod:`.gates` has the table.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass
from functools import lru_cache

from evoselfcode.datagen.filters.code_walk import TooDeep, Walk
from evoselfcode.datagen.filters.docstrings import Function, docstring_of, without_docstring
from evoselfcode.datagen.filters.source import Source

_BESIDE = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)
"""Statements that may stand beside the function where the model wrote all of the code: what it may need."""

_LITERAL = (ast.Constant, ast.UnaryOp, ast.unaryop, ast.Tuple, ast.List, ast.Dict, ast.Set, ast.expr_context)

_DUNDER = re.compile(r"__\w+__\Z")
_HARMLESS_DUNDERS = frozenset({"__init__", "__name__", "__doc__", "__len__", "__contains__", "__eq__", "__lt__"})
"""Dunder attributes that lead nowhere."""


@dataclass(slots=True, frozen=True)
class Tree:
    """The tree of a function.

    Attributes:
        source: What was parsed.
        statements: Its top-level statements, without those of the context.
        function: The first function among them that has the right name.
        walk: What a walk over the statements noted.
    """

    source: Source
    statements: list[ast.stmt]
    function: Function | None
    walk: Walk

    @property
    def body(self) -> list[ast.stmt]:
        """Return the statements of the function after its docstring."""
        return without_docstring(self.function.body) if self.function else []


def read(source: Source) -> Tree | str:
    """Parse a program once and walk over what is not its context once; or return the reason why that fails."""
    module = parse(source.program)
    if isinstance(module, str):
        return module
    before = _lines(source.context)
    statements = [node for node in module.body if node.lineno > before]
    named = (node for node in statements if isinstance(node, Function) and node.name == source.func_name)
    function = next(named, None)
    try:
        walk = Walk(function).over(statements)
    except (TooDeep, RecursionError, MemoryError):
        return "too_complex"
    return Tree(source, statements, function, walk)


def parse(program: str) -> ast.Module | str:
    r"""Parse a program in silence; or return the reason why that fails.

    Python warns of ``"\d"`` while it parses, and raises where warnings are errors: the model's text is no affair of
    whoever reads ours. ``ast.parse`` raises ``MemoryError`` for 100,000 unary operators, ``RecursionError`` for a sum
    of 100,000 terms, ``ValueError`` for a NUL, ``UnicodeEncodeError`` for a lone surrogate (Python 3.11).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(program)
        except (RecursionError, MemoryError):
            return "too_complex"
        except (SyntaxError, ValueError):
            return "unparsable"


def not_one_function(tree: Tree) -> bool:
    """Say whether there is another function than the one asked for, or a statement that runs beside it."""
    return tree.function is None or not all(node is tree.function or _is_beside(node) for node in tree.statements)


def signature(tree: Tree) -> bool:
    """Say whether the parameters are others than those of a complete head."""
    wanted = _head_signature(tree.source.head)
    return wanted is not None and tree.function is not None and _tokens(tree.function.args) != wanted


def docstring_only(tree: Tree) -> bool:
    """Say whether nothing follows the docstring, or further strings only."""
    return all(_is_string(node) for node in tree.body)


def placeholder(tree: Tree) -> bool:
    """Say whether the body is ``pass``, ``...`` or ``raise NotImplementedError`` only."""
    return all(map(_is_placeholder, tree.body))


def no_return(tree: Tree) -> bool:
    """Say whether nothing in it returns a value or yields, functions within it included."""
    return not tree.walk.gives


def no_argument(tree: Tree) -> bool:
    """Say whether the function takes no argument."""
    arguments = tree.function.args if tree.function else None
    return arguments is not None and not (_named(arguments) or arguments.vararg or arguments.kwarg)


def unused_argument(tree: Tree) -> bool:
    """Say whether a named argument is never read; ``_x``, ``self``, ``cls``, ``*x`` and ``**x`` may be."""
    names = _named(tree.function.args) if tree.function else []
    return any(name not in tree.walk.loads and name[0] != "_" and name not in {"self", "cls"} for name in names)


def constant(tree: Tree) -> bool:
    """Say whether the function always returns the same literal and does nothing else."""
    values = tree.walk.returns
    if tree.walk.effects or not tree.body or not isinstance(tree.body[-1], ast.Return):
        return False
    literals = {_tokens(value) if value and _is_literal(value) else None for value in values}
    return len(literals) == 1 and None not in literals


def imports(tree: Tree, allowed: frozenset[str]) -> bool:
    """Say whether a module is imported that is not allowed, or one relative to a package."""
    return any(module.partition(".")[0] not in allowed for module in tree.walk.modules)


def banned_call(tree: Tree, banned: frozenset[str]) -> bool:
    """Say whether a banned builtin is read, called or handed on; a parameter named ``input`` is none."""
    return bool((tree.walk.loads & banned) - tree.walk.bound)


def global_state(tree: Tree) -> bool:
    """Say whether the function declares names of the module its own to change."""
    return tree.walk.reaches_out


def dunder(tree: Tree) -> bool:
    """Say whether a dunder attribute or name is read that may lead out of the function, such as ``__globals__``."""
    names = tree.walk.attributes | {name for name in tree.walk.loads if name.startswith("__")}
    return any(_DUNDER.match(name) and name not in _HARMLESS_DUNDERS for name in names)


def annotated_share(tree: Tree) -> float:
    """Return the share of the parameters and the result that are annotated, in [0, 1]."""
    if tree.function is None:
        return 0.0
    arguments = tree.function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
    notes = [*(argument.annotation for argument in every), tree.function.returns]
    return sum(note is not None for note in notes) / len(notes)


def _is_beside(node: ast.stmt) -> bool:
    return isinstance(node, _BESIDE) or _is_string(node)


def _is_string(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_placeholder(node: ast.stmt) -> bool:
    if isinstance(node, ast.Raise):
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _named(arguments: ast.arguments) -> list[str]:
    return [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]


def _lines(context: str) -> int:
    """Return how many lines of a program its context fills, counted as Python counts them."""
    return context.replace("\r\n", "\n").replace("\r", "\n").count("\n")


@lru_cache(maxsize=1024)
def _head_signature(head: str) -> tuple[str, ...] | None:
    """Return the parameters that a head asks for, or ``None`` if it is not complete."""
    function = head_function(head)
    try:
        return _tokens(function.args) if function else None
    except (TooDeep, RecursionError):
        return None


def _tokens(node: ast.AST) -> tuple[str, ...]:
    """Return tokens that are equal for equal trees, annotations included."""
    walk = Walk(None).over([node])
    return (*walk.shape, *walk.notes)


def _is_literal(node: ast.expr) -> bool:
    return all(isinstance(part, _LITERAL) for part in ast.walk(node))


@lru_cache(maxsize=1024)
def head_function(head: str) -> Function | None:
    """Return the function of a head that wants nothing but a body, or ``None``; remembered, for heads repeat."""
    if not head.strip():
        return None
    for body in ("", "    pass\n", "\n    pass\n", f"{_indent(head)}pass\n"):
        module = parse(head + body)
        if isinstance(module, ast.Module):
            return next((node for node in module.body if isinstance(node, Function)), None)
    return None


def head_docstring(head: str) -> str | None:
    """Return the docstring of a head, or ``None``."""
    function = head_function(head)
    return docstring_of(function.body) if function else None


def _indent(head: str) -> str:
    last = head.rstrip().rpartition("\n")[2]
    return last[: len(last) - len(last.lstrip())]
