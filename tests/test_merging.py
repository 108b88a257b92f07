"""Shards become one run: what one process would have written, or a refusal that says what is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
from embedded import Embedded
from journal_lines import lines, rewrite, segments
from shard_runs import merged, run_shards
from test_retry_dead import poisoned
from test_run import config, entries, run, shown

from evoselfcode.datagen.pipeline.merging import merge_shards
from evoselfcode.datagen.pipeline.namegen import NAMES
from evoselfcode.datagen.pipeline.nameselect import select_names
from evoselfcode.datagen.pipeline.sharding import Shard
from evoselfcode.errors import Interrupted, RunMismatch, StorageError, UsageError
from evoselfcode.storage import has_rows, read_manifest
from evoselfcode.storage.layout import Generation, write_generation

REPEATING = {"num_requests": 10, "temperature": 0.3, "top_p": 0.9}
"""Settings with which many draws repeat a name."""


@pytest.mark.parametrize("of", [1, 2, 3, 7, 20])
async def test_merged_shards_are_the_files_of_one_run(tmp_path: Path, of: int) -> None:
    """K4: union = plan, sums match, views byte for byte. Sabotage: leave ``_judged_again`` out."""
    whole = await run(Embedded(), config(tmp_path / "whole", **REPEATING))
    await run_shards(tmp_path, of, **REPEATING)
    made = merged(tmp_path)
    assert whole.meter.reasons["FIM", "duplicate"] > 10
    assert shown(tmp_path) == shown(tmp_path / "whole")
    assert len({entry.key for entry in entries(tmp_path)}) == len(entries(tmp_path)) == 20
    assert made.summary.meter.kept == whole.meter.kept
    assert made.summary.files == whole.files
    manifest = read_manifest(tmp_path / "names" / "manifest.json")
    assert manifest is not None
    assert (manifest.state, manifest.merged, manifest.shard) == ("complete", of, None)
    assert manifest.counts["planned"] == manifest.counts["settled"] == 20


async def test_a_merged_run_asks_nothing_more_and_is_read_by_other_commands(tmp_path: Path) -> None:
    """Sabotage: write the journal of the whole without the manifest of what was asked."""
    await run_shards(tmp_path, 3)
    merged(tmp_path)
    server = Embedded()
    summary = await run(server, config(tmp_path))
    assert server.messages == 0
    assert summary.merged == 3
    made = select_names(tmp_path / "names", out=None, top=None, min_score=0.0)
    assert made.warnings == []


async def test_the_order_of_shards_and_of_answers_changes_nothing(tmp_path: Path) -> None:
    """Sabotage: merge the journals one behind the other."""
    await run_shards(tmp_path / "one", 4, order=[0, 1, 2, 3], **REPEATING)
    await run_shards(tmp_path / "other", 4, order=[3, 1, 0, 2], **REPEATING)
    for index in range(4):  # the network brought them in another order
        shard = tmp_path / "other" / "names" / f"shard-{index}-of-4"
        rewrite(shard, reversed(lines(shard)))
    for name in ("one", "other"):
        merged(tmp_path / name)
    assert [e.key for e in entries(tmp_path / "one")] == [e.key for e in entries(tmp_path / "other")]
    assert shown(tmp_path / "one") == shown(tmp_path / "other")
    draws = [[draw.reason for e in entries(tmp_path / name) for draw in e.draws] for name in ("one", "other")]
    assert draws[0] == draws[1]


async def test_merging_again_changes_nothing(tmp_path: Path) -> None:
    await run_shards(tmp_path, 3)
    merged(tmp_path)
    journal = lines(tmp_path / "names")
    merged(tmp_path)
    assert lines(tmp_path / "names") == journal
    assert len(segments(tmp_path / "names")) == 1


async def test_a_longer_plan_is_merged_anew_and_only_its_rest_was_asked(tmp_path: Path) -> None:
    await run_shards(tmp_path, 2)
    merged(tmp_path)
    await run_shards(tmp_path, 2, num_requests=9)
    merged(tmp_path)
    await run(Embedded(), config(tmp_path / "whole", num_requests=9))
    assert shown(tmp_path) == shown(tmp_path / "whole")


async def test_a_missing_shard_is_named_and_partial_does_without(tmp_path: Path) -> None:
    """Sabotage: merge whatever is there."""
    await run_shards(tmp_path, 4, order=[0, 2])
    with pytest.raises(UsageError, match=r"shards of 4 that are missing in \S+: 1, 3"):
        merged(tmp_path)
    made = merged(tmp_path, partial=True)
    assert made.absent == (1, 3)
    assert made.gaps == 12 - len(entries(tmp_path)) > 0
    manifest = read_manifest(tmp_path / "names" / "manifest.json")
    assert manifest is not None
    assert manifest.state == "stopped"
    server = Embedded()
    await run(server, config(tmp_path))  # goes on without --shard, and asks for the rest alone
    assert len(server.bodies) == made.gaps
    await run(Embedded(), config(tmp_path / "whole"))
    assert shown(tmp_path) == shown(tmp_path / "whole")
    with pytest.raises(RunMismatch, match="holds a run of its own, with"):
        merged(tmp_path, partial=True)  # what was asked since would be lost
    with pytest.raises(RunMismatch, match="holds a run that was not cut into shards"):
        await run(server, config(tmp_path), shard=Shard(1, 4))


async def test_a_shard_that_is_not_complete_is_named(tmp_path: Path) -> None:
    await run_shards(tmp_path, 2)
    manifest = tmp_path / "names" / "shard-1-of-2" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"state": "complete"', '"state": "running"'))
    with pytest.raises(UsageError, match=r"that are not complete: 1/2 \(running\)"):
        merged(tmp_path)


async def test_a_gap_that_no_manifest_tells_of_is_found(tmp_path: Path) -> None:
    """A journal that lost a line says complete all the same. Sabotage: compare with the manifests' counts."""
    await run_shards(tmp_path, 2)
    shard = tmp_path / "names" / "shard-1-of-2"
    rewrite(shard, lines(shard)[:-1])
    with pytest.raises(UsageError, match="requests of the plan that no shard has: 1 of shard 1/2"):
        merged(tmp_path)
    assert merged(tmp_path, partial=True).gaps == 1


