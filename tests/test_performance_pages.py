"""The figures of README and docs are those that the benchmarks kept, to the letter."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import checkout
import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

from card import RESULTS, ROOT
from tables import REGION, TABLES, filled, newest

MEASURED = re.compile(r"\d ?(?:µs|ms\b|MiB|MB\b|kB\b|GB\b|%|times\b|x\b|requests? (?:a|per) second)")
"""A figure with a unit that only a measurement gives."""

EXPERIMENTS = re.compile(r"^##+ What (?:helped|did not)[^\n]*\n.*?(?=^##|\Z)", re.DOTALL | re.MULTILINE)
"""What was tried while the program was written: told where it is told, by hand, and not measured again."""

BLOCKS = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def pages() -> Iterator[tuple[str, str]]:
    yield "README.md", checkout.read("README.md")
    for file in sorted((ROOT / "docs").rglob("*.md")):
        name = str(file.relative_to(ROOT))
        yield name, checkout.read(name)


REGIONS = [(page, region) for page, text in pages() for region in REGION.finditer(text)]


def test_there_are_figures_to_compare() -> None:
    """Sabotage: rename the marker in the pages."""
    marked = sum(text.count("<!-- figures:") for _, text in pages())
    assert len(REGIONS) == marked > 10
    assert {region["table"] for _, region in REGIONS} == set(TABLES)


@pytest.mark.parametrize(("page", "region"), REGIONS, ids=[f"{page}:{region['table']}" for page, region in REGIONS])
def test_figures_of_a_page_are_those_of_its_record(page: str, region: re.Match[str]) -> None:
    """Sabotage: change one digit of a table in README.md or docs/, or of a file of benchmarks/results/."""
    assert region[0] == filled(region, RESULTS)


def test_every_record_that_a_page_names_is_in_the_repository() -> None:
    """Sabotage: let .gitignore have benchmarks/results/ again."""
    git = ["git", "-C", str(ROOT), "ls-files", "benchmarks/results"]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("no git checkout")
    tracked = {Path(line).name for line in done.stdout.splitlines()}
    assert {region["record"] for _, region in REGIONS} <= tracked


@pytest.mark.parametrize("page", ["README.md", "docs/explanation/performance.md"])
def test_no_figure_stands_beside_the_tables(page: str) -> None:
    """Sabotage: write into README.md that a request costs 62 µs."""
    text = BLOCKS.sub("", EXPERIMENTS.sub("", REGION.sub("", checkout.read(page))))
    assert [line for line in text.splitlines() if MEASURED.search(line)] == []


def test_the_newest_record_is_the_last_that_was_begun(tmp_path: Path) -> None:
    """Sabotage: take the last by name; commits do not sort."""
    for commit, at in (("fff", "2026-01-02T00:00:00Z"), ("aaa", "2026-01-02T09:00:00Z"), ("bbb", "2026-01-01")):
        (tmp_path / f"trial-{at[:10]}-{commit}.json").write_text(f'{{"at": "{at}"}}')
    assert newest(tmp_path, "trial") == "trial-2026-01-02-aaa.json"
    assert newest(tmp_path, "other") is None


def test_a_trial_is_not_taken_for_the_record_that_a_page_shows(tmp_path: Path) -> None:
    """Sabotage: take the newest, whatever was asked of it."""
    for name, at, settings in (("a", "2026-01-02", "full"), ("b", "2026-01-03", "full"), ("c", "2026-01-04", "trial")):
        record = f'{{"at": "{at}", "settings_hash": "{settings}"}}'
        (tmp_path / f"peers-{at}-{name}.json").write_text(record)
    assert newest(tmp_path, "peers", "peers-2026-01-02-a.json") == "peers-2026-01-03-b.json"
    assert newest(tmp_path, "peers", "pending") == "peers-2026-01-04-c.json"
