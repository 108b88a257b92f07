"""What a filter must not do to draws: lose them, pay for them twice, or let their text speak to a tool."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from code_answers import config, names, rows, run, writing

from evoselfcode import RunConfig
from evoselfcode.datagen.code import linting
from evoselfcode.datagen.code.codegen import CODE
from evoselfcode.datagen.code.filtering import filter_code
from evoselfcode.datagen.code.rows import drawn
from evoselfcode.errors import ConfigError, UsageError
from evoselfcode.records import Failure, Task
from evoselfcode.storage import Draw, Entry, Journal

BODIES = (
    "    return [item * 3 - 1 for item in items]\n",
    "    seen = set()\n    return [x for x in items if not (x in seen or seen.add(x))]\n",
    "    total = 1\n    for item in items:\n        total = total * 2 + item\n    return total\n",
)
FILES = ("raw.jsonl", "filtered.jsonl", "quarantined.jsonl", "metrics.json")


def entry(key: str, *texts: str, number: int = 0, dead: bool = False) -> Entry:
    name = f"name_of_{number}"
    return Entry(
        key=f"{key.partition('.')[0]:0<32}" + "".join(key.partition(".")[1:]),
        stage="code",
        arm="L2R",
        number=number,
        seed=7,
        attempts=1,
        seconds=0.1,
        task=Task(func_name=name, head=f"def {name}(items):\n"),
        draws=tuple(Draw(text, "", finish_reason="stop") for text in texts),
        failure=Failure("timeout") if dead else None,
    )


async def journals(folder: Path, **runs: list[Entry]) -> list[Path]:
    """Write runs of which the manifest is a real one."""
    names(folder, "template_of_runs")
    await run(CODE, writing(lambda prompt: [BODIES[0]]), config(folder, codegen={"n": 1}))
    made = []
    for name, entries in runs.items():
        run_folder = folder / name
        run_folder.mkdir()
        shutil.copy(folder / "code" / "manifest.json", run_folder)
        journal = Journal(run_folder)
        for one in entries:
            journal.append(one)
        journal.close(0.0)
        made.append(run_folder)
    return made


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def joined(folders: list[Path], settings: RunConfig, out: Path) -> dict[str, Any]:
    return await filter_code(folders, settings, out=out)


async def test_what_was_given_up_in_one_run_is_answered_in_another(tmp_path: Path) -> None:
    """Sabotage: count a request without draws as seen."""
    dead, alive = await journals(tmp_path, dead=[entry("a", dead=True)], alive=[entry("a", *BODIES)])
    settings = config(tmp_path)
    one = await joined([dead, alive], settings, tmp_path / "one")
    two = await joined([alive, dead], settings, tmp_path / "two")
    assert one["draws"] == two["draws"] == 3
    assert (tmp_path / "one" / "raw.jsonl").read_bytes() == (tmp_path / "two" / "raw.jsonl").read_bytes()


async def test_two_runs_that_answered_the_same_request_are_joined_whatever_the_order(tmp_path: Path) -> None:
    """Sabotage: name a draw by its key and index alone."""
    runs = await journals(tmp_path, a=[entry("a", BODIES[0], BODIES[1])], b=[entry("a", BODIES[2], BODIES[1])])
    settings = config(tmp_path)
    metrics = await joined(runs, settings, tmp_path / "one")
    await joined(runs[::-1], settings, tmp_path / "two")
    assert (metrics["draws"], metrics["kept"]) == (3, 3)
    for name in FILES[:3]:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_choices_that_were_asked_for_one_by_one_are_those_of_the_whole() -> None:
    """Sabotage: leave the part out of ``Drawn.index``."""
    whole = entry("a", *BODIES)
    parts = [entry(f"a.{number}", body) for number, body in enumerate(BODIES)]
    assert [one.id for one in drawn([whole])] == [one.id for one in drawn(parts)]
    assert len(list(drawn([whole, *parts]))) == 3


async def test_a_foreign_line_of_a_journal_is_left_out_and_told(tmp_path: Path) -> None:
    """Sabotage: take every entry of a journal for one of its stage."""
    (folder,) = await journals(tmp_path, a=[entry("a", BODIES[0])])
    journal = Journal(folder)
    for key, stage, task in (("b", "names", None), ("c", "describe", Task(func_name="f"))):
        journal.append(
            Entry(
                key=key, stage=stage, arm="L2R", number=1, attempts=1, seconds=0.1, task=task, draws=(Draw("x", "x"),)
            )
        )
    journal.close(0.0)
    metrics = await filter_code([folder], config(tmp_path))
    assert metrics["draws"] == 1
    assert metrics["warnings"] == ["2 damaged journal lines are left out"]


async def test_a_comment_of_the_model_does_not_silence_ruff(tmp_path: Path) -> None:
    """Sabotage: take ``--ignore-noqa`` out."""
    programs = [
        "def f(x):\n    return nowhere(x)\n",
        "def f(x):\n    return nowhere(x)  # noqa: F821\n",
        "# ruff: noqa\ndef f(x):\n    return nowhere(x)\n",
        "def f(x):\n    y = 1\n    return x\n",
    ]
    assert await linting.lint(programs, "F821,F841") == [("F821",), ("F821",), ("F821",), ("F841",)]


async def test_what_ruff_says_besides_errors_is_in_the_row_and_drops_nothing(tmp_path: Path) -> None:
    """Of draws that say the same the one with fewer remarks is kept. Sabotage: rank by the probability alone."""
    clean, remarked = BODIES[2], "    unused = 1\n" + BODIES[2]
    names(tmp_path, {"func_name": "fold_all", "signature": "(items)"})
    settings = config(tmp_path, codegen={"n": 2}, filters={"enable_ruff": True, "near_duplicates": 0.3})
    await run(CODE, writing(lambda prompt: [remarked, clean]), settings)
    await filter_code([tmp_path / "code"], settings)
    first, second = rows(tmp_path / "code" / "raw.jsonl")
    assert (first["lint"], first["reason"], second["lint"], second["verdict"]) == (
        ["F841"],
        "near_duplicate",
        [],
        "kept",
    )
    assert second["measures"] == {"lines": 6, "nodes": 18, "docstring": True, "annotated": 0.0}


async def test_no_key_reaches_ruff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotage: leave ``env`` out."""
    monkeypatch.setenv("EVOSELFCODE_API_KEY", "canary")
    ruff = tmp_path / "ruff"
    ruff.write_text(f'#!/bin/sh\nenv > "{tmp_path}/seen"\necho "[]"\n')
    ruff.chmod(0o755)
    monkeypatch.setattr(linting, "_command", lambda: [str(ruff)])
    assert await linting.lint(["x = 1\n"], "F") == [()]
    assert "canary" not in (tmp_path / "seen").read_text()


