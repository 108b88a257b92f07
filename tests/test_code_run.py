"""Code runs, and the filter of what they drew: the same answers give the same files, however they come."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import journal_lines
import pytest
from code_answers import config, names, rows, run, writing

from evoselfcode import RunConfig
from evoselfcode.datagen.code.codegen import CODE, generate_code, stream_code
from evoselfcode.datagen.code.filtering import filter_code
from evoselfcode.datagen.filters.gates import CODE_REASONS
from evoselfcode.engine import Stop
from evoselfcode.errors import ConfigError, Interrupted, RunMismatch, UsageError
from evoselfcode.storage import Entry, read_entries

GOOD = "    total = 0\n    for item in items:\n        total = total + item * 2\n    return total\n"
RENAMED = GOOD.replace("total", "result").replace("item ", "each ").replace("item\n", "each\n")
NEAR = GOOD.replace("* 2", "* 3")
OTHER = "    seen = set()\n    return [x for x in items if not (x in seen or seen.add(x))]\n"
ANSWERS: list[str | tuple[str, str]] = [
    GOOD,
    GOOD + "\n\nprint(double_all([1]))\n",
    OTHER,
    "    pass\n",
    "    return (1\n",
    ("    result = []\n    for x in items:\n        result.append(", "length"),
    "    return 7\n",
    "    import os\n    return os.listdir(items)\n",
]
FILES = ("raw.jsonl", "filtered.jsonl", "quarantined.jsonl")


def named(func_name: str) -> dict[str, str]:
    return {"func_name": func_name, "description": f"Do {func_name}.", "signature": "(items)"}


def settings(folder: Path, **sections: Any) -> RunConfig:
    sections["codegen"] = {"n": len(ANSWERS), **sections.get("codegen", {})}
    return config(folder, **sections)


def shown(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


async def test_every_draw_is_a_row_with_one_reason_and_all_objections(tmp_path: Path) -> None:
    names(tmp_path, named("double_all"))
    summary = await run(CODE, writing(lambda prompt: ANSWERS), settings(tmp_path))
    assert summary.meter.kept == {"L2R": 3}
    metrics = await filter_code([tmp_path / "code"], settings(tmp_path))
    raw = rows(tmp_path / "code" / "raw.jsonl")
    assert [row["reason"] for row in raw] == [
        None, "duplicate", None, "placeholder", "unparsable", "truncated", "unused_argument", "import",
    ]  # fmt: skip
    assert raw[0]["code"] == raw[1]["code"] == 'def double_all(items):\n    """Do double_all."""\n' + GOOD
    assert raw[1]["of"] == f"{raw[0]['key']}:0"
    assert raw[6]["reasons"] == ["unused_argument", "constant", "too_small"]
    assert [row["syntax_valid"] for row in raw] == [True] * 4 + [False] * 2 + [True] * 2
    assert {tuple(row) for row in raw} == {tuple(raw[0])}
    assert rows(tmp_path / "code" / "filtered.jsonl") == [raw[0], raw[2]]
    arm = metrics["arms"]["L2R"]
    assert (metrics["draws"], metrics["kept"], metrics["dropped"]) == (8, 2, 6)
    assert arm["accepted"] == {"raw": 2, "ast": 2, "alpha": 2}
    assert sum(arm["reasons"].values()) == 6
    assert arm["objections"]["constant"] == 1
    assert json.loads((tmp_path / "code" / "metrics.json").read_bytes()) == metrics


async def test_the_filter_is_the_same_whatever_the_order_and_however_it_is_split(tmp_path: Path) -> None:
    """Sabotage: let the winner be the one that comes first; sort rows by their place in the journal."""
    functions = [f"name_{chr(97 + number)}" for number in range(12)]
    bodies = [GOOD, RENAMED, NEAR, OTHER, "    return sorted(items)[::-1][: len(items) // 2]\n"]

    def texts(prompt: str) -> list[str]:
        return random.Random(prompt).sample(bodies, 4)

    whole, shards = settings(tmp_path, codegen={"n": 4}), []
    names(tmp_path, *map(named, functions))
    await run(CODE, writing(texts), whole)
    await filter_code([tmp_path / "code"], whole)
    first = shown(tmp_path / "code")
    reasons = {row["reason"] for row in rows(tmp_path / "code" / "raw.jsonl")}
    assert reasons >= {None, "duplicate", "near_duplicate"}

    lines = journal_lines.lines(tmp_path / "code")
    random.Random(3).shuffle(lines)
    journal_lines.rewrite(tmp_path / "code", lines)
    await filter_code([tmp_path / "code"], whole)
    assert shown(tmp_path / "code") == first

    for number in range(3):
        shard = tmp_path / f"shard-{number}"
        shard.mkdir()
        shutil.copy(tmp_path / "code" / "manifest.json", shard)
        kept = [line for place, line in enumerate(lines) if place % 3 == number or place == 0]  # one is in all
        shutil.copytree(tmp_path / "code" / "journal", shard / "journal")
        journal_lines.rewrite(shard, kept)
        shards.append(shard)
    random.Random(4).shuffle(shards)
    metrics = await filter_code(shards, whole, out=tmp_path / "joined")
    assert metrics["draws"] == 48
    assert shown(tmp_path / "joined") == first


async def test_a_resumed_run_gives_the_files_of_one_that_was_not_stopped(tmp_path: Path) -> None:
    """Sabotage: leave the task out of the journal's entries."""
    functions = [named(f"name_{chr(97 + number)}") for number in range(20)]
    for folder in ("once", "twice"):
        (tmp_path / folder).mkdir()
        names(tmp_path / folder, *functions)
    await run(CODE, writing(lambda prompt: ANSWERS), settings(tmp_path / "once"))
    stop, twice = Stop(), settings(tmp_path / "twice", api={"concurrency": 1})

    def texts(prompt: str) -> list[str | tuple[str, str]]:
        if "name_f" in prompt:
            stop.set()
        return ANSWERS

    with pytest.raises(Interrupted):
        await run(CODE, writing(texts), twice, stop=stop)
    again = writing(lambda prompt: ANSWERS)
    summary = await run(CODE, again, twice)
    assert 0 < len(again.bodies) < 20
    assert summary.meter.draws == {"L2R": 160}
    for folder in ("once", "twice"):
        metrics = await filter_code([tmp_path / folder / "code"], settings(tmp_path / folder))
        assert metrics["draws"] == 160
    assert shown(tmp_path / "once" / "code") == shown(tmp_path / "twice" / "code")


