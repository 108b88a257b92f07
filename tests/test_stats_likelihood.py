"""The formulas of likelihood: known values, and nothing is made of nothing."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.stats import likelihood

LOGPROBS = [-0.5, -1.0, -0.25, -2.0]
A_LOGPROB = st.floats(min_value=-60, max_value=0)


def mean(logprobs: list[float]) -> float | None:
    return likelihood.mean(likelihood.total(logprobs), len(logprobs))


def test_t11() -> None:
    """T11 of the acceptance numbers. Sabotage: use base 2 for the perplexity, or e for the bits."""
    assert likelihood.total(LOGPROBS) == -3.75
    assert likelihood.perplexity(mean(LOGPROBS)) == pytest.approx(2.553589, abs=5e-7)
    assert likelihood.bits(likelihood.total(LOGPROBS)) == pytest.approx(5.410106, abs=5e-7)
    assert likelihood.bits_per_byte(-3.75, 10) == pytest.approx(0.5410106, abs=5e-8)
    assert likelihood.ifd(mean(LOGPROBS), mean(LOGPROBS)) == 1.0


@pytest.mark.parametrize("size", [2, 50257, 151643])
def test_a_model_that_knows_nothing_has_the_perplexity_of_its_vocabulary(size: int) -> None:
    """Sabotage: divide by one token less."""
    uniform = [math.log(1 / size)] * 37
    assert likelihood.perplexity(mean(uniform)) == pytest.approx(size, rel=1e-9)


def test_what_is_given_helps_or_does_not() -> None:
    """Sabotage: swap the arguments of the ratio, or the sign of the difference."""
    assert likelihood.ifd(-0.5, -1.0) == 0.5
    assert likelihood.ifd(-2.0, -1.0) == 2.0
    assert likelihood.pmi(-10.0, -14.0) == 4.0
    assert likelihood.coder_reviewer(-10.0, -3.0) == -13.0


@pytest.mark.parametrize(("count", "rank"), [(1, 1), (19, 1), (20, 1), (21, 2), (40, 2), (41, 3), (100, 5)])
def test_the_tail_is_the_fifth_percentile_by_nearest_rank(count: int, rank: int) -> None:
    """Sabotage: round the rank down, or take the value above."""
    logprobs = [-float(place) for place in range(count, 0, -1)]
    assert likelihood.tail(list(reversed(logprobs))) == logprobs[rank - 1]
    assert likelihood.least(logprobs) == -count


@pytest.mark.parametrize(
    "nothing",
    [
        likelihood.total([]),
        likelihood.total([-1.0, None]),
        likelihood.total([-math.inf, -1.0]),
        likelihood.mean(None, 3),
        likelihood.mean(-1.0, 0),
        likelihood.perplexity(None),
        likelihood.perplexity(-1e6),
        likelihood.bits(None),
        likelihood.bits_per_byte(None, 3),
        likelihood.bits_per_byte(-1.0, 0),
        likelihood.tail([]),
        likelihood.least([]),
        likelihood.least([math.nan]),
        likelihood.ifd(None, -1.0),
        likelihood.ifd(-1.0, None),
        likelihood.ifd(-1.0, 0.0),
        likelihood.ifd(-1.0, -5e-324),
        likelihood.pmi(-1.0, None),
        likelihood.pmi(None, -1.0),
        likelihood.coder_reviewer(-1.0, None),
        likelihood.coder_reviewer(None, -1.0),
    ],
)
def test_nothing_gives_no_number(nothing: float | None) -> None:
    """The scorer of old crashed on the null of a first token. Sabotage: leave ``None`` out of a sum."""
    assert nothing is None


@given(st.lists(A_LOGPROB, min_size=1, max_size=60))
def test_any_text(logprobs: list[float]) -> None:
    """Sabotage: take the absolute value of a mean, or sort the tail downwards."""
    whole, tail, least = likelihood.total(logprobs), likelihood.tail(logprobs), likelihood.least(logprobs)
    assert whole is not None
    assert tail is not None
    assert least is not None
    perplexity = likelihood.perplexity(mean(logprobs))
    assert perplexity is not None
    assert perplexity >= 1
    assert least <= tail <= max(logprobs)
    assert sum(value <= tail for value in logprobs) >= 0.05 * len(logprobs)
    assert sum(value < tail for value in logprobs) < 0.05 * len(logprobs)
    at = len(logprobs) // 2
    parts = [likelihood.total(part) or 0.0 for part in (logprobs[:at], logprobs[at:])]
    assert sum(parts) == pytest.approx(whole, abs=1e-9)
