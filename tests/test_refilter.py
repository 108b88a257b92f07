"""Judging again by other filters: no request, and what a run comes to that had them from the beginning."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import journal_lines
import pytest
from embedded import Embedded
from test_run import FILES, config, entries, rows, run, shown

from evoselfcode import RunConfig
from evoselfcode.datagen.pipeline.refiltering import refilter
from evoselfcode.errors import RunMismatch, UsageError
from evoselfcode.storage import Entry, disk, generation_of, read_manifest, read_once

OTHER: dict[str, Any] = {"weaklist": ["count", "get_index", "max_subarray"], "num_requests": 12}


def other(folder: Path, **namegen: Any) -> Any:
    """Return a configuration with other filters."""
    settings = config(folder, **OTHER | namegen).to_public()
    settings["filters"]["name_regex"] = "^[a-z_]{4,14}$"
    settings["api"].pop("api_key")
    return type(config(folder)).from_mapping(settings)


async def test_a_run_that_is_judged_again_is_one_that_had_these_filters_from_the_beginning(tmp_path: Path) -> None:
    """Sabotages: judge both arms by one judge; leave the fingerprint as it was; count no draw."""
    settled: dict[str, Any] = {"api": {"concurrency": 1}, "temperature": 0.3}
    await run(Embedded(), other(tmp_path / "fresh", **settled))
    await run(Embedded(), config(tmp_path / "judged", num_requests=12, **settled))
    before = shown(tmp_path / "judged")
    made = refilter(tmp_path / "judged" / "names", other(tmp_path / "judged", **settled))
    assert shown(tmp_path / "judged") == shown(tmp_path / "fresh") != before
    by_arm = [{row["func_name"] for row in rows(tmp_path / "judged", name)} for name in FILES[:2]]
    assert by_arm[0] & by_arm[1]
    assert made.changed > 0
    assert made.draws == 96
    assert made.files == {name: text.count(b"\n") for name, text in shown(tmp_path / "judged").items()}
    manifests = [read_manifest(tmp_path / folder / "names" / "manifest.json") for folder in ("judged", "fresh")]
    assert manifests[0] is not None and manifests[1] is not None  # noqa: PT018
    assert manifests[0].fingerprint == manifests[1].fingerprint
    assert manifests[0].counts == manifests[1].counts
    assert manifests[0].state == "complete"
    assert {entry.key: entry.draws for entry in entries(tmp_path / "judged")} == {
        entry.key: entry.draws for entry in entries(tmp_path / "fresh")
    }
    server = Embedded()
    summary = await run(server, other(tmp_path / "judged", num_requests=14, **settled))
    assert len(server.bodies) == 4
    assert summary.meter.settled == 28
    with pytest.raises(RunMismatch, match=r"namegen\.weaklist"):
        await run(server, config(tmp_path / "judged", num_requests=12, **settled))


async def test_what_a_prompt_had_begun_belongs_to_the_name(tmp_path: Path) -> None:
    """Sabotage: judge with nothing begun: ``get`` of ``def get`` would be lost."""
    arms = {"a": {"mode": "L2R", "first_words": ["get", "merge", "split"]}, "FIM": None, "L2R": None}
    await run(Embedded(), config(tmp_path, arms=arms))
    before, names = shown(tmp_path), entries(tmp_path)
    assert any(draw.reason is None and draw.text.startswith("get") for entry in names for draw in entry.draws)
    made = refilter(tmp_path / "names", config(tmp_path, arms=arms))
    assert (made.changed, made.kept) == (0, made.before)
    assert shown(tmp_path) == before
    assert entries(tmp_path) == names


async def test_history_stays_and_is_not_judged(tmp_path: Path) -> None:
    """Sabotages: judge every entry of a key; write only those that count."""
    await run(Embedded(), config(tmp_path))
    first = entries(tmp_path)[0]
    folder = tmp_path / "names"
    journal_lines.rewrite(folder, [*journal_lines.lines(folder), journal_lines.lines(folder)[0]])
    made = refilter(folder, other(tmp_path, num_requests=6))
    assert made.draws == 48
    assert next(entry.draws for entry in entries(tmp_path) if entry.key == first.key) == first.draws
    assert len(entries(tmp_path)) == 13
    assert len([one for one in read_once(folder) if isinstance(one, Entry)]) == 12


@pytest.mark.parametrize("change", [{"temperature": 0.5}, {"seed": 3}])
async def test_only_filters_may_change(tmp_path: Path, change: dict[str, Any]) -> None:
    """Sabotage: leave ``refuse_other_settings`` out."""
    await run(Embedded(), config(tmp_path))
    before = journal_lines.lines(tmp_path / "names")
    with pytest.raises(RunMismatch, match=f"namegen.{next(iter(change))}"):
        refilter(tmp_path / "names", config(tmp_path, weaklist=["x"], **change))
    assert journal_lines.lines(tmp_path / "names") == before


async def test_a_changed_filter_is_refused_with_the_way_to_change_it(tmp_path: Path) -> None:
    """Sabotage: take the hint out."""
    await run(Embedded(), config(tmp_path))
    with pytest.raises(RunMismatch, match="evoselfcode refilter judges what is there"):
        await run(Embedded(), config(tmp_path, weaklist=["x"]))


async def goes_on_under(settings: RunConfig, others: RunConfig) -> None:
    """Run with one configuration, which has nothing to ask, and with another, which is refused."""
    server = Embedded()
    await run(server, settings)
    assert not server.bodies
    with pytest.raises(RunMismatch):
        await run(server, others)


class Cut(BaseException):
    """A process that ends between two calls of the disk."""


async def test_a_kill_at_any_call_leaves_the_old_verdicts_or_the_new_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D18, at more than 100 points.

    Sabotages: remove the old files first; let files count when they are there; forget by what they were judged.
    """
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: None)  # nobody cuts the power here
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr("evoselfcode.storage.journal.COMMIT_ROWS", 1)
    monkeypatch.setattr("evoselfcode.storage.journal.SEGMENT_ROWS", 2)
    await run(Embedded(), config(tmp_path / "run", api={"concurrency": 1}))
    assert len(journal_lines.segments(tmp_path / "run" / "names")) > 1
    old = {entry.key: entry.draws for entry in entries(tmp_path / "run")}
    shutil.copytree(tmp_path / "run", tmp_path / "judged")
    refilter(tmp_path / "judged" / "names", other(tmp_path))
    new = {entry.key: entry.draws for entry in entries(tmp_path / "judged")}
    assert old.keys() == new.keys()
    assert old != new
    came, calls, wanted = set(), 0, other(tmp_path)

    def wrapped(real: Any) -> Any:
        def call(*arguments: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == point:
                raise Cut
            return real(*arguments)

        return call

    for name in ("create", "open_anew", "append", "sync", "sync_folder", "cut", "close", "replace", "remove"):
        monkeypatch.setattr(disk, name, wrapped(getattr(disk, name)))
    for point in range(1, 10_000):
        folder = tmp_path / "cut"
        shutil.copytree(tmp_path / "run", folder)
        calls = 0
        try:
            refilter(folder / "names", wanted)
        except Cut:
            ended = False
        else:
            ended = True
        calls = -(10**9)
        found = [one for one in read_once(folder / "names") if isinstance(one, Entry)]
        verdicts = {one.key: one.draws for one in found}
        assert len(found) == len(verdicts)
        assert verdicts in (old, new), point
        first = (verdicts == new) not in came
        came.add(verdicts == new)
        if first or point % 40 == 0:  # and it goes on under the settings that its verdicts are of
            ways = config(folder), other(folder, num_requests=6)
            await goes_on_under(*(ways[::-1] if verdicts == new else ways))
        shutil.rmtree(folder)
        if ended:
            break
    assert point > 100
    assert came == {True, False}


async def test_what_a_killed_rewriting_left_is_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotage: keep the files of other generations in ``swept``."""
    await run(Embedded(), config(tmp_path))
    folder = tmp_path / "names"
    with monkeypatch.context() as patched:
        patched.setattr("evoselfcode.storage.rewriting.write_generation", lambda *_: (_ for _ in ()).throw(Cut()))
        with pytest.raises(Cut):
            refilter(folder, other(tmp_path))
    assert len(list((folder / "journal").glob("*.jsonl"))) == 2
    refilter(folder, other(tmp_path))
    assert [path.name[9:] for path in (folder / "journal").glob("*.jsonl")] == ["0of1-0003-001.jsonl"]
    assert generation_of(folder).number == 2


async def test_other_stages_are_told_what_to_do(tmp_path: Path) -> None:
    await run(Embedded(), config(tmp_path))
    manifest = tmp_path / "names" / "manifest.json"
    text = manifest.read_text()
    for stage, told in (("code", "evoselfcode filter-code"), ("describe", "depend on no setting")):
        manifest.write_text(text.replace('"stage": "names"', f'"stage": "{stage}"'))
        with pytest.raises(UsageError, match=told):
            refilter(tmp_path / "names", other(tmp_path))
    with pytest.raises(UsageError, match="holds no run"):
        refilter(tmp_path / "nowhere", other(tmp_path))
    assert not (tmp_path / "nowhere").exists()


def test_the_command(folder: Path) -> None:
    """Sabotage: send a request, or keep the views."""

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "evoselfcode.cli", *arguments]
        return subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)

    short = ("--set", "namegen.num_requests=20")
    assert command("datagen-names", *short).returncode == 0
    before = [(folder / "data/generated/names" / name).read_bytes() for name in FILES]
    filters = ("--set", "filters.name_regex=^[a-z]{1,9}$")
    done = command("refilter", *short, *filters)
    assert (done.returncode, done.stderr) == (0, "")
    assert "verdicts changed" in done.stdout
    assert [(folder / "data/generated/names" / name).read_bytes() for name in FILES] != before
    again = command("datagen-names", *short, *filters)
    assert again.returncode == 0
    assert "no request was sent" in again.stdout
