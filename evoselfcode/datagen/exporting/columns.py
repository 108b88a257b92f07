"""Columns: what kinds of values a dataset holds, and how the nested numbers of a row become columns of their own.

This file decides names and kinds of columns, so that every file of a layout has the same. It refuses to know where
values come from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import orjson

from evoselfcode.errors import UsageError

Kind = Literal["string", "bool", "int64", "float64", "strings", "messages"]
"""``strings`` is a list of texts, ``messages`` a list of what somebody said: ``role`` and ``content``."""

MOST_FOUND = 500
"""Columns that rows may add to those that are known: more are no numbers about functions."""


class Column(NamedTuple):
    """A column: its name, and what it holds besides nothing."""

    name: str
    kind: Kind


KNOWN: dict[str, tuple[Column, ...]] = {
    "measures": (
        Column("lines", "int64"), Column("nodes", "int64"), Column("docstring", "bool"), Column("annotated", "float64"),
    ),
    "execution": (
        Column("execution_status", "string"), Column("execution_detail", "string"), Column("execution_level", "string"),
        Column("execution_arguments", "string"), Column("execution_calls", "int64"),
        Column("execution_examples", "string"), Column("execution_asserts_passed", "int64"),
        Column("execution_asserts_of", "int64"),
    ),
    "agreement": (
        Column("agreement_size", "int64"), Column("agreement_of", "int64"), Column("agreement_asserts", "int64"),
        Column("agreement_score", "float64"), Column("agreement_chosen", "bool"),
        Column("agreement_mutants_noticed", "float64"), Column("agreement_vacuous", "bool"),
    ),
    "scores": (
        *(Column(f"score_{name}", "float64") for name in (
            "perplexity", "bits_per_byte", "body_logprob", "docstring_pmi", "ifd", "coder_reviewer", "tail_logprob",
            "least_logprob", "name_recoverability",
        )),
        Column("score_tokens", "int64"),
    ),
    "rating": tuple(
        Column(f"rating_{name}", "float64")
        for name in ("problem", "definition", "correctness", "efficiency", "readability")
    ),
    "quality": (
        *(Column(f"quality_{name}", "float64") for name in ("lint", "docstring", "typing", "size", "band")),
        *(Column(f"quality_{name}", "int64") for name in ("statements", "complexity", "cognitive")),
    ),
    "choice": (
        Column("choice_chosen", "bool"), Column("choice_why", "string"), Column("choice_rank", "int64"),
        Column("choice_place", "int64"), Column("choice_of", "int64"), Column("choice_group", "bool"),
        Column("choice_copies", "int64"), Column("choice_draws", "int64"), Column("choice_evidence", "string"),
        Column("choice_within", "float64"), Column("choice_topic", "string"), Column("choice_band", "string"),
        Column("choice_fused", "float64"), Column("choice_standing", "float64"), Column("choice_pareto", "bool"),
        Column("choice_drawn", "int64"),
    ),
}  # fmt: skip
"""The parts of a row that hold further values, and the columns that are there whether a row has such a value or not."""

_BEFORE = {part: f"{part}_" for part in KNOWN} | {"measures": "", "scores": "score_"}
_NO_NAME = re.compile(r"[^A-Za-z0-9_]+")


def flat(part: str, values: Mapping[str, Any] | None) -> Iterator[tuple[str, Any]]:
    """Yield the values of one part of a row by the names of their columns."""
    yield from _flat(_BEFORE[part], values or {})


def _flat(before: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        name = _name(before, key)
        if isinstance(value, dict):
            yield from _flat(f"{name}_", value)
        else:
            yield name, value


@lru_cache(maxsize=4096)
def _name(before: str, key: str) -> str:
    return before + _NO_NAME.sub("_", key) or "_"


class Found:
    """Collects the columns that are known, and those that rows have besides.

    Args:
        taken: Names that are something else.
    """

    def __init__(self, taken: frozenset[str]) -> None:
        self._taken = taken
        self._known = {column.name: column.kind for columns in KNOWN.values() for column in columns}
        self._kinds: dict[str, Kind] = {}

    def look_at(self, name: str, value: Any) -> None:
        """Take note of a value.

        Raises:
            UsageError: Rows have too many columns.
        """
        if value is None or name in self._known or name in self._taken:
            return
        kind = kind_of(value)
        before = self._kinds.setdefault(name, kind)
        if kind != before:
            self._kinds[name] = "string"
        if len(self._kinds) > MOST_FOUND:
            raise UsageError(f"the rows hold more than {MOST_FOUND} different values, such as {name!r}")

    def columns(self) -> tuple[Column, ...]:
        """Return the columns: the known ones, then the others by name."""
        return tuple(Column(*one) for one in (*self._known.items(), *sorted(self._kinds.items())))


def kind_of(value: Any) -> Kind:
    """Return the kind of column that a value can stand in."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "float64"
    if isinstance(value, list | tuple) and value and all(isinstance(one, str) for one in value):
        return "strings"
    return "string"


def fitting(value: Any, kind: Kind) -> Any:
    """Return a value as a column of this kind can hold it; what is of another kind is written as JSON, or left out."""
    match kind:
        case "string":
            return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()
        case "float64":
            return float(value) if _is_number(value) else None
        case "int64":
            return int(value) if _is_number(value) and value == value // 1 and abs(value) < 2**63 else None
        case "bool":
            return value if isinstance(value, bool) else None
        case "strings":
            return [one for one in value if isinstance(one, str)] if isinstance(value, list | tuple) else None
        case "messages":
            return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def feature(column: Column) -> dict[str, Any]:
    """Return what ``dataset_info`` says of a column, as ``datasets`` writes it."""
    match column.kind:
        case "strings":
            return {"name": column.name, "list": "string"}
        case "messages":
            inner = [{"name": "role", "dtype": "string"}, {"name": "content", "dtype": "string"}]
            return {"name": column.name, "list": inner}
        case kind:
            return {"name": column.name, "dtype": kind}
