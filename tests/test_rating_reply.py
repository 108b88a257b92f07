"""What is a rating in a text, and how probable each of the five was."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evoselfcode.datagen.scoring.rating_anchors import DIMENSIONS
from evoselfcode.datagen.scoring.rating_reply import read_reply
from evoselfcode.records import Choice

LINES = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", " ", "- ", "**", "> ", "x ", "### "]),
    st.sampled_from([*DIMENSIONS, "Correctness", "overall", ""]),
    st.sampled_from([": ", ":", " = ", "**: ", " is ", ""]),
    st.integers(-3, 120).map(str)
    | st.sampled_from(["4/5", "4 out of 5", "4.5", "4-5", "4 or 5", "four", "\u0664", ""]),
)
TEXTS = st.text(max_size=80) | st.lists(LINES | st.text(max_size=12), max_size=12).map("\n".join)


def given_of(text: str) -> dict[str, int]:
    return {name: rated.given for name, rated in read_reply(Choice(text)).items()}


@given(TEXTS)
@example("correctness: 4\ncorrectness: 4")
def test_a_rating_is_in_range_and_read_off_one_line(text: str) -> None:
    """Sabotage: take the last of two lines; read ``10`` as 1; let any digit do."""
    for name, rated in read_reply(Choice(text)).items():
        assert 1 <= rated.given <= 5
        assert rated.value == rated.given
        about = [line for line in text.lower().split("\n") if name in line]
        assert sum(str(rated.given) in line for line in about) == 1


@given(st.permutations(DIMENSIONS), st.lists(st.integers(1, 5), min_size=5, max_size=5))
def test_five_lines_are_five_ratings(names: list[str], ratings: list[int]) -> None:
    text = "".join(f"{name}: {rating}\n" for name, rating in zip(names, ratings, strict=True))
    assert given_of(text) == dict(zip(names, ratings, strict=True))


@pytest.mark.parametrize(
    ("line", "rating"),
    [
        ("correctness: 4", 4),
        ("Correctness : 4", 4),
        ("- **Correctness**: 4/5", 4),
        ("**correctness:** 4 out of 5.", 4),
        ("  correctness = 4 (it forgets the empty list)", 4),
        ("correctness:4\r", 4),
        ("correctness: 0", None),
        ("correctness: 6", None),
        ("correctness: 10", None),
        ("correctness: 4.5", None),
        ("correctness: 4-5", None),
        ("correctness: 4 or 5", None),
        ("correctness: 4/10", None),
        ("correctness: -4", None),
        ("correctness: \u0664", None),
        ("correctness:\n4", None),
        ("its correctness: 4", None),
        ("incorrectness: 4", None),
        ("correctness 4", None),
    ],
)
def test_lines(line: str, rating: int | None) -> None:
    """Sabotage: let digits stand behind the rating, or words before the dimension."""
    assert given_of(f"problem: 3\n{line}\nreadability: 2") == (
        {"problem": 3, "readability": 2} | ({} if rating is None else {"correctness": rating})
    )


def test_two_lines_about_a_dimension_are_no_rating() -> None:
    """The next example is not looked at, where it is known to be one. Sabotage: cut nothing."""
    text = "correctness: 4\n\n### Function 8\nproblem: 1\ncorrectness: 2\n"
    assert given_of(text) == {"problem": 1}
    assert {name: it.given for name, it in read_reply(Choice(text), ["\n###"]).items()} == {"correctness": 4}


@pytest.mark.parametrize("opened", ["<think>\n", ""])
def test_what_a_model_thinks_first_is_no_rating(opened: str) -> None:
    """However long. Sabotage: look at the first 4,096 characters alone; or read the thoughts with the rest."""
    thought = f"{opened}correctness: 2\n" + "Is it? " * 2000
    assert given_of(f"{thought}\n</think>\n\ncorrectness: 4\n") == {"correctness": 4}
    tokens = [thought + "</think>", "\ncorrectness:", " 4"]
    rated = read_reply(choice(tokens, [{}, {}, place(_4=0.5, _5=0.5)]))["correctness"]
    assert (rated.given, rated.value) == (4, 4.5)


def test_a_thought_that_was_not_finished_holds_no_rating() -> None:
    """Sabotage: read it."""
    assert given_of("<think>\ncorrectness: 2\nIs it") == {}


def choice(tokens: list[str], others: list[dict[str, float]]) -> Choice:
    logprobs = tuple(there.get(token) for token, there in zip(tokens, others, strict=True))
    return Choice("".join(tokens), "stop", tuple(tokens), logprobs, alternatives=tuple(others))


def place(**shares: float) -> dict[str, float]:
    return {token.replace("_", " "): math.log(share) for token, share in shares.items()}


HEAD: list[dict[str, float]] = [{}, {}]


@pytest.mark.parametrize(
    ("tokens", "others"),
    [
        (["correctness", ":", " 4"], [*HEAD, {" 4": 0.5, " 5": 0.25, "4": 0.05, "\n": 0.1}]),
        (["correctness", ": ", "4", "\n"], [*HEAD, {"4": 0.55, "5": 0.25, "1.": 0.1}, {}]),
        (["correctness", ": 4\n"], [{}, {": 4\n": 0.55, ": 5\n": 0.25, ": 5": 0.1}]),
        (["correctness:", " ", "4"], [*HEAD, {"4": 0.55, "5": 0.25, "\u0665": 0.1}]),
    ],
)
def test_probabilities_are_those_of_the_digits(tokens: list[str], others: list[dict[str, float]]) -> None:
    """Sabotage: look at the token before; do not make them add up to 1; count ``\\u0665`` as a five."""
    logs = [{token: math.log(share) for token, share in there.items()} for there in others]
    rated = read_reply(choice(tokens, logs))["correctness"]
    assert rated.given == 4
    assert rated.probabilities == pytest.approx((0, 0, 0, 0.55 / 0.8, 0.25 / 0.8), abs=1e-4)
    assert rated.outside == pytest.approx(0.2, abs=1e-4)
    assert rated.value == pytest.approx(4 + 0.25 / 0.8, abs=1e-3)


def test_the_drawn_token_counts_where_it_is_not_among_the_likeliest() -> None:
    """OpenAI tells the likeliest five alone. Sabotage: forget the token itself."""
    drawn = Choice("correctness: 2", "stop", ("correctness:", " 2"), (None, math.log(0.1)),
                   alternatives=({}, place(_4=0.6, _5=0.3)))  # fmt: skip
    rated = read_reply(drawn)["correctness"]
    assert (rated.given, rated.probabilities) == (2, (0.0, 0.1, 0.0, 0.6, 0.3))


UNKNOWN: list[dict[str, Any]] = [
    {"tokens": None},
    {"alternatives": None},
    {"alternatives": ({},)},
    {"tokens": ("\u0120correctness", ":", " 4")},  # not the text: nobody knows which token the digit is in
    {"tokens": ("correctness", ":", " 9")},
    {"alternatives": ({}, {}, {"x": -0.1}), "logprobs": (0.0, 0.0, -9999.0)},
    {"alternatives": ({}, {}, {}), "logprobs": (0.0, 0.0, None)},
]


@pytest.mark.parametrize("odd", UNKNOWN)
def test_where_nothing_is_known_the_digit_is_the_rating(odd: dict[str, Any]) -> None:
    """Sabotage: divide by a mass of 0; take the last token for the digit's."""
    fine: dict[str, Any] = {
        "tokens": ("correctness", ":", " 4"), "logprobs": (0.0, 0.0, -0.5), "alternatives": ({}, {}, {" 4": -0.5}),
    }  # fmt: skip
    assert read_reply(Choice("correctness: 4", "stop", **fine))["correctness"].probabilities is not None
    rated = read_reply(Choice("correctness: 4", "stop", **fine | odd))["correctness"]
    assert (rated.value, rated.probabilities, rated.outside) == (4.0, None, None)


@given(
    st.lists(st.sampled_from([" 4", "4", "correctness", ":", "\n", " ", "problem", "5", "45", "é"]), max_size=12),
    st.lists(st.dictionaries(st.sampled_from([" 4", "5", "x", "1", ""]), st.floats(-50, 1)), max_size=12),
)
def test_probabilities_never_leave_their_range(tokens: list[str], others: list[dict[str, float]]) -> None:
    both = list(zip(tokens, others, strict=False))
    for rated in read_reply(choice([token for token, _ in both], [there for _, there in both])).values():
        assert 1.0 <= rated.value <= 5.0
        assert rated.outside is None or 0.0 <= rated.outside <= 1.0
        assert rated.probabilities is None or abs(sum(rated.probabilities) - 1.0) < 1e-3
