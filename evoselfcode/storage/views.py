"""Views: the files that users read. They are disposable: each can be written again from the journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
import orjson

from evoselfcode.storage.files import atomic_write, storage_errors
from evoselfcode.storage.jsonl import Damage

T = TypeVar("T")


def write_rows(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write one JSON object per line, atomically; keys stay in their order.

    Raises:
        StorageError: The file cannot be written; the old one is untouched.
    """
    atomic_write(path, (orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))


def read_rows(path: Path, kind: type[T]) -> Iterator[T | Damage]:
    """Yield the rows of a file that somebody wrote by the line, as `kind`; a line that is none is a damage.

    Raises:
        StorageError: The file cannot be read.
    """
    decoder, offset = msgspec.json.Decoder(kind), 0
    with storage_errors(path, "read"), path.open("rb") as file:
        for line in file:
            try:
                yield decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                yield Damage(offset, len(line))
            offset += len(line)
