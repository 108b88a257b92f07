"""A run that is told to stop: it drains, commits and says 75, inside its grace; twice, it stops at once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from serve_process import serve
from signalled import SIGNALS, begin, end, hear, settled

from evoselfcode.signals import drain_seconds

KILLS = int(os.environ.get("EVOSELFCODE_SIGNALS", "6"))
"""Runs that are told to stop, each at a time of its own: 6 in the default suite, 100 by ``make signals``."""

SLOW = ("--slots", "8", "--latency", "50ms..400ms")
GRACE = ("--set", "output.grace=5")


@pytest.mark.parametrize(("grace", "seconds"), [(30, 18), (120, 60), (3600, 60), (1, 0.6)])
def test_a_drain_is_shorter_than_the_grace(grace: float, seconds: float) -> None:
    """Sabotage: drain for as long as the grace lasts, and the kill comes first."""
    assert drain_seconds(grace) == pytest.approx(seconds)


def test_signals_at_any_time_end_in_75_inside_the_grace_and_lose_nothing(folder: Path) -> None:
    """K1. One folder, stopped again and again, each time by another signal. Sabotage: exit with 0 when drained."""
    chance = random.Random(7)
    rows = ("--set", f"namegen.num_requests={60 * KILLS}", "--set", "api.concurrency=8")
    before: set[str] = set()
    with serve(*SLOW) as server:
        for number in range(KILLS):
            process = begin(folder, server.url, *rows, *GRACE)
            hear(process, "state=running")
            time.sleep(chance.uniform(0.0, 1.0))  # when the signal comes, not how long something takes
            process.send_signal(SIGNALS[number % 3])
            seconds, errors = end(process)
            assert process.returncode == 75, errors
            assert seconds < 5, errors
            assert f"stopping ({SIGNALS[number % 3].name}): " in errors
            assert "Traceback" not in errors
            after = {entry.key for entry in settled(folder)}
            assert after > before
            before = after
    manifest = json.loads((folder / "data/generated/names/manifest.json").read_bytes())
    assert manifest["state"] == "stopped"
    assert manifest["counts"]["settled"] == len(before)


@pytest.mark.parametrize("pause", [0.0, 0.5])
def test_a_second_signal_cancels_at_once(folder: Path, pause: float) -> None:
    """K2: what does not answer is not waited for. Sabotage: go on draining."""
    with serve("--slots", "8", "--fault", "stall@10..100000") as server:
        process = begin(folder, server.url, "--set", "output.grace=600")
        hear(process, "state=running")
        process.send_signal(signal.SIGTERM)
        hear(process, "stopping (SIGTERM)")
        time.sleep(pause)
        process.send_signal(signal.SIGINT)
        seconds, errors = end(process)
    assert process.returncode == 75, errors
    assert seconds < 3  # 1 s and a commit, on a machine that does other things
    assert "stopped: cancelled with attempts in flight" in errors
    settled(folder)


def test_a_drain_that_does_not_end_is_cut_off_inside_the_grace(folder: Path) -> None:
    """A server that never answers. Sabotage: let the drain last as long as it likes."""
    with serve("--slots", "8", "--fault", "stall@10..100000") as server:
        process = begin(folder, server.url, "--set", "output.grace=2")
        hear(process, "state=running")
        process.send_signal(signal.SIGTERM)
        seconds, errors = end(process)
    assert process.returncode == 75, errors
    assert 1.0 < seconds < 4.0
    settled(folder)


def test_a_signal_before_anything_was_asked_is_heard_too(folder: Path) -> None:
    """Sabotage: run without ``interruptible``: the first process of a container never hears it, another dies of it."""
    program = (
        "import os, signal, sys\n"
        "from evoselfcode import shell\n"
        "def slow(config, fixed): os.kill(os.getpid(), signal.SIGUSR1)\n"
        "shell.with_room = slow\n"
        "from evoselfcode.cli import main\n"
        "sys.argv[1:] = ['datagen-names', '--set', 'api.base_url=http://127.0.0.1:9', '--set', 'model=m']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 75, done.stderr
    assert "stopped: stopped by SIGUSR1\nhint: run the same command again" in done.stderr


UNSHARED = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


def may_unshare() -> bool:
    try:
        return subprocess.run([*UNSHARED, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not may_unshare(), reason="no new process namespaces on this system")
def test_the_first_process_of_a_container_hears_signals(folder: Path) -> None:
    """K3: the kernel drops signals that the first process does not handle. Sabotage: leave SIGUSR1 to its default."""
    with serve(*SLOW) as server:
        process = begin(folder, server.url, *GRACE, command=UNSHARED)
        hear(process, "state=running")
        inner = int(subprocess.check_output(["pgrep", "-P", str(process.pid)]).split()[0])
        status = Path(f"/proc/{inner}/status").read_text()
        assert "\nNSpid:\t" in status
        assert status.split("\nNSpid:\t")[1].split("\n")[0].split()[-1] == "1"
        os.kill(inner, signal.SIGUSR1)
        _, errors = end(process)
    assert process.returncode == 75, errors
    assert "stopping (SIGUSR1)" in errors
    settled(folder)
