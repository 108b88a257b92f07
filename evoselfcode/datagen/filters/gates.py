"""The ladder: which code is dropped and why.

The gates are ordered by what they cost and tell: first whether there is a whole function at all, then whether it does
anything, last whether it is fit for a dataset. Every gate is asked, for the audit of gates wants to know all that
object; the first one is *the* reason. docs/explanation/code-filters.md has what each dropped and lost on 8,200
completions of known correctness.

This file decides in which order the gates stand and where their thresholds are. It refuses to know what a gate looks
for: that is in :mod:`.code_text`, :mod:`.code_tree` and :mod:`.docstrings`.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from evoselfcode.datagen.filters import code_text, code_tree
from evoselfcode.datagen.filters.code_tree import Tree
from evoselfcode.datagen.filters.docstrings import docstring_of, tells_otherwise, told_arguments
from evoselfcode.datagen.filters.hashes import Hashes, hashes_of, nameless_hash
from evoselfcode.datagen.filters.source import Source

GATES: dict[str, str] = {
    "too_long": "more than filters.max_code_len characters; nothing else is looked at",
    "too_short": "fewer than filters.min_code_len characters",
    "truncated": "the text ended by length before the function did",
    "unparsable": "the program is no Python",
    "too_complex": "nested so deep that the parser or the walk over its tree gave up",
    "not_one_function": "not exactly one top-level function with the name asked for",
    "signature": "the parameters are others than those of the head",
    "docstring_only": "nothing follows the docstring",
    "placeholder": "pass, ... or raise NotImplementedError only, or a note that the work is to be done",
    "no_return": "neither returns a value nor yields",
    "no_argument": "takes no argument",
    "unused_argument": "never reads an argument",
    "constant": "always returns the same literal and does nothing else",
    "too_small": "fewer than filters.min_body_nodes nodes in the body",
    "layout": "too many lines, too long ones, too many comments, or letters that hide something",
    "repetition": "the same lines or words again and again",
    "import": "imports a module that is not on filters.allowed_imports",
    "banned_call": "reads a builtin on filters.banned_calls",
    "global_state": "declares names of the module as its own to change",
    "dunder": "reads a dunder attribute such as __globals__",
    "secret": "a key, an email address or a public IP address",
    "licence": "a copyright notice, a licence or the address of a repository",
    "docstring": "the docstring's Args are others than the parameters, or filters.require_docstring and none",
}
"""The gates of :func:`examine`, in the order of the ladder, and what each drops."""

CODE_REASONS: dict[str, str] = GATES | {
    "ruff": "ruff finds an error in it, by filters.enable_ruff",
    "contaminated": "it has text or a tree of a benchmark's task or solution",
    "quarantined": "it has the name of a benchmark's task",
    "failed": "it did not do in the sandbox what it should",
    "duplicate": "a better draw is the same function",
    "near_duplicate": "a better draw differs little from it",
}
"""Every reason a function can be dropped for, in the order of the ladder."""

RUFF_GATE = "E9,F63,F7,F82"
"""Rules of ruff that drop: syntax, comparisons that are always true, misplaced statements, undefined names.

