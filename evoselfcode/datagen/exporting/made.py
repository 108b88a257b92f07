"""What an export came to: the numbers that its card, its metadata and its list of files are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from evoselfcode.config import Export
from evoselfcode.config.export_section import FilesKey
from evoselfcode.datagen.exporting.columns import Column
from evoselfcode.datagen.exporting.history import History

TRAIN, VALIDATION = "train", "validation"
SPLITS = (TRAIN, VALIDATION)


class MadeFile(NamedTuple):
    """One file of the data.

    Attributes:
        path: Where it is in the export, with slashes.
        config: The layout that it belongs to.
        split: ``train`` or ``validation``.
        rows: Its rows.
        raw_bytes: How large they are before compression.
        size: How large the file is, in bytes.
        sha256: Its digest in hexadecimal.
    """

    path: str
    config: str
    split: str
    rows: int
    raw_bytes: int
    size: int
    sha256: str


@dataclass
class MadeConfig:
    """One layout.

    Attributes:
        name: Its name.
        columns: Its columns.
        files: Its files.
        left_out: How many functions it lacks, and why.
        example: One row of it.
    """

    name: str
    columns: tuple[Column, ...]
    files: list[MadeFile] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    example: dict[str, Any] | None = None

    def rows(self, split: str | None = None) -> int:
        """Return the rows of a split, or of all."""
        return sum(file.rows for file in self.files if split in (None, file.split))

    @property
    def splits(self) -> list[str]:
        """The splits that have rows."""
        return [split for split in SPLITS if self.rows(split)]


@dataclass
class Made:
    """An export.

    Attributes:
        config: How it was made.
        kind: The kind of its files.
        generator: This package and its version.
        versions: Of everything that shapes the files.
        source: The name of the file that was read, and its digest.
        rows: Functions that were exported.
        left_out: Lines of the source that were passed over, and why.
        components: How many sets of functions the split kept together, and how many functions the largest has.
        models: The models that wrote the functions, with how many each.
        arms: How many functions each arm drew.
        history: How the rows were made.
        configs: The layouts.
        remarks: What a reader should know.
    """

    config: Export
    kind: FilesKey
    generator: str
    versions: dict[str, str]
    source: tuple[str, str]
    rows: int
    left_out: dict[str, int]
    components: tuple[int, int]
    models: dict[str, int]
    arms: dict[str, int]
    history: History
    configs: list[MadeConfig]
    remarks: list[str]

    @property
    def title(self) -> str:
        """The name of the dataset."""
        if self.config.title:
            return self.config.title
        model = next(iter(self.models), "")
        return f"Python functions by {model.rstrip('/').rpartition('/')[2]}" if model else "Python functions"

    @property
    def splits(self) -> list[str]:
        """The splits that any layout has."""
        return [split for split in SPLITS if any(split in config.splits for config in self.configs)]

    @property
    def files(self) -> list[MadeFile]:
        """All files of the data."""
        return [file for config in self.configs for file in config.files]


def pattern_of(config: str, split: str, kind: str) -> str:
    """Return the pattern of the names of a layout's files of one split."""
    return f"data/{config}/{split}-*.{kind}"


BIASES = (
    "Every function was written by a language model: it repeats what that model was trained on, its habits and errors "
    "included.",
    "Names were drawn from the model too, so tasks that it thinks of first are over-represented: sorting, searching, "
    "strings, numbers.",
    "Filters prefer short, self-contained functions that return a value, import little and touch neither files nor "
    "network.",
    "Descriptions and comments are in English.",
)
"""What is known to be one-sided about data of this kind."""
