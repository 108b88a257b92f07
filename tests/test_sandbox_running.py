"""Jobs in a sandbox: what each status means, and that nothing is left of them, however they end."""

from __future__ import annotations

import math
import tempfile
import time
from pathlib import Path

import anyio
import pytest

from evoselfcode.datagen.sandbox import STATUSES, Check, Job, Limits, Sandbox, Wall, cells, probe, run, running
from evoselfcode.datagen.sandbox.cells import Cell, CellError, wait_in_thread
from evoselfcode.datagen.sandbox.inside import supervisor
from evoselfcode.datagen.sandbox.jobs import NOT_RUN

QUICK = Limits(seconds=1.0, check_seconds=0.3)
LOOP = Job(program="while True: pass", key="loop")


@pytest.fixture(scope="module")
def wall() -> Wall:
    return probe()


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where cells have their folders in this test."""
    tmp_path.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def left(private: Path) -> list[str]:
    return [path.name for path in private.iterdir()]


def processes_in_cells() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(Path(cells.__file__).parent) in path.read_text():
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def check(text: str) -> Check:
    return Check(kind="assert", text=text)


PROGRAM = """
import os
def double(x): return 2 * x
def pick(x): return {"b", "a", x}
def grow(items): items.append(1)
def count(seen=[]): seen.append(1); return len(seen)
def each(n): yield from range(n)
async def later(x): return x
class Thing: pass
def thing(): return Thing()
"""


@pytest.mark.parametrize(
    ("one", "status", "detail", "value"),
    [
        (check("assert double(2) == 4"), "pass", "", ""),
        (check("assert double(2) == 5, 'four'"), "assert", "four", ""),
        (check("assert double()"), "exception:TypeError", "double() missing 1 required positional argument: 'x'", ""),
        (check("assert nobody()"), "exception:NameError", "name 'nobody' is not defined", ""),
        (check("import numpy_of_somebody"), "import", "No module named 'numpy_of_somebody'", ""),
        (check("assert len(bytearray(8 << 30))"), "memory", "", ""),
        (check("while True: pass"), "timeout", "processor time", ""),
        (check("os.abort()"), "crash", "SIGABRT", ""),
        (check("os._exit(3)"), "crash", "ended by itself with 3", ""),
        (check("raise SystemExit"), "exception:SystemExit", "", ""),
        (Check(kind="call", name="double", text="([1],)"), "pass", "", "list(1, 1)"),
        (Check(kind="call", name="pick", text="('c',)"), "pass", "", "set({'a', 'b', 'c'})"),
        (Check(kind="call", name="grow", text="([],)"), "assert", "changes its input", "None"),
        (Check(kind="call", name="grow", text="([],)", in_place=True), "pass", "", "None"),
        (Check(kind="call", name="count", text="()"), "assert", "not deterministic", "1"),
        (Check(kind="call", name="each", text="(3,)"), "pass", "", "list(0, 1, 2)"),
        (Check(kind="call", name="later", text="(3,)"), "pass", "", "3"),
        (Check(kind="call", name="thing", text="()"), "pass", "", "<program.Thing object>"),
        (Check(kind="call", name="double", text="(nan,)"), "pass", "", "nan"),
        (Check(kind="doctest", examples=(("x = double(2)\n", "", None), ("x\n", "4\n", None))), "pass", "", ""),
        (
            Check(kind="doctest", examples=(("double(2)\n", "5\n", None),)),
            "assert",
            r"example 1: wanted '5\n', got '4\n'",
            "",
        ),
        (Check(kind="doctest", examples=(("double()\n", "", "TypeError: …\n"),)), "pass", "", ""),
    ],
)
def test_what_a_status_means(wall: Wall, one: Check, status: str, detail: str, value: str) -> None:
    """Sabotages: compare inputs by ``is``; call once; leave sets in their order; keep addresses."""
    # Beside other processes, 0.2 seconds of the processor take longer, but not 2 on the wall.
    result = run(Job(program=PROGRAM, checks=(one,)), wall, Limits(check_seconds=0.2))
    found = result.checks[0]
    assert (result.program.status, found.status, found.detail, found.value) == ("pass", status, detail, value)
    assert status in STATUSES or status.startswith("exception:")


def test_a_check_that_ends_the_process_takes_no_other_with_it(wall: Wall) -> None:
    checks = [check(f"assert double({n}) == {2 * n} or os._exit(1)") for n in range(3)]
    checks.insert(1, check("os._exit(1)"))
    result = run(Job(program=PROGRAM, checks=tuple(checks)), wall, QUICK)
    assert [outcome.status for outcome in result.checks] == ["pass", "crash", "pass", "pass"]


def test_checks_share_a_program_but_not_what_they_name(wall: Wall) -> None:
    """Sabotage: run checks in the program's own names."""
    checks = (check("double = None"), check("assert double(1) == 2"), check("x = 1"), check("assert x"))
    found = [outcome.status for outcome in run(Job(program=PROGRAM, checks=checks), wall, QUICK).checks]
    assert found == ["pass", "pass", "pass", "exception:NameError"]


