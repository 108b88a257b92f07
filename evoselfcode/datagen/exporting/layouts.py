"""Layouts: what a function looks like to somebody who trains on it. Each is one configuration of the dataset.

This file decides the columns of each layout and what stands in them. It refuses to know how rows become files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

from evoselfcode.config import Export
from evoselfcode.config.export_section import FormatKey
from evoselfcode.datagen.code.prompts import fill, sentence_of
from evoselfcode.datagen.exporting.columns import KNOWN, Column, fitting, flat
from evoselfcode.datagen.exporting.fim import holds_special, middle_of, orders_of, text_of
from evoselfcode.datagen.exporting.source import SourceRow, number_of
from evoselfcode.datagen.filters.function_parts import Parts, split
from evoselfcode.errors import UsageError
from evoselfcode.records import Order
from evoselfcode.wire.sentinels import FAMILIES, Family, family_of

ABOUT = (
    Column("id", "string"), Column("func_name", "string"), Column("source", "string"), Column("model", "string"),
    Column("generator", "string"), Column("license", "string"), Column("model_license", "string"),
    Column("synthetic", "bool"),
)  # fmt: skip
"""Where a row is from and what binds it: in every layout."""

CORE = (
    Column("canonical", "string"), Column("description", "string"), Column("code", "string"),
    Column("code_formatted", "string"), Column("key", "string"), Column("index", "int64"),
    Column("finish_reason", "string"), Column("syntax_valid", "bool"), Column("logprob", "float64"),
    Column("hash_raw", "string"), Column("hash_ast", "string"), Column("hash_alpha", "string"),
    Column("lint", "strings"),
)  # fmt: skip

NO_PARTS, SPECIAL = "no_function", "special_token"

WHY: dict[str, str] = {
    NO_PARTS: "Python finds no function of this name with a body in the text",
    SPECIAL: "the text holds a string that models of the family read as a special token",
}
"""Why a function is left out of a layout."""


@dataclass
class Shown:
    """A function that is to be shown, and what layouts need of it, found once.

    Attributes:
        row: The function.
        formatted: Its text as ruff formats it, where that was asked for.
        about: Where it is from.
    """

    row: SourceRow
    formatted: str | None
    about: dict[str, Any]

    @property
    def code(self) -> str:
        """The text that people train on."""
        return self.row.code if self.formatted is None else self.formatted

    @cached_property
    def parts(self) -> Parts | None:
        """The parts of that text; ``None`` where it has no function of that name, or that function no body."""
        found = split(self.code, self.row.func_name)
        return found if found is not None and found.has_body and found.name is not None else None

    @property
    def description(self) -> str:
        """What the function does; the words of its name, where nobody said."""
        return (self.row.description or "").strip() or sentence_of(self.row.func_name)


class Layout(NamedTuple):
    """One configuration of the dataset.

    Attributes:
        config: Its name.
        columns: What every row has.
        values: Makes a row's own columns, or says why there is no such row.
    """

    config: FormatKey
    columns: tuple[Column, ...]
    values: Callable[[Shown], dict[str, Any] | str]

    def make(self, shown: Shown) -> dict[str, Any] | str:
        """Make a row with all its columns in their order, or say why there is none."""
        made = self.values(shown)
        if isinstance(made, str):
            return made
        found = shown.about | made
        return {column.name: found.get(column.name) for column in self.columns}


def about(row: SourceRow, config: Export, generator: str) -> dict[str, Any]:
    """Say where a row is from and what binds it."""
    return {
        "id": row.identity,
        "func_name": row.func_name,
        "source": row.source,
        "model": row.model,
        "generator": generator,
        "license": config.license or "unknown",
        "model_license": config.model_license or "unknown",
        "synthetic": True,
    }


def _rows(found: tuple[Column, ...], shown: Shown) -> dict[str, Any]:
    row, kinds = shown.row, dict(found)
    hashes = row.hashes
    values: dict[str, Any] = {
        "canonical": row.canonical,
        "description": row.description,
        "code": row.code,
        "code_formatted": shown.formatted,
        "key": row.key,
        "index": row.index,
        "finish_reason": row.finish_reason,
        "syntax_valid": row.syntax_valid,
        "logprob": row.logprob,
        "hash_raw": hashes and hashes.raw,
        "hash_ast": hashes and hashes.ast,
        "hash_alpha": hashes and hashes.alpha,
        "lint": None if row.lint is None else list(row.lint),
    }
    for name, value in nested(row):
        if value is not None and name in kinds:
            values[name] = fitting(value, kinds[name])
    return values


def nested(row: SourceRow) -> Iterator[tuple[str, Any]]:
    """Yield the values within values of a row, by the names of their columns."""
    for part in KNOWN:
        yield from flat(part, getattr(row, part))


TAKEN = frozenset(column.name for column in (*ABOUT, *CORE))
"""Names of columns that nothing within a row can have."""


def _prompt_completion(shown: Shown) -> dict[str, Any] | str:
    if shown.parts is None:
        return NO_PARTS
    return {"prompt": shown.code[: shown.parts.body], "completion": shown.code[shown.parts.body :]}


def _messages(config: Export, shown: Shown) -> dict[str, Any] | str:
    parts = shown.parts
    if parts is None:
        return NO_PARTS
    code, row = shown.code, shown.row
    phrase = config.phrases[number_of("phrase", row.identity) % len(config.phrases)]
    asked = fill(
        phrase,
        {
            "func_name": row.func_name,
            "description": shown.description,
            "signature": code[parts.name_end : parts.docstring].strip().removesuffix(":").rstrip(),
            "skeleton": code[: parts.body].rstrip(),
        },
    )
    answer = fenced(code) if config.fence else code
    return {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]}


def fenced(code: str, language: str = "python") -> str:
    """Put code in a Markdown fence that nothing in it ends."""
    fence = "```"
    while fence in code:
        fence += "`"
    return f"{fence}{language}\n{code.rstrip()}\n{fence}"


def _fim(family: Family, order: Order, config: Export, shown: Shown) -> dict[str, Any] | str:
    if shown.parts is None:
        return NO_PARTS
    if holds_special(shown.code, family):
        return SPECIAL
    cut = middle_of(shown.code, shown.parts, shown.row.identity, config.fim)
    text = text_of(cut, family, order, end_token=config.fim.end_token)
    return {"text": text, "middle": cut.middle, "middle_kind": cut.kind, "family": family.name}


def layouts_of(config: Export, models: list[str], found: tuple[Column, ...]) -> tuple[list[Layout], list[str]]:
    """Return the layouts that are to be made, and remarks on those that cannot be.

    Args:
        config: What is asked for.
        models: The models that wrote the rows.
        found: The columns for values within values.

    Raises:
        UsageError: A layout was asked for by name and cannot be made.
    """
    made: dict[FormatKey, Layout] = {
        "rows": Layout("rows", (*ABOUT, *CORE, *found), partial(_rows, found)),
        "prompt-completion": Layout(
            "prompt-completion", (Column("prompt", "string"), Column("completion", "string"), *ABOUT),
            _prompt_completion,
        ),
        "messages": Layout("messages", (Column("messages", "messages"), *ABOUT), partial(_messages, config)),
        "text": Layout("text", (Column("text", "string"), *ABOUT), lambda shown: {"text": shown.code}),
    }  # fmt: skip
    family, trouble = _family(config, models)
    columns = tuple(Column(name, "string") for name in ("text", "middle", "middle_kind", "family"))
    if family is not None:
        for order in orders_of(family):
            name: FormatKey = "fim-psm" if order == "PSM" else "fim-spm"
            made[name] = Layout(name, (*columns, *ABOUT), partial(_fim, family, order, config))
    everything: tuple[FormatKey, ...] = ("rows", "prompt-completion", "messages", "fim-psm", "fim-spm", "text")
    remarks = []
    for name in config.formats or everything:
        if name not in made:
            why = trouble or f"models of the family {family.name if family else ''} are trained on no such order"
            if config.formats is not None:
                raise UsageError(
                    f"the layout {name} cannot be made: {why}", hint="set export.fim.family, or leave it out"
                )
            remarks.append(f"the layout {name} is left out: {why}")
    if family and family.ids and any(name.startswith("fim") for name in config.formats or made):
        remarks.append(f"tokenizers of {family.name} read no control tokens in text: use the parts of the fim layouts")
    return [made[name] for name in dict.fromkeys(config.formats or everything) if name in made], remarks


def _family(config: Export, models: list[str]) -> tuple[Family | None, str]:
    """Return the family of the sentinels, or why there is none."""
    if config.fim.family is not None:
        return FAMILIES[config.fim.family], ""
    families = {family_of(model) for model in models}
    if families == {None} or not families:
        return None, "no family of sentinels is known for the model; export.fim.family names one"
    if len(families) > 1:
        return None, "the rows are of models of several families; export.fim.family names one"
    return families.pop(), ""
