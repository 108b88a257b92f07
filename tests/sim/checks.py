"""What must hold of every history, whatever went wrong in it.

This file decides what a broken promise is (ids of the promises in parentheses). It reads the history, the journal and
the views; it refuses to know how the program keeps them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from evoselfcode import RunConfig
from evoselfcode.datagen.pipeline.namegen import NAMES
from evoselfcode.errors import StorageError
from evoselfcode.records import Request
from evoselfcode.storage import Entry, read_entries, read_once
from evoselfcode.storage.journal import COMMIT_SECONDS
from evoselfcode.wire.retry import POISON
from evoselfcode.wire.retry_budget import RetryBudget
from sim.history import Attempt, History
from sim.replies import name_of
from sim.scenario import Scenario

UNPLANNED = 1.5
"""Seconds on top of a commit window in which an answer may wait to be written down: a tick of the engine, and some."""


def _entries(folder: Path) -> list[Entry]:
    return [entry for entry in read_entries(folder) if isinstance(entry, Entry)]


def after_a_life(history: History, folder: Path, scenario: Scenario) -> None:
    """Check what a process left."""
    try:
        written = {entry.key for entry in _entries(folder)}
    except StorageError as error:
        history.broken.append(f"(D1, D2) the journal cannot be read after life {history.life}: {error}")
        return
    lost = history.acknowledged.keys() - written
    if lost:
        history.broken.append(f"(D1, D2) {len(lost)} acknowledged rows are lost after life {history.life}")
    _paid_for_nothing(history, written, scenario)


def _paid_for_nothing(history: History, written: set[str], scenario: Scenario) -> None:
    """D4: what a kill costs, besides what was in flight, was answered in the last commit window."""
    life = history.lives[-1]
    if scenario.full or scenario.failing_syncs:
        return
    window = COMMIT_SECONDS + UNPLANNED + 2 * scenario.slow_disk
    old = [
        attempt
        for attempt in history.attempts
        if attempt.life == history.life and attempt.what == "row" and attempt.said == "ok"
        if attempt.key not in written and (attempt.ended or 0.0) < life.ended - window
    ]
    if old:
        age = life.ended - min(attempt.ended or 0.0 for attempt in old)
        history.broken.append(f"(D4) {len(old)} rows answered up to {age:.1f} s before the end are not written down")


def after_the_end(history: History, plan: Mapping[str, Request], folder: Path, config: RunConfig) -> None:
    """Check a run that has come to its end."""
    try:
        entries = [entry for entry in read_once(folder) if isinstance(entry, Entry)]
    except StorageError:
        return  # it was told after the life
    _sums(history, plan, entries)
    _truth(history, plan, entries)
    _views(history, entries, folder, config)
    _dead(history, entries)
    _in_flight(history, config)
    _to_the_dead(history, config)
    _retries(history)
    _leftovers(history, folder)
    _rate(history, config)


def _leftovers(history: History, folder: Path) -> None:
    """What the lives that were killed had begun to write is gone."""
    if left := sorted(path.name for path in folder.rglob(".*.partial")):
        history.broken.append(f"{len(left)} files of killed lives are left: {', '.join(left[:3])}")


def _sums(history: History, plan: Mapping[str, Request], entries: list[Entry]) -> None:
    """D13, D16: every row ends once, answered or dead."""
    keys = Counter(entry.key for entry in entries)
    if missing := plan.keys() - keys.keys():
        history.broken.append(f"(D16) {len(missing)} of {len(plan)} rows have no end")
    if strangers := keys.keys() - plan.keys():
        history.broken.append(f"{len(strangers)} rows in the journal are of no plan")
    if wrong := [entry for entry in entries if bool(entry.draws) == (entry.failure is not None)]:
        history.broken.append(f"(D16) {len(wrong)} rows are neither answered nor dead, or both")


def _truth(history: History, plan: Mapping[str, Request], entries: list[Entry]) -> None:
    """R7: every draw is one that a replica gave, in full: no lie became a row."""
    for entry in entries:
        request = plan.get(entry.key)
        if request is not None and entry.draws:
            given = [name_of((request.sampling.seed or 0) + index) for index in range(request.sampling.n)]
            if [draw.raw_text for draw in entry.draws] != given:
                history.broken.append(f"(R7) row {entry.key[:8]} holds what no replica gave: {entry.draws[0].raw_text}")


def _views(history: History, entries: list[Entry], folder: Path, config: RunConfig) -> None:
    """D13: the views are what the journal says, and have nothing twice."""
    for name, rows in NAMES.views(config, entries).items():
        if not (folder / name).exists():
            history.broken.append(f"(D13) there is no {name}")
            continue
        try:
            shown = [json.loads(line) for line in (folder / name).read_bytes().splitlines()]
        except ValueError as error:
            history.broken.append(f"(D13) {name} cannot be read: {error}")
            continue
        if shown != list(rows):
            history.broken.append(f"(D13) {name} is not what the journal says")
        if len({(row["source"], row["func_name"]) for row in shown}) != len(shown):
            history.broken.append(f"(D13) {name} has a row twice")


def _dead(history: History, entries: list[Entry]) -> None:
    """R2, C6: a row dies of failures that are its own, never of an outage; of as few as a poisonous one needs."""
    tries: dict[str, list[Attempt]] = {}
    for attempt in history.attempts:
        tries.setdefault(attempt.key, []).append(attempt)
    for entry in entries:
        if entry.failure is None:
            continue
        history.dead += 1
        made = tries.get(entry.key, [])
        mine = Counter(it.said for it in made if it.life == made[-1].life)
        if mine["lie"] + mine["500"] < POISON:
            told = ", ".join(f"{it.said} ({it.why})" for it in made)
            history.broken.append(f"(R2) row {entry.key[:8]} died of what was not its own: {told}")


def _in_flight(history: History, config: RunConfig) -> None:
    """C1: no attempt begins where as many as are allowed are in flight, and never more than were told for the run."""
    most = config.api.fixed_concurrency
    for attempt in history.attempts:
        if most is not None and attempt.open_all > most:
            told = f"{attempt.open_all} attempts were in flight in all at {attempt.began:.3f} s, {most} are allowed"
        elif attempt.open_there > attempt.limit:
            told = f"{attempt.open_there} were in flight at {attempt.replica} at {attempt.began:.3f} s, "
            told += f"{attempt.limit} are allowed"
        else:
            continue
        history.broken.append(f"(C1) {told}")
        return


QUESTIONS = {"outage": 0.1, "vanished": 0.1, "storm": 0.5, "unavailable": 0.5}
"""Requests a second, at most, to who is away: probes, every 30 s in the end; to who is overloaded: trials, every 2 s
where that is its hint."""

FIRST_QUESTIONS = 12
"""Probes of the first minute, and the failures by which it is found out."""


def _to_the_dead(history: History, config: RunConfig) -> None:
    """R2, C6, C8: who does not answer is asked by probes and trials alone, once what was on its way has failed."""
    for replica, what, begins, ends in history.ills:
        if what not in QUESTIONS or ends - begins < 10.0:
            continue
        there = [it for it in history.attempts if it.replica == replica and it.what != "load"]
        # As long as an overloaded server answers what it took before, it may take more: it is not left alone yet.
        begins = max(
            [begins, *(it.ended or 0.0 for it in there if it.said == "ok" and begins < (it.ended or 0.0) < ends)]
        )
        asked = sum(begins < it.began < ends for it in there)
        lives = 1 + sum(begins < life.began < ends for life in history.lives)  # each begins with all slots
        most = lives * ((config.api.fixed_concurrency or 256) + FIRST_QUESTIONS) + (ends - begins) * QUESTIONS[what]
        if asked > most:
            told = f"{asked} requests went to {replica} in {ends - begins:.0f} s of {what}"
            history.broken.append(f"(R2, C6) {told}, {most:.0f} are allowed")


def _retries(history: History) -> None:
    """R3: where rows fail by themselves, trying again adds a tenth, and one a second for each replica."""
    if {what for _, what, _, _ in history.ills} - {"lies", "brownout"}:
        return
    tried: set[tuple[int, str]] = set()
    firsts, again = 0, 0
    for attempt in history.attempts:
        if attempt.what == "row":
            firsts += (attempt.life, attempt.key) not in tried
            again += (attempt.life, attempt.key) in tried
            tried.add((attempt.life, attempt.key))
    seconds = sum(life.ended - life.began for life in history.lives)
    replicas = len({attempt.replica for attempt in history.attempts})
    most = 0.1 * firsts + (seconds + RetryBudget.SPAN * len(history.lives)) * replicas * RetryBudget.FLOOR
    if again > most:
        history.broken.append(f"(R3) {again} attempts were retries, {most:.0f} are allowed")


def _rate(history: History, config: RunConfig) -> None:
    """C11: in no second of a life more rows are asked than are allowed, and one, which the bucket of starts holds."""
    rate = config.api.requests_per_second
    if rate is None:
        return
    starts = [(it.life, it.began) for it in history.attempts if it.what == "row"]
    for (life, first), (later, last) in zip(starts, starts[int(rate) + 1 :], strict=False):
        if life == later and last - first < 1.0 - 1e-6:
            history.broken.append(f"(C11) over {rate:g} + 1 rows were asked in the second from {first:.3f} s on")
            return
