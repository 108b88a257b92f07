"""From which numbers on a dimension is informative."""

from __future__ import annotations

from random import Random
from typing import Any

import checkout
import pytest

from evoselfcode.datagen.scoring.rating_anchors import DIMENSIONS
from evoselfcode.datagen.scoring.rating_files import ReplyRow
from evoselfcode.datagen.scoring.rating_health import health

PUBLISHED = {"problem": (4, 9), "definition": (0.1, 0.3), "correctness": (1.2, 4.2), "efficiency": (5, 18),
             "readability": (2, 8)}  # fmt: skip
"""Of a published run of 13,585 functions, rated by the model that wrote them: per cent of 3 and 4, solved from the two
published moments of each dimension and rounded; the rest, 77 to 99.6 %, are 5."""


def reply(number: int, arm: str, given: dict[str, int | None] | int | None, execution: str | None = None) -> ReplyRow:
    digits = given if isinstance(given, dict) else dict.fromkeys(DIMENSIONS, given)
    return ReplyRow(
        id=str(number), func_name="f", source="L2R", arm=arm, execution=execution, given=digits,
        rating={name: None if digit is None else float(digit) for name, digit in digits.items()},
        probabilities=dict.fromkeys(DIMENSIONS), outside=dict.fromkeys(DIMENSIONS),
    )  # fmt: skip


def checked(replies: list[ReplyRow], name: str = "correctness") -> dict[str, Any]:
    return dict(health(lambda: replies)["dimensions"][name])


def rated(digits: list[int], again: list[int] | None = None) -> list[ReplyRow]:
    second = digits if again is None else again
    return [
        *(reply(number, "rating", digit) for number, digit in enumerate(digits)),
        *(reply(number, "retest", digit) for number, digit in enumerate(second)),
    ]


SPREAD = [1, 2, 3, 4, 5] * 8


def test_published_ratings_say_nothing() -> None:
    """Sabotage: raise MOST_AT_BEST to 0.78."""
    random, replies = Random(6750), []
    for number in range(6750):
        digits: dict[str, int | None] = {}
        for name, (threes, fours) in PUBLISHED.items():
            digits[name] = random.choices((3, 4, 5), (threes, fours, 100 - threes - fours))[0]
        replies.append(reply(number, "rating", digits))
    found = health(lambda: replies)["dimensions"]
    assert not any(of["informative"] for of in found.values())
    assert found["efficiency"]["why"] == ["77 % of the ratings are 5"]
    assert found["definition"]["why"] == ["100 % of the ratings are 5"]


def test_the_limits() -> None:
    """70 % may be best, and twenty are enough. Sabotage: > for >= and the other way round."""
    assert checked(rated([5] * 28 + [4, 3] * 6))["informative"]
    assert checked(rated([5] * 29 + [4, 3] * 5 + [2]))["why"] == ["72 % of the ratings are 5"]
    assert checked(rated(SPREAD[:20]))["informative"]
    few = checked(rated(SPREAD[:19]))
    assert few["why"] == ["too few functions were rated"]
    assert [why.partition(":")[0] for why in few["not_checked"]] == ["spread", "retest", "execution", "mutants"]


def test_ratings_that_are_all_the_same_say_nothing() -> None:
    """None is the best, and a kappa cannot be told. Sabotage: let a kappa of ``None`` pass."""
    assert checked(rated([3] * 40))["why"] == [
        "all ratings are 3",
        "all ratings are the same the first time and the second",
    ]


def test_a_second_rating_must_agree() -> None:
    """Sabotage: compare with LEAST_KAPPA the share of ratings that are the same."""
    shifted = [max(1, digit - 1) for digit in SPREAD]
    found = checked(rated(SPREAD, shifted))
    assert found["retest"] == {"pairs": 40, "kappa": 0.8, "alpha": pytest.approx(0.75, abs=0.05), "same": 0.2}
    assert found["informative"]
    found = checked(rated(SPREAD, SPREAD[::-1]))
    assert found["why"] == ["a second rating, in another order, is another one (kappa -1.00, and 0.6 is asked for)"]


