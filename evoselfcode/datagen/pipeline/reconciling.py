"""Before a run says that it is done: is everything that was planned in its journal, and do the sums agree?

This file decides what has to be so, and says what is not. It trusts nothing that the run counted on its way: plan and
journal are read once more. It refuses to know how they are read.

Keys are compared by their sum first, which takes no memory however long the run is; only where the sums differ, as
after a plan that was shortened, is each key looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

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


async def reconcile(
    plan: Callable[[], Iterable[Request]],
    entries: Callable[[], Iterable[Entry | Damage | None]],
    summary: Summary,
    ended: Callable[[str], bool],
) -> None:
    """Compare what was planned, what the journal holds and what was counted on the way.

    Args:
        plan: Yields the requests that were to be asked.
        entries: Reads the journal, of each key what counts; what is no entry is of no use.
        summary: What the run counted.
        ended: Says whether an arm ended early, so that its rest was not to be asked.

    Raises:
        RowsUnaccounted: They differ; the message names the keys that are missing, or the sums.
        StorageError: The journal cannot be read.

    Cancelled: nothing was changed.
    """
    counted = Meter()
    if await _count(entries(), counted) != await _sum_of_keys(plan()):
        missing = await _missing(plan(), await _settled(entries()), ended)
        if missing:
            named = ", ".join(missing[:MOST_NAMED]) + (", …" if len(missing) > MOST_NAMED else "")
            raise RowsUnaccounted(
                f"{len(missing):,} requests of the plan are not in the journal of {summary.folder}: {named}",
                hint="this is a bug or a damaged disk; nothing that is in the journal is lost, and the same command "
                "asks for the rest",
            )
    told, found = summary.meter.counts(), counted.counts()
    differing = [name for name in sorted({*told, *found} - {"planned"}) if told.get(name, 0) != found.get(name, 0)]
    if differing:
        sums = ", ".join(f"{name} {told.get(name, 0):,} and {found.get(name, 0):,}" for name in differing[:MOST_NAMED])
        raise RowsUnaccounted(
            f"what was counted and what the journal of {summary.folder} holds differ: {sums}",
            hint="this is a bug or a damaged disk; the journal is the truth",
        )


async def _count(entries: Iterable[Entry | Damage | None], meter: Meter) -> tuple[int, int]:
    """Count what the entries came to; return how many keys there are and their sum."""
    count = total = 0
    for some in stretches(entries):
        await anyio.lowlevel.checkpoint()
        for entry in some:
            if isinstance(entry, Entry):
                count += 1
                total += hash(entry.key)
                count_entry(meter, entry, resumed=True)
    return count, total


async def _sum_of_keys(plan: Iterable[Request]) -> tuple[int, int]:
    """Return how many keys there are and their sum: two lists of which one lacks a key, or has it twice, differ."""
    count = total = 0
    for some in stretches(plan):
        await anyio.lowlevel.checkpoint()
        count += len(some)
        total += sum(hash(request.key) for request in some)
    return count, total


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
