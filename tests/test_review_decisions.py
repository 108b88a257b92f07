"""Decisions about names: each is on the disk before it counts, none is lost, and every one can be undone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from review_runs import decided

from evoselfcode.datagen.filters import canonical
from evoselfcode.errors import RunMismatch, StorageError
from evoselfcode.review.decisions import UNDECIDED, Decision, Decisions, State, read_decisions
from evoselfcode.storage import Damage, RunFolder

NOON = "2026-01-02T12:00:00.000+00:00"
NAMES = ("quick_sort", "quickSort", "gcd")
ACTS = st.lists(
    st.one_of(
        st.just("undo"),
        st.just("restart"),
        st.tuples(
            st.sampled_from(NAMES),
            st.sampled_from([None, "accept", "reject", "undo"]),
            st.sampled_from([None, (), ("graph",), ("a b", "<i>")]),
        ),
    ),
    max_size=20,
)


def opened(folder: Path) -> Decisions:
    return Decisions(folder, now=lambda: NOON)


def states(decisions: Decisions) -> dict[str, State]:
    return {name: decisions.state(name) for name in NAMES}


def test_a_decision_is_one_plain_line_with_the_time(tmp_path: Path) -> None:
    """Sabotage: frame the lines of decisions.jsonl as those of the journal."""
    with opened(tmp_path) as decisions:
        decisions.decide("quick_sort", "accept", ("graph", "日本"))
    assert orjson.loads((tmp_path / "decisions.jsonl").read_bytes()) == {
        "func_name": "quick_sort",
        "decision": "accept",
        "tags": ["graph", "日本"],
        "time": NOON,
    }
    with Decisions(tmp_path) as decisions:
        decisions.decide("gcd", "accept", None)
    *_, last = read_decisions(tmp_path / "decisions.jsonl")
    assert isinstance(last, Decision)
    assert last.time.endswith("+00:00")


def test_a_decision_is_in_the_file_when_the_call_returns(tmp_path: Path) -> None:
    """Sabotage: do not commit in ``_write``."""
    with opened(tmp_path) as decisions:
        decisions.decide("gcd", "reject", None)
        assert decided(tmp_path) == [("gcd", "reject", [])]


def test_every_spelling_is_the_same_name_and_the_last_decision_counts(tmp_path: Path) -> None:
    """Sabotage: take the name itself for the key."""
    with opened(tmp_path) as decisions:
        decisions.decide("quick_sort", "accept", ("sorting",))
        decisions.decide("quickSort", "reject", None)
        assert decisions.state("QuickSort") == State("reject", ("sorting",))
        assert (decisions.counts["accept"], decisions.counts["reject"]) == (0, 1)
        decisions.decide("quicksort", "reject", None)  # says nothing new
        assert decisions.revision == len(decided(tmp_path)) == 2


def test_undoing_goes_back_step_by_step_and_over_a_restart(tmp_path: Path) -> None:
    """Sabotage: do not take a row that says what was before for an undoing."""
    with opened(tmp_path) as decisions:
        decisions.decide("gcd", "accept", None)
        decisions.decide("gcd", "reject", ("odd",))
        decisions.decide("quick_sort", "accept", None)
        assert decisions.undo() == "quick_sort"
        assert decisions.state("quick_sort") == UNDECIDED
    with opened(tmp_path) as decisions:
        assert decisions.undo() == "gcd"
        assert decisions.state("gcd") == State("accept", ())
    with opened(tmp_path) as decisions:
        assert decisions.undo() == "gcd"
        assert decisions.undo() is None
        assert states(decisions) == dict.fromkeys(NAMES, UNDECIDED)
    assert [row[1] for row in decided(tmp_path)] == ["accept", "reject", "accept", "undo", "accept", "undo"]


@given(ACTS)
def test_a_restart_changes_nothing_and_the_last_row_of_a_name_is_its_state(
    tmp_path_factory: pytest.TempPathFactory, acts: list[str | tuple[str, str | None, tuple[str, ...] | None]]
) -> None:
    """Sabotage: forget the tags, or the steps to undo, when the file is read again."""
    folder = tmp_path_factory.mktemp("run")
    decisions = opened(folder).__enter__()
    for act in acts:
        before = states(decisions), decisions.counts, decisions.tags, decisions.revision, decisions.names()
        if act == "restart":
            decisions.__exit__(None, None, None)
            decisions = opened(folder).__enter__()
            after = states(decisions), decisions.counts, decisions.tags, decisions.revision, decisions.names()
            assert after == before
        elif isinstance(act, str):
            decisions.undo()
        else:
            decisions.decide(*act)
    last = {canonical(name): State(decision, tuple(tags)) for name, decision, tags in decided(folder)}
    assert {name: last.get(canonical(name), UNDECIDED) for name in NAMES} == states(decisions)
    decisions.__exit__(None, None, None)


def test_a_torn_tail_is_cut_off_at_every_offset_and_no_decision_before_it_is_lost(tmp_path: Path) -> None:
    """Sabotage: open the file for appending without a repair."""
    with opened(tmp_path) as decisions:
        decisions.decide("gcd", "accept", None)
        decisions.decide("quick_sort", "reject", ("naïve",))
    path = tmp_path / "decisions.jsonl"
    data = path.read_bytes()
    first = data.index(b"\n") + 1
    for cut in range(first, len(data)):
        path.write_bytes(data[:cut])
        with opened(tmp_path) as decisions:
            assert decisions.state("quick_sort") == UNDECIDED
            decisions.decide("quick_sort", "accept", None)
        assert [row[:2] for row in decided(tmp_path)] == [("gcd", "accept"), ("quick_sort", "accept")], cut


def test_lines_that_are_no_decisions_are_counted_and_left_alone(tmp_path: Path) -> None:
    """Sabotage: let a line of bad JSON, bad UTF-8 or another shape end the review."""
    path = tmp_path / "decisions.jsonl"
    bad = b'{}\nnull\n{"func_name":"gcd","decision":"maybe"}\n\xff\xfe\n' + b"[" * 5000 + b"\n\n"
    path.write_bytes(bad + b'{"func_name":"gcd","decision":"accept","time":"","from":"elsewhere"}\n')
    with opened(tmp_path) as decisions:
        assert decisions.damaged == 6
        assert decisions.state("gcd") == State("accept", ())
    assert path.read_bytes().startswith(bad)
    assert sum(isinstance(row, Damage) for row in read_decisions(path)) == 6


def test_two_processes_do_not_review_one_run_but_a_run_goes_on_beside_a_review(tmp_path: Path) -> None:
    """Sabotage: take no lock, or the run's lock."""
    with opened(tmp_path):
        with pytest.raises(RunMismatch, match=f"process {os.getpid()}") as caught, opened(tmp_path):
            pass
        assert "two tabs" in (caught.value.hint or "")
        with RunFolder(tmp_path):
            pass
    with opened(tmp_path):
        pass


FULL = """
import resource, sys
from pathlib import Path
from evoselfcode.errors import StorageError
from evoselfcode.review.decisions import Decisions
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder = Path(sys.argv[1])
with Decisions(folder) as decisions:
    decisions.decide("gcd", "accept", None)
    size = (folder / "decisions.jsonl").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, resource.RLIM_INFINITY))
    try:
        decisions.decide("quick_sort", "accept", None)
    except StorageError as error:
        print("refused", decisions.state("quick_sort").decision)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    decisions.decide("lcm", "reject", None)
    print(decisions.state("gcd").decision, decisions.state("quick_sort").decision, decisions.state("lcm").decision)
"""


def test_a_full_disk_refuses_a_decision_and_the_next_one_is_taken_when_there_is_room(tmp_path: Path) -> None:
    """Sabotage: keep the file open after a failed commit: its half line is glued to the next."""
    program = [sys.executable, "-c", FULL, str(tmp_path)]
    ended = subprocess.run(program, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == ["refused undo", "accept undo reject"]
    assert [row[:2] for row in decided(tmp_path)] == [("gcd", "accept"), ("lcm", "reject")]


def test_a_folder_that_is_not_there_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot lock"), opened(tmp_path / "nowhere"):
        pass
