"""Disks that are full or fail: what is acknowledged stays, what is not is kept and written again."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from journal_lines import entry, keys, lines, write

from evoselfcode.errors import DiskFull, StorageError
from evoselfcode.storage import Damage, Journal, disk, journal_files, read_entries

FILL = """
import resource, sys
from pathlib import Path
from journal_lines import entry
from evoselfcode.errors import StorageError
from evoselfcode.storage import Journal
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder, limits = Path(sys.argv[1]), range(*map(int, sys.argv[2:]))
for limit in limits:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    acknowledged, told, journal = [], "", None
    try:
        journal = Journal(folder / str(limit))
        for number in range(5):
            for row in range(3):
                journal.append(entry(f"{number:02x}{row}"))
            acknowledged += journal.commit(0.0)
        acknowledged += journal.close(0.0)
    except StorageError as error:
        told = str(error)
    print(limit, ",".join(acknowledged), told.replace(chr(10), " "), sep="|")
"""


def test_a_limit_on_file_sizes_loses_no_acknowledged_entry_at_200_offsets(tmp_path: Path) -> None:
    """D5. Sabotage: return from ``OpenSegment.append`` when the disk takes no more; do not cut half a line off."""
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(tmp_path), "1", "2601", "13"],
        capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    ended = set()
    for line in done.stdout.splitlines():
        limit, acknowledged, told = line.split("|")
        folder = tmp_path / limit
        found = keys(folder) if folder.exists() else []
        assert set(filter(None, acknowledged.split(","))) <= set(found), limit
        assert len(found) == len(set(found)), limit
        assert not told or "hint: a limit on file sizes" in told
        assert not [one for one in read_entries(folder) if isinstance(one, Damage)] or told
        ended.add(bool(told))
        write(folder, entry("ff"))
        assert keys(folder)[-1] == "ff"
        assert not [one for one in read_entries(folder) if isinstance(one, Damage)]
    assert len(done.stdout.splitlines()) == 200
    assert ended == {True, False}  # where a file may hold a commit, others are begun
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


class Faulty:
    """The disk, failing at the calls that it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        self.fail: dict[tuple[str, int], int] = {}
        self.half: set[int] = set()
        for name in ("create", "append", "sync", "sync_folder", "cut", "close"):
            monkeypatch.setattr(disk, name, self._wrapped(name, getattr(disk, name)))

    def _wrapped(self, name: str, real: object) -> object:
        def call(*arguments: object) -> object:
            self.calls.append(name)
            number = self.calls.count(name)
            code = self.fail.get((name, number)) or self.fail.get((name, 0))
            if code is not None:
                if name == "append" and number in self.half:
                    return real(arguments[0], arguments[1][: len(arguments[1]) // 2])  # type: ignore[operator,index]
                raise OSError(code, os.strerror(code))
            return real(*arguments)  # type: ignore[operator]

        return call


def test_a_full_disk_keeps_what_is_pending_and_goes_on_when_there_is_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D5. Sabotage: take the lines out of the pending ones before they are written."""
    faulty = Faulty(monkeypatch)
    journal = Journal(tmp_path)
    journal.append(entry("00"))
    journal.commit(0.0)
    appended = faulty.calls.count("append")
    faulty.fail = {("append", number): errno.ENOSPC for number in (appended + 1, appended + 2, appended + 3)}
    faulty.half = {appended + 1}  # half a line, and then no space
    journal.append(entry("01"))
    for _ in range(2):
        with pytest.raises(DiskFull, match="cannot append to"):
            journal.commit(1.0)
        assert journal.pending == 1
        assert journal.due(1.0)
        assert keys(tmp_path) == ["00"]
        assert len(lines(tmp_path)) == 1
    assert journal.commit(2.0) == ["01"]
    journal.close(2.0)
    assert keys(tmp_path) == ["00", "01"]
    assert len(journal_files(tmp_path)) == 1


@pytest.mark.parametrize("code", [errno.EIO, errno.EDQUOT, errno.ENOSPC, errno.ESTALE])
@pytest.mark.parametrize("point", range(13))
def test_a_failed_sync_is_never_believed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, point: int
) -> None:
    """D6, by the seam, at 52 points. Sabotage: sync the same file again; do not write again what was not synced."""
    faulty = Faulty(monkeypatch)
    journal = Journal(tmp_path)
    begun = faulty.calls.count("sync")
    faulty.fail = {("sync", begun + 1 + point): code}
    acknowledged: list[str] = []
    full = 0
    for number in range(13):
        journal.append(entry(f"{number:02}"))
        try:
            acknowledged += journal.commit(0.0)
        except DiskFull:
            full += 1
            assert code in (errno.ENOSPC, errno.EDQUOT)
            acknowledged += journal.commit(0.0)
    journal.close(0.0)
    assert acknowledged == [f"{number:02}" for number in range(13)]
    assert full == (code in (errno.ENOSPC, errno.EDQUOT))
    assert sorted(set(keys(tmp_path))) == acknowledged
    assert [segment.name.part for segment in journal_files(tmp_path)] == [1, 2]


def test_a_second_failed_sync_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """D6. Sabotages: allow as many as come; try once more when the journal is closed."""
    faulty = Faulty(monkeypatch)
    journal = Journal(tmp_path)
    journal.append(entry("00"))
    journal.commit(0.0)
    faulty.fail = {("sync", 0): errno.EIO}
    journal.append(entry("01"))
    with pytest.raises(StorageError, match="cannot append to"):
        journal.commit(0.0)
    assert journal.pending == 1
    faulty.fail = {}  # and it would seem to be well again
    with pytest.raises(StorageError, match="failed to sync twice"):
        journal.close(0.0)
    assert keys(tmp_path)[0] == "00"


@pytest.mark.parametrize("call", ["create", "append", "sync", "sync_folder", "close"])
@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.EDQUOT, errno.ENOSPC, errno.EROFS])
def test_an_error_of_any_call_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    """D21. Sabotage: open, write or close outside of ``storage_errors``."""
    write(tmp_path, entry("00"))
    Faulty(monkeypatch).fail = {(call, 0): code}
    with pytest.raises(StorageError, match=r"cannot (begin a file in|append to|close)"):
        write(tmp_path, entry("01"))
    monkeypatch.undo()
    write(tmp_path, entry("02"))
    assert {"00", "02"} <= set(keys(tmp_path))


@pytest.mark.parametrize("call", ["create", "append", "sync", "sync_folder", "cut", "close"])
def test_an_error_of_one_call_is_made_good_or_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """D21, at every call of a writer. Sabotages: close outside of ``storage_errors``; seal before the last commit."""
    ended = False
    for number in range(1, 30):
        folder = tmp_path / f"{number}"
        write(folder, entry("00"))
        with monkeypatch.context() as patched:
            faulty = Faulty(patched)
            faulty.fail = {(call, number): errno.EIO}
            acknowledged: list[str] = []
            try:
                journal = Journal(folder)
                for key in ("01", "02"):
                    journal.append(entry(key))
                    acknowledged += journal.commit(0.0)
                journal.close(0.0)
            except StorageError as error:
                told = str(error)
            else:
                told = "Input/output error"
            assert "Input/output error" in told
            ended = faulty.calls.count(call) < number
        assert {"00", *acknowledged} <= set(keys(folder))
        if ended:
            break
    assert ended
