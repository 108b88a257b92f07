"""How a run ends: before it says that it is done, it is counted anew (O6); one that is stopped has little time."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from embedded import Embedded
from test_run import FILES, config, entries, run

from evoselfcode.datagen.pipeline.committing import Committing
from evoselfcode.datagen.pipeline.run import _Run
from evoselfcode.engine import Meter, Stop
from evoselfcode.errors import Interrupted, RowsUnaccounted
from evoselfcode.storage import Entry, read_manifest


async def test_a_row_that_was_dropped_on_its_way_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """O6. Sabotage: swallow a hand-over: here the second entry is. Leave ``reconcile`` out, and the exit code is 75."""
    seen: list[str] = []
    settle = _Run._settle

    def leaky(self: _Run, journal: Committing, found: Iterable[Entry]) -> None:
        come = list(found)
        seen.extend(entry.key for entry in come)
        settle(self, journal, [entry for entry in come if seen.index(entry.key) != 1])

    monkeypatch.setattr(_Run, "_settle", leaky)
    with pytest.raises(RowsUnaccounted) as raised:
        await run(Embedded(), config(tmp_path))
    assert raised.value.exit_code == 4
    assert f"1 requests of the plan are not in the journal of {tmp_path / 'names'}: {seen[1]}" in str(raised.value)
    manifest = read_manifest(tmp_path / "names" / "manifest.json")
    assert manifest is not None
    assert manifest.state == "failed"
    monkeypatch.undo()
    server = Embedded()
    await run(server, config(tmp_path))
    assert len(server.bodies) == 1
    assert len(entries(tmp_path)) == 12


async def test_sums_that_differ_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotage: compare keys alone."""
    add = Meter.add

    def twice(self: Meter, *given: Any, **named: Any) -> None:
        add(self, *given, **named)
        if not named.get("resumed"):
            self.prompt_tokens += 1

    monkeypatch.setattr(Meter, "add", twice)
    with pytest.raises(RowsUnaccounted, match="prompt_tokens"):
        await run(Embedded(), config(tmp_path))


async def test_a_shortened_plan_is_done_though_the_journal_holds_more(tmp_path: Path) -> None:
    """The sums of keys differ, and every key that is planned is there. Sabotage: refuse where they differ."""
    await run(Embedded(), config(tmp_path, num_requests=8))
    await run(Embedded(), config(tmp_path, num_requests=6), arms=("FIM",))
    server = Embedded()
    summary = await run(server, config(tmp_path, num_requests=9), arms=("L2R",))
    assert len(server.bodies) == 1
    assert summary.meter.settled == 17


async def test_an_arm_that_ended_early_has_no_gap(tmp_path: Path) -> None:
    """Sabotage: do not ask ``ended``."""
    rules = {"saturation": {"tokens": 20, "look": 4}}
    summary = await run(Embedded(), config(tmp_path, num_requests=60, **rules))
    assert summary.saturated
    assert summary.meter.settled < 120


async def test_a_large_run_that_is_stopped_leaves_its_views_to_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pod has seconds to end, and they are for the commit. Sabotage: write them whatever the run's size."""
    monkeypatch.setattr("evoselfcode.datagen.pipeline.run.MOST_AT_A_STOP", 3)
    stop = Stop()

    def after_eight(number: int, body: dict[str, Any]) -> None:
        if number == 8:
            stop.set()

    with pytest.raises(Interrupted):
        await run(Embedded(after_eight), config(tmp_path, num_requests=20), stop=stop)
    assert not any((tmp_path / "names" / name).exists() for name in FILES)
    await run(Embedded(), config(tmp_path, num_requests=20))
    assert all((tmp_path / "names" / name).exists() for name in FILES)
