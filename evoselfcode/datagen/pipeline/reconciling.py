"""Before a run says that it is done: is everything that was planned in its journal, and do the sums agree?

This file decides what has to be so, and says what is not. It trusts nothing that the run counted on its way: the plan
is added up where it is walked, the journal where it is read for the views. It refuses to know how they are read.

Keys are compared by their sum first, which takes no memory however long the run is; only where the sums differ, as
after a plan that was shortened, is each key looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import anyio.lowlevel

from evoselfcode.datagen.pipeline.settled import Settled
from evoselfcode.datagen.pipeline.stopping import stretches
from evoselfcode.datagen.pipeline.summary import Summary
from evoselfcode.engine import Meter
from evoselfcode.errors import RowsUnaccounted
from evoselfcode.records import Request
from evoselfcode.storage import Damage, Entry

MOST_NAMED = 10
"""Keys that a message names."""


class Reckoning:
    """What a plan and a journal come to, added up while others walk them.

    Attributes:
        planned: How many requests were planned and the sum of their keys: two lists of which one lacks a key, or has
            it twice, differ.
        found: The same of the journal.
        counted: What the journal's entries came to.
    """

    def __init__(self) -> None:
        self.planned = self.found = (0, 0)
        self.counted = Meter()

    def plan(self, requests: Iterable[Request]) -> None:
        """Add requests of the plan."""
        keys = [hash(request.key) for request in requests]
        count, total = self.planned
        self.planned = (count + len(keys), total + sum(keys))

    def journal(self, entries: Iterable[Entry | Damage | None]) -> Iterator[Entry]:
        """Add the entries of a journal as they are passed on; what is no entry is of no use."""
        count = total = 0
        for entry in entries:
            if isinstance(entry, Entry):
                count += 1
                total += hash(entry.key)
                count_entry(self.counted, entry, resumed=True)
                yield entry
        self.found = (count, total)


async def reconcile(
    reckoning: Reckoning,
    plan: Callable[[], Iterable[Request]],
    entries: Callable[[], Iterable[Entry | Damage | None]],
    summary: Summary,
    ended: Callable[[str], bool],
) -> RowsUnaccounted | None:
    """Compare what was planned, what the journal holds and what was counted on the way; return how they differ.

    The error names the keys that are missing, or the sums; it is for whoever ends the run to raise.

    Args:
        reckoning: What the whole plan and the whole journal come to.
        plan: Yields the requests that were to be asked, once more.
        entries: Reads the journal once more, of each key what counts; what is no entry is of no use.
        summary: What the run counted.
        ended: Says whether an arm ended early, so that its rest was not to be asked.

    Raises:
        StorageError: The journal cannot be read.

    Cancelled: nothing was changed.
    """
    if reckoning.found != reckoning.planned:
        missing = await _missing(plan(), await _settled(entries()), ended)
        if missing:
            named = ", ".join(missing[:MOST_NAMED]) + (", …" if len(missing) > MOST_NAMED else "")
            return RowsUnaccounted(
                f"{len(missing):,} requests of the plan are not in the journal of {summary.folder}: {named}",
                hint="this is a bug or a damaged disk; nothing that is in the journal is lost, and the same command "
                "asks for the rest",
            )
    told, found = summary.meter.counts(), reckoning.counted.counts()
    differing = [name for name in sorted({*told, *found} - {"planned"}) if told.get(name, 0) != found.get(name, 0)]
    if differing:
        sums = ", ".join(f"{name} {told.get(name, 0):,} and {found.get(name, 0):,}" for name in differing[:MOST_NAMED])
        return RowsUnaccounted(
            f"what was counted and what the journal of {summary.folder} holds differ: {sums}",
            hint="this is a bug or a damaged disk; the journal is the truth",
        )
    return None


async def _settled(entries: Iterable[Entry | Damage | None]) -> Settled:
    settled = Settled(None)
    for some in stretches(entries):
        await anyio.lowlevel.checkpoint()
        for entry in some:
            if isinstance(entry, Entry):
                settled.add(entry)
    return settled


async def _missing(plan: Iterable[Request], settled: Settled, ended: Callable[[str], bool]) -> list[str]:
    missing = []
    for requests in stretches(plan):
        await anyio.lowlevel.checkpoint()
        missing += [it.key for it in requests if it.key not in settled and not ended(it.arm)]
    return missing


def count_entry(meter: Meter, entry: Entry, *, resumed: bool) -> None:
    """Count what one journal entry came to.

    Args:
        meter: Takes the counts.
        entry: The entry.
        resumed: Whether an earlier process settled it.
    """
    meter.add(
        entry.arm,
        [draw.reason for draw in entry.draws],
        dead=entry.failure is not None,
        prompt_tokens=entry.usage.prompt_tokens or 0,
        completion_tokens=entry.usage.completion_tokens or 0,
        seconds=entry.seconds,
        resumed=resumed,
    )
