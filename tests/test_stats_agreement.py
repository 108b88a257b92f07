"""Dual agreement: groups, scores, and that it finds right solutions among wrong ones and wrong tests."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.stats.agreement import dual_agreement

T, F = True, False
MATRICES = st.integers(0, 5).flatmap(
    lambda tests: st.lists(st.lists(st.booleans(), min_size=tests, max_size=tests), max_size=8)
)


def test_a_group_is_who_passes_the_same_tests_and_its_score_weighs_both() -> None:
    """Sabotages: score by the members times the tests squared; group by the number of tests."""
    found = dual_agreement([[T, T, F, F], [T, T, T, F], [T, T, F, F], [F, F, T, T], [F, F, F, F], [T, T, F, F]])
    assert [(one.members, one.tests) for one in found.clusters] == [
        ((0, 2, 5), (0, 1)),
        ((1,), (0, 1, 2)),
        ((3,), (2, 3)),
        ((4,), ()),
    ]
    assert [one.score for one in found.clusters] == pytest.approx([2 * math.sqrt(3), 3, 2, 0])
    assert found.chosen == (0, 2, 5)
    assert found.share == 0.5


@pytest.mark.parametrize("passed", [[], [[]], [[], []], [[F, F], [F, F]]])
def test_where_nothing_passed_nothing_is_chosen(passed: list[list[bool]]) -> None:
    found = dual_agreement(passed)
    assert (found.chosen, found.share) == ((), 0.0)
    assert sum(len(one.members) for one in found.clusters) == len(passed)


def test_every_solution_has_an_outcome_for_every_test() -> None:
    with pytest.raises(ValueError, match="every test"):
        dual_agreement([[T], [T, F]])


@given(MATRICES, st.randoms(use_true_random=False))
def test_the_order_of_solutions_and_of_tests_does_not_matter(passed: list[list[bool]], random: Random) -> None:
    """Sabotage: take the first group of the best score in the order of the dictionary, for a score without a tie."""
    rows = random.sample(range(len(passed)), len(passed))
    columns = random.sample(range(len(passed[0])), len(passed[0])) if passed else []
    shuffled = dual_agreement([[passed[row][column] for column in columns] for row in rows])
    plain = dual_agreement(passed)

    def groups(found: object) -> set[tuple[frozenset[int], frozenset[int], float]]:
        return {(frozenset(one.members), frozenset(one.tests), one.score) for one in found.clusters}  # type: ignore[attr-defined]

    back = {
        (frozenset(rows[member] for member in members), frozenset(columns[test] for test in tests), score)
        for members, tests, score in groups(shuffled)
    }
    assert back == groups(plain)
    if len(plain.clusters) < 2 or plain.clusters[0].score > plain.clusters[1].score:
        assert {rows[member] for member in shuffled.chosen} == set(plain.chosen)


def test_agreement_finds_what_counting_tests_does_not() -> None:
    """Right solutions agree; wrong ones differ, and some of them pass more of the wrong tests than a right one does.

    Of 20 solutions 6 are right; of 25 tests 15 are. A wrong solution passes a right test with 30 %, a wrong test with
    60 %; right solutions pass all right tests and no others. Sabotage: let the number of members not count.
    """
    random = Random(5)
    agreed = counted = 0
    for _ in range(200):
        right = [[number < 15 for number in range(25)] for _ in range(6)]
        wrong = [[random.random() < (0.3 if number < 15 else 0.6) for number in range(25)] for _ in range(13)]
        wrong.append([random.random() < 0.7 for _ in range(25)])
        solutions = [*right, *wrong]
        agreed += set(dual_agreement(solutions).chosen) == set(range(6))
        counted += max(range(20), key=lambda number: (sum(solutions[number]), number)) < 6
    assert agreed / 200 > 0.99
    assert counted / 200 < 0.5
