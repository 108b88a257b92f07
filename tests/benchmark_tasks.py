"""HumanEval's tasks, and what may be done to one; for the tests of contamination."""

from __future__ import annotations

import ast
import gzip
import json
from functools import cache

import checkout

from evoselfcode.datagen.filters.contamination import Index
from evoselfcode.datagen.filters.hashes import nameless_hash_of

HUMANEVAL = checkout.ROOT / "tests" / "data" / "HumanEval.jsonl.gz"


class Renamed(ast.NodeTransformer):
    """Gives every name that a program binds another one; drops docstrings and annotations."""

    def __init__(self, program: ast.Module) -> None:
        nodes = list(ast.walk(program))
        stored = [node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
        bound = [*(node.arg for node in nodes if isinstance(node, ast.arg)), *stored]
        bound += [node.name for node in nodes if isinstance(node, ast.FunctionDef)]
        self._names = {name: f"changed_{i}" for i, name in enumerate(dict.fromkeys(bound))}

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self._names.get(node.id, node.id), node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(self._names[node.arg])

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.name, node.returns = self._names[node.name], None
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        self.generic_visit(node)
        return node


def renamed(code: str) -> str:
    program = ast.parse(code)
    return ast.unparse(ast.fix_missing_locations(Renamed(program).visit(program)))


@cache
def tasks() -> list[dict[str, str]]:
    return [json.loads(line) for line in gzip.decompress(HUMANEVAL.read_bytes()).splitlines() if line.strip()]


@cache
def humaneval() -> Index:
    return Index.of_rows("HumanEval", tasks(), nameless_hash_of)


def reference(task: dict[str, str]) -> str:
    """Return the whole program of a task."""
    return task["prompt"] + task["canonical_solution"]


def bare(task: dict[str, str]) -> str:
    """Return a task's program without docstrings."""
    program = ast.parse(reference(task))
    for node in ast.walk(program):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.unparse(program)
