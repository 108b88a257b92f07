"""No attempt of escapes.py gets out, at any level that claims to stop it; each ends with the right status."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import anyio
import pytest
from escapes import ALL, ESCAPES, Escape

from evoselfcode.datagen.sandbox import Check, Job, Limits, Result, Sandbox, Wall
from evoselfcode.datagen.sandbox.walls import probe_level

CANARY = "canary-3b1f0c"
LIMITS = Limits(seconds=0.8, check_seconds=0.3)
X86 = platform.machine() == "x86_64"
NUMBERS = {"clone": 56, "keyctl": 250, "bpf": 321, "userfaultfd": 323, "perf": 298} if X86 else {
    "clone": 220, "keyctl": 219, "bpf": 280, "userfaultfd": 282, "perf": 241}  # fmt: skip


class World:
    """What there is to reach: a secret, a folder, a process, sockets that listen."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.outside = folder / "outside"
        self.outside.mkdir()
        self.secret = folder / "secret"
        self.secret.write_text(CANARY)
        for path, mode in ((self.outside, 0o777), (self.secret, 0o666), (folder, 0o755), (folder.parent, 0o755)):
            path.chmod(mode)
        self.target = subprocess.Popen([sys.executable, "-c", "input()"], env={"SECRET": CANARY}, stdin=subprocess.PIPE)
        stack.enter_context(self.target)
        stack.callback(self.target.kill)
        abstract = f"\0evoselfcode-{os.getpid()}"
        addresses: list[tuple[int, int, object]] = [
            (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
            (socket.AF_UNIX, socket.SOCK_STREAM, f"{folder}/s"),
            (socket.AF_UNIX, socket.SOCK_STREAM, abstract),
            (socket.AF_UNIX, socket.SOCK_DGRAM, f"{folder}/s.d"),
        ]
        self.sockets = [stack.enter_context(socket.socket(family, kind)) for family, kind, _ in addresses]
        for one, (_, kind, address) in zip(self.sockets, addresses, strict=True):
            one.bind(address)
            one.setblocking(False)
            if kind == socket.SOCK_STREAM:
                one.listen()
        for name in ("s", "s.d"):
            (folder / name).chmod(0o777)
        self.names = {
            "OUTSIDE": str(self.outside),
            "SECRET": str(self.secret),
            "TARGET": self.target.pid,
            "TCP": self.sockets[0].getsockname()[1],
            "UDP": self.sockets[1].getsockname()[1],
            "UNIX": f"{folder}/s",
            "ABSTRACT": abstract,
            "NR": NUMBERS,
        }

    def touched(self) -> list[str]:
        """Say what somebody got at."""
        found = [str(path) for path in self.outside.iterdir()]
        found += ["secret"] * (self.secret.read_text() != CANARY or self.secret.stat().st_mode & 0o777 != 0o666)
        found += ["target"] * (self.target.poll() is not None)
        for number, one in enumerate(self.sockets):
            try:
                found.append(f"socket {number}: {one.accept() if one.type == socket.SOCK_STREAM else one.recv(99)!r}")
            except BlockingIOError:
                continue
        return found

    def job(self, escape: Escape) -> Job:
        prelude = "".join(f"{name} = {value!r}\n" for name, value in self.names.items())
        program = f"{prelude}{escape.top}def attempt():\n{textwrap.indent(escape.body, '    ')}\n"
        checks = (Check(kind="assert", text="assert not attempt()"), Check(kind="assert", text="assert TARGET"))
        return Job(program=program, checks=checks, key=escape.name)


def wall(level: str) -> Wall:
    """Return a level, or skip: this machine cannot have it."""
    found, why = probe_level(level)  # type: ignore[arg-type]
    if found is None:
        pytest.skip(f"{level}: {why}")
    return found


async def run_all(world: World, level: Wall, escapes: list[Escape]) -> dict[str, Result]:
    found: dict[str, Result] = {}
    async with Sandbox(level, workers=3, limits=LIMITS) as sandbox, anyio.create_task_group() as group:

        async def attempt(escape: Escape) -> None:
            found[escape.name] = await sandbox.run(world.job(escape))

        for escape in escapes:
            group.start_soon(attempt, escape)
    return found


@pytest.fixture(scope="module", params=ALL)
def attempts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    level = wall(request.param)
    escapes = [escape for escape in ESCAPES if level.level in escape.levels]
    with ExitStack() as stack:
        world = World(tmp_path_factory.mktemp("world"), stack)
        yield world, escapes, anyio.run(run_all, world, level, escapes)


def test_every_attempt_fails_and_ends_with_the_right_status(
    attempts: tuple[World, list[Escape], dict[str, Result]],
) -> None:
    """Sabotages: allow ``socket``, ``kill`` or ``fork`` in seccomp.py; read ``/`` in ``readable``; drop the limits."""
    world, escapes, results = attempts
    wrong = {
        escape.name: (outcome.status, outcome.detail)
        for escape in escapes
        for outcome in [results[escape.name].checks[0]]
        if outcome.status not in escape.status
    }
    assert world.touched() == []
    assert [name for name, result in results.items() if CANARY in repr(result)] == []
    assert wrong == {}


def test_an_attempt_takes_no_other_check_with_it(attempts: tuple[World, list[Escape], dict[str, Result]]) -> None:
    """Sabotage: do not begin a program anew behind a check that ended it."""
    _, escapes, results = attempts
    lost = {
        escape.name: result.checks[1].status
        for escape in escapes
        if (result := results[escape.name]).program.status == "pass"
        and result.checks[1].status != "pass"
        and result.checks[0].status != "timeout"  # then there was no time
    }
    assert lost == {}


def test_sixty_attempts_at_every_level_with_walls() -> None:
    names = [escape.name for escape in ESCAPES]
    assert len(set(names)) == len(names)
    assert sum("landlock" in escape.levels for escape in ESCAPES) >= 60
    assert {level for escape in ESCAPES for level in escape.levels} == set(ALL)
