"""A disk that forgets what was not synced, writes less than it was given, is full for a while, or fails a sync once.

The files are real and in a folder of their own; the functions of :mod:`os` by which the package writes are watched.
This file decides what a power loss leaves of them. It refuses to know what they say.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from sim.loop import Killed

BLOCK = 512
"""Bytes that a disk writes whole."""


class Disk:
    """What is durable in `folder`, and what fails.

    Args:
        folder: Everything below is watched; all else is written as ever.
        random: Of what is lost.

    Attributes:
        dead: The process was killed: nothing it does has an effect.
        kill_at: The operation at which the process is killed, or 0: half of a write is done by then.
        full: No space is left.
        failing_syncs: Syncs to come that fail.
        short: Share of the writes that take only a part.
        operations: Operations so far.
    """

    def __init__(self, folder: Path, random: Random) -> None:
        self._folder = os.fspath(folder)
        self._random = random
        self._synced: dict[str, int] = {}
        self._holes: dict[str, list[tuple[int, int]]] = {}
        self._new: dict[str, str] = {}
        self._replaced: dict[str, tuple[bytes, int] | None] = {}
        self._names: dict[int, str] = {}
        self.dead = self.full = False
        self.kill_at = self.failing_syncs = self.operations = self.faults = 0
        self.short = 0.0
        self.on_fault: Callable[[str], None] = lambda told: None

    def _step(self, half: Callable[[], object] | None = None) -> None:
        """Count an operation; the process may end before it, or half-way."""
        if self.dead:
            raise Killed("is dead already")
        self.operations += 1
        if self.operations == self.kill_at:
            if half is not None and self._random.random() < 0.7:
                half()
            raise Killed("at the disk")

    def _fault(self, number: int, told: str) -> OSError:
        self.faults += 1
        self.on_fault(told)
        return OSError(number, os.strerror(number))

    def _name(self, descriptor: int) -> str | None:
        name = os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115
        return name if name.startswith(self._folder) else None

    def power_loss(self) -> None:
        """Lose what was not synced: names, and the bytes of files."""
        for name, old in self._replaced.items():
            if self._random.random() < 0.5:
                self._put_back(name, old)
        for name in self._new:
            if self._random.random() < 0.5 and os.path.exists(name):  # noqa: PTH110
                os.unlink(name)  # noqa: PTH108
                self._synced.pop(name, None)
        for path in sorted(Path(self._folder).rglob("*")):
            if path.is_file() and not path.name.startswith(".lock"):
                self._damage(path)
        self._new.clear()
        self._replaced.clear()

    def _put_back(self, name: str, old: tuple[bytes, int] | None) -> None:
        if old is None:
            Path(name).unlink(missing_ok=True)
        else:
            Path(name).write_bytes(old[0])
            self._synced[name] = old[1]

    def _damage(self, path: Path) -> None:
        """Do to the bytes behind the synced ones what disks do."""
        data, good = bytearray(path.read_bytes()), self._synced.get(os.fspath(path), 0)
        for begin, end in self._holes.pop(os.fspath(path), []):
            data[begin:end] = bytes(len(data[begin:end]))
        tail = data[good:]
        if tail:
            match self._random.choice(["lost", "cut", "zeroes", "garbage", "torn", "kept"]):
                case "lost":
                    tail = b""
                case "cut":
                    tail = tail[: self._random.randrange(len(tail))]
                case "zeroes":
                    kept = self._random.randrange(len(tail))
                    tail = tail[:kept] + bytes(len(tail) - kept)
                case "garbage":
                    kept = self._random.randrange(len(tail))
                    tail = tail[:kept] + self._random.randbytes(len(tail) - kept)
                case "torn":  # blocks reach the disk in any order: some are there, some are not
                    blocks = [tail[at : at + BLOCK] for at in range(0, len(tail), BLOCK)]
                    tail = b"".join(it if self._random.random() < 0.5 else bytes(len(it)) for it in blocks)
            path.write_bytes(data[:good] + tail)
        self._synced[os.fspath(path)] = len(data[:good] + tail)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the functions of :mod:`os`."""
        names = ("open", "write", "fsync", "fdatasync", "replace", "rename", "ftruncate", "unlink")
        real = {name: getattr(os, name) for name in names}
        for name in names:
            setattr(os, name, _watched(getattr(self, name), real[name]))
        try:
            yield
        finally:
            for name in names:
                setattr(os, name, real[name])

    def open(self, real: Any, path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        name = os.fspath(path)
        if isinstance(name, str) and name.startswith(self._folder) and flags & os.O_CREAT:
            self._step()
            if not os.path.exists(name):  # noqa: PTH110
                self._new[name] = os.path.dirname(name)  # noqa: PTH120
        return int(real(path, flags, *args, **kwargs))

    def write(self, real: Any, descriptor: int, data: Any) -> int:
        if self._name(descriptor) is None:
            return int(real(descriptor, data))
        self._step(lambda: real(descriptor, data[: self._random.randrange(len(data) + 1)]))
        if self.full:
            raise self._fault(errno.ENOSPC, "the disk is full")
        if len(data) > 1 and self._random.random() < self.short:
            data = data[: self._random.randrange(1, len(data))]
        return int(real(descriptor, data))

    def fsync(self, real: Any, descriptor: int) -> None:
        name = self._name(descriptor)
        if name is None:
            real(descriptor)
            return
        self._step()
        if os.path.isdir(name):  # noqa: PTH112
            self._new = {new: folder for new, folder in self._new.items() if folder != name}
            self._replaced = {to: old for to, old in self._replaced.items() if os.path.dirname(to) != name}  # noqa: PTH120
            return
        if self.failing_syncs:
            # As Linux does: the pages are called clean, and are on no disk, whatever a later sync says.
            self.failing_syncs -= 1
            size = os.fstat(descriptor).st_size
            self._holes.setdefault(name, []).append((self._synced.get(name, 0), size))
            self._synced[name] = size
            raise self._fault(errno.EIO, "a sync failed")
        self._synced[name] = os.fstat(descriptor).st_size

    fdatasync = fsync

    def replace(self, real: Any, source: Any, target: Any, **kwargs: Any) -> None:
        begin, end = os.fspath(source), os.fspath(target)
        if not end.startswith(self._folder):
            real(source, target, **kwargs)
            return
        self._step()
        path = Path(end)
        if end not in self._replaced:
            self._replaced[end] = (path.read_bytes(), self._synced.get(end, 0)) if path.is_file() else None
        real(source, target, **kwargs)
        self._synced[end] = self._synced.pop(begin, 0)
        self._new.pop(begin, None)

    rename = replace

    def ftruncate(self, real: Any, descriptor: int, length: int) -> None:
        name = self._name(descriptor)
        if name is not None and not name.endswith("/.lock"):
            self._step()
            self._synced[name] = min(self._synced.get(name, 0), length)
        real(descriptor, length)

    def unlink(self, real: Any, path: Any, **kwargs: Any) -> None:
        if os.fspath(path).startswith(self._folder):
            self._step()
            self._synced.pop(os.fspath(path), None)
        real(path, **kwargs)


def _watched(watch: Callable[..., Any], real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: watch(real, *args, **kwargs)
