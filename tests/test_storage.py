"""Files: torn tails are repaired, damage is isolated, whole files appear at once, one writer at a time."""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.errors import RunMismatch, StorageError
from evoselfcode.records import Candidate, Choice, Completion, L2r, Outcome, Request, Sampling, Usage, Verdict
from evoselfcode.storage import (
    Damage,
    Entry,
    Journal,
    RunFolder,
    atomic_write,
    draw_of,
    jsonl,
    make_entry,
    read_entries,
    read_manifest,
    read_rows,
    write_rows,
)


def entry(key: str = "00", text: str = "quick_sort", reason: str | None = None) -> Entry:
    request = Request(key=key, prompt=L2r("p"), sampling=Sampling(max_new_tokens=4, seed=7), stage="names", arm="L2R")
    candidate = Candidate(arm="L2R", number=0, index=0, text=text, raw_text=text, finish_reason="stop")
    outcome = Outcome(request, Completion((Choice(text, "stop"),), Usage(3, 4), "m"), 1, 0.5)
    return make_entry(outcome, (draw_of(candidate, Verdict(reason)),))


def write(path: Path, *entries: Entry) -> None:
    journal = Journal(path)
    for one in entries:
        journal.append(one)
    journal.close(0.0)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    entries = [entry("00"), entry("01", reason="regex"), entry("02", text="naïve\u2028x\x00\n")]
    write(path, *entries)
    assert list(read_entries(path)) == entries
    assert path.read_bytes().count(b"\n") == 3


@given(st.text(alphabet=st.characters(codec=None), max_size=40))
def test_every_text_round_trips_and_lone_surrogates_become_replacement_characters(text: str) -> None:
    line = jsonl.frame(json.dumps({}).encode())
    assert jsonl.unframe(line) == b"{}"
    kept = entry(text=text).draws[0].text
    assert kept == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert kept.encode().decode() == kept


def test_a_torn_tail_is_cut_off_at_every_offset_before_the_next_append(tmp_path: Path) -> None:
    """D3. Sabotage: do not call ``_repair``."""
    whole = tmp_path / "whole.jsonl"
    write(whole, entry("00"), entry("01"))
    data = whole.read_bytes()
    first = data.index(b"\n") + 1
    for cut in range(first, len(data)):
        path = tmp_path / "journal.jsonl"
        path.write_bytes(data[:cut])
        write(path, entry("02"))
        keys = [one.key for one in read_entries(path) if isinstance(one, Entry)]
        assert keys == ["00", "02"], cut
        assert not [one for one in read_entries(path) if isinstance(one, Damage)]
        path.unlink()