def only_one_choice(number: int, body: dict[str, Any]) -> httpx.Response | None:
    return httpx.Response(400, json={"error": {"message": "n must be 1"}}) if body.get("n", 1) > 1 else None


async def test_shards_that_went_on_at_a_server_that_gives_one_choice_stand_in_the_order_of_the_plan(
    tmp_path: Path,
) -> None:
    """What was asked whole stays so. Sabotage: look for the keys of parts alone: the whole ones would come last."""
    await run_shards(tmp_path, 2)
    for index in range(2):
        manifest = tmp_path / "names" / f"shard-{index}-of-2" / "manifest.json"
        manifest.write_text(manifest.read_text().replace("http://embedded:8000", "http://elsewhere:8000"))
        await run(Embedded(only_one_choice), config(tmp_path, num_requests=7), shard=Shard(index, 2))
    assert merged(tmp_path).gaps == 0
    keys = [entry.key for entry in entries(tmp_path)]
    assert len(keys) == len(set(keys)) == 12 + 2 * 4
    numbers = [entry.number for entry in entries(tmp_path)]
    assert numbers == sorted(numbers)


async def test_what_is_in_no_plan_any_more_is_kept_in_its_order(tmp_path: Path) -> None:
    """The plan was shortened. Sabotage: append it shard by shard."""
    await run_shards(tmp_path, 3, num_requests=9)
    await run_shards(tmp_path, 3, num_requests=2)
    merged(tmp_path)
    numbers = [entry.number for entry in entries(tmp_path)]
    assert len(numbers) == 18
    assert numbers == sorted(numbers)


async def test_shards_of_a_server_that_gives_one_choice_a_request_have_no_gap(tmp_path: Path) -> None:
    """A request is then asked in parts. Sabotage: plan it whole, whatever the shard's preflight found."""
    for index in range(2):
        await run(Embedded(only_one_choice), config(tmp_path), shard=Shard(index, 2))
    made = merged(tmp_path)
    assert made.gaps == 0
    assert made.summary.meter.settled == 12 * 4
    places = [(entry.number, entry.arm) for entry in entries(tmp_path)]
    assert len(set(places)) == 12
    assert places == sorted(places, key=lambda place: place[0])


async def test_an_arm_that_ended_early_in_its_shards_leaves_no_gap(tmp_path: Path) -> None:
    """Sabotage: look only at what is settled: the rest of the plan would be called missing."""
    await run_shards(tmp_path, 2, num_requests=60, saturation={"tokens": 20, "look": 4})
    made = merged(tmp_path)
    assert made.gaps == 0
    assert made.summary.meter.settled < 120
    assert set(made.summary.saturated) == {"FIM", "L2R"}
    assert made.summary.saturated["FIM"].startswith("in 2 of 2 shards; ")


async def test_a_merged_run_began_with_its_first_shard(tmp_path: Path) -> None:
    """Sabotage: take the time of the merge."""
    await run_shards(tmp_path, 2)
    path, first = tmp_path / "names" / "shard-1-of-2" / "manifest.json", "2020-01-02T03:04:05+00:00"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"started": first}))
    merged(tmp_path)
    manifest = read_manifest(tmp_path / "names" / "manifest.json")
    assert manifest is not None
    assert manifest.started == first


