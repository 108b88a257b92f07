"""Choose among the functions that a filter kept, as often as you like: no model is asked and nothing is run.

This file decides in which order the steps come, what is read and what is written. What a function is worth is
:mod:`evoselfcode.datagen.choosing.quality`; who is chosen, :mod:`evoselfcode.datagen.choosing.deciding`.

The functions are read twice, once for their numbers and once to be written; what stays in memory of one is its numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import numpy as np

from evoselfcode.config import RunConfig
from evoselfcode.datagen.choosing.accounts import account
from evoselfcode.datagen.choosing.columns import Columns, digest
from evoselfcode.datagen.choosing.deciding import decide
from evoselfcode.datagen.choosing.gauging import Gauge, require_libraries
from evoselfcode.datagen.choosing.joining import Joined, count_copies, join, topics_of
from evoselfcode.datagen.choosing.lines import Lines, changed
from evoselfcode.datagen.choosing.metrics import METRICS
from evoselfcode.datagen.choosing.novelty import Novelty
from evoselfcode.datagen.choosing.ranked import Files, Known, ranked_rows
from evoselfcode.datagen.choosing.sources import Sources, uninformative
from evoselfcode.datagen.choosing.strata import strata_of
from evoselfcode.datagen.choosing.within import standing, typical
from evoselfcode.datagen.code.linting import AT_ONCE
from evoselfcode.datagen.code.metrics import METRICS as FILTER
from evoselfcode.datagen.code.processes import processors
from evoselfcode.datagen.code.rows import CodeFileRow
from evoselfcode.engine import Stop
from evoselfcode.errors import EvoselfcodeError, Interrupted
from evoselfcode.stats.ranking import Floats
from evoselfcode.storage import RunFolder, digest_of, write_document, write_rows

RANKED, CHOSEN, CHOICE = "ranked.jsonl", "chosen.jsonl", "choice.json"
"""All functions with every number; those that are chosen; what it came to."""

Progress = Callable[[int], None]
"""Told how many functions have been looked at."""


async def choose_code(
    folder: Path,
    config: RunConfig,
    *,
    scores: Path | None = None,
    ratings: Path | None = None,
    out: Path | None = None,
    stop: Stop | None = None,
    progress: Progress = lambda done: None,
) -> dict[str, Any]:
    """Choose among the functions that were kept of a code run.

    Writes ``ranked.jsonl``, ``chosen.jsonl`` and ``choice.json``. The same rows and settings give the same files,
    whatever the order of the rows.

    Args:
        folder: The folder of a code run that was filtered.
        config: What counts how much: ``choose``.
        scores: What ``datagen-score`` wrote; what lies beside the folder if left out.
        ratings: What ``datagen-rate`` wrote; likewise.
        out: Folder to write into; the run's own if left out.
        stop: Ends it early; the files of before stay.
        progress: Shows how far it is.

    Returns:
        What is in ``choice.json``.

    Raises:
        UsageError: There are no kept functions in the folder, a file that is named is not there, a library is not
            installed, or the tail is to be drawn from and cannot be.
        StorageError: A file cannot be read or written.
        Interrupted: `stop` came before the end.

    Cancelled: as with `stop`; no process stays behind.
    """
    require_libraries()
    sources = Sources.find(folder, scores, ratings)
    with RunFolder(out or folder) as target:
        steps = _Steps(sources, config, stop or Stop(), progress)
        await steps.gauge()
        return await anyio.to_thread.run_sync(steps.finish, target.path)


class _Steps:
    """The steps, and what one has to tell the next."""

    def __init__(self, sources: Sources, config: RunConfig, stop: Stop, progress: Progress) -> None:
        self._sources = sources
        self._settings = config.choose
        self._stop = stop
        self._progress = progress
        self._columns = Columns()
        self._lines = Lines(sources.code, CodeFileRow)
        self._filter = sources.code.with_name(FILTER)
        self._novelty = Novelty(sources.letters())
        self._warnings: list[str] = []
        self._left_out: dict[str, str] = {}
        self._done = 0

    async def gauge(self) -> None:
        """Find out what every function is worth by itself."""
        failed: list[EvoselfcodeError] = []
        lines, one_reads = iter(self._lines), anyio.Lock()
        async with Gauge() as gauge:

            def read() -> list[tuple[int, CodeFileRow]]:
                chunk = list(islice(lines, AT_ONCE))
                for _, row in chunk:
                    self._novelty.add(_owner(row), row.code)
                return chunk

            async def work() -> None:
                while True:
                    async with one_reads:
                        chunk = await anyio.to_thread.run_sync(read)
                    if not chunk:
                        return
                    if self._stop.is_set():
                        raise Interrupted("stopped while functions were looked at", hint="choose-code does it again")
                    for (offset, row), quality in zip(chunk, await gauge.qualities([r for _, r in chunk]), strict=True):
                        self._columns.add(offset, row, quality)
                    self._done += len(chunk)
                    self._progress(self._done)

            try:
                async with anyio.create_task_group() as group:
                    for _ in range(processors() + 1):  # one is read while the others are looked at
                        group.start_soon(work)
            except* EvoselfcodeError as raised:
                failed += [error for error in raised.exceptions if isinstance(error, EvoselfcodeError)]
        if failed:
            raise failed[0]

    def finish(self, folder: Path) -> dict[str, Any]:
        """Join what other files say, decide, and write; ``choice.json`` last: it says that the others are there."""
        if self._lines.damaged:
            self._warnings.append(f"{self._lines.damaged} lines of {self._sources.code} are no rows, and left out")
        self._columns.close()
        known, files = self._known()
        order = known.order()
        filtered = digest_of(self._filter) if self._filter.is_file() else None
        document = account(known, self._settings, self._left_out, self._sources.read(), self._warnings, filtered)
        (folder / CHOICE).unlink(missing_ok=True)
        write_rows(folder / RANKED, ranked_rows(known, files, order))
        write_rows(folder / CHOSEN, ranked_rows(known, files, order[: document["chosen"]]))
        write_document(folder / CHOICE, document)
        return document

    def _known(self) -> tuple[Known, Files]:
        columns, sources, settings = self._columns, self._sources, self._settings
        numbers = self._own_numbers()
        copies = count_copies(columns, sources.draws) if sources.draws else None
        scores, rating = self._joined("scores", numbers), self._joined("rating", numbers)
        found = standing(columns, copies)
        numbers |= {"evidence": found.evidence, "typical": typical(columns, copies)}
        self._leave_out(numbers)
        by_name = topics_of(columns, sources.names) if settings.strata.topics else [None] * len(columns.canonicals)
        topics = [by_name[place] for place in columns.canonical_of.tolist()]
        groups, strata = strata_of(topics, columns.numbers["complexity"], settings.strata.bands, settings.strata.least)
        decision = decide(columns, found, numbers, groups, settings)
        weights = {name: float(getattr(settings.weights, name)) for name in METRICS}
        known = Known(columns, copies, found, numbers, weights, groups, strata, decision)
        return known, Files(sources.code, scores, rating)

    def _own_numbers(self) -> dict[str, Floats]:
        """Return the metrics that need no other file."""
        columns = self._columns
        novelty = np.full(len(columns), np.nan)
        by_offset = iter(np.argsort(columns.offsets).tolist())  # the file is read once more, in its own order
        for _, row in Lines(self._sources.code, CodeFileRow):
            place = next(by_offset, None)
            if place is None:  # rows that are others now are noticed when they are written
                raise changed(self._sources.code)
            novelty[place] = self._novelty.of(_owner(row), row.code)
        quality = {name: columns.numbers[name] for name, metric in METRICS.items() if metric.source == "quality"}
        del self._novelty  # hundreds of megabytes
        return quality | {"novelty": novelty, "logprob": columns.numbers["logprob"]}

    def _joined(self, source: Any, numbers: dict[str, Floats]) -> tuple[Path, Joined] | None:
        """Read a file beside the run, and add the metrics it tells of that may be used."""
        path = self._sources.scores if source == "scores" else self._sources.ratings
        names = [name for name, metric in METRICS.items() if metric.source == source]
        if path is None:
            self._left_out |= dict.fromkeys(
                names, f"there is no file of {'scores' if source == 'scores' else 'ratings'}"
            )
            return None
        found = join(self._columns, path, source)
        dull = uninformative(path) if source == "rating" else {}
        self._left_out |= {name: dull[METRICS[name].key] for name in names if METRICS[name].key in dull}
        numbers |= {name: found.numbers[name] for name in names if name not in self._left_out}
        if found.damaged:
            self._warnings.append(f"{found.damaged} lines of {path} cannot be read, and are left out")
        if found.strangers:
            self._warnings.append(f"{found.strangers} lines of {path} are about functions that are not among these")
        missing = int((found.offsets < 0).sum())
        if missing:
            self._warnings.append(f"{missing} functions have no line in {path}")
        return path, found

    def _leave_out(self, numbers: dict[str, Floats]) -> None:
        """Take out the metrics that are known of no row."""
        for name in [name for name, values in numbers.items() if np.isnan(values).all()]:
            self._left_out[name] = "it is known of no function"
            del numbers[name]


def _owner(row: CodeFileRow) -> int:
    """Return a hash of the name whose functions may share code."""
    return digest(row.func_name)