def test_checks_behind_a_program_that_fails_have_its_outcome(wall: Wall) -> None:
    result = run(Job(program="import os, numpy_of_somebody", checks=(check("assert 1"),) * 2), wall, QUICK)
    assert {outcome.status for outcome in (result.program, *result.checks)} == {"import"}


def test_what_there_was_no_time_for_says_so(wall: Wall) -> None:
    checks = (check("while True: pass"),) * 9
    found = run(Job(program=PROGRAM, checks=checks), wall, QUICK).checks
    assert {outcome.status for outcome in found} == {"timeout"}
    assert [outcome.detail for outcome in found].count(NOT_RUN) >= 3


def test_what_is_printed_is_kept_up_to_a_limit(wall: Wall) -> None:
    program = "import sys\nprint('é' * 10)\nprint('x' * 10**6, file=sys.stderr)"
    output = run(Job(program=program), wall, Limits(output_bytes=100)).output
    assert output.startswith("é" * 10 + "\nxxx")
    assert len(output.encode()) == 100


def test_nothing_is_left_of_a_job(wall: Wall, private: Path) -> None:
    """Sabotages: do not remove the folder, do not close the pipes, do not wait for the process."""
    before = descriptors()
    for program in ("open('f', 'w').write('x')", LOOP.program, "import os\nos.mkdir('d', 0)\nos.abort()"):
        run(Job(program=program), wall, QUICK)
    assert left(private) == []
    assert descriptors() == before
    assert processes_in_cells() == []


@pytest.mark.parametrize("job", [LOOP, Job(program="import time\ntime.sleep(60)")])
async def test_cancelled_it_leaves_nothing(wall: Wall, private: Path, job: Job) -> None:
    """Sabotage: do not end the cell when cancelled."""
    before = descriptors()
    async with Sandbox(wall, workers=2) as sandbox:
        await sandbox.run(Job(program="x = 1"))  # the loop has what it needs, and one cell is idle
        began = time.monotonic()
        with anyio.move_on_after(0.2) as scope:
            await sandbox.run(job)
        assert scope.cancelled_caught
        assert time.monotonic() - began < 2
        assert processes_in_cells() == []
        assert left(private) == []
    assert descriptors() == before


async def test_cells_are_kept_for_the_next_job_and_begin_with_an_empty_folder(wall: Wall, private: Path) -> None:
    """Sabotage: do not empty the folder between jobs."""
    program = "import os, builtins\nseen = os.listdir('.') + [hasattr(builtins, 'mine')]\nopen('f', 'w').close()\n"
    program += "builtins.mine = 1\nos.__dict__['mine'] = 1\n"
    job = Job(program=program, checks=(check("assert seen == [False]"), check("assert os.mine")))
    async with Sandbox(wall) as sandbox:
        results = [await sandbox.run(job) for _ in range(3)]
        assert len(left(private)) == 1
    assert {outcome.status for result in results for outcome in result.checks} == {"pass"}
    assert left(private) == []