def test_what_was_torn_off_is_kept_beside(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"crc32":1,"en')
    write(path, entry("00"))
    assert (tmp_path / "journal.jsonl.torn").read_bytes() == b'{"crc32":1,"en\n'


@pytest.mark.parametrize("position", [0, 3, 20, -3])
def test_a_damaged_line_is_isolated_and_located(tmp_path: Path, position: int) -> None:
    """D12. Sabotage: do not compare the checksum."""
    path = tmp_path / "journal.jsonl"
    write(path, entry("00"), entry("01"), entry("02"))
    lines = path.read_bytes().splitlines(keepends=True)
    broken = bytearray(lines[1])
    broken[position] ^= 1
    path.write_bytes(lines[0] + bytes(broken) + lines[2])
    found = list(read_entries(path))
    assert [one.key for one in found if isinstance(one, Entry)] == ["00", "02"]
    assert [one.offset for one in found if isinstance(one, Damage)] == [len(lines[0])]


def test_nothing_is_on_disk_before_the_commit_and_all_is_after_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.append(entry())
    assert path.stat().st_size == 0
    journal.commit(0.0)
    assert path.stat().st_size > 0
    journal.close(0.0)


def test_a_commit_is_due_after_rows_or_seconds(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    assert not journal.due(0.0)
    journal.append(entry())
    assert not journal.due(0.9)
    assert journal.due(1.0)
    journal.commit(1.0)
    for number in range(256):
        assert not journal.due(1.1), number
        journal.append(entry())
    assert journal.due(1.1)
    journal.close(1.1)


FILL = """
import resource, sys
from pathlib import Path
from tests_entry import entry
from evoselfcode.errors import StorageError
from evoselfcode.storage import Journal
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = Journal(Path(sys.argv[1]))
acknowledged = 0
try:
    for number in range(50):
        journal.append(entry(f"{number:02x}"))
        journal.commit(0.0)
        acknowledged += 1
except StorageError as error:
    print(acknowledged, error)
"""


@pytest.mark.parametrize("limit", [1, 100, 1000, 1234, 5000])
def test_a_full_disk_loses_no_acknowledged_entry(tmp_path: Path, limit: int) -> None:
    """D5: a file-size limit stands for the full disk. Sabotage: acknowledge before writing."""
    (tmp_path / "tests_entry.py").write_text("from test_storage import entry\n")
    path = tmp_path / "journal.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(path), str(limit)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parent}"},
    )
    acknowledged, _, message = done.stdout.partition(" ")
    assert "cannot append to" in message
    assert "hint:" in message
    kept = [one for one in read_entries(path) if isinstance(one, Entry)]
    assert len(kept) >= int(acknowledged)
    write(path, entry("ff"))
    assert [one.key for one in read_entries(path) if isinstance(one, Entry)][-1] == "ff"
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_nothing_is_acknowledged_that_was_not_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotage: leave ``fdatasync`` out of ``Appender.commit``."""

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(entry())
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fail)
        with pytest.raises(StorageError, match="cannot append to"):
            journal.commit(0.0)
    journal.close(0.0)


def test_views_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    """Sabotage: in ``atomic_write``, let ``partial`` be ``path``, or leave its ``unlink`` out."""
    path = tmp_path / "view.jsonl"
    write_rows(path, [{"func_name": "a", "source": "FIM", "raw_text": "a"}])
    assert path.read_text() == '{"func_name":"a","source":"FIM","raw_text":"a"}\n'

    def lines() -> Iterator[bytes]:
        yield b"half of a file\n"
        raise ValueError("while being made")

    with pytest.raises(ValueError, match="while"):
        atomic_write(path, lines())
    assert path.read_text().startswith('{"func_name":"a"')
    assert [one.name for one in tmp_path.iterdir()] == ["view.jsonl"]


def test_rows_are_read_one_by_one_and_a_line_that_is_none_is_a_damage(tmp_path: Path) -> None:
    """Sabotages: let the decoder's RecursionError pass; do not count the bytes of a line that is damaged."""
    path = tmp_path / "rows.jsonl"
    lines = [b'{"a": 1}', b"hello", b'{"a": "x"}', b"\xff", b"", b"[" * 100_000, b'{"a": 2}']
    path.write_bytes(b"\n".join(lines))
    found = list(read_rows(path, dict[str, int]))
    assert [found[0], found[-1]] == [{"a": 1}, {"a": 2}]
    assert [(one.offset, one.size) for one in found[1:5] if isinstance(one, Damage)] == [
        (9, 6), (15, 11), (26, 2), (28, 1),
    ]  # fmt: skip
    assert isinstance(found[5], Damage)
    path.write_bytes(b'{"a": ' + b"[" * 100_000)
    assert list(read_rows(path, dict[str, object])) == [
        Damage(0, 100_006, "maximum recursion depth exceeded while deserializing an object")
    ]


def test_rows_that_cannot_be_read_are_one_message(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot read .*none\.jsonl: No such file"):
        list(read_rows(tmp_path / "none.jsonl", dict[str, int]))


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    """D8. Sabotage: LOCK_SH."""
    with RunFolder(tmp_path / "run") as folder:
        folder.journal.write_bytes(b"")  # the lock survives an open and close of another file of the run
        with pytest.raises(RunMismatch, match=str(os.getpid())), RunFolder(tmp_path / "run"):
            pass
    with RunFolder(tmp_path / "run"):
        pass


def test_an_old_run_is_set_aside_whole(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run") as folder:
        assert folder.set_aside() is None
        write(folder.journal, entry())
        assert folder.set_aside() == folder.path / "old-1"
        assert not folder.journal.exists()
        write(folder.journal, entry())
        assert folder.set_aside() == folder.path / "old-2"
    assert len(list(read_entries(tmp_path / "run" / "old-1" / "journal.jsonl"))) == 1


def test_a_folder_that_cannot_be_made_is_one_clear_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot create the folder .*\nhint: "), RunFolder(tmp_path / "file" / "x"):
        pass


@pytest.mark.parametrize(
    "text",
    ['{"stage": 3}', '{"stage":"names","versions":{},"fingerprint":{"a":' + "[" * 100_000],
    ids=["shape", "deep"],
)
def test_a_manifest_that_cannot_be_read_says_so(text: str, tmp_path: Path) -> None:
    """Sabotage: let the decoder's RecursionError pass."""
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(StorageError, match="manifest"):
        read_manifest(tmp_path / "manifest.json")
    assert read_manifest(tmp_path / "none.json") is None


def test_an_entry_of_another_version_is_told_from_damage(tmp_path: Path) -> None:
    """Its checksum is right. Sabotage: let the decoder's error pass."""
    path = tmp_path / "journal.jsonl"
    path.write_bytes(jsonl.frame(b'{"key": "00", "failures": ["a_kind_of_tomorrow"]}'))
    with pytest.raises(StorageError, match="this version cannot read") as caught:
        list(read_entries(path))
    assert "--new-run" in str(caught.value)


def test_what_editors_put_around_rows_is_passed_over(tmp_path: Path) -> None:
    """Sabotage: strip no mark; pass over blank lines anywhere, so that a damage is told by another line's number."""
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n{"a": 2}\r\n\r\n  \n')
    assert list(read_rows(path, dict[str, int])) == [{"a": 1}, {"a": 2}]
