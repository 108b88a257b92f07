"""Views: the files that users read. They are disposable: each can be written again from the journal."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
import orjson

from evoselfcode.storage import zst
from evoselfcode.storage.files import atomic_write, storage_errors
from evoselfcode.storage.jsonl import Damage

T = TypeVar("T")


def write_rows(path: Path, rows: Iterable[Mapping[str, object] | msgspec.Struct]) -> int:
    """Write one JSON object per line, atomically; keys stay in their order. Return how many there are.

    Raises:
        StorageError: The file cannot be written; the old one is untouched.
    """
    written = 0

    def lines() -> Iterator[bytes]:
        nonlocal written
        for row in rows:
            written += 1
            yield _line(row)

    atomic_write(path, lines())
    return written


def write_document(path: Path, document: Mapping[str, object]) -> None:
    """Write one JSON object for people and machines, atomically.

    Raises:
        StorageError: The file cannot be written; the old one is untouched.
    """
    atomic_write(path, [orjson.dumps(document, option=orjson.OPT_INDENT_2), b"\n"])


def _line(row: Mapping[str, object] | msgspec.Struct) -> bytes:
    if isinstance(row, msgspec.Struct):
        return msgspec.json.encode(row) + b"\n"
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def read_rows(path: Path, kind: type[T]) -> Iterator[T | Damage]:
    """Yield the rows of a file that somebody wrote by the line, as `kind`; a line that is none is a damage.

    Blank lines at the end are passed over, and the mark that some editors put at the beginning of a file. A file whose
    name ends in ``.zst`` is :mod:`.zst`'s: where a line that is no row begins is then counted in what it holds.

    Raises:
        StorageError: The file cannot be read.
        UsageError: It is compressed, and zstandard is not installed.
    """
    decoder, offset = msgspec.json.Decoder(kind), 0
    blank: list[Damage] = []
    for line in zst.read_lines(path) if path.suffix == ".zst" else _lines(path):
        if isinstance(line, Damage):
            yield line
            continue
        text = line.removeprefix(codecs.BOM_UTF8) if not offset else line
        if not text.strip():
            blank.append(Damage(offset, len(line)))
            offset += len(line)
            continue
        yield from blank
        blank.clear()
        try:
            yield decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            yield Damage(offset, len(line), str(error))
        offset += len(line)


def _lines(path: Path) -> Iterator[bytes]:
    with storage_errors(path, "read"), path.open("rb") as file:
        yield from file
