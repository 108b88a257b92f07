"""How a dataset is made of what was chosen: its layouts and files, its split, and what its card says."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from evoselfcode.config.sections import FamilyKey

FormatKey = Literal["rows", "prompt-completion", "messages", "fim-psm", "fim-spm", "text"]
FilesKey = Literal["parquet", "jsonl", "jsonl.zst"]

PHRASES = (
    "Write a Python function `{func_name}`. {description}",
    "{description}\n\nImplement it in Python as `{func_name}`.",
    "Please implement `{func_name}` in Python: {description}",
    "I need a Python function called `{func_name}`. {description}",
    "Complete this task in Python.\n\n{description}\n\nName the function `{func_name}`.",
)

_Text = Annotated[str, Meta(min_length=1)]
_Share = Annotated[float, Meta(ge=0, le=1)]
_Weight = Annotated[float, Meta(ge=0, le=1e6)]


class ExportFim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out of a function, to be filled in."""

    family: Annotated[
        FamilyKey | None,
        Meta(description="Sentinel family (docs/reference/sentinels.md); null reads it from the model's name."),
    ] = None
    body: Annotated[
        _Weight, Meta(description="How often what is left out is the body, as a weight beside lines and name.")
    ] = 0.4
    lines: Annotated[_Weight, Meta(description="How often it is some lines of the body, likewise.")] = 0.4
    name: Annotated[_Weight, Meta(description="How often it is the name, likewise.")] = 0.2
    end_token: Annotated[
        bool, Meta(description="Put the family's end token behind the middle; most trainers do so themselves.")
    ] = False


class Export(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a dataset is made of what was chosen."""

    formats: Annotated[
        tuple[FormatKey, ...] | None,
        Meta(description="Layouts, each a configuration of the dataset; null makes all that can be made."),
    ] = None
    files: Annotated[FilesKey, Meta(description="Kind of the files: parquet, jsonl or jsonl.zst.")] = "parquet"
    shard_mb: Annotated[int, Meta(ge=1, le=5000, description="Most megabytes of one file.")] = 500
    validation: Annotated[
        _Share, Meta(description="Share of the functions that go into the split validation; 0 makes no such split.")
    ] = 0.02
    near_duplicates: Annotated[
        Annotated[float, Meta(ge=0.5, le=1)],
        Meta(description="Jaccard index of token 5-grams from which two functions are on one side of the split."),
    ] = 0.7
    format_code: Annotated[
        bool, Meta(description="Show functions as ruff formats them, with sorted imports; the rows keep both texts.")
    ] = False
    fim: ExportFim = ExportFim()
    phrases: Annotated[
        tuple[_Text, ...],
        Meta(
            min_length=1,
            description="What a user says in the messages, each with the same chance; {func_name}, {description}, "
            "{signature} and {skeleton} are filled in.",
        ),
    ] = PHRASES
    fence: Annotated[bool, Meta(description="Put the code of an answer in a Markdown fence.")] = True
    title: Annotated[
        _Text | None, Meta(description="Name of the dataset on its card; null makes one of the model.")
    ] = None
    creator: Annotated[_Text | None, Meta(description="Who publishes the dataset, as its metadata say.")] = None
    license: Annotated[
        _Text | None,
        Meta(description="Licence of the dataset, such as apache-2.0; null says that it is unknown."),
    ] = None
    model_license: Annotated[
        _Text | None,
        Meta(description="Licence of the model that wrote the code, which may bind what it wrote; null is unknown."),
    ] = None
