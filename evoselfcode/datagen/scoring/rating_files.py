"""What ratings are written as: ``replies.jsonl``, reply by reply; ``ratings.jsonl``, function by function.

This file decides which replies a rating is made of: a function that was rated twice has the mean of both. It refuses to
make up a rating where no reply has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from evoselfcode.config import RunConfig
from evoselfcode.datagen.scoring.rating_anchors import DIMENSIONS
from evoselfcode.datagen.scoring.rating_reply import Rated, Reply
from evoselfcode.datagen.scoring.rating_rows import ARMS, RATING, RETEST, Rateable, read_arm
from evoselfcode.storage import Entry

RATINGS_FILE, REPLIES_FILE = "ratings.jsonl", "replies.jsonl"

Numbers = dict[str, float | None]
Shares = dict[str, tuple[float, ...] | None]


class RatingRow(msgspec.Struct, frozen=True, kw_only=True):
    """A function and how it was rated, as ``ratings.jsonl`` shows it.

    Attributes:
        id: What other files call the function.
        func_name: Its name.
        source: The arm that drew it, if one did.
        rating: By dimension, from 1 to 5; ``None`` where no reply could be read.
        probabilities: By dimension, of the ratings 1 to 5; ``None`` where nothing is known of them.
    """

    id: str
    func_name: str
    source: str | None
    rating: Numbers
    probabilities: Shares


class ReplyRow(msgspec.Struct, frozen=True, kw_only=True):
    """A reply, as ``replies.jsonl`` shows it.

    Attributes:
        id: What other files call the function that it is about.
        func_name: Its name.
        source: The arm that drew it, if one did.
        arm: ``rating``, ``retest``, ``mutant`` or ``failed``.
        execution: What came of running the function: ``pass`` or what is wrong with it; of a mutant, of its original.
        given: By dimension, the digit that is written; ``None`` where none can be read.
        rating: By dimension, the mean of the five ratings weighed by their probabilities, else the digit.
        probabilities: By dimension, of the ratings 1 to 5.
        outside: By dimension, the probability of what is no rating.
    """

    id: str
    func_name: str
    source: str | None
    arm: str
    execution: str | None
    given: dict[str, int | None]
    rating: Numbers
    probabilities: Shares
    outside: Numbers


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Reply).decode


def encode_reply(reply: Reply) -> str:
    """Write a reply as it is journalled."""
    return _encode(reply).decode()


def views(config: RunConfig, entries: Iterable[Entry]) -> dict[str, Iterable[RatingRow | ReplyRow]]:
    """Rebuild the files, in the order of the functions' file."""
    said = _said(entries)
    return {RATINGS_FILE: _ratings(config, said), REPLIES_FILE: _replies(config, said)}


_Said = dict[tuple[str, str], tuple[str, int, str]]


def _said(entries: Iterable[Entry]) -> _Said:
    """Return the first reply about each row that can be read, in each arm; ``""`` where none can.

    It is kept as it is journalled: there may be a million.
    """
    found: _Said = {}
    for entry in entries:
        for index, draw in enumerate(entry.draws):
            about = (entry.arm, entry.row or "")
            now = (entry.key, index, draw.text if draw.reason is None else "")
            known = found.get(about)
            if known is None or (not now[2], now) < (not known[2], known):
                found[about] = now
    return found


def _replies(config: RunConfig, said: _Said) -> Iterator[ReplyRow]:
    for arm in ARMS:
        for row in read_arm(config, arm):
            known = said.get((arm, row.asked_as))
            if known is not None:
                yield _reply_row(arm, row, _reply(known))


def _reply(said: tuple[str, int, str] | None) -> Reply:
    return _decode(said[2]) if said is not None and said[2] else {}


def _reply_row(arm: str, row: Rateable, reply: Reply) -> ReplyRow:
    def of(dimension: str, attribute: str) -> Any:
        return getattr(reply[dimension], attribute) if dimension in reply else None

    return ReplyRow(
        id=row.row,
        func_name=row.func_name,
        source=row.source,
        arm=arm,
        execution=row.status,
        given={name: of(name, "given") for name in DIMENSIONS},
        rating={name: _rounded(of(name, "value")) for name in DIMENSIONS},
        probabilities={name: of(name, "probabilities") for name in DIMENSIONS},
        outside={name: of(name, "outside") for name in DIMENSIONS},
    )


def _ratings(config: RunConfig, said: _Said) -> Iterator[RatingRow]:
    for row in read_arm(config, RATING):
        replies = [_reply(known) for arm in (RATING, RETEST) if (known := said.get((arm, row.asked_as))) is not None]
        if replies:
            both = {name: [reply[name] for reply in replies if name in reply] for name in DIMENSIONS}
            yield RatingRow(
                id=row.row,
                func_name=row.func_name,
                source=row.source,
                rating={name: _mean([rated.value for rated in found]) for name, found in both.items()},
                probabilities={name: _shares(found) for name, found in both.items()},
            )


def _mean(values: Sequence[float]) -> float | None:
    return _rounded(sum(values) / len(values)) if values else None


def _shares(found: Sequence[Rated]) -> tuple[float, ...] | None:
    known = [rated.probabilities for rated in found if rated.probabilities is not None]
    if not known or len(known) < len(found):
        return None
    return tuple(round(sum(of) / len(known), 4) for of in zip(*known, strict=True))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
