"""Which walls hold on this machine: each level is tried by a program that does its best to get out.

That a program such as ``bwrap`` is installed says nothing: containers forbid what it needs. So a level holds here if
a cell starts, harmless code runs in it, and every attempt of :data:`ATTEMPTS` fails.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, get_args

import msgspec

from evoselfcode.datagen.sandbox.cells import Cell, CellError, wait_in_thread
from evoselfcode.datagen.sandbox.jobs import Check, Job, Level, Limits, Wall
from evoselfcode.errors import UsageError

LEVELS: tuple[Level, ...] = get_args(Level)
"""Best first."""

OWN_ROOT = frozenset({"bubblewrap", "namespaces"})
"""Levels at which the files of the host are not there at all, instead of being refused."""

ATTEMPTS = {
    "open a network socket": "open_socket()",
    "write outside of its folder": "write_outside()",
    "read a file of the host": "read_file()",
    "read its parent's environment": "read_environment()",
    "signal its parent": "signal_parent()",
    "start a process": "start_process()",
    "start a program": "start_program()",
}
"""What must fail at every level but the last: in words, and as a call of the program below."""

_ATTEMPTS_AT_OWN_ROOT = {"see the host's files": "see_files()", "see the host's processes": "see_processes()"}

_PROGRAM = """
import os

def succeeds(action):
    try:
        return action() is not False
    except (OSError, ValueError):
        return False

def open_socket():
    import _socket
    return succeeds(lambda: _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM).connect(("127.0.0.1", 9)))

def write_outside():
    paths = [FOLDER + "/written", "/dev/shm/evoselfcode-written", "../../written"]
    return any(succeeds(lambda path=path: os.open(path, os.O_CREAT | os.O_WRONLY)) for path in paths)

def read_file():
    return succeeds(lambda: open(FOLDER + "/secret").read())

def read_environment():
    pids = [PARENT, os.getppid(), 1]
    return any(succeeds(lambda pid=pid: bool(open(f"/proc/{pid}/environ").read())) for pid in pids)

def signal_parent():
    return any(succeeds(lambda pid=pid: os.kill(pid, 0)) for pid in (PARENT, os.getppid(), -1))

def start_process():
    def fork():
        if not os.fork():
            os._exit(0)
    return succeeds(fork)

def start_program():
    return succeeds(lambda: os.posix_spawn("/bin/true", ["true"], {}))

def see_files():
    return os.path.exists(FOLDER) or os.path.exists("/etc/passwd")

def see_processes():
    return os.path.exists("/proc/self") or os.getpid() > 1000
"""


def probe(*, least: Level = "landlock", allow_rlimits_only: bool = False) -> Wall:
    """Find the best level that holds on this machine, by trying to break each.

    Takes about 0.1 seconds per level that is tried.

    Args:
        least: The lowest level to be content with.
        allow_rlimits_only: Be content with limits alone, which are no wall: code may read and send what this user may.

    Raises:
        UsageError: No level holds that is good enough; the message says why each does not.
    """
    allowed = LEVELS[: LEVELS.index("rlimits" if allow_rlimits_only else least) + 1]
    missed: list[tuple[str, str]] = []
    for level in allowed:
        if level == "rlimits" and not allow_rlimits_only:
            continue
        wall, why = probe_level(level)
        if wall:
            return msgspec.structs.replace(wall, missed=tuple(missed))
        missed.append((level, why))
    tried = "\n".join(f"  {level}: {why}" for level, why in missed)
    raise UsageError(
        f"model-written code cannot be held on this machine; tried\n{tried}",
        hint="install bubblewrap, or run where Landlock or user namespaces are allowed: docs/explanation/sandbox.md",
    )


def probe_level(level: Level) -> tuple[Wall | None, str]:
    """Try one level; return it if it holds, or why it does not."""
    why = _missing(level)
    if why:
        return None, why
    own_root = level in OWN_ROOT
    # Privileges, where there are some, allow to run as nobody; without, a namespace of users gives what is needed.
    kinds = (False, True) if own_root and os.geteuid() == 0 else (own_root,)
    for own_users in kinds:
        wall, why = _try(Wall(level=level, own_users=own_users))
        if wall:
            return wall, ""
    return None, why


def _missing(level: Level) -> str:
    if sys.platform != "linux":
        return "it takes Linux"
    if level == "bubblewrap" and not shutil.which("bwrap"):
        return "bwrap is not installed"
    return ""


def _try(wall: Wall) -> tuple[Wall | None, str]:
    limits = Limits(seconds=10, check_seconds=3)
    with tempfile.TemporaryDirectory() as folder:
        secret = Path(folder) / "secret"
        secret.write_text("secret")
        Path(folder).chmod(0o755)
        job, words = _probe_job(wall, folder)
        cell = None
        try:
            cell = Cell(wall, limits)
            ready = msgspec.json.decode(wait_in_thread(cell.start()), type=dict[str, dict[str, Any]])["ready"]
            result = cell.result(job, wait_in_thread(cell.ask(job)))
        except CellError as error:
            return None, str(error)
        finally:
            if cell:
                wait_in_thread(cell.end())
                cell.close()
        if result.program.status != "pass":
            return (
                None,
                f"harmless code does not run in it: {result.program.status} {result.program.detail} {result.output}",
            )
        for what, outcome in zip(words, result.checks, strict=True):
            if outcome.status != "pass":
                return None, f"code in it can {what}" if outcome.status == "assert" else f"{what}: {outcome.status}"
    if wall.level == "landlock" and not ready["landlock"]:
        return None, "the kernel has no Landlock, or it is switched off"
    return msgspec.structs.replace(wall, user=ready["uid"], landlock=ready["landlock"]), ""


def _probe_job(wall: Wall, folder: str) -> tuple[Job, list[str]]:
    attempts = {} if wall.level == "rlimits" else dict(ATTEMPTS)
    if wall.level in OWN_ROOT:
        attempts |= _ATTEMPTS_AT_OWN_ROOT
    program = f"FOLDER = {folder!r}\nPARENT = {os.getpid()}\n{_PROGRAM}"
    checks = tuple(Check(kind="assert", text=f"assert not {call}") for call in attempts.values())
    return Job(program=program, checks=checks), list(attempts)
