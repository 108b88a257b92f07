"""Splitting a request for a server that gives fewer choices: the parts draw what the whole would have drawn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.records import L2r, Request, Sampling
from evoselfcode.wire.messages import parts


def _request(n: int, seed: int | None, key: str = "k", number: int = 3) -> Request:
    return Request(
        key=key, prompt=L2r("x"), sampling=Sampling(max_new_tokens=4, n=n, seed=seed), stage="names", arm="L2R",
        number=number,
    )  # fmt: skip


def _draws(requests: tuple[Request, ...]) -> list[int]:
    """Choice i of a request is drawn with seed + i, as vLLM and llama.cpp do."""
    return [(request.sampling.seed or 0) + i for request in requests for i in range(request.sampling.n)]


def test_a_request_that_fits_stays_whole() -> None:
    whole = _request(4, 40)
    assert parts(whole, None) == parts(whole, 4) == parts(whole, 9) == (whole,)


def test_one_by_one() -> None:
    """Sabotage: the same seed in every part: every choice would be the first one again."""
    found = parts(_request(3, 40), 1)
    assert [(part.key, part.sampling.n, part.sampling.seed) for part in found] == [
        ("k.0", 1, 40), ("k.1", 1, 41), ("k.2", 1, 42),
    ]  # fmt: skip
    assert {(part.stage, part.arm, part.number, part.prompt) for part in found} == {("names", "L2R", 3, L2r("x"))}


def test_without_a_seed_the_server_draws_at_random() -> None:
    assert [part.sampling.seed for part in parts(_request(3, None), 2)] == [None, None]


@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 2**31))
def test_the_parts_draw_what_the_whole_draws(n: int, max_n: int, seed: int) -> None:
    """Every draw once, in order, and every part with a key of its own. Sabotage: ``seed + 1`` per part."""
    whole = _request(n, seed)
    found = parts(whole, max_n)
    assert _draws(found) == _draws((whole,))
    assert all(1 <= part.sampling.n <= max_n for part in found)
    assert len({part.key for part in found}) == len(found)


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 1000))
def test_neighbours_in_a_plan_that_strides_by_n_repeat_no_draw(n: int, max_n: int, seed: int) -> None:
    plan = [_request(n, seed + i * n, key=str(i), number=i) for i in range(5)]
    drawn = [draw for whole in plan for draw in _draws(parts(whole, max_n))]
    assert len(set(drawn)) == len(drawn) == 5 * n
    assert len({part.key for whole in plan for part in parts(whole, max_n)}) == sum(
        len(parts(whole, max_n)) for whole in plan
    )