@pytest.mark.parametrize(("off", "informative"), [(1, True), (0, False)])
def test_a_bug_must_take_a_point_off(off: int, informative: bool) -> None:
    """Of correctness alone. Sabotage: LEAST_DROP of 1.01; take the original's rating for a function without one."""
    digits = [2, 3, 4, 5] * 10
    replies = rated(digits) + [reply(number, "mutant", digit - off) for number, digit in enumerate(digits)]
    replies += [reply(1000 + number, "mutant", 5) for number in range(30)]  # their originals were not rated
    found = checked(replies)
    assert found["informative"] == informative
    assert found["mutants"]["pairs"] == 40
    assert found["mutants"]["unmoved"] == 1 - off
    assert checked(replies, "problem")["informative"]
    if not informative:
        told = "a bug takes 0.00 points off, and 1 is asked for; 100 % of the functions are rated no lower with one"
        assert found["why"] == [told]


@pytest.mark.parametrize(("failing", "informative"), [([1, 2] * 15, True), ([2, 3, 4, 5] * 8, False)])
def test_what_fails_must_be_rated_lower(failing: list[int], informative: bool) -> None:
    """Wherever it stands. Sabotage: leave out the functions of the arm ``rating`` that failed."""
    digits = [2, 3, 4, 5] * 10
    half = len(failing) // 2
    replies = rated(digits)
    replies[: len(digits)] = [reply(number, "rating", digit, "pass") for number, digit in enumerate(digits)]
    replies += [reply(2000 + number, "failed", digit, "assert") for number, digit in enumerate(failing[:half])]
    replies += [reply(3000 + number, "rating", digit, "timeout") for number, digit in enumerate(failing[half:])]
    found = checked(replies)
    assert (found["execution"]["passed"], found["execution"]["failed"]) == (40, len(failing))
    assert found["informative"] == informative
    assert checked(replies, "problem")["informative"]
    if not informative:
        assert found["why"][0].startswith("functions that pass are not rated above those that fail (AUC 0.50, 0.3")


def test_replies_that_cannot_be_read_are_counted() -> None:
    """Sabotage: count a dimension that is missing as 0."""
    one = reply(100, "rating", dict.fromkeys(DIMENSIONS, 4) | {"correctness": None})
    told = health(lambda: [*rated(SPREAD), one, reply(101, "rating", None)])
    assert told["replies"]["rating"] == {"asked": 42, "unparsed": 1}
    correctness, problem = told["dimensions"]["correctness"], told["dimensions"]["problem"]
    assert (correctness["rated"], correctness["unparsed"]) == (40, 2)
    assert (problem["rated"], problem["unparsed"], problem["median"], problem["mean"]) == (41, 1, 3, 3.0244)
    assert problem["ratings"] == {"1": 8, "2": 8, "3": 8, "4": 9, "5": 8}


def test_the_documentation_tells_of_every_number_and_check() -> None:
    """Sabotage: rename a number of ``metrics.json``, or a check."""
    told = health(lambda: rated(SPREAD[:5]))["dimensions"]
    page = checkout.table(checkout.read("docs/reference/files.md"), "rating metrics")
    assert [checkout.ticked(row[0])[0] for row in page] == list(told["problem"])
    for row in page:
        numbers = told["problem"][checkout.ticked(row[0])[0]]
        if isinstance(numbers, dict) and "1" not in numbers:
            assert {*numbers} <= {*checkout.ticked(row[1])}
    checks = checkout.table(checkout.read("docs/explanation/ratings.md"), "rating checks")
    names = [checkout.ticked(row[0])[0] for row in checks]
    assert names == [why.partition(":")[0] for why in told["correctness"]["not_checked"]]
    every = [checkout.ticked(row[0])[0] for row in checks if row[1] == "every dimension"]
    assert every == [why.partition(":")[0] for why in told["problem"]["not_checked"]]
