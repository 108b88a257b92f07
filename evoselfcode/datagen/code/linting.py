"""Ask ruff about functions, hundreds in one process: it starts in the time that it needs for a hundred of them.

This file decides how ruff is run. Which of its findings drop a function is
:data:`evoselfcode.datagen.filters.gates.RUFF_GATE`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from evoselfcode.datagen.code.crew import harmless_environment
from evoselfcode.errors import EvoselfcodeError, UsageError
from evoselfcode.storage import storage_errors

AT_ONCE = 256
"""Functions of one process."""

SECONDS = 60.0

_PREFIX = "evoselfcode-ruff-"

_IN_MEMORY = Path("/dev/shm")  # noqa: S108
"""Where files cost microseconds. In a temporary folder on a disk, 256 of them may take longer than ruff: 0.3 s."""


class _Finding(msgspec.Struct):
    code: str | None
    filename: str


def require_ruff() -> None:
    """Say so if ruff is not installed.

    Raises:
        UsageError: It is not.
    """
    if find_spec("ruff") is None:
        raise UsageError("filters.enable_ruff needs ruff", hint='pip install "evoselfcode[filter]"')


async def lint(programs: Sequence[str], select: str) -> list[tuple[str, ...]]:
    """Return, for each program, the rules of `select` that it breaks, sorted. Cancelled: ruff is ended.

    Args:
        programs: Python texts.
        select: Rules, as ``--select`` takes them.

    Raises:
        EvoselfcodeError: Ruff fails, or is not done within a minute.
    """
    found: list[set[str]] = [set() for _ in programs]
    if programs:
        with storage_errors(_where(), "write the functions for ruff into"), _folder() as folder:
            await anyio.to_thread.run_sync(_write, Path(folder), programs)
            for finding in await _run(folder, select):
                found[int(Path(finding.filename).stem)].add(finding.code or "E999")
    return [tuple(sorted(codes)) for codes in found]


def _where() -> Path:
    return _IN_MEMORY if os.access(_IN_MEMORY, os.W_OK) else Path(tempfile.gettempdir())


def _folder() -> tempfile.TemporaryDirectory[str]:
    """Make a folder for one process, and take away what a killed run has left in memory."""
    made = tempfile.TemporaryDirectory(prefix=_PREFIX, dir=_where())
    now = Path(made.name).stat().st_mtime
    for left in _where().glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if now - left.stat().st_mtime > 2 * SECONDS:
                shutil.rmtree(left, ignore_errors=True)
    return made


def _command() -> list[str]:
    """Return how ruff is called: itself where it was installed beside Python, which starts in a third of the time."""
    beside = Path(sysconfig.get_path("scripts"), "ruff" + sysconfig.get_config_var("EXE"))
    return [str(beside)] if os.access(beside, os.X_OK) else [sys.executable, "-m", "ruff"]


def _write(folder: Path, programs: Sequence[str]) -> None:
    for number, program in enumerate(programs):
        (folder / f"{number}.py").write_text(program, encoding="utf-8", errors="replace")


async def _run(folder: str, select: str) -> list[_Finding]:
    command = [*_command(), "check", "--isolated", "--no-cache", "--quiet", "--exit-zero", "--ignore-noqa"]
    try:
        with anyio.fail_after(SECONDS):
            done = await anyio.run_process(
                [*command, "--select", select, "--output-format", "json", folder],
                check=False,
                stderr=subprocess.PIPE,
                env=harmless_environment(),
                start_new_session=True,  # Ctrl-C is the run's to obey
            )
        if done.returncode == 0:
            return msgspec.json.decode(done.stdout, type=list[_Finding])
        said = done.stderr.decode(errors="replace").strip()[-300:]
    except (OSError, msgspec.DecodeError) as error:  # a timeout is one too
        said = repr(error)
    raise EvoselfcodeError(f"ruff failed: {said}", hint="filters.enable_ruff: false leaves it out")