async def test_filters_change_and_nothing_is_asked(tmp_path: Path) -> None:
    """Sabotage: put ``filters.`` into what shapes the stage; leave a setting out of the stamp."""
    names(tmp_path, named("double_all"))
    server = writing(lambda prompt: ANSWERS)
    await run(CODE, server, settings(tmp_path))
    folder, messages = tmp_path / "code", server.messages
    first = await filter_code([folder], settings(tmp_path))
    strict = settings(tmp_path, filters={"max_lines": 5, "near_duplicates": 0.9, "enable_ruff": True})
    assert (await filter_code([folder], strict, again=False))["kept"] == 1
    assert not (await run(CODE, server, strict)).sent
    off = settings(tmp_path, filters={"disabled_gates": ["duplicate", "unused_argument", "constant", "too_small"]})
    assert (await filter_code([folder], off, again=False))["kept"] == 4
    trim = settings(tmp_path, codegen={"on_length": "trim"})
    trimmed = await filter_code([folder], trim, again=False)
    assert trimmed["arms"]["L2R"]["reasons"].get("truncated") is None
    again = await filter_code([folder], settings(tmp_path), again=False)
    assert again["arms"] == first["arms"]
    assert server.messages == messages


async def test_what_was_filtered_is_not_filtered_again(tmp_path: Path) -> None:
    """Sabotage: compare sizes alone, or settings alone, in ``known_metrics``."""
    names(tmp_path, named("double_all"))
    await run(CODE, writing(lambda prompt: ANSWERS), settings(tmp_path))
    folder, told = tmp_path / "code", []
    await filter_code([folder], settings(tmp_path), again=False, progress=told.append)
    await filter_code([folder], settings(tmp_path), again=False, progress=told.append)
    assert told == [8]
    names(tmp_path, named("double_all"), named("double_all_again"))
    await run(CODE, writing(lambda prompt: ANSWERS), settings(tmp_path))
    metrics = await filter_code([folder], settings(tmp_path), again=False, progress=told.append)
    assert told == [8, 16]
    assert metrics["draws"] == 16


async def test_a_name_of_a_benchmark_is_put_aside_and_its_solution_dropped(tmp_path: Path) -> None:
    """Sabotage: let ``quarantined`` drop, or let a quarantined function win over one that is kept."""
    solution = "    return ' '.join([str(x) for x in range(n + 1)])\n"
    names(
        tmp_path,
        {"func_name": "string_sequence", "signature": "(n)"},
        {"func_name": "write_numbers", "signature": "(n)"},
    )
    body = "    numbers = [value * value - n for value in range(n) if value % 3]\n    return sum(numbers) / n\n"
    await run(CODE, writing(lambda prompt: [solution, body]), config(tmp_path, codegen={"n": 2}))
    metrics = await filter_code([tmp_path / "code"], config(tmp_path))
    raw = {(row["func_name"], row["index"]): row for row in rows(tmp_path / "code" / "raw.jsonl")}
    assert raw["string_sequence", 0]["reason"] == raw["write_numbers", 0]["reason"] == "contaminated"
    assert raw["write_numbers", 0]["of"] == "HumanEval/15"
    assert raw["string_sequence", 1]["verdict"] == "quarantined"
    assert raw["write_numbers", 1]["verdict"] == "kept"
    assert (metrics["kept"], metrics["quarantined"], metrics["dropped"]) == (1, 1, 2)
    assert [row["func_name"] for row in rows(tmp_path / "code" / "quarantined.jsonl")] == ["string_sequence"]


