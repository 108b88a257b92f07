"""Which names there are to review, in which order, and how they are searched."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from review_runs import write_run

from evoselfcode.errors import StorageError, UsageError
from evoselfcode.review.catalog import Catalog, Name, read_catalog
from evoselfcode.storage import write_rows

DRAWS = {"FIM": ["gcd", "quick_sort", "gcd", "is_prime"], "L2R": ["quickSort", "gcd", "lcm"]}


def everything(name: Name) -> bool:
    return True


def found(catalog: Catalog, text: str = "", arm: str = "") -> list[str]:
    return [catalog.names[position].func_name for position in catalog.matching(text, arm, everything)]


def test_a_name_is_there_once_with_its_spellings_and_its_draws(tmp_path: Path) -> None:
    """Sabotage: count the draws that were kept, or take the name itself for the key."""
    catalog = read_catalog(write_run(tmp_path, DRAWS))
    assert catalog.source == "combined_raw.jsonl"
    assert catalog.arms == ["FIM", "L2R"]
    assert [(name.position, name.func_name, name.spellings, name.draws) for name in catalog.names] == [
        (0, "gcd", [], {"FIM": 2, "L2R": 1}),
        (1, "quick_sort", ["quickSort"], {"FIM": 1, "L2R": 1}),
        (2, "is_prime", [], {"FIM": 1}),
        (3, "lcm", [], {"L2R": 1}),
    ]


def test_a_selection_comes_first_best_first_and_what_was_decided_stays_in_reach(tmp_path: Path) -> None:
    """Sabotage: leave out the names that the selection does not hold."""
    write_run(tmp_path, DRAWS)
    rows = [{"func_name": "lcm", "score": 0.9, "arms": ["L2R"]}, {"func_name": "gcd", "score": 0.7, "arms": {"FIM": 2}}]
    write_rows(tmp_path / "selected.jsonl", rows)
    catalog = read_catalog(tmp_path, ["is_prime", "GCD"])
    assert catalog.source == "selected.jsonl"
    shown = [(name.func_name, name.score, name.draws) for name in catalog.names]
    assert shown == [("lcm", 0.9, {"L2R": 1}), ("gcd", 0.7, {"FIM": 2, "L2R": 1}), ("is_prime", None, {"FIM": 1})]


def test_a_view_without_a_journal_is_enough(tmp_path: Path) -> None:
    write_run(tmp_path, DRAWS)
    shutil.rmtree(tmp_path / "journal")
    assert read_catalog(tmp_path).names[0].draws == {"FIM": 0, "L2R": 0}


@pytest.mark.parametrize(
    ("text", "arm", "names"),
    [
        ("", "", ["gcd", "quick_sort", "is_prime", "lcm"]),
        ("SORT", "", ["quick_sort"]),
        ("quicks", "", ["quick_sort"]),
        ("ck_so", "", ["quick_sort"]),
        (".*", "", []),
        ("", "FIM", ["is_prime"]),
        ("", "L2R", ["lcm"]),
        ("", "both", ["gcd", "quick_sort"]),
        ("cm", "both", []),
    ],
)
def test_names_are_found_by_a_part_and_by_who_found_them(tmp_path: Path, text: str, arm: str, names: list[str]) -> None:
    """Sabotage: compare with the first spelling alone, or take an arm for any name that it drew."""
    assert found(read_catalog(write_run(tmp_path, DRAWS)), text, arm) == names


def test_a_folder_without_names_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no names: it has neither") as caught:
        read_catalog(tmp_path)
    assert "run that has ended" in (caught.value.hint or "")
    (tmp_path / "combined_raw.jsonl").touch()
    with pytest.raises(UsageError, match="holds no names"):
        read_catalog(tmp_path)


@pytest.mark.parametrize("line", [b"{}", b"null", b"\xff", b"\n{}", b'{"func_name": 3}', b"[" * 5000])
def test_a_row_that_is_none_is_named_by_its_line(tmp_path: Path, line: bytes) -> None:
    """Sabotage: skip the rows that cannot be read."""
    (tmp_path / "combined_raw.jsonl").write_bytes(b'{"func_name":"gcd","source":"FIM"}\n' + line + b"\n")
    with pytest.raises(StorageError, match=r"combined_raw\.jsonl line 2 is no row"):
        read_catalog(tmp_path)
