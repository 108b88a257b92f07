"""Many digests in little memory: each that was handed in is found, no other is."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from evoselfcode.storage import Digests, split


def packed(runs: list[list[bytes]]) -> tuple[Digests, bool]:
    made = Digests()
    for run in runs:
        made.add(b"".join(sorted(run)))
    return made, any([*made.pack()])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(2, 256), st.integers(1, 5), st.integers(0, 300))
def test_digests_are_found_and_neighbours_make_no_new_ones(seed: int, letters: int, runs: int, most: int) -> None:
    """Sabotages: leave ``at % DIGEST`` out; end a fence one digest early; do not compare neighbours in ``pack``."""
    random = Random(seed)
    drawn = [{bytes(random.choices(range(letters), k=16)) for _ in range(most)} for _ in range(runs)]
    if drawn[0] and random.random() < 0.3:
        drawn.append({min(drawn[0])})
    other = bytes(random.choices(range(letters), k=16))
    made, repeated = packed([list(run) for run in drawn])
    there = [digest for run in drawn for digest in run]
    joined = b"".join(sorted(there))
    assert all(digest in made for digest in there)
    assert len(made) == len(there)
    assert repeated == (len(set(there)) < len(there))
    across = {joined[at : at + 16] for at in range(max(0, len(joined) - 15))} | {other}
    assert {digest for digest in across if digest in made} == across & set(there)
    assert all(part not in made for part in (b"", joined[:15], joined[:17], joined[:32]) if len(part) != 16)


def test_a_hundred_thousand_are_found_of_several_packings() -> None:
    """Sabotage: forget in ``pack`` what was packed before."""
    random = Random(7)
    there = [random.randbytes(16) for _ in range(100_000)]
    made = Digests()
    for begin in range(0, len(there), 30_000):
        run = b"".join(sorted(there[begin : begin + 30_000]))
        assert split(run) == tuple(sorted(there[begin : begin + 30_000]))
        made.add(run)
        assert not any([*made.pack()])
    assert all(digest in made for digest in there)
    assert not any(random.randbytes(16) in made for _ in range(100_000))


def test_more_than_a_cache_holds_are_found_and_repetitions_told() -> None:
    """Sabotages: begin each part's fences at 0; end the parts one place early; shift by one bit less."""
    random = Random(7)
    there = [bytes((number & 1,)) + random.randbytes(15) for number in range(40_000)]
    made, repeated = packed([there[begin : begin + 5_000] for begin in range(0, len(there), 5_000)])
    assert not repeated
    assert all(digest in made for digest in there)
    assert not any(bytes((number & 1,)) + random.randbytes(15) in made for number in range(40_000))
    for again in (min(there), max(there), there[7]):
        assert packed([there, [again]])[1]
