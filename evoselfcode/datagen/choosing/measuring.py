"""Measure a function by its tree and its docstring, in a process of its own: hostile text may cost that, not the run.

This file decides what is counted, and with which library. What a number is worth is
:mod:`evoselfcode.datagen.choosing.quality`. It has no event loop and imports nothing that a run needs;
``python -m evoselfcode.datagen.choosing.measuring`` is the process.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from evoselfcode.datagen.code.examiner import answer, be
from evoselfcode.datagen.filters.code_tree import parse
from evoselfcode.datagen.filters.docstrings import Function, docstring_of

SECONDS = 1.0
"""CPU time that one function may take; one of 150 lines takes a few milliseconds."""

_DOCTEST = re.compile(r"^[ \t]*>>> ?\S", re.MULTILINE)
_EXAMPLES = re.compile(r"^[ \t]*(?:Examples?|Usage):?[ \t]*$", re.MULTILINE)
_YIELDS = re.compile(r"^[ \t]*(?::yields?[ :]|Yields?:?[ \t]*$)", re.MULTILINE)


class Text(msgspec.Struct, frozen=True, array_like=True):
    """A function to be measured."""

    func_name: str
    code: str


class Measured(msgspec.Struct, frozen=True, array_like=True):
    """What was counted of a function; everything is ``None`` where it could not be.

    Attributes:
        statements: Statements without docstrings, the function's own ``def`` among them.
        complexity: Cyclomatic complexity by lizard: 1 and the decisions, functions within it included.
        cognitive: Cognitive complexity by complexipy.
        docstring: How complete the docstring is, from 0 (there is none) to 1.
    """

    statements: int | None = None
    complexity: int | None = None
    cognitive: int | None = None
    docstring: float | None = None


def measure(text: Text) -> Measured:
    """Measure a function. May take long, or all memory: never in the process of a run."""
    module = parse(text.code)
    if isinstance(module, str):
        return Measured()
    named = (node for node in module.body if isinstance(node, Function) and node.name == text.func_name)
    function = next(named, None)
    try:
        plain = ast.unparse(module)  # layout and comments are not to reach a number
    except RecursionError:
        return Measured()
    return Measured(
        statements=sum(1 for node in ast.walk(module) if isinstance(node, ast.stmt) and not _is_string(node)),
        complexity=cyclomatic(plain),
        cognitive=cognitive(plain),
        docstring=completeness(function) if function else None,
    )


def _is_string(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def cyclomatic(code: str) -> int | None:
    """Return 1 and the decisions of all functions of a text, ``None`` if it has none.

    Of the libraries, lizard counts as the figures do that the band of complexity is from: 19 of HumanEval's 164
    solutions have 1, and the most is 15. Ruff's C901 counts neither ``and`` and ``or`` nor comprehensions: 53 and 14.

    Args:
        code: Python as ``ast.unparse`` writes it: lizard passes over a function whose body stands on its first line.
    """
    import lizard

    found = lizard.analyze_file.analyze_source_code("function.py", code).function_list
    return 1 + sum(function.cyclomatic_complexity - 1 for function in found) if found else None


def cognitive(code: str) -> int:
    """Return the cognitive complexity of a text."""
    import complexipy

    return int(complexipy.code_complexity(code).complexity)


def completeness(function: Function) -> float:
    """Return how much of a function its docstring tells: the mean of the parts that apply, each from 0 to 1.

    A summary; the share of the parameters that are told of; what is returned or yielded, where something is; an
    example. Google's, numpydoc's and Sphinx's styles are read, whichever finds most.
    """
    docstring = docstring_of(function.body)
    if docstring is None or not docstring.strip():
        return 0.0
    clean = ast.get_docstring(function) or ""
    summary, told, returned = _read(clean)
    parameters = _parameters(function.args)
    parts = [float(summary), float(bool(_DOCTEST.search(clean) or _EXAMPLES.search(clean)))]
    if parameters:
        parts.append(sum(name in told for name in parameters) / len(parameters))
    if any(map(_gives, _own(function))):
        parts.append(float(returned))
    return sum(parts) / len(parts)


def _read(docstring: str) -> tuple[bool, set[str], bool]:
    """Return whether there is a summary, which parameters are told of, and whether the result is."""
    from docstring_parser import parse as parse_docstring

    parsed = parse_docstring(docstring)
    told = {name.strip().lstrip("*") for parameter in parsed.params for name in parameter.arg_name.split(",")}
    return bool(parsed.short_description), told, bool(parsed.many_returns or _YIELDS.search(docstring))


def _parameters(arguments: ast.arguments) -> list[str]:
    every = [*arguments.posonlyargs, *arguments.args, arguments.vararg, *arguments.kwonlyargs, arguments.kwarg]
    return [argument.arg for argument in every if argument and argument.arg not in {"self", "cls"}]


def _own(function: Function) -> Iterator[ast.AST]:
    """Yield the nodes of a function without those of functions within it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))


def _gives(node: ast.AST) -> bool:
    return isinstance(node, ast.Yield | ast.YieldFrom) or (isinstance(node, ast.Return) and node.value is not None)


def serve(asked: BinaryIO, answered: BinaryIO) -> None:
    """Answer lists of functions until `asked` ends; every function has an answer of its own."""
    answer(asked, answered, msgspec.msgpack.Decoder(list[Text]).decode, measure, lambda text: len(text.code), SECONDS)


if __name__ == "__main__":
    be(serve)
