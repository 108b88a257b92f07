"""The warden of a cell: takes jobs, forks a runner for each, reads what it writes, and ends it.

It decides how a runner's end is to be read. It never runs model-written code itself, and never reads it either: a
program is a text that it hands on. Its input and output are lines of JSON on the file descriptors 0 and 1.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import signal
import time
from collections.abc import Iterator
from typing import Any

from evoselfcode.datagen.sandbox.inside import folder, kernel, landlock, namespaces, runner

PRELOADED = (
    "bisect collections copy ctypes dataclasses datetime decimal enum fractions functools heapq itertools json math "
    "operator random re statistics string typing"
)
"""What programs import most: loaded once, before there is a runner, they cost a program nothing."""

MOST_LIVES = 6
"""How often a program is begun again for the checks behind one that ended it."""

NOT_RUN = "not run: the job's time or lives were used up"
"""The same as in ``jobs``, which is not there."""

_LONGEST_LINE = 1 << 16
_TIMED_OUT = {signal.SIGPROF, signal.SIGXCPU}


class Cell:
    """What a runner is held by.

    Args:
        spec: ``limits``, ``level``, ``reads``, ``folder`` and ``user``, see ``cells.specification``.
    """

    def __init__(self, spec: dict[str, Any]) -> None:
        self.limits: dict[str, Any] = spec["limits"]
        self.folder: str = spec["folder"]
        self.filtered: bool = spec["level"] != "rlimits"
        self.ruleset = -1
        self.landlock = landlock.abi() if self.filtered else 0
        if self.landlock:
            self.ruleset = landlock.rules(self.landlock, spec["reads"], [self.folder])

    def judge(self, job: dict[str, Any]) -> dict[str, Any]:
        """Run a program and its checks; what they leave in the folder is for :func:`folder.empty`."""
        os.mkdir(f"{self.folder}/work", 0o700)  # noqa: PTH102
        trial = Trial(self, job)
        while not trial.finished:
            trial.live()
        return {"outcomes": trial.outcomes, "output": trial.output.decode("utf-8", "replace")}


class Trial:
    """One job: as many lives of a runner as it takes to have an outcome for the program and for every check."""

    def __init__(self, cell: Cell, job: dict[str, Any]) -> None:
        self.cell, self.job = cell, job
        self.deadline = time.monotonic() + cell.limits["seconds"]
        self.outcomes: list[list[Any]] = []
        self.output = bytearray()
        self.lives = 0

    @property
    def finished(self) -> bool:
        """Say whether everything has its outcome; what cannot be run any more is given one."""
        missing = 1 + len(self.job["checks"]) - len(self.outcomes)
        if self.outcomes and self.outcomes[0][0] != "pass":
            self.outcomes += [self.outcomes[0]] * missing
        elif self.outcomes and (self.lives >= MOST_LIVES or time.monotonic() >= self.deadline):
            self.outcomes += [["timeout", NOT_RUN, "", 0.0]] * missing
        return self._complete

    def live(self) -> None:
        """Let a runner go on behind the last outcome; note how it ended if it did not say so itself."""
        self.lives += 1
        nonce = secrets.token_hex(8)
        results, result = os.pipe()
        outputs, output = os.pipe()
        pid = os.fork()
        if not pid:
            runner.live(self.job, max(0, len(self.outcomes) - 1), nonce, (result, output), self.cell)
        os.close(result)
        os.close(output)
        os.set_blocking(results, False)
        os.set_blocking(outputs, False)
        end = None
        try:
            end = self._watch(results, outputs, nonce)
        finally:
            status = _reap(pid, wait=end == "gone")
            self._drain(outputs)
            os.close(results)
            os.close(outputs)
        if end == "gone":
            self.outcomes.append(_ending(status))
        elif end == "late":
            self.outcomes.append(["timeout", "time on the wall", "", 0.0])

    def _watch(self, results: int, outputs: int, nonce: str) -> str:
        """Read outcomes until nothing is left to be run (``done``), the runner is ``gone``, or a step took too long."""
        poll = select.poll()
        for fd in (0, results, outputs):
            poll.register(fd, select.POLLIN if fd else select.POLLHUP)
        # A life that is not the first begins with the program, whose outcome is known already.
        lines = _lines(results, nonce, known=bool(self.outcomes))
        # Processor time is what is limited; a step that sleeps, or has stopped that clock, gets half of the job's time.
        step = max(2 * self.cell.limits["check_seconds"], self.cell.limits["seconds"] / 2)
        limit = min(self.deadline, time.monotonic() + step)
        while (left := limit - time.monotonic()) > 0:
            for fd, event in poll.poll(left * 1000):
                if fd == 0 and event & (select.POLLHUP | select.POLLERR):
                    raise SystemExit  # whoever asked is gone
                if fd == outputs and not self._drain(outputs):
                    poll.unregister(outputs)
                if fd == results:
                    if (found := next(lines, None)) is None:
                        return "gone"
                    self.outcomes += found[: 1 + len(self.job["checks"]) - len(self.outcomes)]
                    if self.outcomes and (self.outcomes[0][0] != "pass" or self._complete):
                        return "done"
                    if found:
                        limit = min(self.deadline, time.monotonic() + step)
        return "late"

    @property
    def _complete(self) -> bool:
        return len(self.outcomes) == 1 + len(self.job["checks"])

    def _drain(self, outputs: int) -> bool:
        """Take what was printed, keep the first of it; say whether there may be more."""
        try:
            data = os.read(outputs, 1 << 16)
        except BlockingIOError:
            return True
        self.output += data[: max(0, self.cell.limits["output_bytes"] - len(self.output))]
        return bool(data)


def _lines(results: int, nonce: str, known: bool) -> Iterator[list[list[Any]]]:
    """Read, at each step, the outcomes that have come in; end with the pipe. What does not bear the nonce is noise."""
    held = b""
    while True:
        try:
            data = os.read(results, 1 << 16)
        except BlockingIOError:
            yield []
            continue
        if not data:
            return
        *whole, held = (held + data).split(b"\n")
        held = held[:_LONGEST_LINE]
        found = [outcome for line in whole if (outcome := _outcome(line, nonce.encode()))]
        if known and found:
            known = False
            found = found[1:]
        yield found


def _outcome(line: bytes, nonce: bytes) -> list[Any] | None:
    """Read an outcome; ``None`` if the line is none."""
    if not line.startswith(nonce):
        return None
    try:
        status, detail, value, seconds = json.loads(line[len(nonce) :])
        return [str(status)[:80], str(detail)[:300], str(value)[:300], float(seconds)]
    except (ValueError, TypeError, RecursionError):
        return None


def _reap(pid: int, wait: bool) -> int:
    """Kill a runner, and what else is in its group, and take its status.

    Args:
        pid: The runner.
        wait: It has closed its channel, so that it is about to end by itself; give it 0.1 seconds. One that does not
            is read as having ended with 0: the signal is ours.
    """
    ended = False
    for _ in range(100 if wait else 0):
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        if ended:
            break
        time.sleep(0.001)
    for kill in (os.kill, os.killpg):  # it may not lead a group yet
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    return status if ended or not wait else 0


def _ending(status: int) -> list[Any]:
    """Read the end of a runner that gave no outcome."""
    if not os.WIFSIGNALED(status):
        return ["crash", f"ended by itself with {os.waitstatus_to_exitcode(status)}", "", 0.0]
    number = os.WTERMSIG(status)
    if number in _TIMED_OUT:
        return ["timeout", "processor time", "", 0.0]
    if number == signal.SIGKILL:
        return ["memory", "killed by the kernel", "", 0.0]
    return ["crash", signal.Signals(number).name, "", 0.0]


def main() -> None:
    """Build the walls that hold for the whole cell, say what they are, then take jobs until the input ends."""
    lines = _input()
    spec = json.loads(next(lines))
    for name in PRELOADED.split():
        __import__(name)
    uid = settle(spec)
    cell = Cell(spec)
    _say({"ready": {"uid": uid, "pid": os.getpid(), "landlock": cell.landlock}})
    for line in lines:
        job = json.loads(line)
        if any(check["kind"] == "doctest" for check in job["checks"]):
            __import__("doctest")
        _say(cell.judge(job))
        folder.empty(cell.folder)  # thousands of files take their time: not that of the answer


def settle(spec: dict[str, Any]) -> int:
    """Enter the namespaces, give up privileges; return the user that is left.

    Raises:
        OSError: A wall that the level promises cannot be built.
    """
    nobody: int = spec["user"]
    if spec["level"] == "namespaces":
        namespaces.unshare(spec["own_users"], nobody)
        namespaces.become_init()
        namespaces.enter(spec["root"], spec["reads"], spec["folder"], spec["limits"]["folder_mebibytes"])
    if os.geteuid() == 0 and (spec["level"] in {"bubblewrap", "namespaces"} or all(map(_is_public, spec["reads"]))):
        if spec["level"] in {"landlock", "rlimits"}:
            os.chown(spec["folder"], nobody, nobody)
        os.setgroups([])
        os.setresgid(nobody, nobody, nobody)
        os.setresuid(nobody, nobody, nobody)
    if spec["level"] != "rlimits":
        kernel.drop_capabilities()
        kernel.take_no_new_privileges()
    os.nice(5)  # hostile code shares the processor with an event loop that must keep its pace
    os.umask(0o077)
    return os.geteuid()


def _is_public(path: str) -> bool:
    """Say whether anybody may reach a path."""
    parts = path.split("/")
    above = ["/".join(parts[:end]) or "/" for end in range(1, len(parts))]
    return all(os.stat(one).st_mode & 1 for one in above)  # noqa: PTH116 - pathlib is not loaded here


def _input() -> Iterator[str]:
    held = b""
    while data := os.read(0, 1 << 16):
        *whole, held = (held + data).split(b"\n")
        for line in whole:
            yield line.decode()


def _say(message: dict[str, Any]) -> None:
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[os.write(1, data) :]