async def test_what_a_killed_run_left_in_memory_is_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotage: look for no folder, or for young ones too."""
    monkeypatch.setattr(linting, "_IN_MEMORY", tmp_path)
    old, young = tmp_path / "evoselfcode-ruff-old", tmp_path / "evoselfcode-ruff-young"
    for folder in (old, young):
        folder.mkdir()
        (folder / "0.py").write_text("x = 1\n")
    long_ago = time.time() - 1000
    os.utime(old, (long_ago, long_ago))
    await linting.lint(["x = 1\n"], "F")
    assert names_in(tmp_path) == [young.name]


async def test_a_gate_of_execution_that_is_off_drops_nothing(tmp_path: Path) -> None:
    """Sabotage: drop what failed whatever ``disabled_gates`` says."""
    names(tmp_path, {"func_name": "fold_all", "signature": "(items: list[int]) -> int"})
    filters = {"execute": True, "disabled_gates": ["failed"]}
    settings = config(tmp_path, codegen={"n": 1}, filters=filters)
    await run(CODE, writing(lambda prompt: ["    return nowhere(items)\n"]), settings)
    try:
        metrics = await filter_code([tmp_path / "code"], settings)
    except UsageError as error:
        pytest.skip(str(error))
    (row,) = rows(tmp_path / "code" / "raw.jsonl")
    assert (metrics["kept"], row["execution"]["status"]) == (1, "NameError")


async def test_files_that_are_gone_are_made_again_and_asserts_that_came_later_count(tmp_path: Path) -> None:
    """Sabotages: look at metrics.json alone; leave the asserts out of the stamp."""
    names(tmp_path, {"func_name": "fold_all", "signature": "(items)"})
    settings = config(tmp_path, codegen={"n": 1}, filters={"execute": True})
    await run(CODE, writing(lambda prompt: [BODIES[2]]), settings)
    told: list[int] = []

    async def again() -> None:
        await filter_code([tmp_path / "code"], settings, again=False, progress=told.append)

    try:
        await again()
    except UsageError as error:
        pytest.skip(str(error))
    await again()
    assert told == [1]
    (tmp_path / "code" / "filtered.jsonl").unlink()
    await again()
    assert told == [1, 1]
    (tmp_path / "asserts").mkdir()
    row = {"func_name": "fold_all", "asserts": ["assert fold_all([]) == 1"]}
    (tmp_path / "asserts" / "asserts.jsonl").write_text(json.dumps(row) + "\n\n")
    await again()
    assert told == [1, 1, 1]
    assert rows(tmp_path / "code" / "raw.jsonl")[0]["agreement"]["chosen"]


async def test_a_benchmarks_text_and_name_are_known_without_a_tree(tmp_path: Path) -> None:
    """Sabotage: look for them only where there are hashes."""
    names(tmp_path, {"func_name": "string_sequence", "signature": "(n)"})
    text = (
        '    "Return a string containing space-delimited numbers starting from 0 upto n inclusive"\n    return n * 2\n'
    )
    settings = config(tmp_path, codegen={"n": 2}, filters={"enable_ast": False})
    await run(CODE, writing(lambda prompt: [text, "    return n * 2 + 1\n"]), settings)
    await filter_code([tmp_path / "code"], settings)
    assert [row["reason"] for row in rows(tmp_path / "code" / "raw.jsonl")] == ["contaminated", "quarantined"]


async def test_the_folder_of_another_run_is_not_written_into(tmp_path: Path) -> None:
    """Sabotage: take any folder for ``out``."""
    one, two = await journals(tmp_path, one=[entry("a", BODIES[0])], two=[entry("b", BODIES[1])])
    with pytest.raises(UsageError, match="is the folder of another run"):
        await filter_code([one], config(tmp_path), out=two)
    assert names_in(two) == ["journal", "manifest.json"]
    assert (await filter_code([one, two], config(tmp_path), out=two))["draws"] == 2


async def test_rows_that_make_one_prompt_are_asked_once(tmp_path: Path) -> None:
    """Sabotage: ask for each row of the file."""
    names(tmp_path, {"func_name": "fold_all", "description": "One."}, {"func_name": "fold_all", "description": "Two."})
    server = writing(lambda prompt: [BODIES[0]])
    summary = await run(CODE, server, config(tmp_path, prompts={"codegen": {"template": "def {func_name}("}}))
    assert len(server.bodies) == 1
    assert summary.meter.settled == summary.meter.planned == 1


async def test_a_pipe_for_a_file_of_tasks_is_refused(tmp_path: Path) -> None:
    """Sabotage: open whatever is there."""
    names(tmp_path, "fold_all")
    os.mkfifo(tmp_path / "pipe")
    settings = config(tmp_path, filters={"contamination": [str(tmp_path / "pipe")]})
    with pytest.raises(ConfigError, match="is no file"):
        await run(CODE, writing(lambda prompt: [BODIES[0]]), settings)
