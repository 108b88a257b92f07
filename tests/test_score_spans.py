"""The tokens of a text, summed up for each part of it: the first does not count, and a hole is no number."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.datagen.scoring.spans import WHOLE, spans_of
from evoselfcode.records import Choice
from evoselfcode.spans import Span

TOKENS = ("def", " f", "():\n", "   ", " é", "\n")
LOGPROBS = (-9.0, -1.0, -2.0, -0.5, -4.0, -0.25)
BOUNDS = ((0, "head"), (len("def f():\n"), "body"))


def choice(*logprobs: float | None, tokens: tuple[str, ...] = TOKENS) -> Choice:
    return Choice("".join(tokens), "stop", tokens, logprobs)


def test_a_token_is_of_the_part_in_which_it_begins() -> None:
    """Sabotage: count characters for bytes, or the end of a token for its beginning."""
    found = spans_of(choice(*LOGPROBS), BOUNDS)
    assert found == {
        "head": Span(2, 6, -3.0, -2.0, -2.0, -1.0),
        "body": Span(3, 7, -4.75, -4.0, -4.0, -0.5),
    }
    early = spans_of(choice(*LOGPROBS), ((0, "head"), (len("def f("), "body")))
    assert (early["head"].tokens, early["body"].tokens) == (2, 3)


@pytest.mark.parametrize("number", [None, -9.0])
def test_the_first_token_of_a_document_never_counts(number: float | None) -> None:
    """Also where a server gives a number for it. Sabotage: drop a first token without a number only."""
    assert spans_of(choice(number, *LOGPROBS[1:]))[WHOLE].logprob == -7.75
    behind = spans_of(choice(number, *LOGPROBS[1:]), begins=False)[WHOLE]
    assert behind.logprob == (-7.75 if number is None else -16.75)


@pytest.mark.parametrize("hole", [None, -math.inf, math.nan])
def test_a_hole_makes_the_sum_of_its_part_unknown(hole: float | None) -> None:
    """Sabotage: pass over what has no number."""
    found = spans_of(choice(*LOGPROBS[:4], hole, -0.25), BOUNDS)
    assert found["body"] == Span(3, 7)
    assert found["head"].logprob == -3.0
    assert spans_of(choice(None, None, None, None, None, None), BOUNDS)["head"] == Span(2, 6)


def test_an_empty_piece_is_of_the_character_before_it() -> None:
    """Sabotage: let it begin where the next part does."""
    text = choice(-9.0, -1.0, -2.0, -3.0, tokens=("a", "𝄞", "", "b"))
    found = spans_of(text, ((0, "head"), (2, "body")))
    assert (found["head"].logprob, found["body"].logprob) == (-3.0, -3.0)


def test_a_part_without_tokens_has_no_number() -> None:
    """Sabotage: give it 0."""
    assert spans_of(choice(-1.0, tokens=("def f",)), ((0, "head"), (4, "body"))) == {
        "head": Span(0, 0),
        "body": Span(0, 0),
    }
    assert spans_of(Choice("é", "stop", mean_logprob=-2.0)) == {WHOLE: Span(0, 2, mean=-2.0)}


@given(st.lists(st.tuples(st.text(max_size=3), st.floats(-50, 0)), min_size=1), st.data())
def test_the_parts_add_up(pieces: list[tuple[str, float]], data: st.DataObject) -> None:
    """Sabotage: lose the token at a bound."""
    text = choice(*(number for _, number in pieces), tokens=tuple(token for token, _ in pieces))
    places = sorted(data.draw(st.sets(st.integers(1, max(1, len(text.text))), max_size=4)))
    found = spans_of(text, ((0, "0"), *((place, str(place)) for place in places)))
    whole = spans_of(text)[WHOLE]
    assert sum(span.tokens for span in found.values()) == whole.tokens == len(pieces) - 1
    assert sum(span.bytes for span in found.values()) == whole.bytes
    assert math.fsum(span.logprob or 0.0 for span in found.values()) == pytest.approx(whole.logprob or 0.0)
