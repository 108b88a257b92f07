"""The report of a code run's folder: which runs have one, what is missing is one message, and it ends a filter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import journal_lines
import msgspec
import pytest
from click.testing import CliRunner
from code_report_documents import EVIL, audit_of, code_entry, draw, entry, metrics_of, write_run

from evoselfcode.cli import main
from evoselfcode.config import RunConfig
from evoselfcode.datagen.code.reporting import report_code, reported_code
from evoselfcode.errors import UsageError
from evoselfcode.report.code_draws import CodeDraws
from evoselfcode.shell import filter_in_shell, report_in_shell
from evoselfcode.storage import write_document

ROWS = [draw(0), draw(1, "duplicate", of="L2R0:0"), *(draw(2 + n, "dunder", code=code) for n, code in enumerate(EVIL))]


def test_a_report_is_made_of_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sabotage: write the report and not the page."""
    folder = write_run(tmp_path, ROWS, [entry(0), entry(1)])
    report_in_shell(folder)
    made = json.loads((folder / "report.json").read_text())
    assert (made["stage"], made["arms"][0]["draws"], made["warnings"]) == ("code", 7, [])
    page = (folder / "report.html").read_text()
    assert "<img" not in page
    out = capsys.readouterr().out
    assert made["answer"]["sentence"] in out
    assert "L2R: 7 draws, of which 7 parsed by Python, 2 passed by the gates, 1 no duplicate, 1 kept (14.3%," in out
    assert out.endswith(f"{folder / 'report.html'}\n")
    report_code(folder)
    assert (folder / "report.html").read_text() == page


def test_damaged_rows_and_an_audit_that_is_none_are_told(tmp_path: Path) -> None:
    """Sabotage: let ``DecodeError`` through in ``_audit``."""
    folder = write_run(tmp_path, ROWS)
    with (folder / "raw.jsonl").open("ab") as file:
        file.write(b'{"func_name": "f"}\n\xff\n')
    (folder / "audit.json").write_text('{"corpus": 7}')
    first, second = report_code(folder)["warnings"]
    assert first.startswith("audit.json is left out: Expected `str`, got `int`")
    assert second == "2 lines of raw.jsonl cannot be read and are left out"
    write_document(folder / "audit.json", audit_of(metrics_of(ROWS)))
    assert report_code(folder)["audit"]["good"] == 8


@pytest.mark.parametrize(
    ("filters", "good"), [({}, 1924), ({"execute": True, "enable_ruff": True}, 1924), ({"max_lines": 9}, None)]
)
def test_without_an_audit_of_its_own_a_run_with_the_default_gates_shows_the_known_one(
    tmp_path: Path, filters: dict[str, Any], good: int | None
) -> None:
    """Sabotage: show it whatever the filters are."""
    folder = write_run(tmp_path, ROWS)
    write_document(folder / "metrics.json", metrics_of(ROWS, **filters))
    made = report_code(folder)
    assert (made["audit"] and made["audit"]["good"]) == good
    assert made["warnings"] == []


def test_a_journal_that_has_grown_since_is_told(tmp_path: Path) -> None:
    """Sabotage: compare nothing in ``_changed``."""
    folder = write_run(tmp_path, ROWS, [entry(0)])
    journal_lines.rewrite(folder, journal_lines.lines(folder) * 2)
    assert report_code(folder)["warnings"] == [
        "the run has gone on since it was filtered: filter-code counts what is new"
    ]
    assert report_code(folder)["arms"][0]["requests"] == 1


def test_runs_that_were_joined_are_reported_where_they_were_joined(tmp_path: Path) -> None:
    """Sabotage: look for the manifest in the folder alone."""
    for number in range(2):
        (tmp_path / f"{number}").mkdir()
    runs = [write_run(tmp_path / f"{number}", ROWS, [entry(7), entry(number)]) for number in range(2)]
    joined = tmp_path / "joined"
    joined.mkdir()
    (joined / "raw.jsonl").write_bytes((runs[0] / "raw.jsonl").read_bytes())
    metrics = metrics_of(ROWS)
    sizes = {str(path): [path.stat().st_size, 1] for run in runs for path in journal_lines.segments(run)}
    metrics["of"]["files"] = sizes
    write_document(joined / "metrics.json", metrics)
    report_in_shell(joined)
    made = json.loads((joined / "report.json").read_text())
    assert (made["arms"][0]["requests"], made["warnings"]) == (3, [])


