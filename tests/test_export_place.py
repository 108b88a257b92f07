"""An export is there whole or not at all, and nobody's files go for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from export_rows import row, written

from evoselfcode.config import Export
from evoselfcode.datagen.exporting.exports import export_run
from evoselfcode.errors import Interrupted, StorageError, UsageError
from evoselfcode.storage import digest_of

ROWS = [row(number) for number in range(12)]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("files", ["parquet", "jsonl", "jsonl.zst"])
def test_the_same_rows_give_the_same_bytes(tmp_path: Path, files: Any) -> None:
    """Sabotage: write the time into the card, or iterate over a set of columns."""
    config = Export(files=files, validation=0.3)
    export_run(written(tmp_path, ROWS), tmp_path / "one", config)
    export_run(written(tmp_path / "else", ROWS), tmp_path / "two", config)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_an_export_is_replaced_only_if_told_to(tmp_path: Path) -> None:
    """Sabotage: let ``_refuse`` return at once."""
    run, out = written(tmp_path, ROWS), tmp_path / "out"
    export_run(run, out, Export(validation=0))
    before = contents(out)
    with pytest.raises(UsageError, match="there is an export") as raised:
        export_run(run, out, Export(files="jsonl"))
    assert "--overwrite" in str(raised.value)
    assert contents(out) == before
    export_run(run, out, Export(files="jsonl", validation=0), overwrite=True)
    assert {path.suffix for path in (out / "data").rglob("*") if path.is_file()} == {".jsonl"}
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("foreign", ["thesis.txt", "data/rows/mine.parquet"])
def test_nothing_goes_that_no_export_wrote(tmp_path: Path, foreign: str) -> None:
    """Sabotage: look for ``export.json`` only, or for files at the top only."""
    run, out = written(tmp_path, ROWS), tmp_path / "out"
    export_run(run, out, Export())
    (out / foreign).write_text("years of work")
    before = contents(out)
    with pytest.raises(UsageError, match="which no export wrote"):
        export_run(run, out, Export(), overwrite=True)
    assert contents(out) == before


def test_other_folders_and_files_are_refused_before_any_work(tmp_path: Path) -> None:
    """Sabotage: delete what is at ``--out`` whatever it is."""
    run, other = written(tmp_path, ROWS), tmp_path / "other"
    other.mkdir()
    export_run(run, other, Export())  # an empty folder is none
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(other)
    home = tmp_path / "home"
    home.mkdir()
    (home / "letter.txt").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "link", home):
        with pytest.raises(UsageError, match=r"is no folder, and|other files than an export") as raised:
            export_run(run, out, Export(), overwrite=True)
        assert "--overwrite" not in str(raised.value)
    with pytest.raises(StorageError):
        export_run(run, tmp_path / "file" / "below", Export())


def test_the_folder_itself_can_be_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotage: make the partial folder's name of ``.``."""
    run, here = written(tmp_path, ROWS), tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    export_run(run, Path(), Export(validation=0))
    assert (here / "export.json").exists()


def test_a_stop_leaves_nothing_and_keeps_what_was_there(tmp_path: Path) -> None:
    """Sabotage: rename the old export away at the beginning."""
    run, out = written(tmp_path, ROWS), tmp_path / "out"
    export_run(run, out, Export())
    before = contents(out)

    def stop(doing: str, rows: int) -> None:
        if (doing, rows) == ("written", 7):
            raise Interrupted("stopped")

    with pytest.raises(Interrupted):
        export_run(run, out, Export(files="jsonl"), overwrite=True, progress=stop)
    assert contents(out) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["code", "out"]


FILL = """
import resource, signal, sys
from pathlib import Path
from evoselfcode.config import Export
from evoselfcode.datagen.exporting.exports import export_run
from evoselfcode.errors import StorageError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
import pyarrow.parquet, zstandard
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    export_run(Path(sys.argv[1]), Path(sys.argv[2]), Export(files=sys.argv[4], validation=0.3))
except StorageError as error:
    print("told:", error)
"""


