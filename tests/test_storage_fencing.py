"""Two writers of one folder, where a lock is lost: one of them writes, and nothing of the other's is taken."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest
from journal_lines import entry, keys, segments, write

from evoselfcode.errors import RunMismatch
from evoselfcode.storage import Damage, Entry, Journal, RunFolder, journal_files, read_entries

WRITER = """
import sys
from pathlib import Path
from journal_lines import entry
from evoselfcode.errors import RunMismatch
from evoselfcode.storage import Journal, RunFolder
folder = Path(sys.argv[1])
try:
    with RunFolder(folder):
        journal = Journal(folder)
        print("writing", flush=True)
        for line in sys.stdin:
            journal.append(entry(line.strip()))
            print(*journal.commit(0.0), flush=True)
except RunMismatch as error:
    print(error, flush=True)
    sys.exit(error.exit_code)
"""


class Writer:
    """A process that journals the keys that it is told, and tells what is acknowledged."""

    def __init__(self, folder: Path) -> None:
        environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environ,
        )  # fmt: skip
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._in: IO[str] = self.process.stdin
        self._out: IO[str] = self.process.stdout
        self.began = self.told()

    def tell(self, key: str) -> None:
        self._in.write(f"{key}\n")
        self._in.flush()

    def told(self) -> str:
        return self._out.readline().strip()

    def end(self) -> int:
        self._in.close()
        self._out.read()
        self._out.close()
        return self.process.wait()


def test_a_writer_that_was_stopped_and_wakes_up_is_fenced_off(tmp_path: Path) -> None:
    """D8, two processes. Its lock is lost with the file, as on NFS. Sabotages: do not look for a newer attempt; take
    what an older writer appended behind what the newer one saw."""
    old = Writer(tmp_path)
    old.tell("00")
    assert old.told() == "00"
    os.kill(old.process.pid, signal.SIGSTOP)
    old.tell("01")  # it lies in the pipe until the process goes on
    (tmp_path / ".lock").unlink()
    new = Writer(tmp_path)
    new.tell("02")
    assert new.told() == "02"
    os.kill(old.process.pid, signal.SIGCONT)
    refused = old.told()
    assert f"process {new.process.pid} on {os.uname().nodename} has taken {tmp_path} over" in refused
    assert old.end() == RunMismatch.exit_code
    new.tell("03")
    assert new.told() == "03"
    assert new.end() == 0
    assert [key for key in keys(tmp_path) if key] == ["00", "02", "03"]
    (ignored,) = [one for one in read_entries(tmp_path) if isinstance(one, Damage)]
    assert ignored.file == segments(tmp_path)[0].name
    assert "another had taken the folder over" in ignored.why


def test_a_lock_that_is_held_refuses_the_second_at_once_and_names_the_first(tmp_path: Path) -> None:
    """D8. Sabotage: LOCK_SH."""
    first = Writer(tmp_path)
    first.tell("00")
    assert first.told() == "00"
    second = Writer(tmp_path)
    assert f"another run is writing in {tmp_path} (process {first.process.pid})" in second.began
    assert second.end() == RunMismatch.exit_code
    assert first.end() == 0
    assert keys(tmp_path) == ["00"]


def test_what_an_older_writer_appends_in_a_copy_without_the_lock_is_not_taken(tmp_path: Path) -> None:
    """The same in one process, file by file. Sabotage: let files count that the newer writer did not see."""
    folder = tmp_path / "run"
    with RunFolder(folder):
        write(folder, entry("00"))
        older = Journal(folder)
        older.append(entry("01"))
        older.commit(0.0)
        copy = tmp_path / "copy"
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(".lock"))
    late = segments(copy)[1]
    write(copy, entry("02"))
    with late.open("ab") as file, segments(folder)[0].open("rb") as whole:
        file.write(whole.read().splitlines(keepends=True)[1].replace(b'"00"', b'"0x"'))
    shutil.copy(late, late.with_name(late.name.replace("-001.jsonl", "-002.jsonl")))
    found = list(read_entries(copy))
    assert [one.key for one in found if isinstance(one, Entry)] == ["00", "01", "02"]
    assert [(one.file, one.offset > 0) for one in found if isinstance(one, Damage)] == [
        (late.name, True),
        (late.name.replace("-001.jsonl", "-002.jsonl"), False),  # none of it
    ]
    older.close(0.0)


def test_a_journal_that_was_moved_away_is_not_written_on(tmp_path: Path) -> None:
    """``--new-run`` of another process. Sabotage: look for a newer attempt alone."""
    journal = Journal(tmp_path)
    journal.append(entry("00"))
    journal.commit(0.0)
    with RunFolder(tmp_path) as folder:
        folder.set_aside()
    journal.append(entry("01"))
    with pytest.raises(RunMismatch, match="somebody has moved"):
        journal.commit(0.0)
    with pytest.raises(RunMismatch):
        journal.close(0.0)


def test_two_that_begin_at_the_same_moment_have_different_attempts(tmp_path: Path) -> None:
    """Sabotage: take the next attempt without creating its file."""
    both = [Journal(tmp_path), Journal(tmp_path)]
    assert [segment.name.attempt for segment in journal_files(tmp_path)] == [1, 2]
    for journal in both:
        journal.append(entry("00"))
    with pytest.raises(RunMismatch):
        both[0].commit(0.0)
    assert both[1].close(0.0) == ["00"]
    assert keys(tmp_path) == ["00"]
    with pytest.raises(RunMismatch):
        both[0].close(0.0)
