"""The cache of the embedded model is a convenience: whatever happens to it, the model is the same."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import blake2b
from pathlib import Path

import msgspec
import pytest

from evoselfcode.local.corpus import Corpus
from evoselfcode.local.store import build_index, cache_folder, load_index

CORPUS = Corpus(tuple(f"def get_{n}_{n % 7}(x):\n    return x + {n}\n" for n in range(220)), "digest")
WHOLE = build_index(CORPUS.functions())


def cached(folder: Path) -> Path:
    (file,) = folder.iterdir()
    return file


def test_the_second_load_reads_what_the_first_wrote(tmp_path: Path) -> None:
    """Sabotage: write nothing, or never read."""
    assert load_index(CORPUS, tmp_path / "new" / "folder") == WHOLE
    file = cached(tmp_path / "new" / "folder")
    other = msgspec.structs.replace(WHOLE, types=[*WHOLE.types, (1, "extra")])
    data = msgspec.msgpack.encode(other)
    file.write_bytes(blake2b(data, digest_size=16).digest() + data)
    assert load_index(CORPUS, file.parent) == other


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:7],
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :],
        lambda data: b"\x80\x04cos\nsystem\n",  # a pickle
        lambda data: signed(b"\xc1"),  # not MessagePack
        lambda data: signed(msgspec.msgpack.encode({"types": []})),  # of another shape
    ],
)
def test_a_damaged_or_foreign_file_is_made_anew(tmp_path: Path, damage: object) -> None:
    """Sabotage: skip the checksum."""
    load_index(CORPUS, tmp_path)
    file = cached(tmp_path)
    whole = file.read_bytes()
    file.write_bytes(damage(whole))  # type: ignore[operator]
    assert load_index(CORPUS, tmp_path) == WHOLE
    assert file.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [file]


def signed(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest() + data


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    """A read-only home, a full disk: here a file stands in the way, which stops the superuser too."""
    (tmp_path / "file").write_text("")
    assert load_index(CORPUS, tmp_path / "file") == WHOLE
    assert load_index(CORPUS, tmp_path / "file" / "folder") == WHOLE
    load_index(CORPUS, tmp_path / "cache")
    file = cached(tmp_path / "cache")
    file.unlink()
    file.mkdir()  # a folder where the file should be
    assert load_index(CORPUS, tmp_path / "cache") == WHOLE
    assert list((tmp_path / "cache").iterdir()) == [file]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_read_only_folder_is_no_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        assert load_index(CORPUS, tmp_path) == WHOLE
        assert not list(tmp_path.iterdir())
    finally:
        tmp_path.chmod(0o700)


def test_another_corpus_or_another_interpreter_has_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sabotage: leave ``sys.version`` out of the key."""
    load_index(CORPUS, tmp_path)
    load_index(Corpus(CORPUS.sources, "another digest"), tmp_path)
    monkeypatch.setattr(sys, "version", "3.99")
    load_index(CORPUS, tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_where_the_cache_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVOSELFCODE_CACHE", "/own")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    monkeypatch.setenv("HOME", "/home/me")
    assert cache_folder() == Path("/own")
    monkeypatch.setenv("EVOSELFCODE_CACHE", "")
    assert cache_folder() == Path("/xdg/evoselfcode")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == Path("/home/me/.cache/evoselfcode")


def test_a_user_without_a_home_has_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers that run under any user number have no entry for it; sabotage: let the ``RuntimeError`` pass."""
    for name in ("EVOSELFCODE_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)
    with pytest.raises(RuntimeError):
        cache_folder()
    assert load_index(CORPUS) == WHOLE


def test_processes_that_build_at_the_same_time_leave_one_whole_file(tmp_path: Path) -> None:
    """Sabotage: write to the final name instead of replacing it."""
    program = (
        "import sys; from pathlib import Path; from evoselfcode.local.corpus import Corpus;"
        "from evoselfcode.local.store import load_index;"
        "corpus = Corpus(tuple(f'def get_{n}_{n % 7}(x):\\n    return x + {n}\\n' for n in range(220)), 'digest');"
        "sys.stdin.read();"
        "print([len(load_index(corpus, Path(sys.argv[1])).types) for _ in range(3)])"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    printed = [process.communicate(timeout=30)[0] for process in started]
    assert printed == [f"{[len(WHOLE.types)] * 3}\n"] * 3
    assert load_index(CORPUS, tmp_path) == WHOLE
    assert len(list(tmp_path.iterdir())) == 1


def test_a_function_that_was_cut_inside_a_string_teaches_nothing() -> None:
    """The margin rule ends a function at a line of text in a long string; the rest would be an open quote."""
    cut = 'def f():\n    """Open\n'
    assert build_index([cut]).types == []
    assert build_index([cut, "def g(): pass\n"]) == build_index(["def g(): pass\n"])
