"""What a rater is shown, and in which order."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.datagen.sandbox.inputs import find
from evoselfcode.datagen.scoring.rating_anchors import ANCHORS, DIMENSIONS
from evoselfcode.datagen.scoring.rating_prompt import STOP, order_of, prompt_of

CODE = "def f(x: int) -> int:\n    return x\n"


def test_the_examples_are_not_all_best() -> None:
    """Each dimension has bad, middling and good ones. Sabotage: rate an example five times 5."""
    for number, dimension in enumerate(DIMENSIONS):
        ratings = Counter(anchor.ratings[number] for anchor in ANCHORS)
        assert {1, 5} <= ratings.keys(), dimension
        assert {2, 3} & ratings.keys(), dimension
        assert ratings[5] <= len(ANCHORS) // 2, dimension
    assert all(1 < sum(anchor.ratings) / 5 < 5 for anchor in ANCHORS)


def test_the_examples_are_functions() -> None:
    for anchor in ANCHORS:
        name = anchor.code.partition("(")[0].removeprefix("def ")
        assert find(anchor.code, name) is not None, name
        assert anchor.code in prompt_of(CODE, "", order_of(0, "x"))


def test_what_they_are_rated_for_is_so() -> None:
    """Sabotage: mend one of the bugs."""
    there: dict[str, object] = {}
    for anchor in ANCHORS:
        exec(anchor.code, there)
    call = {name: value for name, value in there.items() if callable(value)}
    assert [call["longest_run"](of) for of in ([], [3], [1, 1, 2, 2, 2, 1], [2, 1, 1])] == [0, 1, 3, 2]
    assert call["moving_average"]([1, 2, 3], 2) == [1.5]  # 2.5 is missing
    assert call["common_letters"]("hello", "world") == ["l", "o"]
    assert [call["parse_duration"](text) for text in ("1h30m", "45s", "45")] == [5400, 45, 0]  # "45" is to raise
    assert [call["is_leap"](year) for year in (2024, 2023, 1900)] == [True, False, True]  # 1900 was none


@given(st.integers(0, 2**62), st.text(max_size=20))
def test_an_order_is_one_of_all_that_is_shown(seed: int, row: str) -> None:
    """Sabotage: draw with replacement."""
    first, second = order_of(seed, row), order_of(seed, row, again=True)
    assert sorted(first.dimensions) == sorted(second.dimensions) == sorted(DIMENSIONS)
    assert sorted(first.anchors) == sorted(second.anchors) == list(range(len(ANCHORS)))
    assert order_of(seed, row) == first


def test_no_row_has_the_same_order_twice() -> None:
    """One in 120 would by chance, and one in 720. Sabotage: look at the dimensions alone, or at the anchors."""
    for row in map(str, range(4000)):
        first, second = order_of(0, row), order_of(0, row, again=True)
        assert first.dimensions != second.dimensions
        assert first.anchors != second.anchors


def test_every_order_comes_up() -> None:
    """Each dimension stands first about as often. Sabotage: shuffle the anchors alone."""
    firsts = Counter(order_of(0, str(row)).dimensions[0] for row in range(1000))
    assert all(150 < firsts[name] < 250 for name in DIMENSIONS)


def test_a_prompt_ends_where_the_ratings_begin() -> None:
    """Sabotage: show the ratings in another order than the scales; leave the stop out of what begins an example."""
    order = order_of(0, "row")
    prompt = prompt_of(CODE, "Give it back.", order)
    assert prompt.endswith(f"\n### Function 7\nTask: Give it back.\n```python\n{CODE}```\n### Ratings 7\n")
    assert prompt.count(STOP) == 14
    shown = prompt.partition("### Ratings 1\n")[2].partition("\n\n")[0].splitlines()
    assert [line.partition(":")[0] for line in shown] == list(order.dimensions)
    assert [line[2:].partition(":")[0] for line in prompt.splitlines() if line[:2] == "- "] == list(order.dimensions)
    chat = prompt_of(CODE, "", order, chat=True)
    assert "Task:" not in chat
    assert chat.endswith(
        "\nRate function 7 as the functions before it are rated. Answer with its five lines and nothing else.\n"
    )