async def test_a_request_in_the_wrong_shard_is_refused(tmp_path: Path) -> None:
    """Two folders glued together by hand. Sabotage: leave out ``shard.holds``."""
    await run_shards(tmp_path, 2)
    one, other = (tmp_path / "names" / f"shard-{index}-of-2" for index in (0, 1))
    rewrite(one, [*lines(one), lines(other)[0]])
    with pytest.raises(StorageError, match="which is not of shard 0/2"):
        merged(tmp_path)
    assert not has_rows(tmp_path / "names")


async def test_a_folder_under_another_name_is_refused(tmp_path: Path) -> None:
    await run_shards(tmp_path, 2, order=[0])
    names = tmp_path / "names"
    shutil.copytree(names / "shard-0-of-2", names / "shard-1-of-2")
    with pytest.raises(RunMismatch, match="is of shard 0/2, and its name says 1/2"):
        merged(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("namegen.temperature", 0.5, "namegen.temperature: 1.0 and 0.5"),
        ("namegen.num_requests", 7, "namegen.num_requests: 6 and 7"),
        ("model", "other", "the model's name on the server: 'evoselfcode-ngram' and 'other'"),
    ],
)
async def test_shards_of_other_settings_are_refused_with_the_difference(
    tmp_path: Path, key: str, value: object, told: str
) -> None:
    """Sabotage: compare nothing but the fingerprints, which a longer plan leaves as they are."""
    await run_shards(tmp_path, 2)
    path = tmp_path / "names" / "shard-1-of-2" / "manifest.json"
    document = json.loads(path.read_text())
    if key == "model":
        document["preflight"]["dialect"]["model"] = value
    else:
        document["config"]["namegen"][key.split(".")[1]] = value
        if key in document["fingerprint"]:
            document["fingerprint"][key] = value
    path.write_text(json.dumps(document))
    with pytest.raises(RunMismatch, match="are of different settings") as raised:
        merged(tmp_path)
    assert told in str(raised.value)


async def test_a_shard_that_was_judged_by_other_filters_is_refused(tmp_path: Path) -> None:
    """As a kill in the middle of ``refilter`` leaves it. Sabotage: compare the manifests alone."""
    await run_shards(tmp_path, 2)
    write_generation(tmp_path / "names" / "shard-1-of-2", Generation(0, {"namegen.weaklist": ["x"]}))
    with pytest.raises(RunMismatch, match=r"namegen\.weaklist \(judged by\): None and \['x'\]"):
        merged(tmp_path)


async def test_a_run_of_its_own_is_not_replaced(tmp_path: Path) -> None:
    await run_shards(tmp_path / "cut", 2)
    await run(Embedded(), config(tmp_path, num_requests=7))
    for index in (0, 1):
        name = f"shard-{index}-of-2"
        shutil.copytree(tmp_path / "cut" / "names" / name, tmp_path / "names" / name)
    before = shown(tmp_path)
    with pytest.raises(RunMismatch, match="holds a run of its own"):
        merged(tmp_path)
    assert shown(tmp_path) == before


async def test_what_was_asked_again_after_the_merge_is_not_replaced(tmp_path: Path) -> None:
    """Sabotage: look only whether a shard has settled the request."""
    for index in range(2):
        await run(Embedded(poisoned(1)), config(tmp_path), shard=Shard(index, 2))
    assert merged(tmp_path).summary.meter.dead == 2
    assert merged(tmp_path).summary.meter.dead == 2
    await run(Embedded(), config(tmp_path), retry="dead")
    before = shown(tmp_path)
    with pytest.raises(RunMismatch, match="with 2 requests that no shard has"):
        merged(tmp_path)
    assert shown(tmp_path) == before


async def test_a_stop_replaces_nothing(tmp_path: Path) -> None:
    await run_shards(tmp_path, 2)
    with pytest.raises(Interrupted):
        merge_shards(tmp_path / "names", {"names": NAMES}, partial=False, stopped=lambda: True)
    assert not has_rows(tmp_path / "names")


def test_nothing_to_merge_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there are no shards in"):
        merged(tmp_path)


async def test_shards_with_nothing_to_ask_are_merged_too(tmp_path: Path) -> None:
    """More shards than rows. Sabotage: count as shards only those with a journal that has lines."""
    await run_shards(tmp_path, 40, num_requests=2)
    assert len(entries(tmp_path)) == 0
    merged(tmp_path)
    assert len(entries(tmp_path)) == 4
