"""Docstrings: what is one, and whether the arguments that one in Google's style tells of are the function's.

This file decides what a docstring is and what its ``Args:`` section names. It refuses to judge what it says of an
argument.
Source: Google Python Style Guide, 3.8.3.
"""

from __future__ import annotations

import ast
import re

Function = ast.FunctionDef | ast.AsyncFunctionDef

_ARGS = re.compile(r"^([ \t]*)(?:Args|Arguments|Parameters):[ \t]*$", re.MULTILINE)
_ENTRY = re.compile(r"\*{0,2}(\w+)[ \t]*(?:\([^\n]*\))?[ \t]*:")


def without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements of `body` after its docstring."""
    return body[1:] if docstring_of(body) is not None else body


def docstring_of(body: list[ast.stmt]) -> str | None:
    """Return the docstring that `body` begins with, as it is written, or ``None``."""
    first = body[0] if body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return first.value.value
    return None


def told_arguments(docstring: str) -> list[str] | None:
    """Return the names that an ``Args:`` section tells of, in order, or ``None`` if there is no such section.

    An entry stands at the indentation of the section's first line; what is indented further goes on with it.
    """
    section = _ARGS.search(docstring)
    if section is None:
        return None
    lines = [line for line in docstring[section.end() :].expandtabs().split("\n") if line.strip()]
    least = len(section[1].expandtabs())
    depth = len(lines[0]) - len(lines[0].lstrip()) if lines else 0
    names = []
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if indent <= least:
            break
        entry = _ENTRY.match(line.strip())
        if indent == depth and entry:
            names.append(entry[1])
    return names


def tells_otherwise(function: Function) -> bool:
    """Say whether a docstring's ``Args:`` are others than the parameters, in another order, or missing in part."""
    told = told_arguments(docstring_of(function.body) or "")
    return told is not None and told != _parameters(function.args)


def _parameters(arguments: ast.arguments) -> list[str]:
    every = [*arguments.posonlyargs, *arguments.args, arguments.vararg, *arguments.kwonlyargs, arguments.kwarg]
    return [argument.arg for argument in every if argument and argument.arg not in {"self", "cls"}]
