"""What a killed process had begun to write is taken away by the next one; what a living one writes is left alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from export_rows import row, written

from evoselfcode.config import Export
from evoselfcode.datagen.exporting.exports import export_run
from evoselfcode.errors import UsageError
from evoselfcode.storage import RunFolder, atomic_write, disk

WRITER = """
import sys
from pathlib import Path
from evoselfcode.storage import atomic_write

def lines():
    yield b"a line" * 100_000
    print("begun", flush=True)
    sys.stdin.read()

atomic_write(Path(sys.argv[1]), lines())
"""

EXPORTER = """
import os, sys
from pathlib import Path
from evoselfcode.config import Export
from evoselfcode.datagen.exporting.exports import export_run

def wait(*told):
    print("begun", flush=True)
    sys.stdin.read()

out = Path(sys.argv[2])
if sys.argv[3] == "moved":  # between the two renames that put the new folder in the old one's place
    rename = Path.rename
    Path.rename = lambda self, to: wait() if self.suffix == ".partial" else rename(self, to)
    export_run(Path(sys.argv[1]), out, Export(validation=0), overwrite=True)
else:
    export_run(Path(sys.argv[1]), out, Export(validation=0), overwrite=True, progress=wait)
"""


@contextmanager
def begun(program: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program in a process of its own and come back when it is in the middle of its work."""
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        try:
            yield process
        finally:
            process.kill()


def hidden(folder: Path) -> list[Path]:
    return [path for path in (*folder.glob(".*"), *folder.glob("journal/.*")) if path.name != ".lock"]


@pytest.mark.parametrize("name", ["manifest.json", "journal/generation.json"])
def test_what_a_killed_process_had_begun_is_gone_when_a_run_opens_its_folder(tmp_path: Path, name: str) -> None:
    """A real SIGKILL. Sabotages: do not ``sweep`` in ``RunFolder.__enter__``, or not in the folder of the journal."""
    (tmp_path / "journal").mkdir()
    with begun(WRITER, tmp_path / name) as process:
        process.kill()
        process.wait()
    assert len(hidden(tmp_path)) == 1
    with RunFolder(tmp_path):
        assert hidden(tmp_path) == []


def test_what_a_living_process_writes_is_left_alone(tmp_path: Path) -> None:
    """A report, say, which takes no lock of the run. Sabotages: let ``unheld`` yield True whoever holds it; do not
    ``hold`` in ``atomic_write``."""
    with begun(WRITER, tmp_path / "report.html") as process:
        with RunFolder(tmp_path):
            assert len(hidden(tmp_path)) == 1
        process.communicate()
        assert process.returncode == 0
    assert (tmp_path / "report.html").read_bytes() == b"a line" * 100_000
    assert hidden(tmp_path) == []


def test_a_file_of_a_process_with_our_number_is_neither_written_over_nor_in_the_way(tmp_path: Path) -> None:
    """In a container it is always 1. Sabotage: open what is there anew in ``_beside``."""
    other = tmp_path / f".manifest.json.{os.getpid()}.0.partial"
    other.write_bytes(b"of another container")
    atomic_write(tmp_path / "manifest.json", [b"ours"])
    assert (tmp_path / "manifest.json").read_bytes() == b"ours"
    assert other.read_bytes() == b"of another container"


def test_a_file_that_is_swept_before_it_is_held_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its making and its lock. Sabotage: let ``hold`` return the copy whatever became of the file."""
    made: list[Path] = []
    real = disk.open_anew

    def open_anew(path: Path) -> int:
        descriptor = real(path)
        made.append(path)
        if len(made) == 1:
            path.unlink()
        return descriptor

    monkeypatch.setattr(disk, "open_anew", open_anew)
    atomic_write(tmp_path / "file", [b"whole"])
    assert (tmp_path / "file").read_bytes() == b"whole"
    assert len(made) == 2


def test_nobody_elses_hidden_file_goes(tmp_path: Path) -> None:
    """Sabotage: sweep whatever ends in ``.partial``."""
    for name in (".film.partial", ".x.1.partial", "manifest.json.1.0.partial"):
        (tmp_path / name).write_bytes(b"mine")
    (tmp_path / ".manifest.json.1.0.partial").mkdir()
    before = sorted(tmp_path.iterdir())
    with RunFolder(tmp_path):
        assert [path for path in sorted(tmp_path.iterdir()) if path.name != ".lock"] == before


@pytest.mark.parametrize("when", ["begun", "moved"])
def test_an_export_that_was_killed_leaves_what_was_there_and_nothing_else(tmp_path: Path, when: str) -> None:
    """A real SIGKILL. Sabotages: do not ``_sweep``, or whoever holds it; remove what is ``.old`` though nothing
    is in its place."""
    run, out = written(tmp_path, [row(number) for number in range(12)]), tmp_path / "out"
    export_run(run, out, Export(validation=0))
    before = (out / "SHA256SUMS").read_bytes()
    with begun(EXPORTER, run, out, when) as process:
        if when == "begun":
            with pytest.raises(UsageError, match="there is an export"):  # it is at work: nothing of it is touched
                export_run(run, out, Export(validation=0))
        assert len(hidden(tmp_path)) == (1 if when == "begun" else 2)
        process.kill()
        process.wait()
    with pytest.raises(UsageError, match="there is an export"):
        export_run(run, out, Export(validation=0))
    assert (out / "SHA256SUMS").read_bytes() == before
    assert hidden(tmp_path) == []
    assert export_run(run, out, Export(validation=0.3), overwrite=True).rows == 12
