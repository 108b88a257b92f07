"""A cell: the process behind the walls that takes one job at a time, seen from outside.

The conversation with it is a generator: it yields what to wait for and is told whether that came in time, so that one
policy serves threads and event loops alike. What a cell says is trusted; it never runs the model's code itself.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from evoselfcode.datagen.sandbox.inside import folder
from evoselfcode.datagen.sandbox.jobs import Job, Limits, Outcome, Result, Wall

NOBODY = 65534
"""The user and group that code runs as where that can be chosen: ``nobody`` of most systems."""

FOLDER = "/private"
"""The one folder that may be written, where there is a root of its own."""

GRACE = 5.0
"""Seconds that a cell may take longer than its job: for cleaning up, and for a machine that is busy."""

START = 20.0
"""Seconds in which a cell must have started; measured: 0.06 to 0.1 on an idle core."""

_INSIDE = Path(__file__).parent / "inside"
_BOOTSTRAP = f"""
import sys, types
for name in ("evoselfcode", "evoselfcode.datagen", "evoselfcode.datagen.sandbox"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = []
sys.modules["evoselfcode.datagen.sandbox"].__path__ = [{str(_INSIDE.parent)!r}]
from evoselfcode.datagen.sandbox.inside.supervisor import main
main()
"""


class Wait(NamedTuple):
    """What a conversation waits for."""

    fd: int
    writing: bool
    seconds: float


Talk = Generator[Wait, bool, bytes]


class CellError(Exception):
    """The cell could not be started, did not answer in time, or ended."""


class Cell:
    """A started process; :meth:`close` must be called, whatever happens.

    Args:
        wall: How it is to be held.
        limits: What programs in it may use.

    Raises:
        CellError: The process could not be started.
    """

    def __init__(self, wall: Wall, limits: Limits) -> None:
        self.wall, self.limits = wall, limits
        self.jobs = 0
        self._held = b""
        self._folder = tempfile.mkdtemp(prefix="evoselfcode-cell-")
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(  # noqa: S603
                _command(wall, limits), stdin=pipe, stdout=pipe, stderr=pipe, env={}, cwd="/", start_new_session=True
            )
        except OSError as error:
            self._remove()
            raise CellError(str(error)) from error
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            os.set_blocking(stream.fileno(), False)  # type: ignore[union-attr]

    def start(self) -> Talk:
        """Tell the cell what it is; it answers with what it found itself to be."""
        return self._ask(msgspec.json.encode(_specification(self.wall, self.limits, self._folder)), START)

    def ask(self, job: Job) -> Talk:
        """Hand a job in; the answer is for :meth:`result`."""
        self.jobs += 1
        return self._ask(msgspec.json.encode(job), self.limits.seconds + GRACE)

    def result(self, job: Job, answer: bytes) -> Result:
        """Read an answer.

        Raises:
            CellError: It does not fit the job.
        """
        try:
            found = msgspec.json.decode(answer, type=_Answer)
        except msgspec.DecodeError as error:
            raise CellError(f"an answer that is none: {error}") from error
        program, *checks = found.outcomes
        return Result(key=job.key, level=self.wall.level, program=program, checks=tuple(checks), output=found.output)

    def kill(self) -> None:
        """Kill everything in the cell; at once, without waiting."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> Talk:
        """Kill everything in the cell and wait until the last process has let go of the pipe: 5 seconds at most."""
        self.kill()
        stdout = self._process.stdout.fileno()  # type: ignore[union-attr]
        until = time.monotonic() + GRACE
        while (left := until - time.monotonic()) > 0:
            with contextlib.suppress(BlockingIOError):
                if not os.read(stdout, 1 << 16):
                    break
            yield Wait(stdout, False, left)
        return b""

    def close(self) -> None:
        """Reap the process, close the pipes, remove the folder; after :meth:`end`."""
        self.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(BrokenPipeError):
                stream.close()  # type: ignore[union-attr]
        self._remove()

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            folder.empty(self._folder)
            Path(self._folder).rmdir()

    def _ask(self, message: bytes, seconds: float) -> Talk:
        until = time.monotonic() + seconds
        stdin, stdout = self._process.stdin.fileno(), self._process.stdout.fileno()  # type: ignore[union-attr]
        rest = memoryview(message + b"\n")
        while rest:
            try:
                rest = rest[os.write(stdin, rest) :]
            except BlockingIOError:
                yield from self._wait(stdin, True, until)
            except BrokenPipeError:
                raise CellError(f"the cell ended: {self._complaint()}") from None
        while b"\n" not in self._held:
            try:
                data = os.read(stdout, 1 << 18)
            except BlockingIOError:
                yield from self._wait(stdout, False, until)
                continue
            if not data:
                raise CellError(f"the cell ended: {self._complaint()}")
            self._held += data
        line, _, self._held = self._held.partition(b"\n")
        return line

    def _wait(self, fd: int, writing: bool, until: float) -> Generator[Wait, bool, None]:
        if not (yield Wait(fd, writing, until - time.monotonic())):
            raise CellError("the cell did not answer in time")

    def _complaint(self) -> str:
        """Return the last line that the process wrote to its standard error."""
        with contextlib.suppress(BlockingIOError):
            lines = os.read(self._process.stderr.fileno(), 1 << 16).decode("utf-8", "replace").split("\n")  # type: ignore[union-attr]
            return next((line for line in reversed(lines) if line.strip()), "without a word")
        return "without a word"


class _Answer(msgspec.Struct):
    outcomes: list[Outcome]
    output: str


def wait_in_thread(talk: Talk) -> bytes:
    """Carry a conversation on, blocking.

    Raises:
        CellError: From the conversation.
    """
    try:
        wanted = next(talk)
        while True:
            poll = select.poll()
            poll.register(wanted.fd, select.POLLOUT if wanted.writing else select.POLLIN)
            wanted = talk.send(bool(poll.poll(max(0, wanted.seconds) * 1000)))
    except StopIteration as answer:
        return bytes(answer.value)


def _command(wall: Wall, limits: Limits) -> list[str]:
    python = [_executable(), "-I", "-S", "-X", "utf8", "-c", _BOOTSTRAP]
    if wall.level != "bubblewrap":
        return python
    users = ["--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY)]
    drop = ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    binds = [word for path in readable() for word in ("--dev-bind" if "/dev/" in path else "--ro-bind", path, path)]
    # bwrap would make the folders that lead to a file for its own user alone.
    above = sorted({str(parent) for path in readable() for parent in Path(path).parents} - {"/"})
    folders = [word for path in above for word in ("--perms", "0755", "--dir", path)]
    size = str(limits.folder_mebibytes << 20)
    return [
        shutil.which("bwrap") or "bwrap",
        *("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"),
        *(users if wall.own_users else drop),
        *("--die-with-parent", "--new-session", "--clearenv"),
        *folders,
        *binds,
        *("--perms", "1777", "--size", size, "--tmpfs", FOLDER, "--remount-ro", "/", "--chdir", "/"),
        *python,
    ]


def _specification(wall: Wall, limits: Limits, private: str) -> dict[str, object]:
    own_root = wall.level in {"bubblewrap", "namespaces"}
    return {
        "level": wall.level,
        "own_users": wall.own_users,
        "limits": limits,
        "reads": readable(),
        "root": private,
        "folder": FOLDER if own_root else private,
        "user": NOBODY,
    }


@cache
def _executable() -> str:
    """Return the interpreter itself, not a link of a virtual environment to it."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


@cache
def readable() -> list[str]:
    """List what Python needs of the file system, and nothing else: itself, libraries, time zones, two devices."""
    prefix = os.path.realpath(sys.base_prefix)
    own = [f"{prefix}/lib", f"{prefix}/lib64", _executable(), str(_INSIDE)]
    libraries = ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo"]
    paths = dict.fromkeys([*libraries, *own, "/dev/null", "/dev/urandom"])
    return [path for path in paths if Path(path).exists()]
