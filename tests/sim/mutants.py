"""Sabotages of the program that the simulator must notice, and within how many seeds it does.

``python -m sim.mutants`` writes the table of `docs/explanation/simulation.md`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from evoselfcode.datagen.pipeline.settled import Settled
from evoselfcode.engine import starts
from evoselfcode.engine.governor import Governor
from evoselfcode.engine.health import Health
from evoselfcode.engine.member import Member
from evoselfcode.records import Choice, Failure
from evoselfcode.storage import disk
from evoselfcode.wire import completions, retry
from evoselfcode.wire.retry_budget import RetryBudget
from sim.run import play
from sim.scenario import Scenario, away, crowd, failing, scenario

MOST_SEEDS = 200
"""Seeds within which a mutant must die."""


def acknowledged_before_synced(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(disk, "sync", lambda descriptor: None)


def written_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(disk, "write_all", lambda descriptor, data: disk.append(descriptor, data))


def folder_not_synced(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(disk, "sync_folder", lambda path: None)


def failed_sync_believed(patch: pytest.MonkeyPatch) -> None:
    sync = disk.sync

    def believed(descriptor: int) -> None:
        with suppress(OSError):
            sync(descriptor)

    patch.setattr(disk, "sync", believed)


def settled_rows_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Settled, "__contains__", lambda self, key: False)


def outages_counted_against_rows(patch: pytest.MonkeyPatch) -> None:
    nobody_parked(patch)
    patch.setitem(retry._ACTIONS, "connect", "retry")
    failed = Member.failed
    patch.setattr(Member, "failed", lambda self, *what: failed(self, *what) or True)


def slot_held_in_back_off(patch: pytest.MonkeyPatch) -> None:
    failed = Member.failed

    def give_back(member: Member) -> None:
        member.in_flight -= 1
        member._reopened()

    def held(self: Member, failure: Failure, now: float) -> bool:
        self.in_flight += 1
        asyncio.get_running_loop().call_later(1.0, give_back, self)
        return failed(self, failure, now)

    patch.setattr(Member, "failed", held)


def nobody_parked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Health, "_park", lambda self, now, failure: False)


def never_back(patch: pytest.MonkeyPatch) -> None:
    def probed(self: Health, now: float, failure: Failure | None) -> bool:
        self.until = now + 30.0
        return False

    patch.setattr(Health, "probed", probed)


def back_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Governor, "returned", lambda self, now: None)


def no_pause(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Health, "_pause", lambda self, now, failure: False)


def limit_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Member, "open", property(lambda self: self.limit + 1, lambda self, value: None), raising=False)


def retries_without_budget(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(RetryBudget, "take", lambda self, now: True)


def a_second_of_starts_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(starts, "BURST_SECONDS", 1.0)


def endings_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    def believed(text: str | None, ending: str | None, tokens: Any) -> Choice:
        return Choice(text or "", ending or "stop", *(tokens or (None, None)))

    patch.setattr(completions, "make_choice", believed)


@dataclass(frozen=True)
class Mutant:
    """A sabotage.

    Attributes:
        sabotage: Makes it.
        promise: The promise that it breaks, as :mod:`sim.checks` names it.
        scenarios: Which scenario has which seed.
    """

    sabotage: Callable[[pytest.MonkeyPatch], None]
    promise: str
    scenarios: Callable[[int], Scenario] = scenario


MUTANTS = {
    "rows are acknowledged before they are synced": Mutant(acknowledged_before_synced, "D1, D2"),
    "a short write is taken for a whole one": Mutant(written_once, "D1, D2"),
    "the names of files are not synced": Mutant(folder_not_synced, "D1, D2"),
    "a failed sync is believed": Mutant(failed_sync_believed, "D1, D2"),
    "settled rows are forgotten": Mutant(settled_rows_forgotten, "asked again"),
    "outages are counted against rows, nobody is parked": Mutant(outages_counted_against_rows, "(R2) row"),
    "nobody is parked": Mutant(nobody_parked, "R2, C6"),
    "who is parked never returns": Mutant(never_back, "replicas that are well", away),
    "who returns has its old limit at once": Mutant(back_at_once, "C7", crowd),
    "an overload pauses nobody": Mutant(no_pause, "R2, C6"),
    "a slot is held in back-off": Mutant(slot_held_in_back_off, "C1"),
    "one more than the limit is in flight": Mutant(limit_ignored, "C1"),
    "retries have no budget": Mutant(retries_without_budget, "R3", failing),
    "a second's starts are granted at once": Mutant(a_second_of_starts_at_once, "C11"),
    "the ending of a choice is not looked at": Mutant(endings_not_looked_at, "R7"),
}


def dies_at(name: str) -> tuple[int, str] | None:
    """Return how many seeds a mutant needs to break its promise, and how it does; ``None`` if it outlives all."""
    mutant = MUTANTS[name]
    with pytest.MonkeyPatch.context() as patch:
        mutant.sabotage(patch)
        for seed in range(MOST_SEEDS):
            with TemporaryDirectory() as folder:
                told = play(mutant.scenarios(seed), Path(folder)).broken
            if found := [line for line in told if mutant.promise in line]:
                return seed + 1, found[0]
    return None


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    print("| mutant | seeds | what breaks first |\n| --- | ---: | --- |")
    for name in MUTANTS:
        seeds, told = dies_at(name) or ("none", f"outlives {MOST_SEEDS}")
        print(f"| {name} | {seeds} | {told} |", flush=True)
