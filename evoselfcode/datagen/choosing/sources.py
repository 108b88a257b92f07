"""Where what is known of functions lies: beside the run, unless it is named.

This file decides which files are read, and which ratings are to be believed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from evoselfcode.datagen.choosing.metrics import DIMENSIONS
from evoselfcode.datagen.code.filtering import FILTERED, RAW
from evoselfcode.errors import UsageError
from evoselfcode.storage import storage_errors

SCORES, RATINGS, HEALTH = "score/scores.jsonl", "rating/ratings.jsonl", "metrics.json"
"""What the stages that score and rate write, below ``output.dir``, and the health of ratings beside them."""


class Sources(NamedTuple):
    """The files.

    Attributes:
        code: The kept functions.
        draws: All draws, kept or not.
        scores: What datagen-score wrote.
        ratings: What datagen-rate wrote.
        names: The folder of the names run.
    """

    code: Path
    draws: Path | None
    scores: Path | None
    ratings: Path | None
    names: Path

    @classmethod
    def find(cls, folder: Path, scores: Path | None, ratings: Path | None) -> Sources:
        """Find them.

        Args:
            folder: The folder of a code run that was filtered.
            scores: The file of scores; what lies beside the folder if left out.
            ratings: The file of ratings; likewise.

        Raises:
            UsageError: There are no kept functions in the folder, or a file that is named is not there.
        """
        if not (folder / FILTERED).is_file():
            raise UsageError(
                f"{folder} holds no {FILTERED}", hint="name the folder that datagen-code or filter-code wrote into"
            )
        for path in (scores, ratings):
            if path is not None and not path.is_file():
                raise UsageError(f"{path} is no file", hint="leave it out to take what lies beside the code run")
        beside = folder.absolute().parent
        return cls(
            code=folder / FILTERED,
            draws=_if_there(folder / RAW),
            scores=scores or _if_there(beside / SCORES),
            ratings=ratings or _if_there(beside / RATINGS),
            names=beside / "names",
        )

    def letters(self) -> int:
        """Return about how many letters the functions have together: less than the bytes of their file."""
        with storage_errors(self.code, "read"):
            return self.code.stat().st_size

    def read(self) -> dict[str, Path]:
        """Return the files that are read, by what they hold."""
        every = {"code": self.code, "draws": self.draws, "scores": self.scores, "ratings": self.ratings}
        return {what: path for what, path in every.items() if path is not None}


def _if_there(path: Path) -> Path | None:
    return path if path.is_file() else None


class _Dimension(msgspec.Struct):
    informative: bool
    why: Any = None


class _Health(msgspec.Struct):
    dimensions: dict[str, _Dimension]


def uninformative(ratings: Path) -> dict[str, str]:
    """Return the dimensions of ratings that are not to be used, and why: those that fail a check of their health.

    Raises:
        StorageError: The file of their health cannot be read.
        UsageError: It is not what datagen-rate writes.
    """
    path = ratings.with_name(HEALTH)
    if not path.is_file():
        return dict.fromkeys(DIMENSIONS, f"nothing says that it is informative: there is no {path}")
    with storage_errors(path, "read"):
        text = path.read_bytes()
    try:
        found = msgspec.json.decode(text, type=_Health).dimensions
    except msgspec.DecodeError as error:
        raise UsageError(
            f"{path} does not say which ratings are informative: {error}", hint="run datagen-rate again"
        ) from None
    return {
        name: f"it is not informative: {told}" for name in DIMENSIONS if (told := _told(found.get(name))) is not None
    }


def _told(dimension: _Dimension | None) -> str | None:
    if dimension is None:
        return "nothing is said of it"
    if dimension.informative:
        return None
    return ", ".join(map(str, dimension.why)) if isinstance(dimension.why, list) else str(dimension.why)
