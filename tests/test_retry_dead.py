"""Requests that were given up can be asked again, alone; what they came to before stays in the journal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import raters
import scored_rows
from embedded import Embedded
from journal_lines import entries
from test_run import config, run, shown

from evoselfcode import RunConfig
from evoselfcode.datagen.pipeline.run import run_stage
from evoselfcode.datagen.scoring.rating import RATINGS
from evoselfcode.errors import Interrupted
from evoselfcode.storage import Entry, read_manifest, read_once


def poisoned(*numbers: int) -> Any:
    def poison(number: int, body: dict[str, Any]) -> httpx.Response | None:
        return httpx.Response(400, json={"error": {"message": "this one"}}) if number in numbers else None

    return poison


async def test_only_the_given_up_ones_are_asked_again_and_the_old_verdict_stays(tmp_path: Path) -> None:
    """D17. Sabotages: leave the dead ones settled; ask for all that is not settled; let the first of a key count."""
    await run(Embedded(), config(tmp_path / "whole"))
    first = await run(Embedded(poisoned(3, 7, 8)), config(tmp_path))
    assert first.meter.dead == 3
    dead = {entry.key for entry in entries(tmp_path / "names") if entry.failure}
    server = Embedded()
    summary = await run(server, config(tmp_path), retry="dead")
    assert len(server.bodies) == 3
    assert (summary.meter.settled, summary.meter.dead, summary.meter.resumed) == (12, 0, 9)
    everything, counting = entries(tmp_path / "names"), list(read_once(tmp_path / "names"))
    assert [entry.key for entry in everything if entry.failure] == [e.key for e in everything[:12] if e.key in dead]
    assert len(everything) == 15
    assert len(counting) == 12
    assert not [entry for entry in counting if isinstance(entry, Entry) and entry.failure]
    assert shown(tmp_path) == shown(tmp_path / "whole")
    for retry in ("dead", None):
        again = Embedded()
        assert (await run(again, config(tmp_path), retry=retry)).meter.dead == 0
        assert again.messages == 0


async def test_a_request_that_is_given_up_again_is_dead_once(tmp_path: Path) -> None:
    """D16: the sums match. Sabotage: count the entry of before too."""
    await run(Embedded(poisoned(3, 7)), config(tmp_path))
    summary = await run(Embedded(poisoned(2)), config(tmp_path), retry="dead")
    assert (summary.meter.settled, summary.meter.dead) == (12, 1)
    summary = await run(Embedded(), config(tmp_path))
    assert (summary.meter.settled, summary.meter.dead) == (12, 1)
    manifest = read_manifest(tmp_path / "names" / "manifest.json")
    assert manifest is not None
    assert manifest.counts["dead"] == 1
    assert manifest.state == "complete"


async def test_what_was_never_asked_is_left_and_said(tmp_path: Path) -> None:
    """Sabotage: call the run complete when the given-up ones are settled."""
    await run(Embedded(poisoned(3)), config(tmp_path))
    server = Embedded()
    with pytest.raises(Interrupted, match="stopped with 4 requests to go"):
        await run(server, config(tmp_path, num_requests=8), retry="dead")
    assert len(server.bodies) == 1
    rest = Embedded()
    summary = await run(rest, config(tmp_path, num_requests=8))
    assert len(rest.bodies) == 4
    assert (summary.meter.settled, summary.meter.dead) == (16, 0)


async def test_a_run_that_was_stopped_is_not_complete_for_want_of_given_up_ones(tmp_path: Path) -> None:
    """K1: no 0 while rows remain. Sabotage: call it complete where there is nothing to ask again."""
    await run(Embedded(), config(tmp_path))
    server = Embedded()
    with pytest.raises(Interrupted, match=r"with 4 requests to go\nhint: .* without --retry"):
        await run(server, config(tmp_path, num_requests=8), retry="dead")
    assert server.messages == 0
    manifest = read_manifest(tmp_path / "names" / "manifest.json")
    assert manifest is not None
    assert manifest.state == "stopped"


async def test_a_hundred_that_are_given_up_again_do_not_end_the_run(tmp_path: Path) -> None:
    """They were given up before: the endpoint may be well. Sabotage: watch for refusals here too."""
    half = Embedded(lambda number, body: poisoned(number)(number, body) if number > 0 and number % 2 else None)
    await run(half, config(tmp_path, num_requests=110))
    all_of_them = Embedded(lambda number, body: poisoned(number)(number, body) if number else None)
    summary = await run(all_of_them, config(tmp_path, num_requests=110), retry="dead")
    assert len(all_of_them.bodies) == summary.meter.dead == 110


@pytest.mark.parametrize("stage", ["score", "rating"])
async def test_scores_and_ratings_that_a_proxy_lost_are_asked_again(tmp_path: Path, stage: str) -> None:
    """Sabotage: let ``run_stage`` drop ``retry`` for stages with rows."""

    async def go(folder: Path, server: Embedded, **options: Any) -> Any:
        if stage == "score":
            settings = scored_rows.config(folder)
            return await scored_rows.run(server.client(), settings, **options)
        raters.write(folder, kept=6, dropped=0)
        settings = RunConfig.from_mapping({"output": {"dir": str(folder)}, "rating": {"mutants": 0}})
        return await run_stage(RATINGS, server.client(settings), settings, **options)

    for name in ("whole", "lost"):
        (tmp_path / name).mkdir()

    def server(*numbers: int) -> Embedded:
        made = Embedded() if stage == "score" else raters.rating(raters.honest)
        answer = made._instead
        made._instead = lambda number, body: poisoned(*numbers)(number, body) or (answer and answer(number, body))
        return made

    whole = server()
    await go(tmp_path / "whole", whole)
    count = len(whole.bodies)  # those of the preflight come first
    lost = await go(tmp_path / "lost", server(count - 3, count - 1))
    assert lost.meter.dead == 2
    again = server()
    summary = await go(tmp_path / "lost", again, retry="dead")
    assert (len(again.bodies), summary.meter.dead, summary.meter.settled) == (2, 0, lost.meter.settled)
    view = "scores.jsonl" if stage == "score" else "ratings.jsonl"
    assert (tmp_path / "lost" / stage / view).read_bytes() == (tmp_path / "whole" / stage / view).read_bytes()


def shell(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "evoselfcode.cli", *arguments]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", ["names", "describe", "skeleton", "asserts", "code", "score", "rate"])
def test_every_command_that_asks_can_retry(folder: Path, command: str) -> None:
    """Sabotage: leave ``with_retry`` out of one of them."""
    done = shell(folder, f"datagen-{command}", "--retry", "dead", "--new-run")
    assert done.returncode == 2
    assert "error: --retry is for the run that --new-run sets aside\nhint: give one of them" in done.stderr
