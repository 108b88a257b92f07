"""What choose-code reads and writes: lines joined by id, and the same files whatever the order of rows."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from crews import children
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kept_rows import agreement, choose, health, lines, rated, row, scored, write, write_code
from test_nameselect import write_run

from evoselfcode.datagen.choosing.choosing import CHOICE, CHOSEN, RANKED
from evoselfcode.datagen.code.rows import CodeFileRow, row_id
from evoselfcode.engine import Stop
from evoselfcode.errors import Interrupted, StorageError, UsageError
from evoselfcode.storage import Draw, Entry, digest_of


def test_scores_and_ratings_are_joined_by_id_and_shown_as_they_are(tmp_path: Path) -> None:
    """Sabotage: join by place, or write the numbers that were ranked in place of the line."""
    rows = [row(number, name) for name in "abc" for number in (0, 1)]
    folder = write_code(tmp_path / "code", rows)
    scores = [scored(one, docstring_pmi=number / 7, tail_logprob=None, tokens=9) for number, one in enumerate(rows)]
    write(tmp_path / "score" / "scores.jsonl", reversed(scores[:5]))
    write(tmp_path / "rating" / "ratings.jsonl", [rated(one, correctness=4.5, problem=3.25) for one in rows])
    write(tmp_path / "rating" / "metrics.json", [health({"correctness": False, "problem": True})])
    made = choose(folder)
    shown = {row["id"]: (row["scores"], row["rating"]) for row in lines(folder / RANKED)}
    asked = {one["id"]: one["scores"] for one in scores[:5]} | {row_id(rows[5]): None}
    assert shown == {id_: (told, {"correctness": 4.5, "problem": 3.25}) for id_, told in asked.items()}
    assert made["warnings"] == [f"1 functions have no line in {tmp_path / 'score' / 'scores.jsonl'}"]
    assert made["left_out"]["tail_logprob"] == "it is known of no function"
    assert made["left_out"]["rating_correctness"] == "it is not informative: retest"
    assert made["left_out"]["rating_efficiency"] == "it is not informative: nothing is said of it"
    assert made["metrics"]["rating_problem"]["rows"] == 6
    assert made["metrics"]["docstring_pmi"]["rows"] == 5
    metrics = {row["id"]: row["choice"]["metrics"] for row in lines(folder / RANKED)}
    assert metrics[row_id(rows[4])]["docstring_pmi"] == {
        "value": round(4 / 7, 6), "rank": 1.0, "percentile": 0.9, "weight": 1.0,
    }  # fmt: skip
    assert "docstring_pmi" not in metrics[row_id(rows[5])]
    assert "rating_correctness" not in metrics[row_id(rows[0])]


def test_ratings_that_nobody_checked_are_not_used(tmp_path: Path) -> None:
    """Sabotage: take a missing file of their health for good health."""
    folder = write_code(tmp_path / "code", [row(0)])
    write(tmp_path / "rating" / "ratings.jsonl", [rated(row(0), correctness=5.0)])
    told = choose(folder)["left_out"]["rating_correctness"]
    assert told.startswith("nothing says that it is informative")
    (tmp_path / "rating" / "metrics.json").write_text('{"dimensions": 5}')
    with pytest.raises(UsageError, match="does not say which ratings are informative"):
        choose(folder)


def test_topics_come_from_the_names_run(tmp_path: Path) -> None:
    """Sabotage: take the first topic that a name was drawn by, or names that are spelled alike only."""
    rows = [row(number, name) for number, name in enumerate(("quick_sort", "find_path", "unknown"))]
    folder = write_code(tmp_path / "code", rows)

    asked = (("graphs", "quick_sort", "find_path"), ("sorting", "quickSort", "quick_sort"), (None, "unknown"))
    entries = []
    for number, (topic, *texts) in enumerate(asked):
        draws = tuple(Draw(raw_text=str(text), text=str(text)) for text in texts)
        told: dict[str, Any] = {"key": str(number), "number": number, "topic": topic, "draws": draws}
        entries.append(Entry(stage="names", arm="L2R", attempts=1, seconds=0.1, **told))
    write_run(tmp_path / "names", entries)
    made = choose(folder, strata={"least": 1})
    assert [(one["topic"], one["band"]) for one in made["strata"]] == [("any", "1"), ("graphs", "1"), ("sorting", "1")]
    assert [one["topic"] for one in choose(folder, strata={"least": 1, "topics": False})["strata"]] == ["any"]


NAMES = st.sampled_from(["alpha_a", "beta_b", "gamma_c"])
SOME = st.builds(
    lambda name, group, size, copy, logprob, topic: (name, group, size, copy, logprob, topic),
    NAMES, st.sampled_from([None, True, False]), st.integers(1, 4), st.booleans(), st.sampled_from([None, -0.1, -3.0]),
    st.integers(0, 2),
)  # fmt: skip


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some=st.lists(SOME, min_size=2, max_size=14), random=st.randoms(use_true_random=False), tail=st.booleans())
def test_the_order_of_rows_scores_and_ratings_reaches_no_file(
    tmp_path: Path, some: list[tuple[Any, ...]], random: Random, tail: bool
) -> None:
    """Sabotage: break a tie by place, keep columns in the order of the file, or let the last line about a row count."""
    rows, draws = [], []
    for number, (name, group, size, copy, logprob, _) in enumerate(some):
        told = None if group is None else agreement(size, 4, chosen=group)
        rows.append(row(number, name, logprob=logprob, agreement=told, execution={"status": "pass", "calls": 2}))
        draws += [row(number, name, index=9, verdict="dropped", reasons=("duplicate",))] * copy
    scores = [scored(one, perplexity=1.0 + n % 3, docstring_pmi=n % 2, tail_logprob=None) for n, one in enumerate(rows)]
    scores.append(scored(rows[0], perplexity=7.0, docstring_pmi=7.0))  # a second line about a row
    ratings = [rated(one, correctness=float(n % 2)) for n, one in enumerate(rows)]
    made = []
    for times in range(2):
        for many in (rows, draws, scores, ratings) if times else ():
            random.shuffle(many)
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        folder = write_code(tmp_path / "run" / "code", rows, draws)
        write(tmp_path / "run" / "score" / "scores.jsonl", scores)
        write(tmp_path / "run" / "rating" / "ratings.jsonl", ratings)
        write(tmp_path / "run" / "rating" / "metrics.json", [health({"correctness": True})])
        choose(folder, tail={"enabled": tail}, per_name=2, strata={"least": 3})
        made.append([(folder / name).read_bytes() for name in (RANKED, CHOSEN, CHOICE)])
    assert made[0] == made[1]


def test_every_row_is_there_once_and_the_chosen_are_the_first(tmp_path: Path) -> None:
    """Sabotage: write ``chosen.jsonl`` from the order of ids."""
    rows = [row(number, f"name_{name}") for name in range(6) for number in range(3)]
    folder = write_code(tmp_path / "code", rows)
    made = choose(folder)
    ranked = lines(folder / RANKED)
    assert sorted(one["id"] for one in ranked) == sorted(map(row_id, rows))
    assert lines(folder / CHOSEN) == ranked[: made["chosen"]]
    assert [one["choice"]["chosen"] for one in ranked] == [True] * 6 + [False] * 12
    assert made["rows"] == sum(made["why"].values()) == sum(one["rows"] for one in made["strata"]) == 18
    assert {one.key for one in rows} == {msgspec.convert(one, CodeFileRow).key for one in ranked}


def test_lines_that_are_none_are_told_and_left_out(tmp_path: Path) -> None:
    """Sabotage: pass them over in silence."""
    folder = write_code(tmp_path / "code", [row(0)])
    with (folder / "filtered.jsonl").open("ab") as file:
        file.write(b'{"torn\n\n[1]\n')
    write(tmp_path / "score" / "scores.jsonl", [scored(row(0)), scored(row(1)), "no score"])
    assert choose(folder)["warnings"] == [
        f"2 lines of {folder / 'filtered.jsonl'} are no rows, and left out",
        f"1 lines of {tmp_path / 'score' / 'scores.jsonl'} cannot be read, and are left out",
        f"1 lines of {tmp_path / 'score' / 'scores.jsonl'} are about functions that are not among these",
    ]


@pytest.mark.parametrize("odd", ["much", [1], True, 1e999, 10**400, {}])
def test_what_is_no_number_is_not_known(tmp_path: Path, odd: Any) -> None:
    """Sabotage: take what a file holds for a number."""
    folder = write_code(tmp_path / "code", [row(0, agreement=agreement(odd, odd)), row(1, agreement=agreement(1, 2))])
    write(tmp_path / "score" / "scores.jsonl", [scored(row(0), docstring_pmi=odd), scored(row(1), docstring_pmi=1)])
    made = choose(folder)
    assert (made["metrics"]["docstring_pmi"]["rows"], made["metrics"]["evidence"]["rows"]) == (1, 1)


def test_a_function_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    """Sabotage: let the last one win."""
    folder = write_code(tmp_path / "code", [row(0), row(1), row(0)])
    with pytest.raises(UsageError, match="there twice"):
        choose(folder)
    assert not (folder / RANKED).exists()


def test_a_choice_says_of_which_filtering_it_is(tmp_path: Path) -> None:
    """Sabotage: leave ``filtered`` out: an export of what was chosen before a new filtering says nothing then."""
    folder = write_code(tmp_path / "code", [row(0)])
    assert choose(folder)["filtered"] is None
    (folder / "metrics.json").write_text('{"kept": 1}')
    assert choose(folder, out=tmp_path / "out")["filtered"] == digest_of(folder / "metrics.json")


def test_nothing_to_choose_from_is_no_error(tmp_path: Path) -> None:
    """Sabotage: divide by the number of rows."""
    folder = write_code(tmp_path / "code", [])
    made = choose(folder)
    assert (made["rows"], made["chosen"], made["strata"], lines(folder / CHOSEN)) == (0, 0, [], [])


@pytest.mark.parametrize("given", [{"scores": Path("nowhere")}, {"ratings": Path("nowhere")}])
def test_a_file_that_is_named_and_not_there_is_one_message(tmp_path: Path, given: dict[str, Path]) -> None:
    """Sabotage: take what lies beside the run all the same."""
    folder = write_code(tmp_path / "code", [row(0)])
    with pytest.raises(UsageError, match="nowhere is no file"):
        choose(folder, **given)
    with pytest.raises(UsageError, match="holds no filtered"):
        choose(tmp_path)


def test_a_stop_leaves_the_files_of_before_and_no_process(tmp_path: Path) -> None:
    """Sabotage: never look at ``stop``, or take the old files away first."""
    folder = write_code(tmp_path / "code", [row(0)])
    choose(folder)
    before = (folder / CHOICE).read_bytes()
    stop = Stop()
    stop.set()
    with pytest.raises(Interrupted):
        choose(folder, stop=stop)
    assert (folder / CHOICE).read_bytes() == before
    assert children() == set()


def turned(text: bytes) -> bytes:
    """Turn lines of one length round, so that each begins where another did."""
    return b"".join(reversed(text.splitlines(keepends=True)))


@pytest.mark.parametrize("change", [lambda text: text[:-2], lambda text: b"\n" + text, lambda text: text * 2, turned])
def test_a_file_that_changes_meanwhile_is_one_message(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    """Lines are gone, elsewhere, more, or others: a filter may run too. Sabotage: take what comes the second time."""
    path = write_code(tmp_path / "code", [row(0), row(1)]) / "filtered.jsonl"
    with pytest.raises(StorageError, match=r"filtered\.jsonl was changed while it was read\nhint: "):
        choose(path.parent, progress=lambda done: path.write_bytes(change(path.read_bytes())) and None)


def test_the_result_may_go_elsewhere(tmp_path: Path) -> None:
    """Sabotage: write into the run's folder all the same."""
    folder = write_code(tmp_path / "code", [row(0)])
    choose(folder, out=tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {RANKED, CHOSEN, CHOICE, ".lock"}
    assert {path.name for path in folder.iterdir()} == {"filtered.jsonl", "raw.jsonl"}
