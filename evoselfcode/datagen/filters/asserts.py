"""Checks that a model wrote of a function: which statements count, and which draws give none and why."""

from __future__ import annotations

import ast

from evoselfcode.datagen.filters.code_tree import parse
from evoselfcode.records import Candidate, Choice, Request, Task, Verdict
from evoselfcode.wire.sentinels import cut_leak

ASSERT_REASONS: dict[str, str] = {
    "special_token": "a special token of the model leaked into the text",
    "empty": "no assert that calls the function can be read off the text",
}
"""Every reason a draw of checks can be dropped for, in the order of the gates."""

LONGEST = 16_384
"""Characters of one draw that are looked at."""

LONGEST_ASSERT = 500

FIRST = 5
"""Asserts that are taken of one draw (CodeT, arXiv 2207.10397, takes five)."""


def read_asserts(task: Task, text: str) -> tuple[str, ...]:
    """Return the first asserts of a text that call the function, each once and on one line.

    Args:
        task: The function; the prompt's last line begins the first assert.
        text: What the model wrote behind it.
    """
    found: dict[str, None] = {}
    for line in (f"assert {task.func_name}({text[:LONGEST]}").splitlines():
        statement = vetted(line, task.func_name)
        if statement is not None:
            found[statement] = None
        if len(found) == FIRST:
            break
    return tuple(found)


def vetted(line: str, func_name: str) -> str | None:
    """Return a line as an assert in one spelling; ``None`` if it is none that calls the function and does no more."""
    line = line.strip()
    if not line.startswith("assert ") or len(line) > LONGEST_ASSERT:
        return None
    tree = parse(line)
    match tree if isinstance(tree, str) else tree.body:
        case [ast.Assert(test=test)]:
            nodes = list(ast.walk(test))
            calls = any(
                isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == func_name
                for node in nodes
            )
            return ast.unparse(ast.Assert(test=test, msg=None)) if calls and not any(map(_does_more, nodes)) else None
    return None


def _does_more(node: ast.AST) -> bool:
    """Say whether a part of an assert binds a name, waits, or reaches behind an object."""
    binds = isinstance(node, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom)
    return binds or (isinstance(node, ast.Attribute) and node.attr.startswith("__"))


def parse_asserts(request: Request, index: int, choice: Choice) -> Candidate:
    """Read the asserts off a choice; the candidate's text has one a line."""
    found = read_asserts(request.task, choice.text) if request.task else ()
    return Candidate.of(request, index, choice, "\n".join(found))


def judge_asserts(task: Task, candidate: Candidate) -> Verdict:
    """Keep a draw that has an assert."""
    if cut_leak(candidate.raw_text)[1]:
        return Verdict("special_token")
    return Verdict(None if candidate.text else "empty")
