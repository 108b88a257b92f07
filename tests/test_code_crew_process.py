"""The crew in a process of its own: whatever becomes of that, its own processes do no harm."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from crews import examiners, until

SCRIPT = """
import signal, sys
signal.signal(signal.SIGINT, lambda *_: None)
open(sys.argv[1], "a").write("run\\n")
import anyio
from evoselfcode.datagen.code.crew import Crew
from evoselfcode.datagen.code.examiner import Draft, Rules
from evoselfcode.datagen.filters.gates import Limits
from evoselfcode.records import Task

async def main():
    crew = Crew(Rules(limits=Limits()), 2)
    drafts = [Draft(Task(func_name="f"), "def f(x):\\n    return x + 1\\n")]
    async with anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(crew.look_at, drafts)
    print("ready", flush=True)
    for line in sys.stdin:
        await crew.look_at(drafts)
        print("done", flush=True)
    await crew.aclose()

anyio.run(main)
"""


def begun(folder: Path) -> tuple[subprocess.Popen[str], Path]:
    """Start a script that has a crew of two, without a guard of its main part, and wait until both have answered."""
    script, runs = folder / "users_script.py", folder / "runs"
    script.write_text(SCRIPT)
    started = subprocess.Popen(
        [sys.executable, str(script), str(runs)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )  # fmt: skip
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    return started, runs


def test_a_script_without_a_guard_is_not_run_again(tmp_path: Path) -> None:
    """Sabotage: look at drafts in ``anyio.to_process``."""
    started, runs = begun(tmp_path)
    with started:
        assert len(examiners(started.pid)) == 2
        said, _ = started.communicate("\n", timeout=20)
    assert (started.returncode, said) == (0, "done\n")
    assert runs.read_text() == "run\n"


async def test_ctrl_c_does_not_reach_the_processes(tmp_path: Path) -> None:
    """It goes to the whole group of the terminal. Sabotage: leave ``start_new_session`` out."""
    started, _ = begun(tmp_path)
    with started:
        before = examiners(started.pid)
        os.killpg(started.pid, signal.SIGINT)  # the script passes it over
        assert started.stdin is not None
        assert started.stdout is not None
        print("again", file=started.stdin, flush=True)
        assert started.stdout.readline() == "done\n"
        assert examiners(started.pid) == before
        started.communicate(timeout=20)
    assert started.returncode == 0


async def test_the_processes_end_when_their_run_is_killed(tmp_path: Path) -> None:
    """Sabotage: answer for ever in ``examiner.serve``: ``while True`` with ``read_message(asked) or b"\\x90"``."""
    started, _ = begun(tmp_path)
    with started:
        left = examiners(started.pid)
        assert len(left) == 2
        started.kill()
    await until(lambda: not any(map(running, left)))


def running(process: int) -> bool:
    """Say whether a process is there and has not ended, even if nobody waits for it."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False