@pytest.mark.parametrize("missing", ["metrics.json", "raw.jsonl"])
def test_a_run_that_was_not_filtered_is_one_message(tmp_path: Path, missing: str) -> None:
    """Sabotage: leave the hint out."""
    folder = write_run(tmp_path, ROWS)
    (folder / missing).unlink()
    done = CliRunner().invoke(main, ["report", str(folder)])
    assert done.exit_code == 2
    assert f"the code in {folder} has not been filtered: it has no {missing}\n" in done.stderr
    assert f"hint: evoselfcode filter-code {folder}\n" in done.stderr


def test_what_is_no_metrics_is_one_message(tmp_path: Path) -> None:
    """Sabotage: let ``DecodeError`` through in ``_metrics``."""
    folder = write_run(tmp_path, ROWS)
    (folder / "metrics.json").write_text("{}")
    with pytest.raises(UsageError, match=r"metrics\.json: Object missing required field"):
        report_code(folder)


@pytest.mark.parametrize("stage", ["describe", "skeleton", "asserts"])
def test_a_stage_without_a_report_is_one_message_that_says_which_have_one(tmp_path: Path, stage: str) -> None:
    """Sabotage: report every stage but ``code`` as names."""
    folder = write_run(tmp_path, ROWS)
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"stage": "code"', f'"stage": "{stage}"'))
    with pytest.raises(UsageError, match=rf"'{stage}', which has no report\nhint: the stages names and code"):
        report_in_shell(folder)


def test_a_report_that_is_older_than_the_filter_or_the_audit_is_not_of_it(tmp_path: Path) -> None:
    """Sabotage: ask whether the page is there, and not when it was written."""
    folder = write_run(tmp_path, ROWS)
    assert not reported_code(folder)
    report_code(folder)
    assert reported_code(folder)
    (folder / "audit.json").write_text("{}")
    os.utime(folder / "audit.json", ns=(4 * 10**18,) * 2)  # in the year 2096
    assert not reported_code(folder)


def test_a_filter_ends_with_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sabotage: leave ``with_code_report`` out of ``filter_in_shell``."""
    good, bad = "    return [x, x + 1]\n", "    return (\n"
    folder = write_run(tmp_path, [], [code_entry(0, good, bad), code_entry(1, good)])
    config = RunConfig.from_mapping({"output": {"dir": str(tmp_path)}})
    filter_in_shell([folder], config, out=None, again=True, quiet=True)
    assert capsys.readouterr().out.endswith(f"{folder / 'report.html'}\n")
    made = json.loads((folder / "report.json").read_text())
    [arm] = made["arms"]
    assert [step["count"] for step in arm["funnel"]] == [3, 2, 2, 1, 1]
    assert arm["distinct"] == {"draws": 2, "raw": 1, "ast": 1, "alpha": 1}
    assert arm["functions"][0]["code"] == "def pair_up(x):\n" + good
    before = (folder / "report.html").stat().st_mtime_ns
    filter_in_shell([folder], config, out=None, again=False, quiet=True)
    assert (folder / "report.html").stat().st_mtime_ns == before
    assert "report.html" not in capsys.readouterr().out


def test_a_filter_without_the_extra_says_how_to_get_the_report(tmp_path: Path) -> None:
    """Sabotage: let the error through, or pass over it in silence, in ``with_code_report``."""
    code = (
        "import sys; sys.modules['scipy'] = None\n"
        "from pathlib import Path\n"
        "from evoselfcode.shell import with_code_report\n"
        f"with_code_report(Path({str(tmp_path)!r}), 5, again=True)\n"
        f"with_code_report(Path({str(tmp_path)!r}), 200_001, again=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == (
        'no report was written: the report needs scipy\nhint: pip install "evoselfcode[report]"\n'
        f"what was dropped and why, with examples: evoselfcode report {tmp_path}\n"
    )


def test_what_stays_of_a_row_does_not_grow_with_its_code() -> None:
    """Rows come from a generator, each with a text of its own. Sabotage: keep the rows in a list."""
    alive: list[int] = []
    most: list[int] = []

    class Counted(str):
        """A text that is counted while it is held."""

        __slots__ = ()

        def __del__(self) -> None:
            alive.pop()

    def rows() -> object:
        for number in range(500):
            alive.append(1)
            most.append(len(alive))
            code = Counted(f"def f():\n    return {number}\n" + "#" * 10_000)
            yield msgspec.structs.replace(draw(number, "dunder", code="-"), code=code)

    draws = CodeDraws(rows())  # type: ignore[arg-type]
    assert max(most) <= 3
    assert draws.arms["L2R"].draws == 500
