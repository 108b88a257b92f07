"""Ruff over many functions at once: each gets its own findings, and what is wrong with ruff itself is one message."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from crews import children

from evoselfcode.datagen.code import linting
from evoselfcode.datagen.code.linting import AT_ONCE, lint, remarks
from evoselfcode.datagen.filters.gates import RUFF_GATE, RUFF_SCORE
from evoselfcode.errors import EvoselfcodeError

FINE = "def f(x):\n    return x + 1\n"
UNDEFINED = "def f(x):\n    return y + 1\n"
LITERAL = 'def f(x):\n    return x is "a"\n'
BROKEN = "def f(x:\n    return x\n"


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that ruff's files are written below."""
    monkeypatch.setattr(linting, "_IN_MEMORY", tmp_path)
    return tmp_path


def left(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def ruff(path: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program in ruff's place."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setattr(linting, "_command", lambda: [str(path)])


async def test_each_program_gets_its_own_findings() -> None:
    """Sabotage: sort the findings by the names of the files, where 10.py comes before 2.py."""
    programs = [FINE, UNDEFINED, FINE, LITERAL, BROKEN] * 60
    assert len(programs) > AT_ONCE
    found = await lint(programs, RUFF_GATE)
    assert found[:4] == [(), ("F821",), (), ("F632",)]
    assert found[4]  # ruff's own word for what is no Python: E999 or invalid-syntax, as the version has it
    assert found == found[:5] * 60


async def test_a_rule_is_told_once_and_only_those_that_are_asked_for() -> None:
    """Sabotage: keep the findings in lists."""
    program = "import os\ndef f(x):\n    return y + z + x == None\n"
    assert await lint([program], RUFF_GATE) == [("F821",)]
    assert set((await lint([program], RUFF_SCORE))[0]) >= {"E711", "F401"}


async def test_every_finding_is_told_with_its_words_and_by_the_settings() -> None:
    """Sabotage: leave ``--config`` out, or tell a rule once."""
    program = "def f(x):\n    import os\n    import re\n    return x and 1 if x else 2\n"
    found = await remarks([FINE, program], "F401,C901", options=["lint.mccabe.max-complexity=0"])
    assert [remark.rule for remark in found[1]] == ["C901", "F401", "F401"]
    assert "`os` imported but unused" in {remark.message for remark in found[1]}
    assert [remark.rule for remark in found[0]] == ["C901"]


async def test_what_a_program_says_to_ruff_is_not_heard(folders: Path) -> None:
    """Nor is a configuration that lies about. Sabotage: leave ``--isolated`` out."""
    (folders / "ruff.toml").write_text('exclude = ["*"]\n')
    assert await lint([UNDEFINED], RUFF_GATE) == [("F821",)]


async def test_no_programs_start_no_process(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotage: leave ``if programs`` out."""
    ruff(folders / "ruff", f"touch {folders}/started; echo []", monkeypatch)
    assert await lint([], RUFF_GATE) == []
    assert left(folders) == ["ruff"]


async def test_text_that_is_no_utf_8_is_looked_at_all_the_same(folders: Path) -> None:
    """Sabotage: write the files without ``errors="replace"``."""
    found = await lint([f"{UNDEFINED}    # \ud800\n", "\0", "", "x" * 1_000_000], RUFF_GATE)
    assert found[0] == ("F821",)
    assert found[2] == ()
    assert left(folders) == []


async def test_a_finding_without_a_code_is_a_finding(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ruff cannot parse has no code in some versions. Sabotage: pass over findings without a code."""
    ruff(folders / "ruff", """echo '[{"code": null, "filename": "/somewhere/1.py", "new": 1}]'""", monkeypatch)
    assert await lint([FINE, BROKEN], RUFF_GATE) == [(), ("E999",)]


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo 'error: invalid value' >&2; exit 2", "ruff failed: error: invalid value\nhint: filters.enable_ruff"),
        ("echo nonsense", "ruff failed: DecodeError"),
        ("kill -9 $$", "ruff failed: \n"),
        ("exit 0", "ruff failed: DecodeError"),
    ],
)
async def test_ruff_that_fails_is_one_message(
    folders: Path, monkeypatch: pytest.MonkeyPatch, script: str, told: str
) -> None:
    """Sabotage: take what comes for findings, whatever the exit code and the words."""
    ruff(folders / "ruff", script, monkeypatch)
    with pytest.raises(EvoselfcodeError) as raised:
        await lint([FINE], RUFF_GATE)
    assert told in str(raised.value)
    assert left(folders) == ["ruff"]


async def test_ctrl_c_does_not_reach_ruff(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be a failure of ruff's, not a stop. Sabotage: leave ``start_new_session`` out."""
    ruff(folders / "ruff", """[ "$(cut -d' ' -f6 /proc/$$/stat)" = $$ ] && echo []""", monkeypatch)
    assert await lint([FINE], RUFF_GATE) == [()]


async def test_an_unknown_rule_is_ruffs_own_message() -> None:
    """Sabotage: leave ``stderr`` out of the message."""
    with pytest.raises(EvoselfcodeError, match="ZZ999"):
        await lint([FINE], "ZZ999")


async def test_ruff_that_cannot_be_run_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotage: leave ``OSError`` out of what is caught."""
    monkeypatch.setattr(linting, "_command", lambda: ["/nowhere/ruff"])
    with pytest.raises(EvoselfcodeError, match="ruff failed: FileNotFoundError"):
        await lint([FINE], RUFF_GATE)


async def test_ruff_that_hangs_is_ended(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotage: leave ``fail_after`` out."""
    monkeypatch.setattr(linting, "SECONDS", 0.1)
    ruff(folders / "ruff", "exec sleep 600", monkeypatch)
    with pytest.raises(EvoselfcodeError, match="ruff failed: TimeoutError"):
        await lint([FINE], RUFF_GATE)
    assert children() == set()


async def test_cancelled_ruff_is_ended_and_its_files_are_gone(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotage: make the folder with ``mkdtemp``."""
    ruff(folders / "ruff", "exec sleep 600", monkeypatch)
    async with anyio.create_task_group() as group:
        group.start_soon(lint, [FINE], RUFF_GATE)
        with anyio.fail_after(10):
            while not children():
                await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    with anyio.fail_after(10):  # cancelled while it starts, it is killed at once and reaped by a thread of asyncio's
        while children():
            await anyio.lowlevel.checkpoint()
    assert left(folders) == ["ruff"]


def test_ruff_that_is_not_installed_is_one_message() -> None:
    """Sabotage: ask nothing before the first functions have been looked at."""
    code = (
        "import sys; sys.modules['ruff'] = None\n"
        "from evoselfcode.datagen.code.linting import require_ruff\n"
        "from evoselfcode.errors import UsageError\n"
        "try: require_ruff()\n"
        "except UsageError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == 'filters.enable_ruff needs ruff\nhint: pip install "evoselfcode[filter]"\n'


async def test_without_the_program_beside_python_its_module_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotage: return the path although there is nothing."""
    monkeypatch.setattr(linting.sysconfig, "get_path", lambda name: "/nowhere")
    assert linting._command() == [sys.executable, "-m", "ruff"]
    assert await lint([UNDEFINED], RUFF_GATE) == [("F821",)]
