"""Words that the token model has never seen pay for every letter, from a distribution that sums to one."""

from __future__ import annotations

import math
import string
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.local.letters import LetterModel, letters_of

WORDS = ["get", "set", "target", "reset", "getter", "settle", "tar", "ager", "x" * 60]
MODEL = LetterModel(letters_of(WORDS))
words = st.text("getsrazq", min_size=1, max_size=12) | st.text(min_size=1, max_size=6)


def begun(word: str) -> float:
    """Return ln P(a word begins with `word`), letter by letter from the distributions."""
    total = 0.0
    for place, letter in enumerate(word):
        p = MODEL.distribution(word[:place])
        seen = p.get(letter) if letter not in ("\0", "\1") else None
        total += math.log(seen) if seen else math.log(p["\1"]) - math.log(0x110000)
    return total


@given(st.text(max_size=8))
def test_the_next_letter_has_one_distribution_whatever_is_begun(begun: str) -> None:
    """Sabotage: let ``LetterModel`` take an ``alpha`` of 0.5 for the total and 0.4 for the escape."""
    assert math.fsum(MODEL.distribution(begun).values()) == pytest.approx(1.0, abs=1e-9)


@given(words)
def test_a_words_price_is_the_sum_of_its_letters_prices(word: str) -> None:
    """Sabotage: leave the end of the word out of ``logprob``."""
    assert MODEL.logprob(word) == pytest.approx(begun(word) + math.log(MODEL.distribution(word)[""]), abs=1e-9)


@given(words, words)
def test_a_longer_word_costs_more(word: str, more: str) -> None:
    """Each further letter has a price below one, and no word ends for nothing.

    Sabotage: return a flat price for words with unseen letters.
    """
    assert MODEL.logprob(word + more) < begun(word)
    assert MODEL.logprob(word) < begun(word)


def test_unseen_letters_cost_their_share_of_all_of_unicode() -> None:
    assert MODEL.logprob("gé") == pytest.approx(MODEL.logprob("g中"))
    assert MODEL.logprob("ge") - MODEL.logprob("gé") > 10


def test_made_up_words_are_of_seen_letters_and_come_with_a_seed() -> None:
    made = [MODEL.spell(Random(seed), 1.0, 1.0) for seed in range(200)]
    assert made == [MODEL.spell(Random(seed), 1.0, 1.0) for seed in range(200)]
    assert all(0 < len(word) <= 64 and set(word) <= set(string.ascii_lowercase) for word in made)
    assert len(set(made) - set(WORDS)) > 20
    assert {MODEL.spell(Random(seed), math.inf, 1.0) for seed in range(9)} == {MODEL.spell(Random(0), math.inf, 1.0)}


def test_words_too_long_to_be_words_and_control_marks_teach_nothing() -> None:
    """Docstrings would drown the words' letters, and the two marks are not letters."""
    assert "x" not in letters_of(WORDS).text
    assert letters_of(["a\0b", "c\1", "d"]).text == "\0d\0"


@pytest.mark.parametrize("word", ["\0", "\1", "a\0b", "\0\0"])
def test_letters_that_mark_edges_are_letters_within_a_word(word: str) -> None:
    """Sabotage: write them into the context as they are; after an edge no word can end."""
    assert MODEL.logprob(word) == pytest.approx(begun(word) + math.log(MODEL.distribution(word)[""]), abs=1e-9)
