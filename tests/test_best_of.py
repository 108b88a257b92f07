"""The best of a name's functions: who agrees comes first, whatever the order in which they come."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.datagen.choosing.best_of import (
    Candidate,
    any_one,
    best_of,
    in_order,
    most_asserts_passed,
    most_frequent,
)

NUMBER = st.none() | st.sampled_from([-1.5, -0.5, 0.0, 0.5])


def candidate(id_: str, **given: object) -> Candidate:
    fields = {"alpha": id_, "length": 10} | given
    return Candidate(id=id_, **fields)  # type: ignore[arg-type]


CANDIDATES = st.lists(
    st.builds(
        Candidate,
        id=st.uuids().map(str),
        alpha=st.none() | st.sampled_from("xyz"),
        length=st.integers(1, 4),
        copies=st.integers(1, 3),
        passed=st.none() | st.tuples(st.booleans(), st.booleans()),
        fused=st.sampled_from([0.0, 0.5]),
        lint=NUMBER,
        logprob=NUMBER,
    ),
    min_size=1,
    max_size=9,
    unique_by=lambda one: one.id,
)


def test_those_who_agree_beat_the_one_that_passes_most() -> None:
    """Sabotage: take the candidate that passes most asserts."""
    every = [
        candidate("most", passed=(True, True, True, True)),
        *(candidate(f"agree{i}", passed=(True, True, True, False)) for i in range(3)),
    ]
    made = best_of(every)
    assert (made.first.id, made.group) == ("agree0", "agreement")
    assert [one.id for one in made.members] == ["agree0", "agree1", "agree2"]
    assert most_asserts_passed(every).id == "most"


def test_agreement_on_vacuous_asserts_is_none() -> None:
    """Sabotage: leave ``vacuous`` out of the condition."""
    every = [candidate("a", passed=(True,)), candidate("b", passed=(True,)), candidate("c", alpha="d", copies=2)]
    assert best_of(every).first.id == "a"
    made = best_of(every, vacuous=True)
    assert (made.first.id, made.group) == ("c", "copies")


@pytest.mark.parametrize("passed", [None, (), (False, False)])
def test_where_nothing_passed_the_most_copied_comes_first(passed: tuple[bool, ...] | None) -> None:
    """Sabotage: take a group that passes nothing for one that agrees, or count candidates and not their copies."""
    every = [
        candidate("a", alpha="x", passed=passed),
        candidate("b", alpha="x", passed=passed),
        candidate("c", alpha="y", copies=3, passed=passed),
    ]
    made = best_of(every)
    assert (made.first.id, made.group) == ("c", "copies")
    assert most_frequent(every).id == "c"


def test_copies_vote_for_their_group() -> None:
    """A function that was drawn five times is five that agree. Sabotage: let each candidate have one vote."""
    every = [
        candidate("a", passed=(True, False)),
        candidate("b", passed=(True, False)),
        candidate("c", passed=(False, True), copies=5),
    ]
    assert best_of(every).first.id == "c"


def test_of_groups_that_are_worth_the_same_the_order_decides_nothing() -> None:
    """Sabotage: leave the sort by id out of ``agreeing``."""
    every = [candidate("a", passed=(True, False)), candidate("b", passed=(False, True))]
    assert best_of(every).first.id == best_of(every[::-1]).first.id == "a"


def test_functions_without_a_tree_are_nobodys_copies() -> None:
    """Sabotage: group by ``alpha`` as it is."""
    every = [candidate("a", alpha=None), candidate("b", alpha=None), candidate("c", alpha="x", copies=2)]
    assert best_of(every).first.id == "c"


def test_within_a_group_the_rules_follow_one_another() -> None:
    """Sabotage: swap two of the keys, or put what is not known first."""
    same = {"alpha": "x"}
    every = [
        candidate("fused", **same, fused=1.0, length=99, lint=0.0),
        candidate("middle", **same, length=10, lint=0.1),
        candidate("lint", **same, length=12, lint=0.9),
        candidate("likely", **same, length=12, lint=0.5, logprob=-1.0),
        candidate("unlikely", **same, length=12, lint=0.5, logprob=-2.0),
        candidate("unknown", **same, length=12, lint=0.5, logprob=None),
        candidate("unlinted", **same, length=12, lint=None, logprob=-0.1),
        candidate("short", **same, length=1),
        candidate("shorter", **same, length=0),
    ]
    # The median of the lengths is 12.
    assert [one.id for one in in_order(every)] == [
        "fused", "lint", "likely", "unlikely", "unknown", "unlinted", "middle", "short", "shorter",
    ]  # fmt: skip


@given(CANDIDATES, st.randoms(use_true_random=False))
def test_the_order_of_candidates_decides_nothing(every: list[Candidate], random: Random) -> None:
    """Sabotage: leave the id out of the keys of ``in_order``."""
    shuffled = random.sample(every, len(every))
    assert best_of(shuffled) == best_of(every)
    assert most_asserts_passed(shuffled) == most_asserts_passed(every)
    assert most_frequent(shuffled) == most_frequent(every)
    assert any_one(shuffled, Random(3)) == any_one(every, Random(3))


@given(CANDIDATES)
def test_the_chosen_is_one_of_the_group_and_the_group_of_the_candidates(every: list[Candidate]) -> None:
    made = best_of(every)
    assert made.first == made.members[0]
    assert {one.id for one in made.members} <= {one.id for one in every}
    if made.group == "agreement":
        assert len({one.passed for one in made.members}) == 1
        assert any(made.first.passed or ())


@pytest.mark.parametrize("choose", [best_of, most_frequent, most_asserts_passed])
def test_of_nothing_there_is_no_best(choose: object) -> None:
    with pytest.raises(ValueError, match=r"no candidate|empty"):
        choose([])  # type: ignore[operator]


def test_functions_that_ran_against_other_asserts_are_refused() -> None:
    with pytest.raises(ValueError, match="an outcome for every test"):
        best_of([candidate("a", passed=(True,)), candidate("b", passed=(True, False))])
