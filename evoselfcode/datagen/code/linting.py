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
from typing import NamedTuple

import anyio
import anyio.to_thread
import msgspec

from evoselfcode.datagen.code.processes import harmless_environment
from evoselfcode.errors import EvoselfcodeError, UsageError
from evoselfcode.storage import storage_errors

AT_ONCE = 256
"""Functions of one process."""

SECONDS = 60.0

_PREFIX = "evoselfcode-ruff-"

_LEAVE_OUT = "filters.enable_ruff: false leaves it out"

_IN_MEMORY = Path("/dev/shm")  # noqa: S108
"""Where files cost microseconds. In a temporary folder on a disk, 256 of them may take longer than ruff: 0.3 s."""


class _Finding(msgspec.Struct):
    code: str | None
    filename: str
    message: str = ""


class Remark(NamedTuple):
    """What ruff says of a place in a program.

    Attributes:
        rule: The rule, such as ``F401``; ``E999`` of what ruff cannot parse.
        message: In words.
    """

    rule: str
    message: str


def require_ruff(needs: str = "filters.enable_ruff", extra: str = "filter") -> None:
    """Say so if ruff is not installed.

    Args:
        needs: What needs it.
        extra: The extra of the package that brings it.

    Raises:
        UsageError: It is not.
    """
    if find_spec("ruff") is None:
        raise UsageError(f"{needs} needs ruff", hint=f'pip install "evoselfcode[{extra}]"')


async def lint(programs: Sequence[str], select: str) -> list[tuple[str, ...]]:
    """Return, for each program, the rules of `select` that it breaks, sorted. Cancelled: ruff is ended.

    Args:
        programs: Python texts.
        select: Rules, as ``--select`` takes them.

    Raises:
        EvoselfcodeError: Ruff fails, or is not done within a minute.
    """
    return [tuple(sorted({remark.rule for remark in found})) for found in await remarks(programs, select)]


async def remarks(
    programs: Sequence[str], select: str, *, options: Sequence[str] = (), hint: str = _LEAVE_OUT
) -> list[list[Remark]]:
    """Return, for each program, all that ruff says of it by `select`, in order. Cancelled: ruff is ended.

    Args:
        programs: Python texts.
        select: Rules, as ``--select`` takes them.
        options: Settings, as ``--config`` takes them.
        hint: What to try where ruff fails.

    Raises:
        EvoselfcodeError: Ruff fails, or is not done within a minute.
    """
    found: list[list[Remark]] = [[] for _ in programs]
    if programs:
        with storage_errors(_where(), "write the functions for ruff into"), _folder() as folder:
            await anyio.to_thread.run_sync(_write, Path(folder), programs)
            settings = [part for option in options for part in ("--config", option)]
            for finding in await _run(folder, ["--select", select, *settings], hint):
                found[int(Path(finding.filename).stem)].append(Remark(finding.code or "E999", finding.message))
    return found


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


async def _run(folder: str, options: Sequence[str], hint: str) -> list[_Finding]:
    command = [*_command(), "check", "--isolated", "--no-cache", "--quiet", "--exit-zero", "--ignore-noqa"]
    try:
        with anyio.fail_after(SECONDS):
            done = await anyio.run_process(
                [*command, *options, "--output-format", "json", folder],
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
    raise EvoselfcodeError(f"ruff failed: {said}", hint=hint)
