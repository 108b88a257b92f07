"""Making one run of its shards, so that everything that reads a run reads it as if one process had asked it.

This file decides whether shards may be merged (all there, of one configuration and model, each key in its own shard,
no gap against the plan), in which order their requests stand in the journal of the whole, and which of several draws
of one name is kept: the first in the plan, whatever came first over the network, so that the order of the folders and
of the answers changes nothing. It asks nothing of any server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from evoselfcode.config import RunConfig
from evoselfcode.datagen.pipeline.parts import WAYS, Part, config_of, parts_in
from evoselfcode.datagen.pipeline.provenance import now
from evoselfcode.datagen.pipeline.reconciling import count_entry
from evoselfcode.datagen.pipeline.resume import entries_of
from evoselfcode.datagen.pipeline.settled import Settled
from evoselfcode.datagen.pipeline.stage import Stage, requests
from evoselfcode.datagen.pipeline.summary import Summary
from evoselfcode.datagen.pipeline.viewing import write_views
from evoselfcode.engine import Meter
from evoselfcode.errors import Interrupted, RunMismatch, StorageError, UsageError
from evoselfcode.records import Fim, Request
from evoselfcode.storage import (
    DUPLICATE,
    Damage,
    Draw,
    Entry,
    RunFolder,
    compact,
    read_manifest,
    replace_journal,
    write_manifest,
)
from evoselfcode.wire import messages


class Merged(NamedTuple):
    """What shards came to together.

    Attributes:
        summary: As of a run that has ended.
        config: The configuration of the shards, without keys.
        shards: How many there are.
        absent: Shards that are not there.
        gaps: Requests of the plan that no shard has settled.
    """

    summary: Summary
    config: RunConfig
    shards: int
    absent: tuple[int, ...]
    gaps: int


def merge_shards(
    folder: Path, stages: Mapping[str, Stage[Any]], *, partial: bool, stopped: Callable[[], bool]
) -> Merged:
    """Merge the shards below `folder` into it, and rebuild its views. Blocks; call it off the event loop.

    What was merged there before is replaced, if the shards still hold all of it.

    Args:
        folder: The stage's folder, ``output.dir/<stage>``.
        stages: The stages by name.
        partial: Whether shards, and requests of the plan, may be missing.
        stopped: Says whether to stop.

    Raises:
        UsageError: There are no shards, or some are missing or not complete, and not `partial`.
        RunMismatch: They are of different settings or models, or the folder holds a run of its own.
        StorageError: A file cannot be read or written, or a shard holds a request that is not its own.
        Interrupted: `stopped`; nothing was replaced.
    """
    parts, absent = parts_in(folder, partial=partial)
    first = parts[0].manifest
    if first.stage not in stages:
        raise UsageError(f"{folder} holds shards of the stage {first.stage!r}, which this version does not know")
    stage, config = stages[first.stage], config_of(first, folder)
    with RunFolder(folder) as whole:
        merging = _Merging(stage, config, parts, partial=partial, stopped=stopped)
        merging.survey()
        _refuse_own_run(whole, stage, config, merging.replaces)
        summary = merging.write(whole)
        summary.files = write_views(stage, config, folder, entries_of(stage.name, stage.arms(config), whole))
        complete = not absent and not merging.gaps
        write_manifest(
            whole.manifest,
            msgspec.structs.replace(
                first,
                shard=None,
                merged=parts[0].shard.of,
                arms=merging.arms,
                started=min(part.manifest.started for part in parts),
                updated=now(),
                state="complete" if complete else "stopped",
                counts=summary.meter.counts(),
                ended_early=summary.saturated,
            ),
        )
    return Merged(summary, config, parts[0].shard.of, absent, merging.gaps)


def _refuse_own_run(whole: RunFolder, stage: Stage[Any], config: RunConfig, replaces: Callable[[Entry], bool]) -> None:
    """Refuse to replace what no shard has.

    Raises:
        RunMismatch: The folder holds a run of its own, or was gone on with after it was merged.
    """
    manifest = read_manifest(whole.manifest)
    found = entries_of(stage.name, stage.arms(config), whole)
    own = sum(1 for entry in found if isinstance(entry, Entry) and not replaces(entry))
    if own or (manifest is not None and manifest.merged is None):
        raise RunMismatch(
            f"{whole.path} holds a run of its own, with {own} requests that no shard has",
            hint="go on with it without --shard, or move it away and merge again",
        )


class _Merging:
    """One merge: what the shards hold, then the journal of the whole."""

    def __init__(
        self, stage: Stage[Any], config: RunConfig, parts: list[Part], *, partial: bool, stopped: Callable[[], bool]
    ) -> None:
        self._stage = stage
        self._config = config
        self._parts = {part.shard.index: part for part in parts}
        self._of = parts[0].shard.of
        self._partial = partial
        self._stopped = stopped
        self._settled = Settled(None)
        self._dead: set[bytes] = set()
        self._damaged = 0
        self.gaps = 0
        asked = {arm for part in parts for arm in part.manifest.arms}
        self.arms = tuple(arm for arm in stage.arms(config) if arm in asked)

    def survey(self) -> None:
        """Read which keys there are, and refuse what does not fit, before anything is written."""
        for part in self._parts.values():
            for number, entry in enumerate(self._entries(part)):
                self._breathe(number)
                if not isinstance(entry, Entry):
                    self._damaged += 1
                elif not part.shard.holds(entry.key):
                    raise StorageError(
                        f"{part.folder.path} holds the request {entry.key}, which is not of shard {part.shard}",
                        hint="the folder is of another cut or was put together by hand; move it away",
                    )
                else:
                    self._settled.add(entry)
                    if entry.failure is not None:
                        self._dead.add(compact(entry.key))
        late: dict[int, int] = {}
        for number, (request, index) in enumerate(self._plan()):
            self._breathe(number)
            if request.key not in self._settled and not self._ended(index, request.arm):
                late[index] = late.get(index, 0) + 1
        self.gaps = sum(late.values())
        if late and not self._partial:
            some = ", ".join(f"{count} of shard {index}/{self._of}" for index, count in sorted(late.items())[:10])
            raise UsageError(f"requests of the plan that no shard has: {some}", hint=WAYS)

    def replaces(self, entry: Entry) -> bool:
        """Say whether a shard has this request too, and did not give up what was answered here since."""
        return entry.key in self._settled and (entry.failure is not None or compact(entry.key) not in self._dead)

    def write(self, whole: RunFolder) -> Summary:
        """Let the journal in `whole` be that of all shards, and return what it came to."""
        first = next(iter(self._parts.values()))
        summary = Summary(self._stage.name, whole.path, first.findings, Meter(), arms=self.arms, merged=self._of)
        summary.fim = any(isinstance(it.prompt, Fim) and it.prompt.order is None for it in self._first_of_each_arm())
        replace_journal(whole.path, self._counted(summary), run=first.run, judged_by=first.judged_by)
        summary.damaged = self._damaged
        summary.meter.planned = summary.meter.settled + self.gaps
        for arm in self.arms:
            early = [told for part in self._parts.values() if (told := part.manifest.ended_early.get(arm))]
            if early:
                summary.saturated[arm] = f"in {len(early)} of {self._of} shards; {early[0]}"
        return summary

    def _counted(self, summary: Summary) -> Iterator[Entry]:
        """Yield the entries as they will be, and count them."""
        kept: dict[str, set[str]] = {}
        for number, entry in enumerate(self._in_plan_order()):
            self._breathe(number)
            judged = self._judged_again(entry, kept.setdefault(entry.arm, set()))
            count_entry(summary.meter, judged, resumed=True)
            yield judged

    def _in_plan_order(self) -> Iterator[Entry]:
        """Yield every settled request once: those of the plan in its order, then what is in no plan by now.

        Shards are read on as far as the next request is; what stands before it waits, which is little: a journal is
        nearly in the order of the plan.
        """
        readers = {index: self._entries(part) for index, part in self._parts.items()}
        waiting: dict[bytes, Entry] = {}
        done: set[bytes] = set()
        for request, index in self._plan():
            if request.key not in self._settled:
                continue
            for key in (compact(request.key), compact(request.key)[:16]):  # by itself, or as a part of one asked whole
                while key not in waiting and key not in done and (entry := next(readers[index], None)) is not None:
                    if isinstance(entry, Entry):
                        waiting[compact(entry.key)] = entry
                if key in waiting:
                    done.add(key)
                    yield waiting.pop(key)
                    break
        rest = [*waiting.values(), *(it for reader in readers.values() for it in reader if isinstance(it, Entry))]
        yield from sorted(rest, key=lambda entry: (entry.number, entry.arm, entry.key))

    def _judged_again(self, entry: Entry, kept: set[str]) -> Entry:
        """Judge once more which draw of a name is its first: each shard knew its own draws alone."""
        draws = tuple(self._draw_again(draw, kept) for draw in entry.draws)
        return entry if draws == entry.draws else msgspec.structs.replace(entry, draws=draws)

    def _draw_again(self, draw: Draw, kept: set[str]) -> Draw:
        if self._stage.name_of(draw) is None:
            return draw
        reason = DUPLICATE if draw.text in kept else None
        kept.add(draw.text)
        return draw if reason == draw.reason else msgspec.structs.replace(draw, reason=reason)

    def _entries(self, part: Part) -> Iterator[Entry | Damage | None]:
        return entries_of(self._stage.name, self._stage.arms(self._config), part.folder)

    def _plan(self) -> Iterator[tuple[Request, int]]:
        """Yield the requests as the shards split them, and whose they are; of shards that are not there as a whole."""
        model = next(iter(self._parts.values())).findings.dialect.model
        for request in requests(self._stage, self._config, model, None, self.arms):
            index = int(request.key[:8], 16) % self._of
            part = self._parts.get(index)
            yield from ((it, index) for it in messages.parts(request, part and part.findings.dialect.max_n))

    def _first_of_each_arm(self) -> Iterator[Request]:
        model = next(iter(self._parts.values())).findings.dialect.model
        for arm in self.arms:
            yield from islice(requests(self._stage, self._config, model, None, [arm]), 1)

    def _ended(self, index: int, arm: str) -> bool:
        part = self._parts.get(index)
        return part is not None and arm in part.manifest.ended_early

    def _breathe(self, number: int) -> None:
        if number % 1024 == 0 and self._stopped():
            raise Interrupted("stopped before anything was replaced", hint="run the same command again")