Never more: ruff's old default rules (E4,E7,E9,F) flag 400 of 1,924 correct functions, and 32 of HumanEval's 164 own
solutions.
"""

RUFF_SCORE = "F401,F841,F811,E711,E712,E722,RET503,B,C901,PLE,PLW"
"""Rules that lower a score and never drop: what they flag fails more often, and is often correct."""

ALLOWED_IMPORTS = (
    *("__future__", "abc", "array", "base64", "binascii", "bisect", "calendar", "cmath", "collections", "colorsys"),
    *("copy", "dataclasses", "datetime", "decimal", "difflib", "enum", "fractions", "functools", "hashlib", "heapq"),
    *("hmac", "itertools", "json", "math", "numbers", "operator", "random", "re", "statistics", "string", "struct"),
    *("textwrap", "typing", "unicodedata"),
)
"""Modules of the standard library that reach no file, process, network or thread, and do not wait."""

BANNED_CALLS = (
    *("__import__", "breakpoint", "compile", "delattr", "eval", "exec", "exit", "globals", "help", "input", "locals"),
    *("open", "quit", "setattr", "vars"),
)
"""Builtins that read or write what is outside of the function, or run text."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Where the gates draw their lines: the keys of ``filters:``.

    Attributes:
        off: Gates that are not asked.
        parse: False to ask only the gates that need no syntax tree (``filters.enable_ast``).
        min_code_len: Fewest characters of the function.
        max_code_len: Most characters of it; longer code is not even parsed.
        max_lines: Most lines.
        max_line_length: Most characters of a line, outside of triple quotes.
        min_body_nodes: Fewest nodes in the body's tree: ``return len(x)`` has 4.
        max_comment_share: Largest share of comments among the lines that are not blank, in [0, 1].
        max_repeated_lines: Largest share of lines that repeat an earlier one, in [0, 1].
        max_repeated_text: Largest share of the text that the most frequent 4 words in a row fill, in [0, 1].
        require_docstring: Drop what has no docstring, and hold every ``Args:`` section to the parameters.
        allowed_imports: Top-level modules that may be imported.
        banned_calls: Builtins that may not be read.
    """

    off: tuple[str, ...] = ("no_argument",)
    parse: bool = True
    min_code_len: int = 16
    max_code_len: int = 16_384
    max_lines: int = 150
    max_line_length: int = 200
    min_body_nodes: int = 4
    max_comment_share: float = 0.5
    max_repeated_lines: float = 0.7
    max_repeated_text: float = 0.16
    require_docstring: bool = False
    allowed_imports: tuple[str, ...] = ALLOWED_IMPORTS
    banned_calls: tuple[str, ...] = BANNED_CALLS


class Examined(msgspec.Struct, frozen=True):
    """What the ladder says of one function.

    Attributes:
        reasons: The gates that object, in the order of the ladder; the first is the reason. Empty if it is kept.
        syntax_valid: Whether it parsed; False also where nobody tried.
        hashes: Its keys, where it parsed.
        nameless: The alpha key without the function's own name, by which a benchmark's solution is known.
        nodes: Nodes of its tree, without docstrings, annotations and operators; 0 where there is none.
        lines: Lines of its text.
        docstring: Whether the function has a docstring.
        annotated: Share of the parameters and the result that are annotated, in [0, 1].
    """

    reasons: tuple[str, ...]
    syntax_valid: bool = False
    hashes: Hashes | None = None
    nameless: str | None = None
    nodes: int = 0
    lines: int = 0
    docstring: bool = False
    annotated: float = 0.0

    @property
    def reason(self) -> str | None:
        """Return the first gate that objects, or ``None``."""
        return self.reasons[0] if self.reasons else None


DEFAULT_LIMITS = Limits()


def examine(source: Source, limits: Limits = DEFAULT_LIMITS) -> Examined:
    """Ask every gate about a function, and take its hashes and light measures.

    Pure and deterministic; never raises for any text. It parses, so hand it what strangers wrote in another process:
    the parser may take a long time and much memory where `max_code_len` is raised.
    """
    lines = source.code.count("\n")
    if len(source.code) > limits.max_code_len and "too_long" not in limits.off:
        return Examined(("too_long",), lines=lines)
    objecting = {reason for reason, objects in _TEXT_GATES if objects(source, limits)}
    if not limits.parse:
        return Examined(_in_order(objecting, limits), lines=lines)
    tree = code_tree.read(source)
    if isinstance(tree, str):
        return Examined(_in_order({*objecting, tree}, limits), lines=lines)
    objecting.update(reason for reason, objects in _TREE_GATES if objects(tree, limits))
    if tree.function is not None:
        objecting.update(reason for reason, objects in _FUNCTION_GATES if objects(tree, limits))
    return Examined(
        _in_order(objecting, limits),
        syntax_valid=True,
        hashes=hashes_of(source.code, tree.walk),
        nameless=nameless_hash(tree.walk),
        nodes=tree.walk.nodes,
        lines=lines,
        docstring=tree.function is not None and docstring_of(tree.function.body) is not None,
        annotated=code_tree.annotated_share(tree),
    )


def _in_order(objecting: set[str], limits: Limits) -> tuple[str, ...]:
    return tuple(reason for reason in GATES if reason in objecting and reason not in limits.off)


def _docstring(tree: Tree, limits: Limits) -> bool:
    """Object where the head asked for Google's style, or the user did, and the docstring does not keep to it."""
    assert tree.function is not None
    if limits.require_docstring:
        return docstring_of(tree.function.body) is None or tells_otherwise(tree.function)
    asked = "Args:" in tree.source.head and told_arguments(code_tree.head_docstring(tree.source.head) or "") is not None
    return asked and tells_otherwise(tree.function)


_TEXT_GATES: tuple[tuple[str, Callable[[Source, Limits], bool]], ...] = (
    ("too_long", lambda source, limits: len(source.code) > limits.max_code_len),
    ("too_short", lambda source, limits: len(source.code.strip()) < limits.min_code_len),
    ("truncated", lambda source, limits: not source.complete),
    ("placeholder", lambda source, limits: code_text.undone(source.written)),
    (
        "layout",
        lambda source, limits: code_text.layout(
            source.code, limits.max_lines, limits.max_line_length, limits.max_comment_share
        ),
    ),
    (
        "repetition",
        lambda source, limits: code_text.repetition(
            source.written, limits.max_repeated_lines, limits.max_repeated_text
        ),
    ),
    ("secret", lambda source, limits: code_text.secret(source.code)),
    ("licence", lambda source, limits: code_text.licence(source.code)),
)

_TREE_GATES: tuple[tuple[str, Callable[[Tree, Limits], bool]], ...] = (
    ("not_one_function", lambda tree, limits: code_tree.not_one_function(tree)),
    ("import", lambda tree, limits: code_tree.imports(tree, frozenset(limits.allowed_imports))),
    ("banned_call", lambda tree, limits: code_tree.banned_call(tree, frozenset(limits.banned_calls))),
    ("global_state", lambda tree, limits: code_tree.global_state(tree)),
    ("dunder", lambda tree, limits: code_tree.dunder(tree)),
)

_FUNCTION_GATES: tuple[tuple[str, Callable[[Tree, Limits], bool]], ...] = (
    ("signature", lambda tree, limits: code_tree.signature(tree)),
    ("docstring_only", lambda tree, limits: code_tree.docstring_only(tree)),
    ("placeholder", lambda tree, limits: code_tree.placeholder(tree)),
    ("no_return", lambda tree, limits: code_tree.no_return(tree)),
    ("no_argument", lambda tree, limits: code_tree.no_argument(tree)),
    ("unused_argument", lambda tree, limits: code_tree.unused_argument(tree)),
    ("constant", lambda tree, limits: code_tree.constant(tree)),
    ("too_small", lambda tree, limits: tree.walk.body_nodes < limits.min_body_nodes),
    ("docstring", _docstring),
)