def test_the_folder_is_emptied_behind_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that fills it must not make its answer late. Sabotage: empty the folder before answering."""
    said: list[str] = []

    class Idle:
        folder, landlock = "/nowhere", 0

        def __init__(self, spec: object) -> None: ...

        def judge(self, job: object) -> dict[str, str]:
            return {"judged": "yes"}

    monkeypatch.setattr(supervisor, "Cell", Idle)
    monkeypatch.setattr(supervisor, "settle", lambda spec: 0)
    monkeypatch.setattr(supervisor, "_input", lambda: iter(["{}", '{"checks": []}']))
    monkeypatch.setattr(supervisor, "_say", lambda message: said.extend(message))
    monkeypatch.setattr(supervisor.folder, "empty", said.append)
    supervisor.main()
    assert said == ["ready", "judged", "/nowhere"]


async def test_a_cell_makes_room_for_a_new_one(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "MOST_JOBS", 2)
    started = []
    monkeypatch.setattr(running, "Cell", lambda *parts: started.append(Cell(*parts)) or started[-1])
    async with Sandbox(wall) as sandbox:
        for _ in range(5):
            await sandbox.run(Job(program="x = 1"))
    assert [cell.jobs for cell in started] == [2, 2, 1]


class FailingCell(Cell):
    """A cell that is killed before it answers, so often."""

    left = 0

    def ask(self, job: Job) -> cells.Talk:
        if type(self).left:
            type(self).left -= 1
            self.kill()
        return super().ask(job)


@pytest.mark.parametrize(("failures", "status"), [(1, "pass"), (2, "sandbox_error")])
async def test_a_failing_cell_never_counts_against_the_program(
    wall: Wall, monkeypatch: pytest.MonkeyPatch, failures: int, status: str
) -> None:
    """Sabotage: try a job once only."""
    monkeypatch.setattr(running, "Cell", FailingCell)
    job = Job(program="x = 1", checks=(check("assert x"),), key="k")
    FailingCell.left = failures
    async with Sandbox(wall) as sandbox:
        result = await sandbox.run(job)
    assert (result.key, result.program.status, result.checks[0].status) == ("k", status, status)
    FailingCell.left = failures
    assert run(job, wall).program.status == status


def test_a_cell_that_says_nothing_is_given_up(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "START", 0.0)
    cell = Cell(wall, QUICK)
    try:
        with pytest.raises(CellError, match="in time"):
            wait_in_thread(cell.start())
    finally:
        wait_in_thread(cell.end())
        cell.close()


def test_a_cell_ends_when_its_owner_is_gone(wall: Wall) -> None:
    """Sabotage: do not watch the input while a program runs."""
    cell = Cell(wall, Limits(seconds=60, check_seconds=60))
    wait_in_thread(cell.start())
    next(cell.ask(LOOP))
    cell._process.stdin.close()  # type: ignore[union-attr]
    assert cell._process.wait(3) is not None
    wait_in_thread(cell.end())
    cell.close()
    assert processes_in_cells() == []


async def test_the_loop_keeps_its_pace_beside_hostile_jobs(wall: Wall) -> None:
    """Sabotage: wait for a cell by ``wait_in_thread`` in ``Sandbox``."""
    programs = ["while True: pass", "while True: print('x' * 9999)", "x = []\nwhile True: x.append(bytearray(1 << 20))"]
    programs += ["import threading\nwhile True: threading.Thread(target=threading.Event().wait).start()"]
    lags: list[float] = []
    async with Sandbox(wall, workers=8, limits=QUICK) as sandbox, anyio.create_task_group() as pace:

        async def measure() -> None:
            while True:
                due = time.monotonic() + 0.002
                await anyio.sleep(0.002)
                lags.append(time.monotonic() - due)

        pace.start_soon(measure)
        async with anyio.create_task_group() as jobs:
            for program in programs * 2:
                jobs.start_soon(sandbox.run, Job(program=program))
        pace.cancel_scope.cancel()
    assert len(lags) > 100
    assert sorted(lags)[math.floor(0.99 * len(lags))] < 0.05
