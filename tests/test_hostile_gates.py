"""Hostile code gets a verdict, never an exception, within bounded time and memory."""

from __future__ import annotations

import sys
import warnings
from collections import Counter

import pytest
from hostile_code import BIG, monsters

from evoselfcode.datagen.filters.function_text import cut, trim
from evoselfcode.datagen.filters.gates import GATES, Limits, examine
from evoselfcode.datagen.filters.source import Source

NUMBER = 1_000


def judge(number: int, limits: Limits) -> Counter[str | None]:
    """Cut, trim and examine monsters; count the reasons."""
    found: Counter[str | None] = Counter()
    for turn, text in enumerate(monsters(number, seed=7)):
        head = ("", "def f(x):\n")[turn % 2]
        code, complete = cut(head, text, "length")
        for judged in (text, code, trim(code)):
            examined = examine(Source(func_name="f", code=judged, head=head, complete=complete), limits)
            assert set(examined.reasons) <= set(GATES)
            found[examined.reason] += 1
    return found


def test_every_monster_gets_a_verdict_in_silence() -> None:
    """Sabotages: catch no MemoryError, no ValueError, or nothing of the walk; parse before the length is asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = judge(NUMBER, Limits(off=("truncated",)))
    assert found.total() == 3 * NUMBER
    assert {"too_long", "unparsable", "too_complex", "not_one_function", "layout", "repetition"} <= set(found)


def test_monsters_are_the_same_for_a_seed_and_of_bounded_length() -> None:
    """Sabotage: draw from an unseeded Random."""
    first = list(monsters(200, seed=3))
    assert first == list(monsters(200, seed=3))
    assert first != list(monsters(200, seed=4))
    assert BIG - 1_000 < max(map(len, first)) <= BIG


def test_the_verdict_does_not_depend_on_the_stack_that_is_left() -> None:
    """Sabotage: walk without MOST_DEPTH."""
    source = Source(func_name="f", code="def f(x):\n    return " + "x + " * 130 + "x\n")
    before = sys.getrecursionlimit()
    try:
        for limit in (before, 20_000):
            sys.setrecursionlimit(limit)
            assert examine(source).reason == "too_complex"
    finally:
        sys.setrecursionlimit(before)


@pytest.mark.slow
def test_monsters_of_any_length_get_a_verdict_where_the_limit_of_length_is_off() -> None:
    """Two megabytes are parsed: 25 s and 500 MB for 1,000 monsters. Sabotage: catch no MemoryError."""
    assert judge(NUMBER // 4, Limits(off=("too_long",))).total() == 3 * (NUMBER // 4)
