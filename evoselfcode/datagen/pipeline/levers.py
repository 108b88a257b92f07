"""What varies an arm's prompt from one request to the next: topics, first words, names that are taken.

This file decides where these come from, and which of them request number *k* is given: always the same ones, whatever
came back before, so that a run can be resumed and two arms with the same topics ask about the same one at the same
number. How they are put into a prompt is :mod:`evoselfcode.datagen.prompts`.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from evoselfcode.config import Cell
from evoselfcode.config.plain_yaml import read_map
from evoselfcode.datagen.filters import canonical
from evoselfcode.datagen.filters.names import LONGEST
from evoselfcode.errors import ConfigError, StorageError
from evoselfcode.storage import Damage, read_rows

BUILTIN_TOPICS = Path(__file__).parents[1] / "topics.yaml"

LONGEST_TOPIC = 200
MOST_TOPICS = 100_000

_TREE = "evoselfcode/datagen/topics.yaml is such a tree"


class Lever(msgspec.Struct, frozen=True, kw_only=True):
    """What one request is given; ``None`` and ``()`` where its arm does not have the lever."""

    topic: str | None = None
    word: str | None = None
    used: tuple[str, ...] = ()


def levers(cell: Cell, seed: int) -> Iterator[Lever]:
    """Yield what each request of an arm is given, from number 0 on, without end.

    Topics and first words each go round in an order that is shuffled anew for every round, so that all of them are
    asked equally often; used names are drawn without replacement for each request.

    Raises:
        ConfigError: A file cannot be read, or holds nothing to choose from.
    """
    topics = read_topics(cell.topics) if cell.topics else ()
    names = read_names(cell.used_names) if cell.used_names else ()
    rounds = _rounds(topics, f"{seed}/topics"), _rounds(cell.first_words, f"{seed}/first words")
    shown = min(cell.used_names_shown, len(names))
    for number, (topic, word) in enumerate(zip(*rounds, strict=True)):
        used = Random(f"{seed}/used names/{number}").sample(names, shown) if shown else ()
        yield Lever(topic=topic, word=word, used=tuple(used))


def _rounds(values: Sequence[str], seed: str) -> Iterator[str | None]:
    number = 0
    while values:
        yield from Random(f"{seed}/{number}").sample(values, len(values))
        number += 1
    while True:
        yield None


def digests(cells: dict[str, Cell]) -> dict[str, str]:
    """Return what identifies the content of each file that an arm reads, by the key of its setting.

    Raises:
        ConfigError: As :func:`levers`.
    """
    found = {}
    for name, cell in cells.items():
        if cell.topics:
            found[f"namegen.arms.{name}.topics.digest"] = _digest(read_topics(cell.topics))
        if cell.used_names:
            found[f"namegen.arms.{name}.used_names.digest"] = _digest(read_names(cell.used_names))
    return found


def _digest(texts: Iterable[str]) -> str:
    return blake2b("\n".join(texts).encode(), digest_size=16).hexdigest()


def read_topics(setting: str) -> tuple[str, ...]:
    """Read the topics of a tree: a YAML map of maps, as deep as one likes, with lists of topics at its ends.

    Args:
        setting: ``builtin``, or a file relative to the working directory.

    Raises:
        ConfigError: It cannot be read as such a tree.
    """
    path = BUILTIN_TOPICS if setting == "builtin" else Path(setting)
    return _topics(path, *_state(path))


@lru_cache(maxsize=8)
def _topics(path: Path, *state: int) -> tuple[str, ...]:
    document = read_map(path, of="domains, with lists of topics at its ends", hint=_TREE)
    found: dict[str, None] = {}
    for keys, leaf in _leaves(document.data, ()):
        place = f"{document.place(keys)}: {'.'.join(keys)}"
        if not (isinstance(leaf, str) and leaf.strip() and leaf.isprintable() and len(leaf) <= LONGEST_TOPIC):
            document.problems.append(f"{place}: expected a topic: text on one line, at most {LONGEST_TOPIC} letters")
        elif leaf in found:
            document.problems.append(f"{place}: the topic {leaf!r} is there twice")
        else:
            found[leaf] = None
    if not document.problems and not 1 <= len(found) <= MOST_TOPICS:
        document.problems.append(f"{path}: has {len(found)} topics, expected 1 to {MOST_TOPICS:,}")
    if document.problems:
        raise ConfigError(document.problems[:20], hint=_TREE)
    return tuple(found)


def _leaves(value: Any, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _leaves(child, (*keys, str(key)))
    elif isinstance(value, list):
        for number, child in enumerate(value):
            if isinstance(child, dict | list):
                yield from _leaves(child, (*keys, f"[{number}]"))
            else:
                yield (*keys, f"[{number}]"), child
    else:
        yield keys, value


class _Row(msgspec.Struct):
    func_name: str


_NAME = re.compile(rf"[A-Za-z_][A-Za-z0-9_]{{0,{LONGEST - 1}}}")
"""As long as a name may be that is kept: more of it would leave no room in a prompt."""


def read_names(setting: str) -> tuple[str, ...]:
    """Read the names of a JSONL file, each once by its canonical form, in the order of the file.

    Args:
        setting: The file, relative to the working directory.

    Raises:
        ConfigError: It cannot be read, or a line has no ``func_name`` that is an identifier.
    """
    path = Path(setting)
    return _names(path, *_state(path))


@lru_cache(maxsize=8)
def _names(path: Path, *state: int) -> tuple[str, ...]:
    hint = "used_names wants a JSONL file with func_name, such as the selected.jsonl of an earlier run"
    found: dict[str, str] = {}
    try:
        for number, row in enumerate(read_rows(path, _Row), 1):
            if isinstance(row, Damage) or not _NAME.fullmatch(row.func_name):
                raise ConfigError([f"{path} line {number}: is no row with a func_name"], hint=hint)
            found.setdefault(canonical(row.func_name), row.func_name)
    except StorageError as error:
        raise ConfigError([error.message], hint=hint) from None
    if not found:
        raise ConfigError([f"{path}: holds no names"], hint=hint)
    return tuple(found.values())


def _state(path: Path) -> tuple[int, int]:
    """Return what changes when a file does.

    Raises:
        ConfigError: There is no such file, or it is none that can be read twice: a folder, a pipe, a device.
    """
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise ConfigError(
            [f"{path}: cannot be read: {reason}"], hint="its path is relative to the folder you are in"
        ) from None
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe or a device"
        raise ConfigError([f"{path}: is {kind}, expected a file"], hint="a run reads it anew whenever it goes on")
    return found.st_mtime_ns, found.st_size
