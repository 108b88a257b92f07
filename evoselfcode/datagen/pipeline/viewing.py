"""Writing the files that people read, from what a journal holds.

This file decides that rows come before the documents about them. What is in them is the stage's part.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from evoselfcode.config import RunConfig
from evoselfcode.datagen.pipeline.stage import Stage
from evoselfcode.storage import Damage, Entry, write_document, write_rows

MOST_AT_A_STOP = 100_000
"""Requests of a run up to which its views are written when it is stopped: seconds, of a grace of 30. What is larger has
them when it is complete; nothing but its journal is needed to go on."""


def write_views(
    stage: Stage[Any], config: RunConfig, folder: Path, entries: Iterable[Entry | Damage | None]
) -> dict[str, int]:
    """Write the files of a stage anew; return how many rows each has.

    Args:
        stage: The stage.
        config: Its configuration.
        folder: The run's folder.
        entries: What counts of its journal; what is no entry is passed over. It is read to its end, also where a stage
            shows nothing of it.

    Raises:
        StorageError: A file cannot be written; those that were not written yet are as they were.
    """
    shown = (entry for entry in entries if isinstance(entry, Entry))
    written = {name: write_rows(folder / name, rows) for name, rows in stage.views(config, shown).items()}
    for _ in shown:
        pass
    for name, document in stage.documents(config, folder).items():
        write_document(folder / name, document)
    return written
