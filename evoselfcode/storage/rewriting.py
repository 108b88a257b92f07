"""The journal, written anew: its entries changed one by one, the old files or the new ones, never some of each.

This file decides when the new ones count: when they are all durable, in one rename. It refuses to know what is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from evoselfcode.storage.entries import Entry
from evoselfcode.storage.files import make_folder, storage_errors
from evoselfcode.storage.history import with_verdict
from evoselfcode.storage.journal import Journal, swept
from evoselfcode.storage.layout import JOURNAL, Generation, generation_of, journal_files, write_generation

Change = Callable[[Entry, bool], Entry]
"""Told an entry and whether it counts, in the order of writing; returns what takes its place, under the same key."""


def rewrite_journal(folder: Path, change: Change, judged_by: Mapping[str, Any]) -> int:
    """Write every entry of the journal anew; return how many damaged lines were left out.

    A kill leaves the old generation or the new one; what is left of the other is taken away by the next writer.

    Args:
        folder: The folder of a run, whose lock the caller holds.
        change: Changes an entry.
        judged_by: The settings that the new verdicts are made by.

    Raises:
        StorageError: A file cannot be read or written; the journal is as it was.
        RunMismatch: Another process has taken the folder over.
    """
    segments = journal_files(folder)
    if not segments:
        return 0
    number = generation_of(folder).number + 1
    name, damaged = segments[0].name, 0
    journal = Journal(folder, run=name.run, shard=name.shard, generation=number)
    for entry, counts in with_verdict(folder):
        if isinstance(entry, Entry):
            journal.append(change(entry, counts))
            if journal.due(0.0):
                journal.commit(0.0)
        else:
            damaged += 1
    journal.close(0.0)
    write_generation(folder, Generation(number, dict(judged_by)))
    with storage_errors(folder / JOURNAL, "remove old files of"):
        swept(folder, number)
    return damaged


def replace_journal(folder: Path, entries: Iterable[Entry], *, run: str, judged_by: Mapping[str, Any]) -> None:
    """Let the journal be these entries, whatever it was: the old ones or the new ones, never some of each.

    Args:
        folder: The folder of a run, whose lock the caller holds.
        entries: What it will hold, in this order.
        run: Names the run in the names of files.
        judged_by: The settings that the verdicts were made by, where they are others than those of the manifest.

    Raises:
        StorageError: A file cannot be written; the journal is as it was.
        RunMismatch: Another process has taken the folder over.
    """
    make_folder(folder / JOURNAL)
    known = generation_of(folder)
    write_generation(folder, known)  # what is begun does not count before it is whole, also if it is the first
    journal = Journal(folder, run=run, generation=known.number + 1)
    try:
        for entry in entries:
            journal.append(entry)
            if journal.due(0.0):
                journal.commit(0.0)
    finally:
        journal.close(0.0)
    write_generation(folder, Generation(known.number + 1, dict(judged_by)))
    with storage_errors(folder / JOURNAL, "remove old files of"):
        swept(folder, known.number + 1)
