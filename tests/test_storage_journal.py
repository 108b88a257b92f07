"""The journal's files: what is written is read, damage is isolated and located, each key counts once."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journal_lines import dead, entry, keys, lines, segments, settled_keys, write

from evoselfcode.errors import RunMismatch, StorageError
from evoselfcode.storage import (
    Damage,
    Entry,
    Journal,
    disk,
    has_rows,
    journal_files,
    jsonl,
    read_entries,
    read_once,
)
from evoselfcode.storage.layout import Name, name_of, read_seals
from evoselfcode.storage.segment import OpenSegment


def test_what_is_written_is_read(tmp_path: Path) -> None:
    entries = [entry("00"), entry("01", reason="regex"), entry("02", text="naïve\u2028x\x00\n"), dead("03")]
    write(tmp_path, *entries)
    assert list(read_entries(tmp_path)) == list(read_once(tmp_path)) == entries
    assert len(lines(tmp_path)) == 4
    assert list(read_entries(tmp_path / "nowhere")) == []


@given(st.text(alphabet=st.characters(codec=None), max_size=40))
def test_every_text_round_trips_and_lone_surrogates_become_replacement_characters(text: str) -> None:
    """D10. Sabotage: take ``isascii`` for ``isprintable`` in ``draw_of``."""
    line = jsonl.frame(json.dumps({}).encode())
    assert jsonl.unframe(line) == b"{}"
    kept = entry(text=text).draws[0].text
    assert kept == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert kept.encode().decode() == kept


def test_half_a_line_of_an_earlier_process_is_cut_off_at_every_offset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D3. Sabotage: return the file's size in ``_repaired`` without a repair."""
    monkeypatch.setattr(disk, "sync", lambda descriptor: None)
    monkeypatch.setattr(disk, "sync_folder", lambda folder: None)
    write(tmp_path / "whole", entry("00"), entry("01"))
    (whole,) = segments(tmp_path / "whole")
    data, first = whole.read_bytes(), len(lines(tmp_path / "whole")[0])
    begin = journal_files(tmp_path / "whole")[0].begin
    for cut in [*range(begin), *range(begin + first, len(data))]:
        folder = tmp_path / f"cut-{cut}"
        (folder / "journal").mkdir(parents=True)
        torn = folder / "journal" / whole.name
        torn.write_bytes(data[:cut])
        write(folder, entry("02"))
        found = list(read_entries(folder))
        assert [one.key for one in found if isinstance(one, Entry)] == (["00", "02"] if cut > begin else ["02"]), cut
        assert not [one for one in found if isinstance(one, Damage)]
        assert (
            torn.read_bytes() + torn.with_name(torn.name + ".torn").read_bytes()[:-1] == data[:cut]
            if torn.with_name(torn.name + ".torn").exists()
            else True
        )


@pytest.mark.parametrize("position", [0, 3, 20, -3, None])
def test_a_damaged_line_is_isolated_and_located(tmp_path: Path, position: int | None) -> None:
    """D12. Sabotage: do not compare the checksum in ``unframe``."""
    write(tmp_path, entry("00"), entry("01"), entry("02"))
    (path,) = segments(tmp_path)
    data, (first, second, _) = bytearray(path.read_bytes()), lines(tmp_path)
    begin = journal_files(tmp_path)[0].begin + len(first)
    data[begin + (second.index(b"quick") if position is None else position) % len(second)] ^= 1
    path.write_bytes(data)
    found = list(read_entries(tmp_path))
    assert [one.key for one in found if isinstance(one, Entry)] == ["00", "02"]
    assert [(one.file, one.offset) for one in found if isinstance(one, Damage)] == [(path.name, begin)]
    assert settled_keys(tmp_path) == {b"\x00", b"\x02"}


def test_where_the_last_entry_of_a_key_is_damaged_the_one_before_counts(tmp_path: Path) -> None:
    """Sabotage: do not compare the checksum in ``_keys``."""
    write(tmp_path, entry("0" * 32, text="first"), entry("1" * 32), entry("0" * 32, text="last"))
    (path,) = segments(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"last", b"lost"))
    found = [one for one in read_once(tmp_path) if isinstance(one, Entry)]
    assert [one.draws[0].text for one in found] == ["first", "quick_sort"]


def test_nothing_is_on_disk_before_the_commit_and_all_is_after_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(entry())
    assert keys(tmp_path) == []
    assert not has_rows(tmp_path)
    assert journal.commit(0.0) == ["00"]
    assert keys(tmp_path) == ["00"]
    journal.append(entry("01"))
    assert journal.close(0.0) == ["01"]