async def test_tasks_of_ones_own_are_kept_out(tmp_path: Path) -> None:
    """Sabotage: leave ``filters.contamination`` out of the rules, or out of the stamp."""
    names(tmp_path, named("double_all"))
    await run(CODE, writing(lambda prompt: ANSWERS), settings(tmp_path))
    mine = tmp_path / "mine.jsonl"
    mine.write_text(
        json.dumps({"task_id": "mine/1", "code": "def other(things):\n" + GOOD.replace("items", "things")}) + "\n"
    )
    told = settings(tmp_path, filters={"contamination": [str(mine)]})
    metrics = await filter_code([tmp_path / "code"], told, again=False)
    assert metrics["arms"]["L2R"]["reasons"]["contaminated"] == 2
    assert {row["of"] for row in rows(tmp_path / "code" / "raw.jsonl") if row["reason"] == "contaminated"} == {"mine/1"}
    for text, said in [("[1]\n", "line 1: is no JSON object"), ('{"a": "b"}\n', "row 1"), (None, "mine.jsonl")]:
        mine.unlink() if text is None else mine.write_text(text)
        with pytest.raises(ConfigError, match=said):
            await run(CODE, writing(lambda prompt: ANSWERS), settings(tmp_path, filters={"contamination": [str(mine)]}))


async def test_the_arm_fim_fills_in_between_template_and_suffix(tmp_path: Path) -> None:
    """Sabotage: ask left-to-right in both arms."""
    names(tmp_path, named("double_all"))
    both = config(tmp_path, codegen={"arms": ["FIM", "L2R"], "n": 2})
    server = writing(lambda prompt: [GOOD, OTHER])
    summary = await run(CODE, server, both)
    assert summary.meter.draws == {"FIM": 2, "L2R": 2}
    suffixes = [body.get("suffix") for body in server.bodies]
    assert sorted(map(str, suffixes)) == sorted(["None", both.prompts.codegen.suffix])
    metrics = await filter_code([tmp_path / "code"], both)
    assert list(metrics["arms"]) == ["FIM", "L2R"]
    assert metrics["kept"] == 2


async def test_a_folder_that_is_no_code_run_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no run"):
        await filter_code([tmp_path], config(tmp_path))
    with pytest.raises(UsageError, match="several runs"):
        await filter_code([tmp_path, tmp_path], config(tmp_path))
    names(tmp_path, named("double_all"))
    await run(CODE, writing(lambda prompt: ANSWERS), settings(tmp_path))
    with pytest.raises(RunMismatch, match=r"codegen.temperature: 0.8 then, 0.5 now"):
        await run(CODE, writing(lambda prompt: ANSWERS), settings(tmp_path, codegen={"temperature": 0.5}))


async def test_a_stop_leaves_the_files_of_before(tmp_path: Path) -> None:
    """Sabotage: take metrics.json away before the first step."""
    names(tmp_path, named("double_all"))
    await run(CODE, writing(lambda prompt: ANSWERS), settings(tmp_path))
    folder, stop = tmp_path / "code", Stop()
    await filter_code([folder], settings(tmp_path))
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    stop.set()
    with pytest.raises(Interrupted):
        await filter_code([folder], settings(tmp_path, filters={"max_lines": 3}), stop=stop)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


async def test_code_that_is_not_parsed_is_kept_without_a_tree(tmp_path: Path) -> None:
    names(tmp_path, named("double_all"))
    await run(CODE, writing(lambda prompt: ["    return (1 + items\n"]), config(tmp_path))
    lax = config(tmp_path, filters={"enable_ast": False})
    metrics = await filter_code([tmp_path / "code"], lax)
    assert metrics["kept"] == 1
    assert metrics["arms"]["L2R"]["reasons"] == {"duplicate": 3}
    assert rows(tmp_path / "code" / "filtered.jsonl")[0]["hashes"] is None


async def test_every_reason_of_the_journal_is_a_known_one(tmp_path: Path) -> None:
    names(tmp_path, named("double_all"))
    await run(CODE, writing(lambda prompt: ANSWERS), settings(tmp_path))
    entries = [entry for entry in read_entries(tmp_path / "code") if isinstance(entry, Entry)]
    assert {draw.reason for entry in entries for draw in entry.draws} - {None} <= set(CODE_REASONS)
    assert all(entry.task and entry.task.head.startswith("def double_all(items):") for entry in entries)


async def test_rows_come_as_a_stream_and_as_a_list(tmp_path: Path) -> None:
    names(tmp_path, named("double_all"))
    streamed = [row async for row in stream_code(writing(lambda prompt: ANSWERS).client(), settings(tmp_path))]
    assert [row["code"][-len(GOOD) :] for row in streamed[:2]] == [GOOD, GOOD]
    assert {tuple(row) for row in streamed} == {("func_name", "source", "description", "code")}
    listed = generate_code(writing(lambda prompt: ANSWERS).client(), settings(tmp_path))
    assert sorted(map(str, listed)) == sorted(map(str, streamed))
    with pytest.raises(UsageError, match="mode is 'both'"):
        stream_code(writing(lambda prompt: ANSWERS).client(), settings(tmp_path), mode="both")
