r"""Function text: where a function ends in what a model wrote.

A base model does not stop at the end of a function. HumanEval's harnesses cut at five strings (``\nclass``, ``\ndef``,
``\n#``, ``\nif``, ``\nprint``; microsoft/CodeT), which cut inside of strings and let ``\nassert`` and ``\nfor`` pass.
Here any line ends the function that begins at column 0, outside of strings, brackets and continued lines.

This file decides where the text is cut. It never parses, except in :func:`trim`: what is cut may be hopeless, and two
megabytes of it must cost milliseconds. It refuses to know whether the function is any good.
"""

from __future__ import annotations

import ast
import re

from evoselfcode.wire.sentinels import cut_leak

MOST_TRIMS = 32
"""Lines that :func:`trim` takes off at most, each with one parse: a statement that is longer is not worth keeping."""

MOST_TRIMMED = 65_536
"""Letters of the longest text that :func:`trim` parses."""

# Possessive quantifiers (Python 3.11) keep every alternative linear: nothing is ever tried a second time.
_MARKS = re.compile(
    r'''(?P<string>"""(?:[^"\\]++|\\.|"(?!""))*+(?:"""|\\?\Z)'''
    r"""|\'\'\'(?:[^'\\]++|\\.|'(?!''))*+(?:\'\'\'|\\?\Z)"""
    r"""|"(?:[^"\\\n]++|\\.)*+"?|'(?:[^'\\\n]++|\\.)*+'?)"""
    r"""|(?P<comment>\#[^\n]*+)"""
    r"""|(?P<open>[(\[{])|(?P<close>[)\]}])"""
    r"""|(?P<continued>\\\n)"""
    r"""|(?P<top>\n\f*+(?=[^\s\\]))""",
    re.DOTALL,
)
_DEF = re.compile(r"(?:async[ \t]++)?def\b")
_UNMISTAKABLE = re.compile(r"(?:(?:async[ \t]++)?def|class)[ \t]++\w")
"""What stands at the beginning of no line inside of brackets: a bracket that is still open there was forgotten."""

_FENCE = re.compile(r"^[ \t]*```[^\n]*\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.MULTILINE)
_BEGINNING = re.compile(r"^(?:(?:async[ \t]+)?def\b|@\w|import[ \t]+\w|from[ \t]+[\w.]+[ \t]+import\b)", re.MULTILINE)
_HAS_DEF = re.compile(r"^[ \t]*(?:async[ \t]+)?def\b", re.MULTILINE)


def cut(head: str, completion: str, finish_reason: str | None) -> tuple[str, bool]:
    """Join what the prompt began with what the model wrote, and cut where the next top-level statement begins.

    A special token that leaked ends the text, as a stop would have. Line ends become ``\\n``, white space at the end
    one line end. Never raises; takes time in proportion to the text.

    Args:
        head: What the prompt wrote of the function, even half a signature; ``""`` if the model wrote all of it. Prose
            and a Markdown fence before the function are then left out.
        completion: A choice's text.
        finish_reason: Why it ended; ``"length"`` means that the model was not done.

    Returns:
        The function, and False if it ended by length before the function did.
    """
    written, leaked = cut_leak(completion)
    written = _one_line_end(written)
    if not head.strip():
        head, written = "", _without_prose(written)
    text = _one_line_end(head) + written
    end = _end(text)
    complete = end is not None or leaked or finish_reason != "length"
    return text[:end].rstrip() + "\n", complete


def trim(code: str) -> str:
    """Return `code` up to its last complete statement: a truncated function without the line it broke off in.

    Lines are taken off until the rest parses and still defines a function: at most :data:`MOST_TRIMS`, of a text of
    at most :data:`MOST_TRIMMED` letters. Where that leads nowhere, `code` comes back as it is.
    """
    lines = _one_line_end(code[: MOST_TRIMMED + 1]).rstrip().split("\n")
    if len(code) > MOST_TRIMMED:
        return code
    for kept in range(len(lines) - 1, max(0, len(lines) - 1 - MOST_TRIMS), -1):
        shorter = "\n".join(lines[:kept]).rstrip() + "\n"
        if _defines(shorter):
            return shorter
    return code


def _end(text: str) -> int | None:
    """Return where the first function of `text` is over, or ``None`` if it goes on to the end."""
    begun = _DEF.match(text) is not None
    depth = 0
    for mark in _MARKS.finditer(text):
        kind = mark.lastgroup
        if kind == "open":
            depth += 1
        elif kind == "close":
            depth = max(0, depth - 1)
        elif kind == "top" and (depth == 0 or _UNMISTAKABLE.match(text, mark.end())):
            if begun:
                return mark.start()
            begun, depth = _DEF.match(text, mark.end()) is not None, 0
    return None


def _one_line_end(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _without_prose(text: str) -> str:
    """Return the code of a text that may talk before it: from its first statement, in a fence if that comes first."""
    text = text.lstrip("\ufeff")
    begin = _BEGINNING.search(text)
    if "```" in text[: begin.start() if begin else None]:
        fenced = next((found[1] for found in _FENCE.finditer(text) if _HAS_DEF.search(found[1])), text)
        begin, text = _BEGINNING.search(fenced), fenced
    return text[begin.start() :] if begin else text.lstrip("\n")


def _defines(code: str) -> bool:
    from evoselfcode.datagen.filters.code_tree import parse

    tree = parse(code)
    return isinstance(tree, ast.Module) and any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in tree.body
    )