def test_a_commit_is_due_after_rows_or_bytes_or_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotage: leave one of the three out of ``due``."""
    journal = Journal(tmp_path)
    assert not journal.due(0.0)
    journal.append(entry())
    assert not journal.due(0.9)
    assert journal.due(1.0)
    journal.commit(1.0)
    for number in range(256):
        assert not journal.due(1.1), number
        journal.append(entry())
    assert journal.due(1.1)
    journal.commit(1.1)
    journal.append(entry(text="x" * (2 << 20)))
    assert journal.due(1.1)  # the text is there twice
    journal.close(1.1)


def test_a_process_that_wrote_nothing_leaves_no_file(tmp_path: Path) -> None:
    """Sabotage: keep it: a pod that restarts a thousand times would leave a thousand."""
    write(tmp_path, entry())
    for _ in range(3):
        write(tmp_path)
    assert [path.name for path in (tmp_path / "journal").iterdir() if path.suffix == ".jsonl"] == [
        "run-0of1-0001-001.jsonl"
    ]


def test_an_entry_of_another_version_is_told_from_damage(tmp_path: Path) -> None:
    """Its checksum is right. Sabotage: let the decoder's error pass."""
    write(tmp_path, entry())
    with segments(tmp_path)[0].open("ab") as file:
        file.write(jsonl.frame(b'{"key": "00", "failures": ["a_kind_of_tomorrow"]}'))
    with pytest.raises(StorageError, match="this version cannot read") as caught:
        list(read_entries(tmp_path))
    assert "--new-run" in str(caught.value)


def test_of_a_key_the_last_entry_counts_and_the_others_are_history(tmp_path: Path) -> None:
    """D17. Sabotage: yield the first of a key in ``read_once``."""
    digests = [f"{number:032x}" for number in range(400)]
    write(tmp_path, *map(entry, digests), dead("ab.0-1"), dead(digests[3] + ".2"))
    write(tmp_path, entry(digests[7], text="again"), entry("ab.0-1", text="at_last"))
    write(tmp_path, dead(digests[7]))
    once = [one for one in read_once(tmp_path) if isinstance(one, Entry)]
    assert len(once) == len({one.key for one in once}) == 402
    by_key = {one.key: one for one in once}
    assert by_key[digests[7]] == dead(digests[7])
    assert by_key["ab.0-1"].draws[0].text == "at_last"
    assert by_key[digests[3] + ".2"].failure is not None
    assert len(keys(tmp_path)) == 405
    assert len(settled_keys(tmp_path)) == 402


def test_a_full_file_is_sealed_and_another_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """D7. Sabotage: seal before the last entries are synced; leave the head out of the digest."""
    monkeypatch.setattr("evoselfcode.storage.journal.SEGMENT_ROWS", 3)
    journal = Journal(tmp_path, run="r")
    for number in range(8):
        journal.append(entry(f"{number:02}"))
        journal.commit(0.0)
    journal.close(0.0)
    files = journal_files(tmp_path)
    assert [path.path.name for path in files] == [f"r-0of1-0001-00{part}.jsonl" for part in (1, 2, 3)]
    assert all(segment.sealed for segment in files)
    seals = read_seals(tmp_path / "journal" / "r-0of1-0001.sealed.json").sealed
    assert [seals[segment.path.name].rows for segment in files] == [3, 3, 2]
    for segment in files:
        assert seals[segment.path.name].sha256 == sha256(segment.path.read_bytes()).hexdigest()
    files[1].path.unlink()
    found = list(read_entries(tmp_path))
    assert [one.key for one in found if isinstance(one, Entry)] == ["00", "01", "02", "06", "07"]
    (gone,) = [one for one in found if isinstance(one, Damage)]
    assert (gone.file, gone.why.partition(";")[2]) == (files[1].path.name, " it held 3 rows")


def test_no_two_writers_have_a_file_of_the_same_name() -> None:
    """D9, of 10,000 writers. Sabotages: leave the shard out of the name; cut the attempt to four digits."""
    random = Random(9)
    names = {
        Name(random.randrange(1, 20_000), random.randrange(1, 2_000), f"{random.randrange(99)}of{random.randrange(99)}",
             f"{random.randrange(4):08x}")
        for _ in range(10_000)
    }  # fmt: skip
    assert len({str(name) for name in names}) == len(names) > 9_000
    assert {name_of(str(name)) for name in names} == names


def test_a_file_of_another_writer_is_never_opened(tmp_path: Path) -> None:
    """D9. Sabotage: take ``O_EXCL`` out of ``disk.create``; do not look at the shard."""
    one, two = Journal(tmp_path, run="a"), Journal(tmp_path, run="b")
    one_, two_ = (segment.path.name for segment in journal_files(tmp_path))
    assert (one_, two_) == ("a-0of1-0001-001.jsonl", "a-0of1-0002-001.jsonl")
    with pytest.raises(RunMismatch, match=r"is the journal of shard 0of1, not of 1of2"):
        Journal(tmp_path, shard="1of2")
    with pytest.raises(FileExistsError):
        OpenSegment(tmp_path / "journal" / two_)
    two.close(0.0)
    one.close(0.0)


@pytest.mark.parametrize("written", [2, 0])
def test_a_journal_that_is_written_on_while_it_is_read_is_not_damaged(tmp_path: Path, written: int) -> None:
    """Sabotage: compare the seals with the lengths at the beginning of the reading."""
    write(tmp_path, entry("00"))
    journal = Journal(tmp_path)
    for number in range(written):
        journal.append(entry(f"1{number}"))
        journal.commit(0.0)
    reading = read_entries(tmp_path)
    assert next(reading) == entry("00")
    journal.append(entry("20"))
    journal.close(0.0)
    write(tmp_path, entry("30"))
    assert [one for one in reading if isinstance(one, Damage)] == []
