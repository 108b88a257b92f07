"""Runs with arms of their own: which file a name goes to, what an arm that is added, changed or gone means."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from embedded import Embedded
from llama_server import LlamaServer

from evoselfcode import OpenAICompletionClient, RunConfig
from evoselfcode.datagen.pipeline.namegen import NAMES
from evoselfcode.datagen.pipeline.run import run_stage
from evoselfcode.datagen.pipeline.summary import Summary
from evoselfcode.errors import FimUnavailable, RunMismatch, UsageError
from evoselfcode.storage import Entry, read_entries, read_manifest
from evoselfcode.terminal_card import card

FIM, L2R = {"mode": "FIM"}, {"mode": "L2R"}
FIVE = {
    "FIM": FIM,
    "psm": {"mode": "FIM-PSM", "temperature": 0.8},
    "L2R": L2R,
    "topics": L2R | {"topics": "builtin"},
    "words": L2R | {"first_words": ["find", "get"]},
}


def config(folder: Path, arms: dict[str, Any], **sections: Any) -> RunConfig:
    return RunConfig.from_mapping({
        **sections,
        "model": "evoselfcode-ngram",
        "api": {"concurrency": 4, "max_attempts": 2},
        "namegen": {"num_requests": 4, "temperature": 1.0, "top_p": 1.0, "arms": arms},
        "output": {"dir": str(folder)},
    })  # fmt: skip


async def run(settings: RunConfig, **options: Any) -> tuple[Summary, Embedded]:
    """Run against the embedded model behind HTTP."""
    server = Embedded()
    return await run_stage(NAMES, server.client(settings), settings, **options), server


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (folder / "names" / name).read_text().splitlines()]


def entries(folder: Path) -> list[Entry]:
    return [entry for entry in read_entries(folder / "names") if isinstance(entry, Entry)]


async def test_a_run_with_five_arms(tmp_path: Path) -> None:
    """Sabotages: sort the rows by the arm's name and not by its mode; leave ``topic`` out of ``make_entry``."""
    summary, server = await run(config(tmp_path, FIVE))
    fim, l2r, both = (rows(tmp_path, f"{name}_raw.jsonl") for name in ("fim", "l2r", "combined"))
    assert {row["source"] for row in fim} == {"FIM", "psm"}
    assert {row["source"] for row in l2r} == {"L2R", "topics", "words"}
    assert len(both) == len(fim) + len(l2r) == sum(summary.meter.kept.values())
    assert all(row["func_name"].startswith(("find_", "get_")) for row in l2r if row["source"] == "words")
    assert {entry.arm for entry in entries(tmp_path) if entry.topic} == {"topics"}
    assert len({entry.topic for entry in entries(tmp_path)} - {None}) == 4
    assert summary.meter.requests == dict.fromkeys(FIVE, 4)
    raw = [body for body in server.bodies if str(body["prompt"]).startswith("<|fim_prefix|>")]
    assert len(raw) == 4
    assert {body["temperature"] for body in raw} == {0.8}
    assert summary.findings.dialect.orders == ("PSM",)


async def test_the_embedded_model_takes_both_orders(tmp_path: Path) -> None:
    """Sabotage: read sentinels in PSM order alone in ``as_prompt``."""
    arms = {"psm": {"mode": "FIM-PSM"}, "spm": {"mode": "FIM-SPM"}}
    summary, server = await run(config(tmp_path, arms))
    assert summary.findings.dialect.orders == ("PSM", "SPM")
    starts = [body["prompt"].partition("|>")[0] + "|>" for body in server.bodies]
    assert sorted(starts) == ["<|fim_prefix|>"] * 4 + ["<|fim_suffix|>"] * 4
    assert summary.meter.kept["psm"]
    assert summary.meter.kept["spm"]


async def test_an_arm_that_is_added_is_asked_alone(tmp_path: Path) -> None:
    """Sabotages: refuse every difference in ``refuse_other_settings``; put the number of arms into the key."""
    await run(config(tmp_path, {"FIM": FIM, "L2R": L2R}))
    before, kept = entries(tmp_path), rows(tmp_path, "fim_raw.jsonl")
    more = config(tmp_path, {"words": FIVE["words"], "L2R": L2R, "FIM": FIM})
    _, server = await run(more)
    assert len(server.bodies) == 4
    assert entries(tmp_path)[:8] == before
    assert {entry.arm for entry in entries(tmp_path)[8:]} == {"words"}
    assert rows(tmp_path, "fim_raw.jsonl") == kept
    _, server = await run(more)
    assert server.messages == 0


def drop(arms: dict[str, Any]) -> None:
    del arms["L2R"]


def heat(arms: dict[str, Any]) -> None:
    arms["L2R"] = L2R | {"temperature": 0.5}


@pytest.mark.parametrize(
    ("change", "told"),
    [(drop, "namegen.arms.L2R: an arm then, none now"), (heat, "namegen.arms.L2R.temperature: None then, 0.5 now")],
)
async def test_an_arm_that_is_gone_or_another_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], told: str
) -> None:
    """Sabotage: look at today's settings only."""
    arms: dict[str, Any] = {"FIM": FIM, "L2R": L2R}
    await run(config(tmp_path, arms))
    change(arms)
    with pytest.raises(RunMismatch) as raised:
        await run(config(tmp_path, arms))
    _, line, hint = str(raised.value).splitlines()
    assert line.strip() == told
    assert "--new-run" in hint
    assert ("--arm" in hint) == (change is drop)


