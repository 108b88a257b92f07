"""Lines that another version, another program or an accident left in a journal: resuming reads past them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import journal_lines
import msgspec
import pytest
from embedded import Embedded
from test_run import config, entries, run, shown

from evoselfcode.engine import Stop
from evoselfcode.errors import Interrupted, RunMismatch, StorageError
from evoselfcode.storage import Damage, Entry, RunFolder, jsonl, read_entries

FOREIGN: dict[str, dict[str, Any]] = {
    "arm": {"arm": "R2L"},
    "stage": {"stage": "code"},
    "key": {"key": "library"},
}


@pytest.mark.parametrize("change", FOREIGN.values(), ids=FOREIGN)
async def test_an_entry_of_something_else_is_counted_as_damage_and_not_shown(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    """Sabotage: read the entries by ``read_entries`` alone."""
    await run(Embedded(), config(tmp_path))
    before, journal = shown(tmp_path), journal_lines.segments(tmp_path / "names")[0]
    draw = {"raw_text": "of_another", "text": "of_another"}
    entry = {"key": "0" * 32, "stage": "names", "arm": "FIM", "number": 0, "attempts": 1, "seconds": 0, "draws": [draw]}
    with journal.open("ab") as file:
        file.write(jsonl.frame(msgspec.json.encode(entry | change)))
    summary = await run(Embedded(), config(tmp_path))
    assert summary.damaged == 1
    assert summary.meter.settled == summary.meter.planned == 12
    assert shown(tmp_path) == before


@pytest.mark.parametrize("document", [b"[1]", b"null", b'{"version":2}'])
async def test_an_entry_of_another_version_is_not_paid_again_because_it_cannot_be_read(
    tmp_path: Path, document: bytes
) -> None:
    await run(Embedded(), config(tmp_path))
    with journal_lines.segments(tmp_path / "names")[0].open("ab") as file:
        file.write(jsonl.frame(document))
    before, server = shown(tmp_path), Embedded()
    with pytest.raises(StorageError, match="this version cannot read"):
        await run(server, config(tmp_path))
    assert server.messages == 0
    assert shown(tmp_path) == before


async def test_a_line_nested_too_deeply_is_damage(tmp_path: Path) -> None:
    """Sabotage: let ``unframe`` raise RecursionError."""
    await run(Embedded(), config(tmp_path))
    (journal,) = journal_lines.segments(tmp_path / "names")
    size = journal.stat().st_size
    with journal.open("ab") as file:
        file.write(jsonl.frame(b"[" * 100_000))
    assert [line for line in read_entries(tmp_path / "names") if not isinstance(line, Entry)] == [
        Damage(size, 100_000, file=journal.name)
    ]
    assert (await run(Embedded(), config(tmp_path))).damaged == 1


async def test_a_line_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    """Sabotage: yield every entry in ``read_once``."""
    await run(Embedded(), config(tmp_path))
    journal_lines.rewrite(tmp_path / "names", journal_lines.lines(tmp_path / "names") * 2)
    summary = await run(Embedded(), config(tmp_path))
    assert summary.meter.settled == summary.meter.planned == 12


async def test_rows_without_a_manifest_are_not_mixed_with_others(tmp_path: Path) -> None:
    """Sabotage: let ``refuse_other_settings`` return where there is no manifest."""
    await run(Embedded(), config(tmp_path))
    (tmp_path / "names" / "manifest.json").unlink()
    with pytest.raises(RunMismatch, match="holds a journal and no manifest"):
        await run(Embedded(), config(tmp_path, weaklist=["x"]))


async def test_what_is_set_aside_first_is_the_journal_and_last_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill half-way leaves no rows without settings. Sabotage: do not sort in ``set_aside``."""
    await run(Embedded(), config(tmp_path))
    moved: list[str] = []
    rename = Path.rename

    def noted(self: Path, target: Path) -> Path:
        moved.append(self.name)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", noted)
    with RunFolder(tmp_path / "names") as folder:
        folder.set_aside()
    assert (moved[0], moved[-1], len(moved)) == ("journal", "manifest.json", 5)


async def test_parts_of_another_size_do_not_pass_for_settled(tmp_path: Path) -> None:
    """Begun where n is at most 2, ended where it is at most 4. Sabotage: name a part by its first choice alone."""
    stop = Stop()

    def at_most(most: int, stop_at: int = 0) -> Any:
        def refuse(number: int, body: dict[str, Any]) -> httpx.Response | None:
            if number and number == stop_at:
                stop.set()
            if body.get("n", 1) <= most:
                return None
            return httpx.Response(400, json={"error": {"message": f"n: 1 <= value <= {most}"}})

        return refuse

    settings = config(tmp_path, n=8, num_requests=5, api={"concurrency": 2})
    with pytest.raises(Interrupted):
        await run(Embedded(at_most(2, stop_at=13)), settings, stop=stop)
    manifest = tmp_path / "names" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("http://embedded:8000", "http://elsewhere:8000"))
    await run(Embedded(at_most(4)), settings)
    entries = [entry for entry in read_entries(tmp_path / "names") if isinstance(entry, Entry)]
    drawn = {(entry.arm, (entry.seed or 0) + i) for entry in entries for i in range(len(entry.draws))}
    assert len(drawn) == 5 * 2 * 8


async def test_each_entry_says_when_it_settled(tmp_path: Path) -> None:
    """Sabotage: leave ``at`` out of ``_take``, or pass on the loop's clock, which does not begin in 1970."""
    before = time.time()
    await run(Embedded(), config(tmp_path))
    found = [entry.at for entry in entries(tmp_path)]
    assert len(found) == 12
    assert found == sorted(found, key=lambda at: at or 0.0)
    assert all(at is not None and before - 0.001 <= at <= time.time() + 0.001 for at in found)
    assert all(at == round(at or 0.0, 3) for at in found)


async def test_a_journal_without_times_is_resumed_and_shows_the_same(tmp_path: Path) -> None:
    """Sabotage: take the default of ``Entry.at`` away."""
    await run(Embedded(), config(tmp_path))
    before = shown(tmp_path)
    old = [msgspec.json.encode(msgspec.structs.replace(entry, at=None)) for entry in entries(tmp_path)]
    assert not any(b'"at"' in line for line in old)
    journal_lines.rewrite(tmp_path / "names", map(jsonl.frame, old))
    server = Embedded()
    assert (await run(server, config(tmp_path))).meter.settled == 12
    assert server.messages == 0
    assert shown(tmp_path) == before
