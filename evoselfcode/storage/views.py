"""Views: the files that users read. They are disposable: each can be written again from the journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import orjson

from evoselfcode.storage.files import atomic_write


def write_rows(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write one JSON object per line, atomically; keys stay in their order.

    Raises:
        StorageError: The file cannot be written; the old one is untouched.
    """
    atomic_write(path, (orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))
