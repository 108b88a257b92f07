"""Run a command and measure all that it starts, to the last process: CPU, wall, memory.

``python benchmarks/whole_tree.py JSON`` with ``{"command", "cores", "limit_s", "log"}`` prints one line of JSON. It is
a process of its own because it adopts orphans (``PR_SET_CHILD_SUBREAPER``): a worker that outlives its parent is waited
for here, so that its CPU seconds count too. CPU is what the kernel says of each process that was waited for, user and
system, with the children it waited for itself. The wall ends with the command; what lives on for :data:`GRACE` seconds
more is killed, and its CPU counted. Memory is looked at five times a second: the resident sets of all processes,
added up, so that pages which two of them share count twice; or the largest of one, if that is more.

It knows nothing of what the command does.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

SUBREAPER = 36
"""``PR_SET_CHILD_SUBREAPER`` of linux/prctl.h."""

EVERY, GRACE = 0.2, 5.0
"""Seconds between two looks at memory; seconds that what outlives the command may take to end."""


def tree(root: int) -> dict[int, int]:
    """Return the resident bytes of the descendants of a process."""
    parents, sizes = dict[int, int](), dict[int, int]()
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 - a third of the time of Path
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 - it may end meanwhile
            fields = file.read().rpartition(b")")[2].split()
            parents[int(name)], sizes[int(name)] = int(fields[1]), int(fields[21])
    found, page = dict[int, int](), os.sysconf("SC_PAGE_SIZE")
    fresh = [root]
    while fresh:
        fresh = [process for process, parent in parents.items() if parent in fresh and process not in found]
        found |= {process: sizes[process] * page for process in fresh}
    return found


class Memory(threading.Thread):
    """Looks at the memory of this process's descendants until it is told to end."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most, self.processes, self.end = 0, 0, threading.Event()

    def run(self) -> None:
        while not self.end.wait(EVERY):
            sizes = tree(os.getpid())
            self.most, self.processes = max(self.most, sum(sizes.values())), max(self.processes, len(sizes))


def kill_all() -> None:
    """Kill every descendant, also those that are started meanwhile."""
    while left := tree(os.getpid()):
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        if not any(alive(process) for process in left):
            return


def alive(process: int) -> bool:
    """Say whether a process still runs; one that only waits to be waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def measured(command: list[str], cores: list[int], limit: float, log: Path) -> dict[str, Any]:
    """Run the command on these cores, its output in `log`, at most so many seconds."""
    ctypes.CDLL(None, use_errno=True).prctl(SUBREAPER, 1, 0, 0, 0)
    memory, own = Memory(), os.sched_getaffinity(0)
    with log.open("wb") as output:
        os.sched_setaffinity(0, cores)
        began = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        os.sched_setaffinity(0, {max(own)})  # out of its way
    memory.start()
    handle = os.pidfd_open(process.pid)
    timed_out = not select.select([handle], [], [], limit)[0]
    wall = time.perf_counter() - began
    os.close(handle)
    if timed_out:
        kill_all()
    code, cpu, largest = waited(process.pid, 0.0 if timed_out else GRACE)
    process.returncode = code
    memory.end.set()
    memory.join()
    return {"code": code, "timed_out": timed_out, "wall_s": wall, "cpu_s": cpu,
            "rss_mb": max(memory.most / 2**20, largest / 1024), "processes": memory.processes,
            "own_s": time.process_time()}  # fmt: skip


def waited(first: int, grace: float) -> tuple[int, float, int]:
    """Wait for all children; return how the first ended, CPU seconds of all, and the largest one's KiB."""
    code, cpu, largest, end = 0, 0.0, 0, None
    while True:
        try:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return code, cpu, largest
        if pid:
            cpu, largest = cpu + usage.ru_utime + usage.ru_stime, max(largest, usage.ru_maxrss)
            if pid == first:
                code = os.waitstatus_to_exitcode(status)
            continue
        end = end or time.monotonic() + grace
        if time.monotonic() > end:
            kill_all()
        time.sleep(0.01)


def main() -> None:
    asked = json.loads(sys.argv[1])
    print(json.dumps(measured(asked["command"], asked["cores"], asked["limit_s"], Path(asked["log"]))))


if __name__ == "__main__":
    main()