async def test_a_file_of_topics_counts_by_its_content(tmp_path: Path) -> None:
    """Sabotage: leave ``digests`` out of the stage's fingerprint."""
    topics = tmp_path / "topics.yaml"
    topics.write_text("a: [sorting, graphs]\n")
    settings = config(tmp_path, {"T": L2R | {"topics": str(topics)}})
    await run(settings)
    topics.write_text("# the same\nb: [sorting, graphs]\n")
    _, server = await run(settings)
    assert server.messages == 0
    topics.write_text("a: [sorting, trees]\n")
    with pytest.raises(RunMismatch, match=r"namegen\.arms\.T\.topics\.digest: '[0-9a-f]{32}' then, '"):
        await run(settings)


async def test_the_first_arm_with_topics_may_bring_its_own_prompt_and_the_next_may_not(tmp_path: Path) -> None:
    """Sabotages: leave ``idle`` out; let a setting be idle whatever arms were asked."""
    both = {"L2R": L2R, "T": FIVE["topics"]}
    await run(config(tmp_path, {"L2R": L2R}))
    await run(config(tmp_path, both, prompts={"topic_prefix": "# {topic}\n"}))
    with pytest.raises(RunMismatch, match=r"prompts\.topic_prefix: '# \{topic\}"):
        await run(config(tmp_path, both))


async def test_a_manifest_of_before_arms_had_names_is_gone_on_from(tmp_path: Path) -> None:
    """Sabotage: let ``_as_known_now`` return what it is given."""
    await run(config(tmp_path, {"FIM": FIM, "L2R": L2R}))
    path = tmp_path / "names" / "manifest.json"
    manifest = json.loads(path.read_text())
    later = ("namegen.arms.", "prompts.topic_prefix", "prompts.used_name")
    manifest["fingerprint"] = {k: v for k, v in manifest["fingerprint"].items() if not k.startswith(later)}
    del manifest["config"]["namegen"]["arms"]
    del manifest["preflight"]["dialect"]["orders"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(RunMismatch, match=r"namegen\.arms\.FIM: an arm then, none now"):
        await run(config(tmp_path, {"L2R": L2R}))
    _, server = await run(config(tmp_path, {"FIM": FIM, "L2R": L2R}))
    assert server.bodies == []
    path.write_text(json.dumps(manifest))
    _, server = await run(config(tmp_path, {"FIM": FIM, "L2R": L2R, "words": FIVE["words"]}))
    assert len(server.bodies) == 4
    found = read_manifest(path)
    assert found is not None
    assert found.fingerprint["namegen.arms.words.mode"] == "L2R"


async def test_one_arm_by_its_name_in_any_case_and_none_that_is_not_there(tmp_path: Path) -> None:
    """Sabotage: compare names as they are written."""
    settings = config(tmp_path, FIVE)
    summary, _ = await run(settings, arms=["WORDS", "words"])
    assert summary.meter.requests == {"words": 4}
    with pytest.raises(
        UsageError, match=r"there is no arm word\nhint: the configuration has FIM, psm, L2R, topics, words"
    ):
        await run(settings, arms=["word"])


async def test_an_arm_alone_needs_no_order_of_the_others(tmp_path: Path) -> None:
    """A client without ``fim_orders`` tried none. Sabotage: require all arms of the configuration."""
    settings = config(tmp_path, {"L2R": L2R, "spm": {"mode": "FIM-SPM"}})
    await run_stage(NAMES, Embedded().client(), settings, arms=["L2R"])
    with pytest.raises(FimUnavailable, match="raw prompts in SPM order were not tried on this server"):
        await run_stage(NAMES, Embedded().client(), settings)
    assert {entry.arm for entry in entries(tmp_path)} == {"L2R"}


async def test_the_card_names_a_way_of_fim_only_where_one_was_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sabotage: name it unless the only arm is called L2R."""
    for arms, shown in (({"X": L2R}, False), ({"X": {"mode": "FIM-PSM"}}, False), ({"L2R": FIM}, True)):
        summary, _ = await run(config(tmp_path / str(len(str(arms))), arms))
        card(summary)
        assert ("FIM by suffix" in capsys.readouterr().out) == shown


async def test_orders_on_a_real_server(llama: LlamaServer, tmp_path: Path) -> None:
    """evo-tiny was trained on PSM alone, weakly; in SPM order its suffix makes no difference, and that is said.

    Sabotage: in ``_judged``, do not compare the two middles.
    """

    def settings(mode: str) -> RunConfig:
        return RunConfig.from_mapping({
            "model": "evo-tiny",
            "api": {"base_url": llama.url, "concurrency": 4},
            "prompts": {"boundary": "token"},
            "namegen": {"num_requests": 5, "n": 2, "temperature": 1.0, "arms": {"raw": {"mode": mode}, "L2R": L2R}},
            "output": {"dir": str(tmp_path)},
        })  # fmt: skip

    psm, spm = settings("FIM-PSM"), settings("FIM-SPM")
    summary = await run_stage(NAMES, OpenAICompletionClient.from_config(psm), psm)
    assert summary.findings.dialect.orders == ("PSM",)
    assert [check.level for check in summary.findings.checks if check.name == "raw FIM in PSM order"] == ["warning"]
    assert summary.meter.draws == {"raw": 10, "L2R": 10}
    assert {row["source"] for row in rows(tmp_path, "fim_raw.jsonl")} == {"raw"}
    with pytest.raises(FimUnavailable, match="raw FIM in SPM order: evoselfcode: silently ignored"):
        await run_stage(NAMES, OpenAICompletionClient.from_config(spm), spm, new_run=True)
