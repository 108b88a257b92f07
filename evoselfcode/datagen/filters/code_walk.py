"""Walk a syntax tree once: what the gates ask about, and the shape that the hashes are of.

Parsing 400 letters takes 30 µs, walking their tree in Python takes longer; so it is walked once, for all gates and both
hashes. The walk goes no deeper than :data:`MOST_DEPTH` and says so by an exception, so that its verdict does not depend
on how much of the stack its caller left.

This file decides what is noted of a tree. It refuses to judge it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from evoselfcode.datagen.filters.docstrings import Function, without_docstring

MOST_DEPTH = 100
"""Nesting of the deepest tree that is walked; the deepest of 1,924 correct HumanEval functions has 15."""

_SILENT = frozenset({"ctx", "kind", "type_comment", "annotation", "returns", "simple", "type_ignores"})
"""Fields that say nothing of what the code does; annotations are noted apart."""

_BINDS = {
    ast.FunctionDef: "name",
    ast.AsyncFunctionDef: "name",
    ast.ClassDef: "name",
    ast.arg: "arg",
    ast.ExceptHandler: "name",
    ast.MatchAs: "name",
    ast.MatchStar: "name",
    ast.MatchMapping: "rest",
}
"""Nodes that bind a local name by a plain string, and the field it stands in."""

_LEAVES = (ast.operator, ast.boolop, ast.unaryop, ast.cmpop)


class TooDeep(Exception):
    """The tree is nested more than :data:`MOST_DEPTH` deep."""


class Walk:
    """What one walk over the statements of a function noted.

    Attributes:
        nodes: Nodes of the tree; operators, contexts, annotations and docstrings do not count.
        body_nodes: Those of the judged function's body.
        loads: Names that are read.
        bound: Names that are bound, at any depth, but not by an import.
        modules: What is imported, ``"."`` first where it is relative.
        attributes: Attributes that begin with two underscores.
        reaches_out: Whether there is a ``global``, or a ``nonlocal`` outside of a nested function.
        returns: The values of the judged function's own ``return`` statements.
        gives: Whether anything returns a value or yields, functions within the function included.
        effects: Whether anything but names is changed, raised, awaited or called for its own sake.
        shape: The tree without docstrings and annotations, as tokens from which it could be built again.
        renamable: Where in `shape` the names are.
        named: Where the judged function's own name is.
        notes: The annotations, each with its place in `shape`.
    """

    def __init__(self, function: Function | None) -> None:
        self.nodes = self.body_nodes = 0
        self.loads, self.bound, self.imported = set[str](), set[str](), set[str]()
        self.modules: list[str] = []
        self.attributes: set[str] = set()
        self.reaches_out = self.gives = self.effects = False
        self.returns: list[ast.expr | None] = []
        self.shape: list[str] = []
        self.renamable: list[int] = []
        self.named: int | None = None
        self.notes: list[str] = []
        self._function = function
        self._owner: ast.AST | None = None
        self._out = self.shape

    def over(self, nodes: Iterable[ast.AST]) -> Walk:
        """Walk over `nodes` and return this walk.

        Raises:
            TooDeep: If they are nested more than :data:`MOST_DEPTH` deep.
        """
        for node in nodes:
            self._node(node, 1)
        return self

    def _node(self, node: ast.AST, depth: int) -> None:
        if depth > MOST_DEPTH:
            raise TooDeep
        kind = node.__class__
        if kind is ast.Name:
            self.nodes += 1
            self._name(node)  # type: ignore[arg-type]
            return
        if kind is ast.Constant:
            self.nodes += 1
            self._out.append(constant_token(node.value))  # type: ignore[attr-defined]
            return
        special = self._SPECIAL.get(kind)
        if special is not None:
            special(self, node, depth)
        else:
            self._plain(node, depth)

    def _plain(self, node: ast.AST, depth: int) -> None:
        """Note the class of a node, and every field that is not empty."""
        kind = node.__class__
        out = self._out
        out.append(kind.__name__)
        if isinstance(node, _LEAVES):
            return
        self.nodes += 1
        binds = _BINDS.get(kind)
        for field in _FIELDS.get(kind) or _fields(kind):
            value = getattr(node, field, None)
            if value is None or value == []:
                continue
            out.append(field)
            if field == binds and node is self._function:
                self.named = len(out)
                out.append(value)  # others know it by this name, and a variable of the same name is another
            elif field == binds:
                self.bound.add(value)
                self._renamable(value)
            elif field == "body" and kind in _DOCUMENTED:
                self._body(node, value, depth)
            elif value.__class__ is list:
                self._all(value, depth)
            elif isinstance(value, ast.AST):
                self._node(value, depth + 1)
            else:
                out.append(str(value))

    def _body(self, node: ast.AST, statements: list[ast.stmt], depth: int) -> None:
        """Walk over a body without its docstring; nothing but a docstring is as good as ``pass``."""
        before = self.nodes
        self._all(without_docstring(statements) or [ast.Pass()], depth)
        if node is self._function:
            self.body_nodes = self.nodes - before

    def _all(self, values: list[Any], depth: int) -> None:
        out = self._out
        out.append("[")
        for value in values:
            if isinstance(value, ast.AST):
                self._node(value, depth + 1)
            else:  # the key of **mapping, a keyword-only argument without default, a name after global
                out.append(str(value))
        out.append("]")

    def _name(self, node: ast.Name) -> None:
        if node.ctx.__class__ is ast.Load:
            self.loads.add(node.id)
        else:
            self.bound.add(node.id)
            if node.ctx.__class__ is ast.Del:
                self.loads.add(node.id)
        self._out.append("Name")
        self._renamable(node.id)

    def _renamable(self, name: str) -> None:
        if self._out is self.shape:
            self.renamable.append(len(self.shape))
        self._out.append(name)

    def _note(self, annotation: ast.AST | None, depth: int) -> None:
        """Note an annotation beside the shape, with its place."""
        if annotation is None:
            return
        nodes, out, self._out = self.nodes, self._out, self.notes
        self.notes.append(f"@{len(self.shape)}")
        self._node(annotation, depth + 1)
        self.nodes, self._out = nodes, out

    def _within(self, node: ast.AST, depth: int) -> None:
        """Walk into what has a scope of its own: its returns are not the judged function's."""
        owner, self._owner = self._owner, node
        self._note(getattr(node, "returns", None), depth)
        self._plain(node, depth)
        self._owner = owner

    def _arg(self, node: ast.arg, depth: int) -> None:
        self._note(node.annotation, depth)
        self._plain(node, depth)

    def _return(self, node: ast.Return, depth: int) -> None:
        if self._owner is self._function:
            self.returns.append(node.value)
        self.gives = self.gives or node.value is not None
        self._plain(node, depth)

    def _yield(self, node: ast.Yield | ast.YieldFrom, depth: int) -> None:
        self.gives = True
        self._effect(node, depth)

    def _effect(self, node: ast.AST, depth: int) -> None:
        self.effects = True
        self._plain(node, depth)

    def _expression(self, node: ast.Expr, depth: int) -> None:
        self.effects = self.effects or not isinstance(node.value, ast.Constant)
        self._plain(node, depth)

    def _augmented(self, node: ast.AugAssign, depth: int) -> None:
        if isinstance(node.target, ast.Name):
            self.loads.add(node.target.id)
        self._plain(node, depth)

    def _annotated(self, node: ast.AnnAssign, depth: int) -> None:
        """Walk ``x: int = 1`` as if it were ``x = 1``, and ``x: int`` as if it were not there."""
        self.notes.append("AnnAssign")
        self._note(node.annotation, depth)
        if node.value is None:
            self._note(node.target, depth)
            return
        assign = ast.Assign(targets=[node.target], value=node.value)
        self._plain(assign, depth)

    def _attribute(self, node: ast.Attribute, depth: int) -> None:
        if node.attr.startswith("__"):
            self.attributes.add(node.attr)
        self.effects = self.effects or node.ctx.__class__ is not ast.Load
        self._plain(node, depth)

    def _joined(self, node: ast.JoinedStr, depth: int) -> None:
        """Walk over the parts of an f-string; Python 3.12 puts empty ones where other versions put none."""
        self.nodes += 1
        self._out.append("JoinedStr")
        self._all([part for part in node.values if not (isinstance(part, ast.Constant) and part.value == "")], depth)

    def _subscript(self, node: ast.Subscript, depth: int) -> None:
        self.effects = self.effects or node.ctx.__class__ is not ast.Load
        self._plain(node, depth)

    def _import(self, node: ast.Import | ast.ImportFrom, depth: int) -> None:
        if isinstance(node, ast.ImportFrom):
            self.modules.append("." * node.level + (node.module or ""))
            self.imported.update(alias.asname or alias.name for alias in node.names)
        else:
            self.modules += [alias.name for alias in node.names]
            self.imported.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
        self._plain(node, depth)

    def _outer(self, node: ast.Global | ast.Nonlocal, depth: int) -> None:
        nested = self._owner is not None and self._owner is not self._function
        self.reaches_out = self.reaches_out or isinstance(node, ast.Global) or not nested
        self.effects = True
        self._plain(node, depth)

    _SPECIAL: ClassVar[dict[type[ast.AST], Callable[[Walk, Any, int], None]]] = {
        ast.FunctionDef: _within,
        ast.AsyncFunctionDef: _within,
        ast.ClassDef: _within,
        ast.Lambda: _within,
        ast.arg: _arg,
        ast.Return: _return,
        ast.Yield: _yield,
        ast.YieldFrom: _yield,
        ast.Await: _effect,
        ast.Raise: _effect,
        ast.Assert: _effect,
        ast.With: _effect,
        ast.AsyncWith: _effect,
        ast.Delete: _effect,
        ast.Expr: _expression,
        ast.AugAssign: _augmented,
        ast.AnnAssign: _annotated,
        ast.Attribute: _attribute,
        ast.Subscript: _subscript,
        ast.JoinedStr: _joined,
        ast.Import: _import,
        ast.ImportFrom: _import,
        ast.Global: _outer,
        ast.Nonlocal: _outer,
    }


def constant_token(value: object) -> str:
    """Return a token for a literal that tells ``1``, ``1.0`` and ``True`` apart.

    Integers are written in base 16: ``repr`` refuses those of more than 4,300 digits (Python 3.11).
    """
    return hex(value) if type(value) is int else repr(value)


def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    """Return the fields of a node that are walked, in order."""
    fields = _FIELDS[kind] = tuple(field for field in kind._fields if field not in _SILENT)
    return fields


_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}
_DOCUMENTED = frozenset({ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef})
