"""Reading the journal before a run goes on: which requests are settled, what they came to, which texts were kept.

This file decides when sums are enough (:func:`evoselfcode.storage.recapped`), and when the entries have to be read one
by one: where the order of the draws matters, or where a request that was answered is in the journal twice, so that the
sums count something that a later entry replaced. Both ways come to the same. It refuses to know how either is stored.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from evoselfcode.datagen.pipeline.reconciling import count_entry
from evoselfcode.datagen.pipeline.resume import entries_of
from evoselfcode.datagen.pipeline.saturating import Saturating
from evoselfcode.datagen.pipeline.settled import Settled
from evoselfcode.datagen.pipeline.stage import Judge
from evoselfcode.datagen.pipeline.stopping import breathe, stretches
from evoselfcode.datagen.pipeline.summary import Summary
from evoselfcode.engine import Stop
from evoselfcode.storage import DIGEST, Block, Damage, Digests, Entry, Group, RunFolder, recapped, split


@dataclass(frozen=True)
class Recall:
    """What is told what an earlier process has done.

    Attributes:
        stage: The name of the stage.
        judges: The judge of each arm; told what was kept.
        remembering: Whether they want to know it.
        settled: Told the keys.
        saturating: Told the entries, in the order of settling.
        summary: Counts.
    """

    stage: str
    judges: Mapping[str, Judge]
    remembering: bool
    settled: Settled
    saturating: Saturating
    summary: Summary

    async def read(self, folder: RunFolder, stop: Stop) -> None:
        """Read the journal in `folder`.

        Raises:
            Interrupted: `stop` came first.
            StorageError: The journal cannot be read.
        """
        sums = None if self.saturating.follows else await self._summed_up(folder, stop)
        if sums is None:
            await self._one_by_one(folder, stop)
        else:
            await self._take(sums, stop)

    async def _summed_up(self, folder: RunFolder, stop: Stop) -> _Sums | None:
        sums = _Sums(self.stage, self.judges, self.remembering)
        for found in recapped(folder.path):
            await breathe(stop)
            if isinstance(found, Damage):
                sums.damages.append(found)
            elif found is not None and not sums.add(found):
                return None
        for repeated in sums.pack():
            await breathe(stop)
            if repeated:
                return None
        return None if sums.replaced() else sums

    async def _take(self, sums: _Sums, stop: Stop) -> None:
        for damage in sums.damages:
            self.summary.damage(damage)
        self.settled.add_packed(sums.answered)
        for part, failed in sums.failed.items():
            for digest, arm in failed.items():
                if self.settled.add_failed(digest + part.encode()):
                    self.summary.meter.add(arm, (), dead=True, resumed=True)
        for requests, group in sums.counted:
            await breathe(stop)
            self.summary.meter.add_answered(
                group.arm, requests, group.draws, group.reasons, group.prompt_tokens, group.completion_tokens
            )
            remember = self.judges[group.arm].remember
            for text in group.kept():
                remember(text)

    async def _one_by_one(self, folder: RunFolder, stop: Stop) -> None:
        for entries in stretches(entries_of(self.stage, self.judges, folder)):
            await breathe(stop)
            for entry in entries:
                if not isinstance(entry, Entry):
                    self.summary.damage(entry)
                elif self.settled.add(entry):
                    self._recount(entry)

    def _recount(self, entry: Entry) -> None:
        self.saturating.add(entry)
        count_entry(self.summary.meter, entry, resumed=True)
        for draw in entry.draws:
            if draw.reason is None:
                self.judges[entry.arm].remember(draw.text)


@dataclass
class _Sums:
    """What the blocks of a journal come to.

    Attributes:
        stage: The stage whose entries are of use.
        arms: Its arms.
        remembering: Whether texts are wanted.
        damages: What was damaged.
        answered: The digests of the requests that were answered, by what follows in their keys.
        failed: Those that were given up and not answered later, each with its arm.
        counted: The counts of what was answered, with how many requests each is of, and the texts that were kept.
    """

    stage: str
    arms: Container[str]
    remembering: bool
    damages: list[Damage] = field(default_factory=list)
    answered: defaultdict[str, Digests] = field(default_factory=lambda: defaultdict(Digests))
    failed: defaultdict[str, dict[bytes, str]] = field(default_factory=lambda: defaultdict(dict))
    counted: list[tuple[int, Group]] = field(default_factory=list)

    def add(self, block: Block) -> bool:
        """Add the next block; say whether it is of use, all of it and in sums."""
        for group in block.groups or ():
            if group.stage != self.stage or group.arm not in self.arms or (self.remembering and group.texts is None):
                return False
            self._add(group)
        return block.groups is not None

    def _add(self, group: Group) -> None:
        failed = self.failed[group.part]
        if failed:  # what was asked again, and is answered now
            for digest in failed.keys() & split(group.answered):
                del failed[digest]
        failed.update(dict.fromkeys(split(group.failed), group.arm))
        self.answered[group.part].add(group.answered)
        texts = [some.copy() for some in group.texts or ()] if self.remembering else None  # else all of the file stays
        counts = msgspec.structs.replace(group, answered=b"", failed=b"", texts=texts)
        self.counted.append((len(group.answered) // DIGEST, counts))

    def pack(self) -> Iterator[bool]:
        """Make the digests ready to be asked for, step by step; yield whether one of a step was answered twice."""
        for digests in self.answered.values():
            yield from digests.pack()

    def replaced(self) -> bool:
        """Say whether a request that was answered was given up later."""
        return any(digest in self.answered[part] for part, failed in self.failed.items() for digest in failed)
