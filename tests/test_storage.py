"""Files: torn tails are repaired, damage is isolated, whole files appear at once, one writer at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import power_loss
import pytest
from journal_lines import entry, keys, write

from evoselfcode.errors import RunMismatch, StorageError
from evoselfcode.storage import (
    Damage,
    RunFolder,
    atomic_write,
    disk,
    jsonl,
    read_manifest,
    read_rows,
    write_rows,
)
from evoselfcode.storage.files import make_folder


def test_a_torn_tail_is_cut_off_at_every_offset_before_the_next_append(tmp_path: Path) -> None:
    """D3, of files that are appended to by one process after the other. Sabotage: do not call ``repair``."""
    data = jsonl.frame(b'{"a":0}') + jsonl.frame(b'{"a":1}')
    path = tmp_path / "lines.jsonl"
    for cut in range(data.index(b"\n") + 1, len(data)):
        path.write_bytes(data[:cut])
        file = jsonl.Appender(path)
        file.append(b'{"a":2}')
        file.commit()
        file.close()
        assert list(jsonl.read(path)) == [b'{"a":0}', b'{"a":2}'], cut
        path.unlink()


def test_what_was_torn_off_is_kept_beside(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b'{"crc32":1,"en')
    jsonl.Appender(path).close()
    assert (tmp_path / "lines.jsonl.torn").read_bytes() == b'{"crc32":1,"en\n'
    assert path.read_bytes() == b""


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


def test_a_file_is_synced_then_named_then_its_folder_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """D7. Sabotages: rename before the sync; leave the folder's sync out."""
    calls: list[str] = []

    def noted(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            calls.append(name)
            return real(*arguments)

        return call

    for name in ("open_anew", "append", "sync", "close", "replace", "sync_folder", "remove"):
        monkeypatch.setattr(disk, name, noted(name, getattr(disk, name)))
    atomic_write(tmp_path / "whole", [b"line\n"] * 3)
    assert calls == ["open_anew", "append", "sync", "close", "replace", "sync_folder"]


def test_a_file_that_power_fails_for_is_the_old_one_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D7, at 200 points: manifest, seal and views are written so. Sabotage: write to ``path`` itself."""
    random, seen = Random(7), set()
    for cut in range(200):
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / "manifest.json").write_bytes(b"old")
        power = power_loss.Disk(random, cut % 8, 0.0)
        with monkeypatch.context() as patched:
            power.install(patched)
            with suppress(power_loss.PowerCut):
                atomic_write(folder / "manifest.json", [b"the new one\n"])
        power.fail(power_loss.KINDS[cut % 4])
        seen.add((folder / "manifest.json").read_bytes())
    assert seen == {b"old", b"the new one\n"}


def test_the_names_of_new_folders_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Power that fails would take a run with them. Sabotage: sync the folder itself alone."""
    synced: list[Path] = []
    monkeypatch.setattr(disk, "sync_folder", synced.append)
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert synced == [tmp_path, tmp_path / "a"]


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
        (folder.path / "journal").mkdir()
        (folder.path / "journal" / "x").write_bytes(
            b""
        )  # the lock survives an open and close of another file of the run
        with pytest.raises(RunMismatch, match=str(os.getpid())), RunFolder(tmp_path / "run"):
            pass
    with RunFolder(tmp_path / "run"):
        pass


def test_an_old_run_is_set_aside_whole(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run") as folder:
        assert folder.set_aside() is None
        write(folder.path, entry())
        assert folder.set_aside() == folder.path / "old-1"
        assert not (folder.path / "journal").exists()
        write(folder.path, entry())
        assert folder.set_aside() == folder.path / "old-2"
    assert keys(tmp_path / "run" / "old-1") == ["00"]


class Cut(BaseException):
    """A process that ends between two renames."""


def test_a_kill_while_a_run_is_set_aside_leaves_no_rows_without_their_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each of four renames. Sabotage: move the files in the order in which the folder lists them."""
    real = Path.rename
    for point in range(4):
        with RunFolder(tmp_path / str(point)) as folder:
            write(folder.path, entry())
            for name in ("manifest.json", "a_raw.jsonl", "z_raw.jsonl"):
                (folder.path / name).write_bytes(b"{}")
            left = iter(range(point))

            def rename(path: Path, to: Path, left: Iterator[int] = left) -> Path:
                if next(left, None) is None:
                    raise Cut
                return real(path, to)

            with monkeypatch.context() as patched:
                patched.setattr(Path, "rename", rename)
                with pytest.raises(Cut):
                    folder.set_aside()
            assert (folder.path / "manifest.json").exists()
            assert (folder.path / "journal").exists() == (point == 0)


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


def test_what_editors_put_around_rows_is_passed_over(tmp_path: Path) -> None:
    """Sabotage: strip no mark; pass over blank lines anywhere, so that a damage is told by another line's number."""
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n{"a": 2}\r\n\r\n  \n')
    assert list(read_rows(path, dict[str, int])) == [{"a": 1}, {"a": 2}]