@pytest.mark.parametrize("files", ["parquet", "jsonl", "jsonl.zst"])
@pytest.mark.parametrize("limit", [100, 3_000, 9_000])
def test_a_full_disk_leaves_no_half_export(tmp_path: Path, files: str, limit: int) -> None:
    """A limit on file sizes stands for the disk. Sabotage: write into ``out`` itself."""
    run = written(tmp_path, [row(number) for number in range(400)])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FILL, str(run), str(tmp_path / "out"), str(limit), files],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.startswith("told: cannot write")
    assert "ulimit -f" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["code"]


def test_what_there_is_to_export(tmp_path: Path) -> None:
    """Sabotage: take ``filtered.jsonl`` where something was chosen, or rows that were dropped."""
    run = written(tmp_path, [ROWS[0]])
    written(tmp_path, ROWS[:3], "filtered.jsonl")
    assert export_run(run, tmp_path / "a", Export(validation=0)).rows == 1
    (run / "chosen.jsonl").unlink()
    made = export_run(run, tmp_path / "b", Export(validation=0))
    assert made.rows == 3
    assert "nothing was chosen" in made.remarks[0]
    raw = written(tmp_path, [*ROWS[:2], row(9, verdict="dropped"), row(8, code=" ")], "raw.jsonl") / "raw.jsonl"
    made = export_run(raw, tmp_path / "c", Export(validation=0))
    assert (made.rows, made.left_out) == (2, {"empty": 1, "not_kept": 1})
    bare = tmp_path / "bare.jsonl"
    bare.write_text(json.dumps({"func_name": "f", "code": "def f(a):\n    return a\n"}) + "\n")
    assert export_run(bare, tmp_path / "d", Export()).rows == 1


def test_a_choice_that_is_out_of_date_is_said(tmp_path: Path) -> None:
    """Sabotage: take ``chosen.jsonl`` whatever became of the functions since."""
    run = written(tmp_path, ROWS)
    written(tmp_path, ROWS, "ranked.jsonl")
    (run / "metrics.json").write_text("{}")

    def told(number: int) -> list[str]:
        remarks = export_run(run, tmp_path / f"{number}", Export(validation=0, formats=("text",))).remarks
        return [remark for remark in remarks if "choose-code again" in remark]

    [cut_short] = told(1)
    assert "cut short" in cut_short
    (run / "choice.json").write_text(json.dumps({"filtered": digest_of(run / "metrics.json")}))
    assert told(2) == []
    (run / "metrics.json").write_text('{"kept": 3}')
    [again] = told(3)
    assert again.startswith("functions were filtered again")
    for number, unknown in enumerate(("{}", '{"filtered": null}', "no", '{"filtered": 3}'), 4):
        (run / "choice.json").write_text(unknown)
        assert told(number) == []


@pytest.mark.parametrize(
    ("lines", "told"),
    [([], "the file is empty"), ([b"{}\n", b"no\n"], "2 lines: they are no rows"), (None, "holds neither")],
)
def test_nothing_to_export_is_an_error(tmp_path: Path, lines: list[bytes] | None, told: str) -> None:
    """Sabotage: write a dataset without rows."""
    (tmp_path / "code").mkdir()
    run = tmp_path / "code" if lines is None else written(tmp_path, lines)
    with pytest.raises(UsageError, match=told):
        export_run(run, tmp_path / "out", Export())
    assert [path.name for path in tmp_path.iterdir()] == ["code"]


def test_a_compressed_export_can_be_exported_again(tmp_path: Path) -> None:
    """Sabotage: read ``.jsonl.zst`` as plain lines."""
    made = export_run(written(tmp_path, ROWS), tmp_path / "one", Export(files="jsonl.zst", validation=0))
    [file] = made.configs[0].files
    again = export_run(tmp_path / "one" / file.path, tmp_path / "two", Export(validation=0))
    assert again.rows == len(ROWS)


def test_a_source_that_changes_meanwhile_is_noticed(tmp_path: Path) -> None:
    """Sabotage: do not look at the file's size and time again."""
    run = written(tmp_path, ROWS)

    def change(doing: str, rows: int) -> None:
        if (doing, rows) == ("read", 3):
            written(tmp_path, ROWS[:4])

    with pytest.raises(StorageError, match="was changed"):
        export_run(run, tmp_path / "out", Export(), progress=change)
    assert not (tmp_path / "out").exists()
