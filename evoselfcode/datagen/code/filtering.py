"""Filter the code of a run, as often as you like: the model is asked nothing.

This file decides in which order the steps of the filter come and what is written. What a step objects to is its own
room's: the ladder (:mod:`evoselfcode.datagen.filters.gates`), ruff (:mod:`evoselfcode.datagen.code.linting`), the
sandbox (:mod:`evoselfcode.datagen.code.executing`), duplicates (:mod:`evoselfcode.datagen.filters.duplicates`).

The journals are read once, row by row; rows wait in a file. What stays in memory of a row is its place, and of one
that nothing objects to what duplicates are found by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import msgspec

from evoselfcode.config import RunConfig
from evoselfcode.datagen.code.crew import Crew
from evoselfcode.datagen.code.executing import Execution, execution, require_hypothesis
from evoselfcode.datagen.code.linting import AT_ONCE, lint, require_ruff
from evoselfcode.datagen.code.metrics import METRICS, Counts, known_metrics, stamp_of
from evoselfcode.datagen.code.processes import processors
from evoselfcode.datagen.code.rows import CodeFileRow, Drawn, Spool, drawn, objecting
from evoselfcode.datagen.code.rules import rules_of
from evoselfcode.datagen.filters.gates import RUFF_GATE, RUFF_SCORE
from evoselfcode.datagen.filters.hashes import raw_hash
from evoselfcode.datagen.pipeline.reading import Journals
from evoselfcode.engine import Stop
from evoselfcode.errors import EvoselfcodeError, Interrupted, UsageError
from evoselfcode.storage import MANIFEST, RunFolder, write_document, write_rows

if TYPE_CHECKING:
    from evoselfcode.datagen.filters.duplicates import Duplicates

RAW, FILTERED, QUARANTINED = "raw.jsonl", "filtered.jsonl", "quarantined.jsonl"
"""Every draw; those that are kept; those that nothing is against but that they are named like a benchmark's task."""

Progress = Callable[[int], None]
"""Told how many draws have been looked at."""


async def filter_code(
    folders: Sequence[Path],
    config: RunConfig,
    *,
    out: Path | None = None,
    again: bool = True,
    stop: Stop | None = None,
    progress: Progress = lambda done: None,
) -> dict[str, Any]:
    """Filter the draws of code runs; write ``raw.jsonl``, ``filtered.jsonl``, ``quarantined.jsonl``, ``metrics.json``.

    The same journals and settings give the same files, whatever the order of the journals' rows and of `folders`.

    Args:
        folders: Folders of code runs, such as the shards of one.
        config: What is kept: ``filters`` and ``codegen.on_length``.
        out: Folder to write into; the run's own if left out.
        again: Whether to filter anew what was filtered under the same settings.
        stop: Ends it early; the files of before stay.
        progress: Shows how far it is.

    Returns:
        What is in ``metrics.json``.

    Raises:
        UsageError: There is no code run in a folder, several folders and no `out`, a library is not installed, or no
            wall holds that is strong enough to run code behind.
        StorageError: A file cannot be read or written.
        Interrupted: `stop` came before the end.

    Cancelled: as with `stop`; no process stays behind.
    """
    if out is None and len(folders) != 1:
        raise UsageError("several runs were named", hint="say by --out which folder the result goes into")
    journals = Journals(folders, "code")
    if out is not None:
        _refuse_other_run(out, folders)
    with RunFolder(out or folders[0]) as target:
        stamp = stamp_of(folders, config)
        whole = all((target.path / name).exists() for name in (RAW, FILTERED, QUARANTINED))
        known = known_metrics(target.path, stamp) if whole and not again else None
        if known is not None:
            return known
        steps = _Steps(folders, config, stop or Stop(), progress)
        with Spool(target.path) as spool:
            await steps.look(drawn(journals.entries()), spool)
            return await anyio.to_thread.run_sync(steps.finish, spool, target.path, stamp, journals.remarks())


