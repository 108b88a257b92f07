"""A run on a disk that is full, or in a folder that another process has taken over."""

from __future__ import annotations

import errno
import logging
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from embedded import Embedded
from journal_lines import entries
from test_run import config, run, shown

from evoselfcode.datagen.pipeline.events import EventLog, read_events
from evoselfcode.datagen.pipeline.stage import OneByOne
from evoselfcode.engine import Event, Stop
from evoselfcode.errors import DiskFull, EndpointDown, RunMismatch
from evoselfcode.storage import Journal, disk, read_manifest

COMMIT = 8


class FullDisk:
    """A disk that has no space for entries for a number of tries.

    Attributes:
        asked: How many requests the server had been asked at each try.
    """

    def __init__(self, patch: pytest.MonkeyPatch, tries: float, server: Embedded) -> None:
        self.asked: list[int] = []
        append = disk.append

        def full(descriptor: int, data: bytes) -> int:
            if b'"entry":' in bytes(data[:40]) and len(self.asked) < tries:
                self.asked.append(len(server.bodies))
                raise OSError(errno.ENOSPC, "No space left on device")
            return append(descriptor, data)

        patch.setattr(disk, "append", full)
        patch.setattr("evoselfcode.storage.journal.COMMIT_ROWS", COMMIT)
        patch.setattr("evoselfcode.datagen.pipeline.committing.AGAIN", 0.02)


async def test_a_full_disk_is_waited_for_and_nothing_more_is_paid_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """D5. Sabotages: let the commit fail at once; take outcomes while it waits; say nothing."""
    server, shows = Embedded(), []
    full = FullDisk(monkeypatch, 20, server)
    with caplog.at_level(logging.WARNING, "evoselfcode"):
        summary = await run(
            server, config(tmp_path, num_requests=40, n=1), report=lambda summary, gate: shows.append(len(full.asked))
        )
    assert len(full.asked) == 20
    most = COMMIT + 2 * (4 + 2 + 1) + 4  # a commit, what workers hold and have handed over, what is in flight
    assert full.asked[-1] == full.asked[-2] <= most
    assert set(range(1, 21)) <= set(shows)
    assert summary.meter.settled == len(entries(tmp_path / "names")) == len(server.bodies) == 80
    waits, goes_on = (record.getMessage() for record in caplog.records)
    assert re.search(r"No space left on device; \d+ settled requests wait in memory and nothing more is asked", waits)
    assert "for up to 600 s" in waits
    assert "there is space in" in goes_on


async def test_a_disk_that_stays_full_ends_the_run_and_the_next_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sabotage: wait for ever."""
    settings = config(tmp_path, num_requests=20).to_public()
    settings["output"]["disk_wait"] = 0.05
    settings = type(config(tmp_path)).from_mapping(settings)
    with monkeypatch.context() as patched:
        FullDisk(patched, 1e9, server := Embedded())
        with pytest.raises(DiskFull, match="cannot append to") as raised:
            await run(server, settings)
    assert raised.value.exit_code == 5
    assert entries(tmp_path / "names") == []
    await run(Embedded(), settings)
    await run(Embedded(), config(tmp_path / "whole", num_requests=20))
    assert shown(tmp_path) == shown(tmp_path / "whole")


async def test_a_stop_ends_the_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C on a full disk. Sabotage: ``anyio.sleep`` in the place of ``stop.wait``, or do not look at the stop."""
    stop = Stop()
    full = FullDisk(monkeypatch, 1e9, server := Embedded())
    monkeypatch.setattr("evoselfcode.datagen.pipeline.committing.AGAIN", 300.0)

    def report(summary: Any, gate: Any) -> None:
        if full.asked:
            stop.set()

    with pytest.raises(DiskFull):
        await run(server, config(tmp_path, num_requests=50), stop=stop, report=report)
    assert len(full.asked) == 3  # the last is when the journal is closed


async def test_a_run_whose_folder_was_taken_over_ends_and_touches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D8. Sabotages: write views and manifest all the same; look for a newer attempt at the opening alone."""
    monkeypatch.setattr("evoselfcode.storage.journal.COMMIT_ROWS", COMMIT)
    folder, others, acknowledged = tmp_path / "names", [], []

    def report(summary: Any, gate: Any) -> None:
        if not others and entries(folder):
            (folder / "manifest.json").unlink()
            others.append(Journal(folder))

    with pytest.raises(RunMismatch, match=r"has taken .* over") as raised:
        await run(Embedded(), config(tmp_path, num_requests=50), report=report, acknowledged=acknowledged.extend)
    assert raised.value.exit_code == 2
    assert not (folder / "combined_raw.jsonl").exists()
    assert read_manifest(folder / "manifest.json") is None
    assert [entry.key for entry in entries(folder)] == acknowledged
    others[0].close(0.0)


async def test_what_is_acknowledged_is_all_that_is_in_the_journal(tmp_path: Path) -> None:
    """Also of a run that ends in the middle. Sabotage: forget what ``close`` acknowledges."""

    def dies(number: int, body: dict[str, Any]) -> httpx.Response | None:
        if number > 7:
            raise httpx.ConnectError("Connection refused")
        return None

    told: list[str] = []
    dead = config(tmp_path, api={"outage_limit": 0.0})
    with pytest.raises(EndpointDown):
        await run(Embedded(dies), dead, acknowledged=told.extend)
    assert told == [entry.key for entry in entries(tmp_path / "names")] != []
    await run(Embedded(), config(tmp_path), acknowledged=told.extend)
    assert told == [entry.key for entry in entries(tmp_path / "names")]
    assert len(told) == 12


async def test_a_journal_that_cannot_be_closed_leaves_no_judge_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of code hold processes. Sabotage: close one after the other, without ``AsyncExitStack``."""
    closed: list[OneByOne] = []
    close = OneByOne.aclose

    async def seen(judge: OneByOne) -> None:
        closed.append(judge)
        await close(judge)

    monkeypatch.setattr(OneByOne, "aclose", seen)
    settings = config(tmp_path, num_requests=20).to_public()
    settings["output"]["disk_wait"] = 0.0
    FullDisk(monkeypatch, 1e9, server := Embedded())
    with pytest.raises(DiskFull):
        await run(server, type(config(tmp_path)).from_mapping(settings))
    assert len(closed) == 2


async def test_events_wait_for_space_and_do_not_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """D5: what a run waits for is the journal. Sabotage: let ``EventLog._write`` pass the error on, or drop them."""
    append, tries = disk.append, [0]

    def full(descriptor: int, data: bytes) -> int:
        tries[0] += 1
        if tries[0] <= 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return append(descriptor, data)

    monkeypatch.setattr(disk, "append", full)
    log = EventLog(tmp_path)
    log.append(Event(1.0, "parked", "a", "gone"))
    await log.commit()
    log.append(Event(2.0, "returned", "a", "back"))
    await log.commit()
    assert read_events(tmp_path) == []
    await log.aclose()
    assert read_events(tmp_path) == []  # a run that ends without space for them has lost nothing that it needs
    await log.commit()
    await log.aclose()
    assert [event["at"] for event in read_events(tmp_path)] == [1.0, 2.0]
