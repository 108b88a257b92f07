"""What is kept: the gates of names and of code, their thresholds, and how model-written code is run."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

GateKey = Literal[
    "too_long", "too_short", "truncated", "too_complex", "not_one_function", "signature", "docstring_only",
    "placeholder", "no_return", "no_argument", "unused_argument", "constant", "too_small", "layout", "repetition",
    "import", "banned_call", "global_state", "dunder", "secret", "licence", "docstring", "contaminated", "quarantined",
    "failed", "duplicate", "near_duplicate",
]  # fmt: skip
"""The gates that ``filters.disabled_gates`` can switch off; two have a key of their own, ``enable_ast`` and
``enable_ruff``."""

WallKey = Literal["bubblewrap", "namespaces", "landlock", "rlimits"]

ALLOWED_IMPORTS = (
    "__future__", "abc", "array", "base64", "binascii", "bisect", "calendar", "cmath", "collections", "colorsys",
    "copy", "dataclasses", "datetime", "decimal", "difflib", "enum", "fractions", "functools", "hashlib", "heapq",
    "hmac", "itertools", "json", "math", "numbers", "operator", "random", "re", "statistics", "string", "struct",
    "textwrap", "typing", "unicodedata",
)  # fmt: skip
"""Those of the gates (:mod:`evoselfcode.datagen.filters.gates`), which a configuration cannot import."""

BANNED_CALLS = (
    "__import__", "breakpoint", "compile", "delattr", "eval", "exec", "exit", "globals", "help", "input", "locals",
    "open", "quit", "setattr", "vars",
)  # fmt: skip

_Text = Annotated[str, Meta(min_length=1)]
_Share = Annotated[float, Meta(gt=0, le=1)]
_Workers = Annotated[int, Meta(ge=1, le=1024)]


class Execution(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How model-written code is run, where filters.execute is on."""

    least_wall: Annotated[
        WallKey,
        Meta(
            description="The weakest wall that is accepted, of bubblewrap, namespaces, landlock and rlimits; the best "
            "that holds here is taken. rlimits is no wall: code can read and send what this user can."
        ),
    ] = "landlock"
    seconds: Annotated[
        float,
        Meta(
            gt=0,
            le=600,
            description="Wall time of one function with all its checks; a single check has an eighth of it.",
        ),
    ] = 4.0
    memory_mib: Annotated[int, Meta(ge=64, le=65536, description="Most memory of one function, in MiB.")] = 2048
    workers: Annotated[_Workers | None, Meta(description="Functions run at once; null is one for each processor.")] = (
        None
    )
    asserts: Annotated[
        _Text | None,
        Meta(description="JSONL file with func_name and asserts; null takes what datagen-asserts has written, if any."),
    ] = None


class Filters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept."""

    name_regex: Annotated[
        str, Meta(description="Regular expression that must be found in a name; ^ and $ have it match the whole.")
    ] = "^[a-z_][a-z0-9_]{2,64}$"
    min_code_len: Annotated[int, Meta(ge=0, description="Fewest characters of a function's code.")] = 16
    enable_ast: Annotated[
        bool, Meta(description="Drop code that Python cannot parse; without, no gate that needs its tree is asked.")
    ] = True
    enable_ruff: Annotated[bool, Meta(description="Drop code in which ruff finds errors (E9, F63, F7, F82).")] = False
    disabled_gates: Annotated[
        tuple[GateKey, ...],
        Meta(description="Gates of code that are switched off (docs/reference/reasons.md names them all)."),
    ] = ("no_argument",)
    max_code_len: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Most characters of a function's code; longer text is not parsed.")
    ] = 16_384
    max_lines: Annotated[int, Meta(ge=1, description="Most lines of a function.")] = 150
    max_line_length: Annotated[
        int, Meta(ge=1, description="Most characters of one line of code, docstrings aside.")
    ] = 200
    min_body_nodes: Annotated[int, Meta(ge=0, description="Fewest nodes of a body's syntax tree.")] = 4
    max_comment_share: Annotated[
        _Share, Meta(description="Largest share of a function's lines that may be comments; blank lines do not count.")
    ] = 0.5
    max_repeated_lines: Annotated[
        _Share, Meta(description="Largest share of a function's lines that may repeat an earlier one.")
    ] = 0.7
    max_repeated_text: Annotated[
        _Share,
        Meta(description="Largest share of a function's text that its most frequent run of four words may make up."),
    ] = 0.16
    require_docstring: Annotated[
        bool, Meta(description="Drop a function without a docstring, or whose docstring's Args are not its arguments.")
    ] = False
    allowed_imports: Annotated[
        tuple[_Text, ...], Meta(description="Modules that a function may import; any other drops it.")
    ] = ALLOWED_IMPORTS
    banned_calls: Annotated[tuple[_Text, ...], Meta(description="Builtins that a function may not call.")] = (
        BANNED_CALLS
    )
    near_duplicates: Annotated[
        _Share, Meta(description="Jaccard index of token 5-grams from which two functions are near duplicates.")
    ] = 0.7
    contamination: Annotated[
        tuple[_Text, ...],
        Meta(description="JSONL files of tasks that must not be in the data, besides the benchmarks that come along."),
    ] = ()
    execute: Annotated[
        bool, Meta(description="Run each function that no other gate objects to, behind walls, and drop what fails.")
    ] = False
    execution: Execution = Execution()
