"""Functions as ruff formats them: how they look, and not what they do.

This file decides how ruff is run. It is asked about hundreds of functions at once: it starts in the time that it needs
for a hundred of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from evoselfcode.datagen.filters.code_tree import parse
from evoselfcode.errors import EvoselfcodeError, UsageError
from evoselfcode.storage import storage_errors

TIDY = "I,F401,UP"
"""Rules whose remedies are cosmetic: the order of imports, imports that nothing uses, the syntax of today."""

TARGET = "py311"

SECONDS = 60.0


def require_ruff() -> None:
    """Say so if ruff is not installed.

    Raises:
        UsageError: It is not.
    """
    if find_spec("ruff") is None:
        raise UsageError("export.format_code needs ruff", hint='pip install "evoselfcode[export]"')


def formatted(programs: Sequence[str]) -> list[str | None]:
    """Return the programs as ruff formats them, after the remedies of :data:`TIDY`.

    Args:
        programs: Python texts.

    Returns:
        The texts; ``None`` for one that Python cannot parse, before or after.

    Raises:
        EvoselfcodeError: Ruff fails, or is not done within a minute.
        StorageError: The files for ruff cannot be written or read.
    """
    with tempfile.TemporaryDirectory(prefix="evoselfcode-format-") as name:
        folder = Path(name)
        sound = [number for number, program in enumerate(programs) if not isinstance(parse(program), str)]
        files = {number: folder / f"{number}.py" for number in sound}
        with storage_errors(folder, "write the functions for ruff into"):
            for number, path in files.items():
                path.write_bytes(programs[number].encode("utf-8", "replace"))
        if files:
            _ruff("check", "--fix", "--exit-zero", "--select", TIDY, "--target-version", TARGET, folder=folder)
            _ruff("format", "--target-version", TARGET, folder=folder)
        with storage_errors(folder, "read what ruff wrote in"):
            found = {number: path.read_bytes().decode() for number, path in files.items()}
    return [found[n] if n in found and not isinstance(parse(found[n]), str) else None for n in range(len(programs))]


def _ruff(*arguments: str, folder: Path) -> None:
    command = [sys.executable, "-m", "ruff", *arguments, "--isolated", "--no-cache", "--quiet", str(folder)]
    environment = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    try:
        done = subprocess.run(  # noqa: S603 - a program of ours with options of ours
            command, env=environment, capture_output=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL
        )
        if done.returncode == 0:
            return
        said = done.stderr.decode(errors="replace").strip()[-300:]
    except (OSError, subprocess.TimeoutExpired) as error:
        said = repr(error)
    raise EvoselfcodeError(f"ruff failed: {said}", hint="export.format_code: false leaves it out")
