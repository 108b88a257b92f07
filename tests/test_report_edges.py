"""Reports, reviews and selections at their edges: arms without draws, a shuffled journal, folders that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import checkout
import msgspec
import pytest
from report_documents import realistic

from evoselfcode.datagen.filters import canonical
from evoselfcode.datagen.pipeline.nameselect import select_names
from evoselfcode.errors import UsageError
from evoselfcode.records import Failure
from evoselfcode.report.document import document
from evoselfcode.report.page import render
from evoselfcode.review.serve import review
from evoselfcode.stats.species import Frequencies, good_turing
from evoselfcode.storage import Draw, Entry, Manifest

MANIFEST = Manifest(
    stage="names", versions={}, fingerprint={}, config={}, base_url="", preflight={}, started="", updated="",
    state="complete", counts={},
)  # fmt: skip


def entry(number: int, *texts: str, failure: Failure | None = None, arm: str = "FIM") -> Entry:
    draws = tuple(Draw(raw_text=text, text=text, reason="regex") for text in texts)
    return Entry(
        key=f"{arm}{number:032x}", stage="names", arm=arm, number=number, seed=number, attempts=1, seconds=0.1 * number,
        draws=draws, failure=failure,
    )  # fmt: skip


def made(entries: list[Entry]) -> dict[str, object]:
    return document(entries, MANIFEST, "run", meanings={}, canonical=canonical, pairs={("FIM", "L2R"): ("mode",)})


def test_an_arm_whose_requests_were_all_given_up_is_reported() -> None:
    assert "<html" in render(made([entry(0, failure=Failure("timeout"))]))


def test_the_order_of_the_journal_changes_nothing() -> None:
    entries = [entry(number, f"x{number}") for number in range(20)]
    assert made(entries) == made(entries[::-1])


def test_every_field_is_documented_and_in_the_documents_of_the_tests() -> None:
    """Sabotage: add a field to the document, an arm or the timeline and leave docs/reference/files.md alone."""
    entries = [entry(number, "x", arm=arm) for number in range(3) for arm in ("FIM", "L2R")]
    found: Any = made([msgspec.structs.replace(one, at=9.0 + one.number) for one in entries])
    shown = realistic()
    for name, fields, of_the_tests in (
        ("report", found, shown),
        ("report arm", found["arms"][0], shown["arms"][0]),
        ("report comparison", found["comparisons"][0], shown["comparisons"][0]),
        ("report timeline", found["timeline"], shown["timeline"]),
    ):
        told = [key for row in checkout.table(checkout.read("docs/reference/files.md"), name)
                for key in checkout.ticked(row[0])]  # fmt: skip
        assert sorted(told) == sorted(fields) == sorted(of_the_tests), name


def test_an_interval_from_few_draws_has_a_width() -> None:
    assert good_turing(Frequencies.of([1] * 4)).low < 0.6
    assert good_turing(Frequencies.of([20])).high > 0.1


def test_a_score_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="least score"):
        select_names(tmp_path, min_score=float("nan"))


def test_a_folder_without_names_is_left_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no names"):
        review(tmp_path, 0, on_ready=lambda url, damaged: None)
    assert not list(tmp_path.iterdir())
