"""Best of n on completions of known correctness: what the page says is what the stored outcomes give."""

from __future__ import annotations

from statistics import fmean

import checkout
import pytest
from choosers import (
    DRAWS,
    FEWER,
    TIMES,
    WAYS,
    Choice,
    Pool,
    Task,
    any_draw,
    first,
    gap,
    interval,
    ranged,
    right,
    stored,
    tasks,
    truth,
)

from evoselfcode.datagen.filters.gates import Examined
from evoselfcode.datagen.filters.hashes import Hashes

PAGE = checkout.read("docs/explanation/best-of-n.md")
POOLS: tuple[Pool, ...] = ("parsed", "kept")
MAIN = next(iter(stored().sources.values()))
"""The asserts of the best model that there was, named before any outcome was known."""


def made(*draws: tuple[str, str]) -> Choice:
    """Make a choice: each draw is its alpha hash, and a letter per assert, ``x`` where it passes."""
    examined = tuple(Examined((), True, Hashes("", "", alpha)) for alpha, _ in draws)
    vectors = tuple(tuple(letter == "x" for letter in passes) for _, passes in draws)
    task = Task("t", (), (), examined, (), tuple(range(len(draws))))
    return Choice(task, tuple(range(len(draws))), vectors)


@pytest.mark.parametrize(
    ("way", "places"),
    [
        ("any", [0, 1, 2, 3, 4, 5]),
        ("most asserts", [0]),
        ("most copies", [0, 4, 5]),
        ("same behaviour", [1, 2, 3]),
        ("agreement", [1, 2, 3]),
        ("best-of-n", [2]),
    ],
)
def test_each_way_takes_what_it_says(way: str, places: list[int]) -> None:
    """Sabotages: the number of members does not count; ties go to the first; most asserts wins everywhere."""
    given = made(("a", "xxxx-"), ("b", "xxx--"), ("c", "xxx--"), ("d", "xxx--"), ("a", "x----"), ("a", "----x"))
    assert WAYS[way](given) == places


def test_agreement_on_asserts_that_notice_nothing_is_none() -> None:
    """Sabotage: leave ``vacuous`` out."""
    given = made(("a", "xx"), ("b", "xx"), ("a", "-x"), ("a", "x-"))
    assert (WAYS["best-of-n"](given), WAYS["best-of-n"](given._replace(vacuous=True))) == ([0], [2])


def test_of_groups_with_one_score_all_are_held_for_the_best() -> None:
    """Sabotage: take the first cluster alone."""
    assert WAYS["agreement"](made(("a", "x-"), ("b", "-x"))) == [0, 1]


def test_where_nothing_passes_all_are_held_for_the_best() -> None:
    """Sabotage: return what agreement chooses, which is nothing."""
    given = made(("a", "--"), ("b", "--"))
    assert [WAYS[way](given) for way in ("most asserts", "agreement")] == [[0, 1], [0, 1]]


def test_the_stored_outcomes_are_of_these_programs() -> None:
    """Sabotage: cut a completion elsewhere. What is stored is then to be made anew."""
    assert {task.name: task.digest for task in tasks()} == stored().programs
    for source in stored().sources.values():
        assert source.asserts.keys() == source.passed.keys()
        assert all(len(task.programs) == len(source.passed.get(task.name, task.programs)) for task in tasks())


@pytest.mark.parametrize("name", stored().sources)
def test_programs_that_are_the_same_pass_the_same_asserts(name: str) -> None:
    """Sabotage: store the outcomes of two programs the wrong way round."""
    source = stored().sources[name]
    for task in (task for task in tasks() if task.name in source.passed):
        found: dict[str, set[str]] = {}
        for number, seen in zip(task.numbers, task.examined, strict=True):
            if number is not None and seen.hashes is not None:
                found.setdefault(seen.hashes.alpha, set()).add(source.passed[task.name][number])
        assert all(len(outcomes) == 1 for outcomes in found.values()), task.name


def test_agreement_is_right_more_often_and_most_asserts_is_not() -> None:
    """The bounds of the published figures but one: the difference is below 0.15 here, and the page says so. Sabotages:
    choose by most asserts passed; let the number of members not count."""
    found = right(MAIN, "kept")
    agreement, most = fmean(found["agreement"]), fmean(found["most asserts"])
    assert agreement >= 0.35
    assert agreement - most > 0.10
    assert gap(found).low > 0
    assert interval([one - other for one, other in zip(found["most asserts"], found["any"], strict=True)]).low < 0


def test_the_page_shows_what_each_way_gets_right() -> None:
    """Sabotages: choose by most asserts passed, or by members alone; draw tasks with another seed."""
    shown = [[f"`{way}`", *(ranged(interval(right(MAIN, pool)[way])) for pool in POOLS)] for way in WAYS]
    assert [[row[0], *row[2:]] for row in checkout.table(PAGE, "ways")] == shown
    assert ranged(interval(any_draw())) in PAGE


@pytest.mark.parametrize("n", [*FEWER, DRAWS])
def test_the_page_shows_what_fewer_functions_cost(n: int) -> None:
    """Sabotage: choose among the first n draws, or among all."""
    found = right(MAIN, "kept", n=n, times=TIMES if n < DRAWS else 1)
    rows = {row[0]: row[1:] for row in checkout.table(PAGE, "fewer")}
    assert rows[str(n)] == [f"{fmean(values):.3f}" for values in found.values()]


def test_the_page_shows_what_fewer_asserts_cost() -> None:
    """Sabotage: cut nothing off."""
    shown = []
    for count in (5, 10, 20, 40):
        found = right(first(MAIN, count), "kept")
        shown.append([str(count), *(f"{fmean(found[way]):.3f}" for way in ("most asserts", "agreement")),
                      ranged(gap(found))])  # fmt: skip
    assert checkout.table(PAGE, "asserts") == shown


def test_the_page_says_what_the_asserts_are_worth() -> None:
    """Sabotage: let an assert hold that one right function passes."""
    found, prose = truth(MAIN, "kept"), " ".join(PAGE.split())
    assert f"{found.hold:.0%} of the asserts hold".replace("%", " %") in prose
    assert f"{found.mislead:.0%} do not hold".replace("%", " %") in prose
    assert f"In {found.misled} of the {found.tasks} tasks" in prose
    assert f"{found.trivial:.1%}.".replace("%", " %") in prose


@pytest.mark.parametrize("name", stored().sources)
def test_the_page_shows_what_comes_of_each_source(name: str) -> None:
    """Sabotage: leave a source out of the table, or give the members no weight."""
    source = stored().sources[name]
    kept = right(source, "kept")
    has = [task.name in source.asserts for task in tasks()]
    shown = [
        f"{sum(has)}",
        f"{sum(map(len, source.asserts.values())):,}",
        f"{truth(source, 'kept').hold:.2f}",
        *(f"{fmean(kept[way]):.3f}" for way in ("most asserts", "agreement", "best-of-n")),
        ranged(gap(kept)),
        ranged(gap(kept, has)),
        ranged(gap(right(source, "parsed"))),
    ]
    rows = {row[0]: row[2:] for row in checkout.table(PAGE, "sources")}
    assert rows[f"`{name}`"] == shown
    assert list(rows) == [f"`{each}`" for each in stored().sources]
