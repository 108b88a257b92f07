"""Whole runs of named arms: what is written, what is asked when an arm is added, and what is refused."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evoselfcode import OpenAICompletionClient, RunConfig, generate_funcnames_fim
from evoselfcode.datagen.filters import NameJudge, parse_name
from evoselfcode.datagen.pipeline.namegen import NAMES, plan
from evoselfcode.datagen.pipeline.reporting import report_run
from evoselfcode.datagen.pipeline.run import run_stage
from evoselfcode.datagen.pipeline.summary import Summary
from evoselfcode.errors import RunMismatch, UsageError
from evoselfcode.records import Choice, L2r, Request, Sampling
from evoselfcode.storage import Entry, read_entries

FIVE: dict[str, Any] = {
    "FIM": {"mode": "FIM"},
    "spm": {"mode": "FIM-SPM"},
    "L2R": {"mode": "L2R"},
    "topics": {"mode": "L2R", "topics": "builtin"},
    "words": {"mode": "L2R", "first_words": ["get", "is"], "temperature": 0.8},
}


def config(folder: Path, arms: dict[str, Any], **namegen: Any) -> RunConfig:
    return RunConfig.from_mapping({
        "namegen": {"num_requests": 6, "temperature": 1.0, "top_p": 1.0, "arms": arms, **namegen},
        "output": {"dir": str(folder)},
    })  # fmt: skip


async def run(settings: RunConfig, **options: Any) -> Summary:
    return await run_stage(NAMES, OpenAICompletionClient.from_config(settings), settings, **options)


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (folder / "names" / name).read_text().splitlines()]


def entries(folder: Path) -> list[Entry]:
    return [entry for entry in read_entries(folder / "names" / "journal.jsonl") if isinstance(entry, Entry)]


async def test_five_arms_are_run_and_shown_by_what_they_do(tmp_path: Path) -> None:
    """Sabotage: sort the rows into the files by the name of the arm."""
    await run(config(tmp_path, FIVE))
    assert {row["source"] for row in rows(tmp_path, "fim_raw.jsonl")} == {"FIM", "spm"}
    assert {row["source"] for row in rows(tmp_path, "l2r_raw.jsonl")} == {"L2R", "topics", "words"}
    words = [row for row in rows(tmp_path, "l2r_raw.jsonl") if row["source"] == "words"]
    assert all(row["func_name"].startswith(("get_", "is_")) for row in words)
    assert all(row["func_name"].endswith(row["raw_text"]) for row in words)
    found = entries(tmp_path)
    assert Counter(entry.arm for entry in found) == dict.fromkeys(FIVE, 6)
    assert {entry.arm for entry in found if entry.topic} == {"topics"}
    made = report_run(tmp_path / "names")
    assert {tuple(one["arms"]) for one in made["comparisons"]} == {
        ("FIM", "spm"),
        ("FIM", "L2R"),
        ("L2R", "topics"),
    } | {("spm", "L2R")}
    assert next(arm for arm in made["arms"] if arm["arm"] == "topics")["topics"]["asked"] == 6


async def test_an_arm_is_added_and_the_others_are_not_asked_again(tmp_path: Path) -> None:
    """Sabotage: hold every setting of every arm against the earlier run."""
    two = {name: FIVE[name] for name in ("FIM", "L2R")}
    await run(config(tmp_path, two))
    before = entries(tmp_path)
    summary = await run(config(tmp_path, FIVE))
    assert summary.meter.fresh == 18
    assert entries(tmp_path)[:12] == before


async def test_an_arm_that_changed_or_is_gone_is_refused(tmp_path: Path) -> None:
    await run(config(tmp_path, FIVE))
    with pytest.raises(RunMismatch, match=r"namegen\.arms\.words\.temperature: 0\.8 then, 0\.9 now"):
        await run(config(tmp_path, FIVE | {"words": FIVE["words"] | {"temperature": 0.9}}))
    with pytest.raises(RunMismatch, match=r"namegen\.arms\.words\.mode: 'L2R' then, None now"):
        await run(config(tmp_path, FIVE | {"words": None}))


async def test_a_file_that_says_something_else_now_is_refused(tmp_path: Path) -> None:
    """Sabotage: leave ``Stage.inputs`` out of the fingerprint."""
    taken = tmp_path / "taken.jsonl"
    taken.write_text('{"func_name": "quick_sort"}\n')
    arms = {"L2R": {"mode": "L2R"}, "used": {"mode": "L2R", "used_names": str(taken)}}
    await run(config(tmp_path, arms))
    assert (await run(config(tmp_path, arms))).sent is False
    taken.write_text('{"func_name": "merge_sort"}\n')
    with pytest.raises(RunMismatch, match=r"namegen\.arms\.used\.used_names\.digest"):
        await run(config(tmp_path, arms))


async def test_a_run_from_before_arms_had_names_is_resumed(tmp_path: Path) -> None:
    """Its manifest knows none of these settings. Sabotage: take a setting that is missing there for another value."""
    two = {name: FIVE[name] for name in ("FIM", "L2R")}
    await run(config(tmp_path, two))
    file = tmp_path / "names" / "manifest.json"
    manifest = json.loads(file.read_bytes())
    new = ("namegen.arms", "prompts.topic_prefix", "prompts.used_name")
    manifest["fingerprint"] = {key: v for key, v in manifest["fingerprint"].items() if not key.startswith(new)}
    file.write_text(json.dumps(manifest))
    summary = await run(config(tmp_path, two, num_requests=7))
    assert summary.meter.fresh == 2


async def test_one_arm_is_run_by_its_name_whatever_its_case(tmp_path: Path) -> None:
    summary = await run(config(tmp_path, FIVE), arms=["WORDS", "words"])
    assert dict(summary.meter.requests) == {"words": 6}
    with pytest.raises(UsageError, match=r"there is no arm fin\nhint: namegen\.arms has FIM, spm, L2R, topics, words"):
        await run(config(tmp_path, FIVE), arms=["fin"])


def test_the_library_draws_from_any_arm(tmp_path: Path) -> None:
    settings = config(tmp_path, FIVE)
    names = generate_funcnames_fim(OpenAICompletionClient.from_config(settings), settings, mode="words")
    assert {row["source"] for row in names} == {"words"}


def test_the_keys_of_the_guides_arms_are_those_of_before_arms_had_names() -> None:
    """So that no paid row is asked again. Sabotage: take ``omit_defaults`` from ``records.Fim``."""
    keys = [next(plan(RunConfig(), "m", arm)).key for arm in ("FIM", "L2R")]
    assert keys == KEYS


KEYS = ["c1db584ee9d1e898cbbb04a274a3a0f5", "a94d3d408fe0b28241d39362048030d6"]


@pytest.mark.parametrize(
    ("before", "text", "ending", "name", "reason"),
    [
        ("def compute_", "sum", "stop", "compute_sum", None),
        ("def compute", "_sum(", "stop", "compute_sum", None),
        ("def compute_", "2d_sum", "stop", "compute_2d_sum", None),
        ("def compute_", "", "stop", "", "empty"),
        ("def compute", "(x)", "stop", "", "empty"),
        ("def compute_", " sum", "stop", "", "empty"),
        ("def compute_", "su", "length", "compute_su", "truncated"),
        ("def compute_", "sum-of", "stop", "compute_sum", "malformed"),
        ("undef compute_", "sum_up", "stop", "sum_up", None),
        ("def ", "compute_sum", "stop", "compute_sum", None),
        ("def", " compute_sum", "stop", "compute_sum", None),
    ],
)
def test_a_text_goes_on_with_the_name_that_its_prompt_began(
    before: str, text: str, ending: str, name: str, reason: str | None
) -> None:
    """Sabotage: strip the text before it is joined; take ``def`` from the end of another word."""
    request = Request(key="0", prompt=L2r(f"x\n\n{before}"), sampling=Sampling(max_new_tokens=9), arm="A")
    candidate = parse_name(request, 0, Choice(text, ending))
    assert (candidate.text, candidate.raw_text) == (name, text)
    assert NameJudge("^[a-z_][a-z0-9_]{2,64}$", ())(candidate).reason == reason


def test_a_prompt_without_an_order_is_written_without_one() -> None:
    fim = next(plan(RunConfig(), "m", "FIM")).prompt
    assert b"order" not in msgspec.json.encode(fim)
