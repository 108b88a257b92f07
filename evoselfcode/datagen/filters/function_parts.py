r"""Parts: where the signature, the docstring and the body of a function begin in a text.

A part begins at the beginning of a line wherever it can: many vocabularies have a token of a colon or three quotes and
the line end, which would begin in one part and end in the next. So a line end belongs to the part before it, and the
indentation to the part behind it, whether there is a docstring or not.

This file decides by the syntax tree; what stands between two nodes of it (a colon, comments) is all that is searched.
It refuses to know what the parts are used for.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from itertools import pairwise

import msgspec

from evoselfcode.datagen.filters.code_tree import parse
from evoselfcode.datagen.filters.docstrings import Function, docstring_of

AROUND, SIGNATURE, DOCSTRING, BODY = "around", "signature", "docstring", "body"
"""The parts: helpers and imports before and behind the function; and its own three."""

_LINE_END = r"(?:\r\n|\r|\n)"
_REST_OF_LINE = re.compile(rf"[ \t\f]*+(?:\#[^\r\n]*+)?(?:{_LINE_END}|\Z)")
_BEHIND_DOCSTRING = re.compile(rf"[ \t\f]*+;?(?:[ \t\f]*+(?:\#[^\r\n]*+)?(?:{_LINE_END}|\Z))?")
_INDENTED = re.compile(rf"(?:(?:[ \t\f]*+{_LINE_END})*+[ \t][ \t\f]*+\#[^\r\n]*+(?:{_LINE_END}|\Z))*+")
_COLON = re.compile(r"\#[^\r\n]*+|(:)")
_DEF = re.compile(r"(?:async[ \t\f\\\r\n]++)?def[ \t\f\\\r\n]++")
_LINES = re.compile(_LINE_END)

REMEMBERED = 256
"""Functions whose parts are remembered: all that is made of a row is made together, and few are under way at once."""


class Parts(msgspec.Struct, frozen=True):
    """A text and where its parts begin, in characters; each ends where the next begins.

    Attributes:
        code: The text.
        signature: Where the function begins, with its decorators; all before is around it.
        docstring: Where its docstring's line begins, or its body if it has none.
        body: Where its body begins.
        body_end: Where its last statement ends, without the comments behind it; its body's beginning, if it has none.
        after: Where the function ends; all behind is around it.
        name: Where its name begins; ``None`` where it is written in other letters than Python reads it as.
        name_end: Where its name ends, as far as that is known.
    """

    code: str
    signature: int
    docstring: int
    body: int
    body_end: int
    after: int
    name: int | None
    name_end: int

    @property
    def has_docstring(self) -> bool:
        """Whether there is a docstring."""
        return self.docstring < self.body

    @property
    def has_body(self) -> bool:
        """Whether anything follows the header and the docstring."""
        return self.body < self.body_end

    @property
    def header(self) -> str:
        """Everything up to the docstring."""
        return self.code[: self.docstring]

    @property
    def body_text(self) -> str:
        """The body."""
        return self.code[self.body : self.after]

    @property
    def bounds(self) -> tuple[tuple[int, str], ...]:
        """Where each part that is not empty begins, and which it is."""
        edges = (
            (0, AROUND),
            (self.signature, SIGNATURE),
            (self.docstring, DOCSTRING),
            (self.body, BODY),
            (self.after, AROUND),
            (len(self.code), ""),
        )
        return tuple(edge for edge, (end, _) in pairwise(edges) if edge[0] < end)


@lru_cache(maxsize=REMEMBERED)
def split(code: str, func_name: str) -> Parts | None:
    """Return where the parts of a function are, or ``None`` if Python cannot parse it or has no function of that name.

    Of several functions of that name it is the first. One within a class or another function does not count.
    """
    module = parse(code)
    if isinstance(module, str):
        return None
    found = next((node for node in module.body if isinstance(node, Function) and node.name == func_name), None)
    return None if found is None else _Places(code).parts(found, func_name)


class _Places:
    """Tells where nodes stand in a text: the tree has lines, and bytes of a line.

    Args:
        code: The text.
    """

    def __init__(self, code: str) -> None:
        self._code = code
        self._starts = [0, *(found.end() for found in _LINES.finditer(code)), len(code)]

    def _at(self, line: int, column: int) -> int:
        start = self._starts[line - 1]
        text = self._code[start : start + column]  # a character has a byte at least
        if text.isascii():
            return start + column
        return start + len(text.encode()[:column].decode())

    def _begin(self, node: ast.stmt) -> int:
        """Return where a statement begins, with its decorators."""
        decorators = getattr(node, "decorator_list", [])
        places = [(node.lineno, node.col_offset), *((it.lineno, it.col_offset) for it in decorators)]
        line, column = min(places)
        at = self._at(line, column)
        return self._code.rindex("@", 0, at) if decorators else at

    def _end(self, node: ast.AST) -> int:
        """Return where a node ends; 0 for what stands nowhere, such as a context."""
        return self._at(getattr(node, "end_lineno", 1), getattr(node, "end_col_offset", 0))

    def parts(self, function: Function, func_name: str) -> Parts:
        """Return the parts of a function of the text."""
        keyword = self._at(function.lineno, function.col_offset)
        signature = self._begin(function)
        docstring = self._behind_header(function, keyword)
        body = docstring
        if docstring_of(function.body) is not None:
            body = self._match_end(_BEHIND_DOCSTRING, self._end(function.body[0]))
        after = self._match_end(_REST_OF_LINE, self._end(function))
        after = max(self._match_end(_INDENTED, after), body)
        name = self._name(keyword, func_name)
        return Parts(
            code=self._code,
            signature=signature,
            docstring=docstring,
            body=body,
            body_end=max(body, self._end(function.body[-1])),
            after=after,
            name=name,
            name_end=(name or keyword) + len(func_name),
        )

    def _behind_header(self, function: Function, keyword: int) -> int:
        """Return where what follows the header begins: behind its colon, and behind the line end if that follows."""
        written = [*ast.walk(function.args), *getattr(function, "type_params", ()), *filter(None, [function.returns])]
        begin = max(keyword, *map(self._end, written))
        colon = next(found.end() for found in _COLON.finditer(self._code, begin) if found[1])
        return self._match_end(_REST_OF_LINE, colon)

    def _match_end(self, pattern: re.Pattern[str], at: int) -> int:
        found = pattern.match(self._code, at)
        return found.end() if found else at

    def _name(self, keyword: int, func_name: str) -> int | None:
        found = _DEF.match(self._code, keyword)
        return found.end() if found and self._code.startswith(func_name, found.end()) else None
