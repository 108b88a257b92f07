"""Skeletons: a ``def`` line and a docstring in a model's text, and which are dropped and why."""

from __future__ import annotations

import ast

from evoselfcode.datagen.filters.code_tree import parse
from evoselfcode.datagen.filters.docstrings import told_arguments
from evoselfcode.records import Candidate, Choice, Request, Task, Verdict
from evoselfcode.wire.sentinels import cut_leak

SKELETON_REASONS: dict[str, str] = {
    "special_token": "a special token of the model leaked into the text",
    "unparsable": "no function head with a docstring can be read off the text",
    "no_docstring": "the head is followed by something else than a docstring",
    "no_argument": "the function takes no argument",
    "untyped": "an argument or the result has no annotation",
    "undocumented": "the docstring's Args are not the function's arguments, or it says nothing of what is returned",
}
"""Every reason a skeleton can be dropped for, in the order of the gates."""

LONGEST = 8192
"""Characters that are looked at: a head with a docstring has a few hundred."""


def read_skeleton(task: Task, text: str) -> str:
    """Read a ``def`` line and docstring off the text that follows ``task.head``; ``""`` if there is none."""
    written = task.head + text[:LONGEST]
    head = written[: _docstring_end(written)].rstrip()
    function = _function(head)
    return f"{head}\n" if function is not None and function.name == task.func_name else ""


def signature_of(skeleton: str) -> str:
    """Return the parameters of a skeleton and what it returns, as ``(values: list[int]) -> int``."""
    function = _function(skeleton)
    if function is None:
        return ""
    returns = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    return f"({ast.unparse(function.args)}){returns}"


def parse_skeleton(request: Request, index: int, choice: Choice) -> Candidate:
    """Read a skeleton off a choice; the candidate's text is the skeleton, or empty."""
    return Candidate.of(request, index, choice, read_skeleton(request.task, choice.text) if request.task else "")


def judge_skeleton(task: Task, candidate: Candidate) -> Verdict:
    """Keep a skeleton, or drop it for the first gate that objects."""
    if cut_leak(candidate.raw_text)[1]:
        return Verdict("special_token")
    function = _function(candidate.text)
    return Verdict("unparsable" if function is None else _objection(function))


def _docstring_end(text: str) -> int:
    """Return where the head ends: behind the second quotes of its first docstring, or behind its ``def`` line."""
    for quotes in ('"""', "'''"):
        begin = text.find(quotes)
        end = text.find(quotes, begin + 3)
        if begin >= 0 and end >= 0:
            return end + 3
    return text.find(":\n") + 1


def _function(text: str) -> ast.FunctionDef | None:
    tree = parse(text.rstrip() + "\n    pass\n")
    body = [] if isinstance(tree, str) else tree.body
    return body[0] if len(body) == 1 and isinstance(body[0], ast.FunctionDef) else None


def _objection(function: ast.FunctionDef) -> str | None:
    docstring = ast.get_docstring(function)
    if not docstring:
        return "no_docstring"
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    if not (named or arguments.vararg or arguments.kwarg):
        return "no_argument"
    if function.returns is None or any(argument.annotation is None for argument in named):
        return "untyped"
    described = told_arguments(docstring)
    said = described is not None and set(described) >= {argument.arg for argument in named}
    answers = "Returns:" in docstring or "Yields:" in docstring
    return None if said and answers else "undocumented"
