"""Where an export is put: it is there whole or not at all, and takes the place of an older one only if told to.

This file decides which folder may be replaced. It refuses to know what is in it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from evoselfcode.errors import UsageError
from evoselfcode.storage import disk, storage_errors
from evoselfcode.storage.files import make_folder

MANIFEST, SUMS = "export.json", "SHA256SUMS"
"""What is in the export, and the digests of it as ``sha256sum -c`` reads them."""


@contextmanager
def new_folder(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """Hand out an empty folder; it becomes `out` when it is left without an exception, and is gone otherwise.

    Raises:
        UsageError: There is something at `out` that is not to be replaced.
        StorageError: It cannot be made, or cannot take its place.
    """
    out = out.absolute()  # "." has no name that one beside it could be made of
    make_ready(out, overwrite=overwrite)
    make_folder(out.parent)
    with storage_errors(out, "write"):
        partial, holder = _beside(out)
    old = partial.with_suffix(".old")
    try:
        yield partial
        with storage_errors(out, "write"):
            for path in sorted(partial.rglob("*")):
                _sync(path)
            disk.sync_folder(partial)
            _refuse(out, overwrite=overwrite)
            if out.exists():
                out.rename(old)
            partial.rename(out)
            disk.sync_folder(out.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        _put_back(out, old)
        os.close(holder)


def _beside(out: Path) -> tuple[Path, int]:
    """Make a folder that is to become `out`; return it, and a descriptor that holds it until it is closed."""
    number = 0
    while True:
        partial = out.with_name(f".{out.name}.{os.getpid()}.{number}.partial")
        number += 1
        try:
            partial.mkdir()
        except FileExistsError:  # of a process with our number, in another container
            continue
        descriptor = os.open(partial, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        holder = disk.hold(descriptor)
        os.close(descriptor)
        if holder is not None:
            return partial, holder


def _put_back(out: Path, old: Path) -> None:
    """Let an older export be where it was, unless the new one is there."""
    if out.exists():
        shutil.rmtree(old, ignore_errors=True)
    elif old.exists():
        old.rename(out)


def _sweep(out: Path) -> None:
    """Undo what exports to `out` had begun when they were killed; one that is under way holds its folder."""
    mine = re.compile(rf"\.{re.escape(out.name)}\.\d+\.\d+\.(partial|old)", re.ASCII)
    there = [path for path in out.parent.glob(".*") if path.is_dir() and mine.fullmatch(path.name)]
    for partial in [path for path in there if path.suffix == ".partial"]:
        with disk.unheld(partial) as left:
            if left:
                shutil.rmtree(partial, ignore_errors=True)
    for old in [path for path in there if path.suffix == ".old"]:
        if not old.with_suffix(".partial").exists():
            _put_back(out, old)


def _sync(path: Path) -> None:
    if path.is_dir():
        disk.sync_folder(path)
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_ready(out: Path, *, overwrite: bool) -> None:
    """Undo what exports that were killed had begun, and refuse to write where something is.

    Args:
        out: Where the export is to be.
        overwrite: Whether it may take the place of another export; of anything else it never does.

    Raises:
        UsageError: There is such a thing.
        StorageError: It cannot be looked at.
    """
    out = out.absolute()
    with storage_errors(out, "look at"):
        _sweep(out)
    _refuse(out, overwrite=overwrite)


def _refuse(out: Path, *, overwrite: bool) -> None:
    with storage_errors(out, "look at"):
        if out.is_dir() and not any(out.iterdir()):
            return
        if not (out.exists() or out.is_symlink()):
            return
    foreign = _foreign(out)
    if foreign is not None:
        raise UsageError(f"{out} {foreign}", hint="name another folder by --out")
    if not overwrite:
        raise UsageError(f"there is an export in {out}", hint="--overwrite replaces it; --out names another folder")


def _foreign(out: Path) -> str | None:
    """Say what makes it none of ours, or holds something besides an export, or return ``None``."""
    if out.is_symlink() or not out.is_dir():
        return "is no folder, and no export wrote it"
    known = {MANIFEST, SUMS}
    try:
        listed = msgspec.json.decode((out / MANIFEST).read_bytes(), type=dict[str, Any])
        known |= {str(file["path"]) for file in listed["files"]}
    except (OSError, msgspec.DecodeError, KeyError, TypeError):
        return f"holds other files than an export, for it has no {MANIFEST} that lists them"
    there = (path.relative_to(out).as_posix() for path in sorted(out.rglob("*")) if not path.is_dir())
    return next((f"holds {name}, which no export wrote" for name in there if name not in known), None)
