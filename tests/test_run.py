"""Running into a folder: files, resume, refusals. Each run here goes through the whole program but the socket."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import journal_lines
import pytest
from embedded import Embedded

from evoselfcode import RunConfig
from evoselfcode.datagen.pipeline.namegen import NAMES
from evoselfcode.datagen.pipeline.run import run_stage
from evoselfcode.datagen.pipeline.summary import Summary
from evoselfcode.engine import Stop
from evoselfcode.errors import EndpointRefused, Interrupted, RunMismatch
from evoselfcode.storage import Damage, Entry, read_entries, read_manifest

FILES = ("fim_raw.jsonl", "l2r_raw.jsonl", "combined_raw.jsonl")


def config(folder: Path, *, api: dict[str, Any] | None = None, **namegen: Any) -> RunConfig:
    return RunConfig.from_mapping({
        "model": "evoselfcode-ngram",
        "api": {"concurrency": 4, "max_attempts": 2, **(api or {})},
        "namegen": {"num_requests": 6, "temperature": 1.0, "top_p": 1.0, **namegen},
        "output": {"dir": str(folder)},
    })  # fmt: skip


async def run(server: Embedded, settings: RunConfig, **options: Any) -> Summary:
    return await run_stage(NAMES, server.client(settings), settings, **options)


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (folder / "names" / name).read_text().splitlines()]


def entries(folder: Path) -> list[Entry]:
    return [entry for entry in read_entries(folder / "names") if isinstance(entry, Entry)]


def shown(folder: Path) -> dict[str, bytes]:
    return {name: (folder / "names" / name).read_bytes() for name in FILES}


async def test_a_run_writes_the_three_files_with_the_guides_fields(tmp_path: Path) -> None:
    summary = await run(Embedded(), config(tmp_path))
    fim, l2r, both = (rows(tmp_path, name) for name in FILES)
    assert fim
    assert l2r
    assert all(list(row) == ["func_name", "source", "raw_text"] for row in both)
    assert {row["source"] for row in fim} == {"FIM"}
    assert {row["source"] for row in l2r} == {"L2R"}
    assert [row for row in both if row["source"] == "FIM"] == fim
    assert [row for row in both if row["source"] == "L2R"] == l2r
    assert summary.files == {"fim_raw.jsonl": len(fim), "l2r_raw.jsonl": len(l2r), "combined_raw.jsonl": len(both)}
    assert summary.meter.kept == {"FIM": len(fim), "L2R": len(l2r)}


async def test_the_journal_has_every_draw_and_its_verdict(tmp_path: Path) -> None:
    """D16: the sums match. Sabotage: journal kept draws only."""
    summary = await run(Embedded(), config(tmp_path, n=3))
    written = entries(tmp_path)
    assert len(written) == 12
    draws = [draw for entry in written for draw in entry.draws]
    assert len(draws) == 36
    assert sum(draw.reason is None for draw in draws) == sum(summary.meter.kept.values())
    assert sum(draw.reason is not None for draw in draws) == sum(summary.meter.reasons.values())
    assert all(draw.logprob is not None and draw.logprob < 0 for draw in draws if draw.text)


async def test_a_finished_run_sends_nothing_not_even_a_preflight(tmp_path: Path) -> None:
    await run(Embedded(), config(tmp_path))
    before = shown(tmp_path)
    again = Embedded()
    summary = await run(again, config(tmp_path))
    assert again.messages == 0
    assert not summary.sent
    assert shown(tmp_path) == before


async def test_a_longer_plan_asks_for_the_rest_alone(tmp_path: Path) -> None:
    await run(Embedded(), config(tmp_path))
    server = Embedded()
    summary = await run(server, config(tmp_path, num_requests=8))
    assert len(server.bodies) == 4
    assert summary.meter.resumed == 12
    assert {entry.number for entry in entries(tmp_path)} == set(range(8))


async def test_a_stopped_run_resumes_to_the_files_of_a_run_that_never_stopped(tmp_path: Path) -> None:
    """Sabotage: judge resumed runs without remembering what was kept."""
    await run(Embedded(), config(tmp_path / "whole", num_requests=20))
    stop = Stop()

    def after_ten(number: int, body: dict[str, Any]) -> None:
        if number == 10:
            stop.set()

    with pytest.raises(Interrupted, match="requests to go\nhint: run the same command again"):
        await run(Embedded(after_ten), config(tmp_path / "parts", num_requests=20), stop=stop)
    settled = len(entries(tmp_path / "parts"))
    assert 0 < settled < 40
    manifest = read_manifest(tmp_path / "parts" / "names" / "manifest.json")
    assert manifest is not None
    assert manifest.state == "stopped"
    server = Embedded()
    summary = await run(server, config(tmp_path / "parts", num_requests=20))
    assert len(server.bodies) == 40 - settled
    assert sum(summary.meter.kept.values()) == summary.files["combined_raw.jsonl"]
    assert shown(tmp_path / "parts") == shown(tmp_path / "whole")


async def test_one_arm_alone_and_then_the_other(tmp_path: Path) -> None:
    await run(Embedded(), config(tmp_path), arms=("L2R",))
    assert rows(tmp_path, "fim_raw.jsonl") == []
    server = Embedded()
    await run(server, config(tmp_path))
    assert len(server.bodies) == 6
    await run(Embedded(), config(tmp_path / "both"))
    assert shown(tmp_path) == shown(tmp_path / "both")


async def test_an_arm_named_twice_is_asked_once(tmp_path: Path) -> None:
    """Sabotage: take the arms as they are given."""
    server = Embedded()
    summary = await run(server, config(tmp_path), arms=["FIM", "FIM"])
    assert summary.meter.requests == {"FIM": 6}
    assert len({entry.key for entry in entries(tmp_path)}) == len(entries(tmp_path)) == 6


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"temperature": 0.5}, "namegen.temperature: 1.0 then, 0.5 now"),
        ({"seed": 1}, "namegen.seed: 0 then, 1 now"),
        ({"weaklist": ["x"]}, "namegen.weaklist"),
        ({"api": {"fim": {"use_chat_for_fim": True}}}, "api.fim.use_chat_for_fim: False then, True now"),
    ],
)
async def test_changed_settings_are_refused_with_a_difference(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    """D15. Sabotage: leave ``refuse_other_settings`` out."""
    await run(Embedded(), config(tmp_path))
    before = shown(tmp_path)
    server = Embedded()
    with pytest.raises(RunMismatch) as raised:
        await run(server, config(tmp_path, **change))
    assert told in str(raised.value)
    assert "--new-run" in str(raised.value)
    assert server.messages == 0
    assert shown(tmp_path) == before


async def test_a_new_run_sets_the_old_one_aside(tmp_path: Path) -> None:
    await run(Embedded(), config(tmp_path))
    before = shown(tmp_path)
    await run(Embedded(), config(tmp_path, seed=9), new_run=True)
    assert {name: (tmp_path / "names/old-1" / name).read_bytes() for name in FILES} == before
    assert shown(tmp_path) != before


async def test_a_damaged_line_costs_its_own_request_alone(tmp_path: Path) -> None:
    await run(Embedded(), config(tmp_path))
    before = shown(tmp_path)
    lines = journal_lines.lines(tmp_path / "names")
    lines[5] = lines[5].replace(b'"attempts":1', b'"attempts":7')
    journal_lines.rewrite(tmp_path / "names", lines)
    server = Embedded()
    summary = await run(server, config(tmp_path))
    assert summary.damaged == 1
    assert len(server.bodies) == 1
    assert shown(tmp_path) == before
    assert sum(isinstance(line, Damage) for line in read_entries(tmp_path / "names")) == 1
    assert f"at byte {len(b''.join(lines[:5])) + journal_lines.begin(tmp_path / 'names')}" in summary.damages[0]


async def test_a_failed_preflight_writes_no_file_and_binds_no_settings(tmp_path: Path) -> None:
    def refuse(number: int, body: dict[str, Any]) -> httpx.Response:
        return httpx.Response(401, json={"error": "Unauthorized"})

    with pytest.raises(EndpointRefused):
        await run(Embedded(refuse), config(tmp_path))
    assert [path.name for path in (tmp_path / "names").iterdir()] == [".lock"]
    await run(Embedded(), config(tmp_path, seed=5))


async def test_a_server_that_refuses_every_request_ends_the_run_early(tmp_path: Path) -> None:
    """Sabotage: drop the check in ``_Run._take``: a million requests would be given up one by one."""

    def refuse(number: int, body: dict[str, Any]) -> httpx.Response | None:
        return httpx.Response(400, json={"error": {"message": "no beans"}}) if number else None

    server = Embedded(refuse)
    with pytest.raises(EndpointRefused, match="were all given up; the last one: bad_request: no beans"):
        await run(server, config(tmp_path, num_requests=5000))
    assert len(server.bodies) < 150


async def test_one_poisoned_request_is_given_up_and_the_rest_goes_on(tmp_path: Path) -> None:
    def poison(number: int, body: dict[str, Any]) -> httpx.Response | None:
        return httpx.Response(400, json={"error": {"message": "this one"}}) if number == 7 else None

    summary = await run(Embedded(poison), config(tmp_path))
    assert summary.meter.dead == 1
    (dead,) = [entry for entry in entries(tmp_path) if entry.failure]
    assert (dead.failure.kind, dead.failure.message, dead.attempts) == ("bad_request", "this one", 1)  # type: ignore[union-attr]
    again = Embedded()
    await run(again, config(tmp_path))
    assert again.messages == 0


async def test_failed_attempts_are_counted_while_they_happen(tmp_path: Path) -> None:
    seen: list[dict[str, int]] = []

    def flaky(number: int, body: dict[str, Any]) -> httpx.Response | None:
        return httpx.Response(429, headers={"retry-after-ms": "100"}) if 0 < number < 5 else None

    summary = await run(
        Embedded(flaky), config(tmp_path), report=lambda summary, fleet: seen.append(dict(summary.meter.failures))
    )
    assert summary.meter.failures == {"rate_limited": 4}
    assert {"rate_limited": 4} in seen


async def test_a_server_without_n_gives_the_same_names_as_one_with_it(tmp_path: Path) -> None:
    """Choice i has the seed s + i, asked for together or one by one. Sabotage: give every part the same seed."""

    def one(number: int, body: dict[str, Any]) -> httpx.Response | None:
        if body.get("n", 1) > 1:
            return httpx.Response(400, json={"error": {"message": "n currently only supports value of 1"}})
        return None

    await run(Embedded(), config(tmp_path / "several"))
    server = Embedded(one)
    summary = await run(server, config(tmp_path / "single"))
    assert summary.meter.settled == 6 * 4 * 2
    assert shown(tmp_path / "single") == shown(tmp_path / "several")


async def test_draws_that_were_paid_together_are_not_paid_again_one_by_one(tmp_path: Path) -> None:
    """A run begun on a server with ``n`` goes on at another without. Sabotage: look for the part's key alone."""

    def one(number: int, body: dict[str, Any]) -> httpx.Response | None:
        return httpx.Response(400, json={"error": {"message": "n must be 1"}}) if body.get("n", 1) > 1 else None

    await run(Embedded(), config(tmp_path))
    manifest = tmp_path / "names" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("http://embedded:8000", "http://elsewhere:8000"))
    server = Embedded(one)
    await run(server, config(tmp_path, num_requests=7))
    assert len(server.bodies) == 2 * 4


async def test_the_manifest_says_how_the_run_was_made_and_hides_the_key(tmp_path: Path) -> None:
    settings = config(tmp_path, api={"api_key": "sk-secret"})
    await run(Embedded(), settings)
    text = (tmp_path / "names" / "manifest.json").read_text()
    assert "sk-secret" not in text
    manifest = read_manifest(tmp_path / "names" / "manifest.json")
    assert manifest is not None
    assert manifest.state == "complete"
    assert manifest.counts["planned"] == manifest.counts["settled"] == 12
    assert manifest.preflight["dialect"]["fim"] == "suffix"  # type: ignore[index]
    assert {"python", "evoselfcode"} <= set(manifest.versions)
    assert "sk-secret" not in b"".join(journal_lines.lines(tmp_path / "names")).decode()
