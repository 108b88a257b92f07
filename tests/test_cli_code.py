"""Stage B as processes: each command ends well, or with one message and its exit code, and nothing is paid twice."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

import journal_lines
import pytest

from evoselfcode.storage import has_rows

NAMES = ("merge_items", "split_words", "get_size")
DATA = Path(__file__).parent / "data"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "evoselfcode.cli", *arguments]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def named(folder: Path) -> Path:
    """A folder with a short configuration and a file of names."""
    lines = "".join(json.dumps({"func_name": name}) + "\n" for name in NAMES)
    (folder / "names.jsonl").write_text(lines, encoding="utf-8")
    (folder / "empty.jsonl").write_text("\n")
    (folder / "configs" / "datagen.yaml").write_text("codegen:\n  n: 2\n  max_new_tokens: 80\n")
    return folder


def code(folder: Path) -> Path:
    return folder / "data" / "generated" / "code"


def keys(folder: Path) -> list[str]:
    return [json.loads(line)["entry"]["key"] for line in journal_lines.lines(code(folder))]


def test_names_to_code_to_filter_in_one_command_each(named: Path) -> None:
    first = run(named, "datagen-code", "--names", "names.jsonl")
    assert (first.returncode, first.stderr) == (0, "")
    assert "filtered.jsonl" in first.stdout
    raw = [json.loads(line) for line in (code(named) / "raw.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["func_name"] for row in raw] == [name for name in NAMES for _ in range(2)]
    again = run(named, "datagen-code", "--names", "names.jsonl")
    assert again.returncode == 0
    assert "no request was sent" in again.stdout
    filtered = run(named, "filter-code", "--set", "filters.enable_ruff=true", "--quiet")
    assert (filtered.returncode, filtered.stderr) == (0, "")
    metrics = json.loads((code(named) / "metrics.json").read_bytes())
    assert metrics["draws"] == 6
    assert metrics["of"]["filters"]["enable_ruff"] is True
    elsewhere = run(named, "filter-code", "data/generated/code", "--out", "data/elsewhere")
    assert elsewhere.returncode == 0, elsewhere.stderr
    assert (named / "data/elsewhere/raw.jsonl").exists()


def test_the_stages_before_write_their_files(named: Path) -> None:
    for stage, name in (("describe", "descriptions"), ("skeleton", "skeletons"), ("asserts", "asserts")):
        done = run(named, f"datagen-{stage}", "--names", "names.jsonl", "--set", f"{stage}.max_new_tokens=30")
        assert (done.returncode, done.stderr) == (0, "")
        assert (named / "data" / "generated" / stage / f"{name}.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "code_", "told"),
    [
        (["datagen-code"], 2, "there are no names to begin from"),
        (["datagen-code", "--names", "nowhere.jsonl"], 2, "nowhere.jsonl is no file"),
        (["datagen-code", "--names", "configs/datagen.yaml"], 2, "configs/datagen.yaml line 1"),
        (["datagen-code", "--names", "names.jsonl", "--arm", "SPM"], 2, "there is no arm SPM"),
        (["datagen-code", "--names", "names.jsonl", "--set", "filters.contamination=[x.jsonl]"], 2, "x.jsonl"),
        (["datagen-code", "--names", "names.jsonl", "--set", "codegen.arms=[L2R, L2R]"], 2, "names an arm twice"),
        (["datagen-code", "--names", "names.jsonl", "--set", "filters.disabled_gates=[rufff]"], 2, "expected one of"),
        (["datagen-code", "--names", "names.jsonl", "--set", "codegen.temperature=0"], 2, "greedy"),
        (["filter-code"], 2, "holds no run"),
        (["filter-code", "a", "b"], 2, "several runs"),
        (["audit-filters", "names.jsonl", "--out", "configs"], 2, "configs is no file that can be written"),
        (["datagen-code", "--names", "empty.jsonl"], 2, "empty.jsonl holds no names"),
        (["audit-filters", "nowhere.jsonl"], 2, "nowhere.jsonl is no file"),
        (["audit-filters", "names.jsonl"], 2, "has neither code nor a solution"),
    ],
)
def test_a_mistake_is_one_message(named: Path, arguments: list[str], code_: int, told: str) -> None:
    """Sabotage: let any of these raise what is no error of this package."""
    done = run(named, *arguments)
    assert done.returncode == code_
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stdout == ""


def test_a_full_disk_is_one_message_and_what_was_there_stays(named: Path) -> None:
    """Sabotage: close the file in which rows wait outside of ``suppress``."""
    assert run(named, "datagen-code", "--names", "names.jsonl").returncode == 0
    before = (code(named) / "raw.jsonl").read_bytes()
    done = subprocess.run(
        command("filter-code", "--set", "filters.max_lines=3"),
        cwd=named,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048)),
    )
    assert (done.returncode, done.stdout) == (5, "")
    assert "a limit on file sizes was reached" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (code(named) / ".filtering.jsonl").exists()
    assert (code(named) / "raw.jsonl").read_bytes() == before


def test_an_earlier_stage_that_kept_little_is_told(named: Path) -> None:
    """Sabotage: read the first file that is there, whatever is in it."""
    folder = named / "data" / "generated"
    for name, lines in (
        ("names/combined_raw", NAMES),
        ("describe/descriptions", NAMES[:1]),
        ("skeleton/skeletons", ()),
    ):
        path = folder / f"{name}.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text("".join(json.dumps({"func_name": it}) + "\n" for it in lines), encoding="utf-8")
    done = run(named, "datagen-code", "--quiet")
    assert done.returncode == 0
    read, every = folder / "describe/descriptions.jsonl", folder / "names/combined_raw.jsonl"
    told = f"warning: {read.relative_to(named)} is read, and 2 of the names in {every.relative_to(named)} are not in it"
    assert done.stderr.startswith(told + "\nhint: --names ")


@pytest.mark.parametrize(
    ("missing", "setting", "told"),
    [
        ("datasketch", "namegen.n=4", "duplicates need datasketch"),
        ("ruff", "filters.enable_ruff=true", "filters.enable_ruff needs ruff"),
        ("hypothesis", "filters.execute=true", "filters.execute needs hypothesis"),
    ],
)
def test_a_missing_library_is_said_before_anything_is_asked(named: Path, missing: str, setting: str, told: str) -> None:
    """Sabotage: look for libraries when the run is complete."""
    program = (
        f"import sys, importlib.util as u; find = u.find_spec; sys.modules[{missing!r}] = None\n"
        f"u.find_spec = lambda name, package=None: None if name == {missing!r} else find(name, package)\n"
        "from evoselfcode.cli import main; main(sys.argv[1:])"
    )
    arguments = ("datagen-code", "--names", "names.jsonl", "--set", setting)
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=named, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {told}\nhint: pip install")
    assert not (code(named) / "journal").exists()


def test_a_killed_run_goes_on_and_pays_nothing_twice(named: Path) -> None:
    """Sabotage: seed requests by their place, or journal after the verdicts of the whole run."""
    lines = "".join(json.dumps({"func_name": f"get_{number}"}) + "\n" for number in range(60))
    (named / "names.jsonl").write_text(lines, encoding="utf-8")
    arguments = ("datagen-code", "--names", "names.jsonl", "--set", "output.heartbeat_seconds=0.001")
    process = subprocess.Popen(
        command(*arguments), cwd=named, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert process.stderr is not None
    while not has_rows(code(named)):
        assert process.stderr.readline(), "the run ended before it journalled"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()
    before = keys(named)
    assert len(before) > 0
    done = run(named, *arguments)
    assert done.returncode == 0, done.stderr
    after = keys(named)
    assert len(after) == len(set(after)) == 60
    assert after[: len(before)] == before
    assert len((code(named) / "raw.jsonl").read_bytes().splitlines()) == 120


def test_the_audit_prints_every_gate_and_writes_it_down(named: Path) -> None:
    done = run(named, "audit-filters", str(DATA / "HumanEval.jsonl.gz"), "--out", "audit.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert "164 programs, 164 known to be good" in done.stdout
    assert "163 are kept" in done.stdout
    made = json.loads((named / "audit.json").read_bytes())
    assert [gate["gate"] for gate in made["gates"]][:2] == ["too_long", "too_short"]
