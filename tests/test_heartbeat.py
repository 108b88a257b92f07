"""The heart of a run beats while it waits, and stops when the program hangs."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from fleets import fleet
from serve_process import serve
from signalled import begin, end, hear
from test_terminal import summary
from virtual_time import run as virtually

from evoselfcode.heartbeat import Heart, age_of, written
from evoselfcode.progress import Beat, Progress
from evoselfcode.terminal_progress import Lines, line


def alive(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "evoselfcode.cli", "alive", str(path), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_line_every_thirty_seconds_parked_or_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """O1: 5 virtual minutes, 10 lines, each parsed. Sabotage: print when an endpoint answers, not as time passes."""
    progress = Progress("names")
    progress.update(summary(tmp_path), fleet("parked"))
    heart = Heart(progress, tmp_path, 30.0, tell=Lines(30.0).show, every=30.0, files=[])

    async def five_minutes() -> None:
        beats = asyncio.get_running_loop().create_task(heart.beats())
        await asyncio.sleep(301)
        beats.cancel()
        await asyncio.wait([beats])

    virtually(five_minutes)
    heard = capsys.readouterr().err
    assert 9 <= len(heard.splitlines()) <= 11
    assert not re.search(r"[\x1b\r]", heard)
    for text in heard.splitlines():
        pairs = dict(part.split("=") for part in text.split(" "))
        assert pairs["state"] == "parked"


def beats_of(heart: Heart, *seconds: float, then: Callable[[], object] = lambda: None) -> None:
    """Let a heart beat for so many virtual seconds, and call `then` after each stretch of them."""

    async def beating() -> None:
        beats = asyncio.get_running_loop().create_task(heart.beats())
        for stretch in seconds:
            await asyncio.sleep(stretch)
            then()
        beats.cancel()
        await asyncio.wait([beats])

    virtually(beating)


def test_a_process_that_is_refused_at_once_is_not_heard_of(tmp_path: Path) -> None:
    """Another's folder, a wrong key. Sabotage: tell each beat, whatever the state: there would be 10 by 2 seconds."""
    told: list[Beat] = []
    counts: list[int] = []
    heart = Heart(Progress("names"), tmp_path, 30.0, tell=told.append, every=0.2, files=[])
    beats_of(heart, 1.9, 2.1, then=lambda: counts.append(len(told)))
    assert counts[0] == 0
    assert counts[1] >= 9
    assert {beat.state for beat in told} == {"starting"}


def test_a_run_without_a_folder_yet_is_no_reason_to_complain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is made when the run begins. Sabotage: write whether the folder is there or not."""
    folder = tmp_path / "names"
    heart = Heart(
        Progress("names"), folder, 1.0, tell=lambda beat: None, every=1.0, files=[(folder / "heartbeat.json", written)]
    )
    there: list[bool] = []

    def begin_the_run() -> None:
        there.append((folder / "heartbeat.json").exists())
        folder.mkdir(exist_ok=True)

    beats_of(heart, 5.5, 5.0, then=begin_the_run)
    assert there == [False, True]
    assert capsys.readouterr().err == ""


def test_the_file_says_what_the_line_says(tmp_path: Path) -> None:
    progress = Progress("names", "1/4")
    progress.update(summary(tmp_path), fleet("up", "parked"))
    path = tmp_path / "heartbeat.json"
    heart = Heart(progress, tmp_path, 30.0, tell=lambda beat: None, every=30.0, files=[(path, written)])
    heart.last()
    document = json.loads(path.read_bytes())
    assert document["state"] == "ended"
    assert (document["shard"], document["settled"], document["kept"]) == ("1/4", 2, {"FIM": 1, "L2R": 2})
    assert [it["state"] for it in document["endpoints"]] == ["up", "parked"]
    assert document["rss"] > 2**20
    assert document["free"] > 0
    age = age_of(tmp_path)
    assert age is not None
    assert age < 60
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_is_said_once_and_ends_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sabotage: let the error out of ``_write``."""
    progress = Progress("names")
    progress.update(summary(tmp_path), fleet())
    (tmp_path / "taken").mkdir()

    def lines(beat: Beat) -> Iterable[bytes]:
        return [b"x"]

    heart = Heart(
        progress, tmp_path, 30.0, tell=lambda beat: None, every=30.0,
        files=[(tmp_path / "taken", lines), (tmp_path / "not there" / "x", lines), (tmp_path / "good", lines)],
    )  # fmt: skip
    heart.last()
    heart.last()
    assert capsys.readouterr().err.count("warning: no heartbeat can be written, the run goes on: cannot write") == 1
    assert (tmp_path / "good").read_bytes() == b"x"


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"at": "x"}', b'{"other": 1}', b"\xff", b"[" * 100_000])
def test_a_file_that_is_no_heartbeat_has_no_age(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "heartbeat.json").write_bytes(text)
    assert age_of(tmp_path) is None
    assert age_of(tmp_path / "none") is None


def test_alive_is_0_for_a_young_heartbeat_and_1_for_an_old_one_or_none(tmp_path: Path) -> None:
    """K7. Sabotage: look at when the file was changed: a clock of another machine says that."""
    path = tmp_path / "heartbeat.json"
    assert alive(tmp_path).returncode == 1
    path.write_text(json.dumps({"at": time.time() - 100}))
    young = alive(tmp_path)
    assert (young.returncode, young.stderr) == (0, "")
    assert "the last heartbeat is 10" in young.stdout
    assert alive(path).returncode == 0
    old = alive(path, "--max-age", "60")
    assert old.returncode == 1
    assert "s old" in old.stderr


def test_a_run_that_waits_is_alive_and_one_that_hangs_is_not(folder: Path) -> None:
    """K7: the server is away and the run parked; then the process is stopped. Sabotage: beat when a reply comes."""
    names = folder / "data" / "generated" / "names"
    with serve("--slots", "4", "--latency", "100ms") as server:
        process = begin(folder, server.url, "--set", "output.heartbeat_seconds=1")
        hear(process, "state=running")
        server.end()
        assert "for=" in hear(process, "state=parked")
        time.sleep(2.5)
        assert alive(names, "--max-age", "2.5").returncode == 0
        process.send_signal(signal.SIGSTOP)
        try:
            time.sleep(3.5)
            assert alive(names, "--max-age", "3").returncode == 1
        finally:
            process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        _, errors = end(process)
    assert process.returncode == 75, errors


def test_a_heartbeat_is_one_line_whatever_an_endpoint_is_called(tmp_path: Path) -> None:
    """S6. Sabotages: leave ``printable`` out of ``line``, or ``_word`` out of ``_parts``."""
    hostile = "http://a b,c=d\x1b[2J\n\r[/x]\u202e"
    progress = Progress("names")
    reading = fleet("up", "up")
    renamed = [type(it)(hostile, it.state, it.in_flight, it.limit, it.attempts) for it in reading.endpoints]
    progress.update(summary(tmp_path), type(reading)(tuple(renamed)))
    shown = line(progress.beat(at=1.0, pid=1, rss=0, free=None))
    assert shown.isprintable()
    assert dict(part.split("=") for part in shown.split(" "))["endpoints"].count(",") == 1
