"""A disk that loses power: what was not synced is lost, zeroed, garbage, or there in part, as file systems may do.

It stands in the place of :mod:`evoselfcode.storage.disk`, on a real folder. It is harsher than most: a name that its
folder was not synced for may vanish with a file that was; a rename or a removal may be undone until then.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from journal_lines import entry

from evoselfcode.errors import DiskFull
from evoselfcode.storage import Entry, Journal, disk, read_once

KINDS = ("lose", "zero", "garbage", "reorder")


class PowerCut(BaseException):
    """The machine is off; nothing that the process does from now on happens."""


class Disk:
    """The disk of one process, until its power is cut.

    Args:
        random: Chooses what is lost.
        calls: Calls until the power is cut.
        short: Share of writes that are cut short by a full disk, which has space again at once.
    """

    def __init__(self, random: Random, calls: int, short: float) -> None:
        self._random, self._left, self._short = random, calls, short
        self._full = False
        self._open: dict[int, Path] = {}
        self._synced: dict[Path, bytes] = {}
        """What is durable of each file that was opened."""
        self._unnamed: set[Path] = set()
        self._undo: list[tuple[Path, Callable[[], None]]] = []

    def install(self, patch: pytest.MonkeyPatch) -> None:
        for name in ("create", "open_to_append", "open_anew", "append", "sync", "sync_folder", "cut", "close"):
            patch.setattr(disk, name, self._ticking(getattr(self, f"_{name}")))
        patch.setattr(disk, "replace", self._ticking(self._replace))
        patch.setattr(disk, "remove", self._ticking(self._remove))

    def _ticking(self, call: Callable[..., object]) -> Callable[..., object]:
        def ticked(*arguments: object) -> object:
            self._left -= 1
            if self._left < 0:
                raise PowerCut
            return call(*arguments)

        return ticked

    def _opened(self, path: Path, flags: int) -> int:
        there = path.exists()
        descriptor = os.open(path, flags | os.O_CREAT, 0o640)
        self._open[descriptor] = path
        if not there:
            self._unnamed.add(path)
        self._synced.setdefault(path, path.read_bytes() if there else b"")
        return descriptor

    def _create(self, path: Path) -> int:
        return self._opened(path, os.O_WRONLY | os.O_EXCL | os.O_APPEND)

    def _open_to_append(self, path: Path) -> int:
        return self._opened(path, os.O_RDWR | os.O_APPEND)

    def _open_anew(self, path: Path) -> int:
        return self._opened(path, os.O_WRONLY | os.O_EXCL)

    def _append(self, descriptor: int, data: bytes) -> int:
        if self._full:
            self._full = False
            raise OSError(errno.ENOSPC, "No space left on device")
        if self._random.random() < self._short and len(data) > 40:
            self._full = True
            data = data[: self._random.randrange(1, len(data))]
        return os.write(descriptor, data)

    def _sync(self, descriptor: int) -> None:
        path = self._open[descriptor]
        self._synced[path] = path.read_bytes()

    def _sync_folder(self, folder: Path) -> None:
        self._unnamed = {path for path in self._unnamed if path.parent != folder}
        self._undo = [(path, undo) for path, undo in self._undo if path.parent != folder]

    def _cut(self, descriptor: int, size: int) -> None:
        os.ftruncate(descriptor, size)

    def _close(self, descriptor: int) -> None:
        del self._open[descriptor]
        os.close(descriptor)

    def _replace(self, path: Path, by: Path) -> None:
        before = path.read_bytes() if path.exists() else None
        self._undo.append((path, lambda: path.write_bytes(before) if before is not None else path.unlink()))  # type: ignore[func-returns-value]
        by.replace(path)
        self._synced[path] = self._synced.pop(by)
        self._unnamed.discard(by)

    def _remove(self, path: Path) -> None:
        if path.exists():
            content = path.read_bytes()
            self._undo.append((path, lambda: path.write_bytes(content) and None))  # type: ignore[func-returns-value]
            path.unlink()
            self._unnamed.discard(path)
            self._synced.pop(path, None)

    def fail(self, kind: str) -> None:
        """Cut the power: leave on the real disk what a restart finds."""
        for descriptor in list(self._open):
            os.close(descriptor)
        for path, synced in self._synced.items():
            if path in self._unnamed and self._random.random() < 0.5:
                path.unlink(missing_ok=True)
            elif path.exists() and path.read_bytes() != synced:
                path.write_bytes(self._left_of(synced, path.read_bytes(), kind))
        for _, undo in reversed(self._undo):
            if self._random.random() < 0.5:
                with suppress(FileNotFoundError):
                    undo()

    def _left_of(self, synced: bytes, content: bytes, kind: str) -> bytes:
        if not content.startswith(synced):  # it was cut, and that was not synced
            return self._random.choice([synced, content])
        tail, random = content[len(synced) :], self._random
        cut = random.randrange(len(tail) + 1)
        match kind:
            case "lose":
                return synced + tail[:cut]
            case "zero":
                return synced + tail[:cut] + bytes(len(tail) - cut)
            case "garbage":
                return synced + tail[:cut] + random.randbytes(len(tail) - cut)
        blocks = [content[at : at + 512] for at in range(0, len(content), 512)]
        first = len(synced) // 512
        kept = [block if at <= first or random.random() < 0.5 else bytes(len(block)) for at, block in enumerate(blocks)]
        left = b"".join(kept)
        return synced + left[len(synced) : len(synced) + max(cut, 1)]


def lives(folder: Path, patch: pytest.MonkeyPatch, crashes: int, *, seed: int, short: float = 0.1) -> int | None:
    """Let a writer lose power again and again; return after how many times an acknowledged row was lost, if one was."""
    random = Random(seed)
    acknowledged: dict[str, Entry] = {}
    for crash in range(crashes):
        if crash % 20 == 0:
            shutil.rmtree(folder, ignore_errors=True)
            acknowledged.clear()
        power = Disk(random, random.randrange(1, 90), short)
        with patch.context() as patched:
            power.install(patched)
            with suppress(PowerCut, DiskFull):
                _write(folder, random, acknowledged, f"{crash:06x}")
        power.fail(KINDS[crash % 4])
        found = {one.key: one for one in read_once(folder) if isinstance(one, Entry)}
        if any(found.get(key) != one for key, one in acknowledged.items()):
            return crash + 1
    return None


def _write(folder: Path, random: Random, acknowledged: dict[str, Entry], name: str) -> None:
    journal, number = Journal(folder), 0
    made: dict[str, Entry] = {}
    while True:
        for _ in range(random.randrange(1, 7)):
            number += 1
            one = entry(f"{name}{number:026x}", text="x" * random.choice([1, 30, 700]))
            made[one.key] = one
            journal.append(one)
        for _ in range(3):
            with suppress(DiskFull):
                acknowledged |= {key: made[key] for key in journal.commit(0.0)}
                break
        if random.random() < 0.1:
            journal.close(0.0)
            return
