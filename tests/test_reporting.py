"""The report of a run: made from its folder alone, with numbers that add up and texts that stay texts."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import journal_lines
import pytest
from embedded import Embedded
from test_run import config, run

from evoselfcode.datagen.filters import NAME_REASONS, canonical
from evoselfcode.datagen.pipeline.reporting import report_run, reported
from evoselfcode.errors import UsageError
from evoselfcode.records import Failure, Usage
from evoselfcode.report.comparison import compared, overlap
from evoselfcode.report.draws import gather
from evoselfcode.storage import Draw, Entry, Journal
from evoselfcode.terminal_report import report_card


def entry(arm: str, number: int, *draws: tuple[str, str | None], seed: int = 0, **more: Any) -> Entry:
    return Entry(
        key=f"{arm}{number}.{seed}",
        stage="names",
        arm=arm,
        number=number,
        seed=seed,
        attempts=1,
        seconds=0.5,
        usage=Usage(10, 4),
        draws=tuple(Draw(raw_text=f" {text}", text=text, reason=reason) for text, reason in draws),
        **more,
    )


ENTRIES = [
    entry("FIM", 1, ("Merge_Sort", None), ("foo", "weak")),
    entry("FIM", 0, ("merge_sort", None), ("find_path", None)),
    entry("L2R", 0, ("mergesort", None), ("", "empty"), ("find_path", "duplicate")),
    entry("L2R", 1, failure=Failure("timeout"), failures=("timeout", "timeout")),
]


BOTH = {("FIM", "L2R"): ("mode",)}


@pytest.mark.parametrize("name", ["quick_sort", "quicksort", "quickSort", "_quick_sort_", "QUICK_SORT"])
def test_names_that_say_the_same_are_one_name(name: str) -> None:
    assert canonical(name) == "quicksort"


def test_draws_are_counted_once_each_and_add_up() -> None:
    """Sabotage: count a duplicate as dropped and not as accepted."""
    arms = gather(ENTRIES, canonical)
    fim, l2r = arms["FIM"], arms["L2R"]
    assert list(arms) == ["FIM", "L2R"]
    assert (fim.requests, fim.draws, fim.kept, fim.dead) == (2, 4, 3, 0)
    assert fim.names == {"mergesort": 2, "findpath": 1}
    assert fim.kept + fim.reasons.total() == fim.draws
    assert fim.in_plan_order() == (("mergesort", "findpath"), ("mergesort", None))
    assert fim.spelling("mergesort") == "Merge_Sort"
    assert (l2r.dead, l2r.failures["timeout"], l2r.names["findpath"]) == (1, 2, 1)
    assert l2r.in_plan_order() == (("mergesort", None, "findpath"), ())
    assert l2r.texts == {"empty": {" ": 1}, "duplicate": {" find_path": 1}}


def test_parts_of_a_request_stand_in_the_order_of_their_seeds() -> None:
    parts = [entry("FIM", 0, ("b", None), seed=8), entry("FIM", 0, ("a", None), seed=7)]
    assert gather(parts, canonical)["FIM"].in_plan_order() == (("a",), ("b",))


def test_the_overlap_says_who_found_what() -> None:
    arms = gather(ENTRIES, canonical)
    found = overlap("FIM", arms["FIM"], "L2R", arms["L2R"])
    assert (found["both"], found["only"], found["jaccard"]) == (2, {"FIM": 0, "L2R": 0}, 1.0)
    assert found["examples"]["both"] == ["Merge_Sort", "find_path"]


def test_one_arm_is_not_compared_with_itself() -> None:
    arms = gather([one for one in ENTRIES if one.arm == "FIM"], canonical)
    assert compared(arms, BOTH) == []


def test_a_reason_that_drops_less_speaks_for_an_arm() -> None:
    """Sabotage: name the arm with the larger share, whatever the share is of."""
    good = [entry("FIM", i, *[(f"n{i}x{j}", None) for j in range(4)], seed=4 * i) for i in range(60)]
    bad = [entry("L2R", i, *[("foo", "weak")] * 3, (f"m{i}", None), seed=4 * i) for i in range(60)]
    (made,) = compared(gather([*good, *bad], canonical), BOTH)
    rows = {row["metric"]: row for row in made["metrics"]}
    assert {row["verdict"] for row in rows.values()} == {"FIM"}
    assert rows["dropped as weak"]["difference"]["estimate"] < 0
    assert made["verdict"] == "FIM"
    assert made["sentence"].startswith("FIM finds 750.0 more new names per 1,000 draws than L2R (95 % interval 7")


def test_too_few_requests_are_undecided_and_say_what_would_settle_it() -> None:
    (made,) = compared(gather(ENTRIES, canonical), BOTH)
    assert made["verdict"] == "undecided"
    assert made["sentence"].startswith("Undecided between FIM and L2R: the difference FIM minus L2R is ")


async def test_a_report_is_made_of_the_folder_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await run(Embedded(), config(tmp_path, num_requests=30))
    folder = tmp_path / "names"
    made = report_run(folder)
    assert json.loads((folder / "report.json").read_text()) == made
    assert "<html" in (folder / "report.html").read_text()
    assert {arm["arm"]: arm["draws"] for arm in made["arms"]} == {"FIM": 120, "L2R": 120}
    for arm in made["arms"]:
        assert arm["kept"] + sum(reason["count"] for reason in arm["reasons"]) == arm["draws"]
        assert arm["curve"][-1] == [arm["draws"], arm["species"]["distinct"]]
        assert {reason["reason"] for reason in arm["reasons"]} <= set(NAME_REASONS)
        assert arm["forecast"]["distinct"]["estimate"] >= arm["species"]["distinct"]
    assert made["provenance"]["model"] == "evoselfcode-ngram"
    assert made["provenance"]["settings"]["namegen.temperature"] == 1.0
    assert any("promises a function without arguments" in warning for warning in made["warnings"])
    before = (folder / "report.html").read_bytes()
    assert report_run(folder) == made
    assert (folder / "report.html").read_bytes() == before
    report_card(made)
    out = capsys.readouterr().out
    assert made["answer"]["sentence"] == made["comparisons"][0]["sentence"]
    assert made["answer"]["sentence"] in out
    assert str(folder / "report.html") in out


async def test_a_run_that_is_not_complete_says_so(tmp_path: Path) -> None:
    await run(Embedded(), config(tmp_path))
    folder = tmp_path / "names"
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"complete"', '"stopped"'))
    (journal,) = journal_lines.segments(folder)
    journal.write_bytes(journal.read_bytes().replace(b'"attempts":1', b'"attempts":2', 1))
    warnings = report_run(folder)["warnings"]
    assert "the run is not complete: it is stopped" in warnings
    assert f"1 damaged journal lines are left out; {journal.name} at byte {journal_lines.begin(folder)}" in warnings


def test_a_report_that_is_older_than_the_journal_is_not_of_it(tmp_path: Path) -> None:
    """Sabotage: ask whether the page is there, and not when it was written."""
    assert not reported(tmp_path)
    (tmp_path / "report.html").touch()
    assert not reported(tmp_path)  # of nothing
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "run-0of1-0001-001.jsonl").touch()
    (tmp_path / "report.html").touch()
    assert reported(tmp_path)
    os.utime(tmp_path / "report.html", ns=(0, 0))
    assert not reported(tmp_path)


def test_a_folder_without_a_run_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no run: it has no manifest\.json\nhint: name the folder"):
        report_run(tmp_path)


async def test_hostile_names_are_inert_on_page_and_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await run(Embedded(), config(tmp_path))
    folder = tmp_path / "names"
    hostile = "<script>alert(1)</script>\x1b[2J"
    evil = entry("FIM", 99, ("x", "regex"))
    evil = type(evil)(**{name: getattr(evil, name) for name in evil.__struct_fields__} | {
        "key": "0" * 32, "draws": (Draw(raw_text=hostile, text=hostile, reason="regex"), Draw(hostile, hostile)),
    })  # fmt: skip
    journal = Journal(folder)
    journal.append(evil)
    journal.close(0.0)
    made = report_run(folder)
    page = (folder / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    report_card(made)
    assert "\x1b[2J" not in capsys.readouterr().out


def test_a_missing_extra_is_one_message_with_what_to_install(tmp_path: Path) -> None:
    asyncio.run(run(Embedded(), config(tmp_path)))
    code = (
        "import sys; sys.modules['scipy'] = None\n"
        "from pathlib import Path\n"
        "from evoselfcode.datagen.pipeline.reporting import report_run, reported\n"
        "from evoselfcode.errors import UsageError\n"
        f"try: report_run(Path({str(tmp_path / 'names')!r}))\n"
        "except UsageError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == 'the report needs scipy\nhint: pip install "evoselfcode[report]"\n'