class _Steps:
    """The steps, and what one has to tell the next."""

    def __init__(self, folders: Sequence[Path], config: RunConfig, stop: Stop, progress: Progress) -> None:
        require_libraries(config)
        self._folders = folders
        self._config = config
        self._stop = stop
        self._progress = progress
        self._crew = Crew(rules_of(config, checks=config.filters.execute))
        self._duplicates = duplicates(config.filters.near_duplicates)
        self._execution: Execution | None = None
        self._agreements: dict[str, dict[str, Any]] = {}
        self._done = 0

    async def look(self, draws: Iterator[Drawn], spool: Spool) -> None:
        """Look at every draw by itself, and let its row wait."""
        failed: list[EvoselfcodeError] = []
        asserts_beside = [folder.parent for folder in self._folders]
        async with aclosing(self._crew), execution(self._config, asserts_beside) as self._execution:
            try:
                async with anyio.create_task_group() as group:
                    for _ in range(processors() + 1):  # one is read and written while the others are looked at
                        group.start_soon(self._work, draws, spool)
            except* EvoselfcodeError as raised:
                failed += [error for error in raised.exceptions if isinstance(error, EvoselfcodeError)]
            if self._execution is not None and not failed:
                self._agreements = await self._execution.agreements()
        if failed:
            raise failed[0]

    async def _work(self, draws: Iterator[Drawn], spool: Spool) -> None:
        while chunk := list(islice(draws, AT_ONCE)):
            if self._stop.is_set():
                raise Interrupted("stopped while code was filtered", hint="filter-code does it again")
            for one, row in zip(chunk, await self._looked_at(chunk), strict=True):
                spool.append(one.place, row)
                if row.verdict == "kept":
                    same = row.hashes.alpha if row.hashes else raw_hash(row.code)
                    # Of draws that say the same: the one with fewer remarks of ruff, then the more probable one.
                    self._duplicates.add(one.id, row.code, same, (-len(row.lint or ()), one.probability))
            self._done += len(chunk)
            self._progress(self._done)

    async def _looked_at(self, chunk: Sequence[Drawn]) -> list[CodeFileRow]:
        found = await self._crew.look_at([one.draft for one in chunk])
        rows = [one.row(it) for one, it in zip(chunk, found, strict=True)]
        if self._config.filters.enable_ruff:
            asked = [number for number, row in enumerate(rows) if row.verdict != "dropped"]
            said = await lint([found[number].source.program for number in asked], f"{RUFF_GATE},{RUFF_SCORE}")
            for number, rules in zip(asked, said, strict=True):
                errors = tuple(rule for rule in rules if rule.startswith(tuple(RUFF_GATE.split(","))))
                remarks = tuple(rule for rule in rules if rule not in errors)
                rows[number] = msgspec.structs.replace(rows[number], lint=remarks)
                if errors:
                    rows[number] = objecting(rows[number], "ruff", of=", ".join(errors))
        if self._execution is None:
            return rows
        return await self._execution.run(rows, [one.id for one in chunk], found)

    def finish(self, spool: Spool, folder: Path, stamp: dict[str, Any], remarks: list[str]) -> dict[str, Any]:
        """Tell the duplicates apart and write the files, ``metrics.json`` last: it says that the others are there."""
        off, counts = self._config.filters.disabled_gates, Counts()
        repeats = {key: found for key, found in self._duplicates.verdicts().items() if found[0] not in off}

        def judged() -> Iterator[CodeFileRow]:
            for id_, row in spool.rows():
                reason, winner = repeats.get(id_, (None, ""))
                last = row if reason is None else objecting(row, reason, of=winner.rpartition(":")[0])
                yield msgspec.structs.replace(last, agreement=self._agreements.get(id_))

        (folder / METRICS).unlink(missing_ok=True)
        write_rows(folder / RAW, map(counts.add, judged()))
        write_rows(folder / FILTERED, (row for row in judged() if row.verdict == "kept"))
        write_rows(folder / QUARANTINED, (row for row in judged() if row.verdict == "quarantined"))
        metrics = counts.document(stamp, remarks)
        write_document(folder / METRICS, metrics)
        return metrics


def _refuse_other_run(out: Path, folders: Sequence[Path]) -> None:
    """Refuse to write among the files of a run that is none of those.

    Raises:
        UsageError: `out` is the folder of such a run.
    """
    if (out / MANIFEST).exists() and out.resolve() not in {folder.resolve() for folder in folders}:
        raise UsageError(f"{out} is the folder of another run", hint="name a folder of its own by --out")


def require_libraries(config: RunConfig) -> None:
    """Say what the filter needs and is not installed: before a run, not when its draws are paid for.

    Raises:
        UsageError: A library is not installed.
    """
    duplicates(config.filters.near_duplicates)
    if config.filters.enable_ruff:
        require_ruff()
    if config.filters.execute:
        require_hypothesis()


def duplicates(threshold: float) -> Duplicates:
    """Return what finds duplicates.

    Raises:
        UsageError: A library is not installed.
    """
    try:
        from evoselfcode.datagen.filters.duplicates import Duplicates

        return Duplicates(threshold)
    except ImportError as error:
        raise UsageError(f"duplicates need {error.name}", hint='pip install "evoselfcode[filter]"') from error
