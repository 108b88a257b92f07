"""No function has a near duplicate, or one of its name, on the other side of the split."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from export_rows import WORDS, row, written
from hypothesis import given, settings
from hypothesis import strategies as st

from evoselfcode.config import Export
from evoselfcode.datagen.exporting import together
from evoselfcode.datagen.exporting.learning import Learnt, learn
from evoselfcode.datagen.exporting.source import number_of, source_of
from evoselfcode.datagen.exporting.together import Likeness, Together, sides
from evoselfcode.datagen.filters.shingles import shingles
from evoselfcode.errors import Interrupted


def jaccard(one: str, other: str) -> float:
    mine, theirs = (set(shingles(text).tolist()) for text in (one, other))
    return len(mine & theirs) / len(mine | theirs)


def by_hand(codes: list[str], threshold: float) -> list[int]:
    """Compare every function with every other."""
    found = Together(len(codes))
    for one, other in combinations(range(len(codes)), 2):
        if jaccard(codes[one], codes[other]) >= threshold:
            found.unite(one, other)
    return found.roots().tolist()


def by_prefixes(folder: Path, codes: Iterable[str], threshold: float) -> list[int]:
    count = 0
    with Likeness(folder, threshold) as likeness:
        for code in codes:
            likeness.add(code)
            count += 1
        found = Together(count)
        likeness.unite(found)
    return found.roots().tolist()


statements = st.sampled_from([f"    {name} = {name} {sign} {number}" for name in "abcd" for sign in "+-*"
                              for number in (1, 2)])  # fmt: skip
bodies = st.lists(statements, min_size=1, max_size=12)


@settings(max_examples=80, deadline=None)
@given(kinds=st.lists(bodies, min_size=1, max_size=8), threshold=st.sampled_from([0.5, 0.6, 0.7, 0.75, 0.9, 1.0]),
       seed=st.integers(0, 999))  # fmt: skip
def test_near_duplicates_are_found_without_exception(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[list[str]], threshold: float, seed: int
) -> None:
    """Sabotage: leave out the last of a group's pairs, or compare with what is larger only."""
    chance, codes = random.Random(seed), []
    for kind in kinds:
        for _ in range(chance.randint(1, 5)):
            lines = [line for line in kind if chance.random() > 0.15]
            lines += [f"    x = {chance.randint(0, 5)} + a"] * (chance.random() < 0.3)
            codes.append("def f(a, b, c, d):\n" + "\n".join(lines) + "\n    return a\n")
    folder = tmp_path_factory.mktemp("alike")
    assert by_prefixes(folder, codes, threshold) == by_hand(codes, threshold)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("size", "more"), [(7, 3), (8, 2), (9, 1), (6, 4), (5, 5), (19, 1)])
def test_a_pair_at_the_threshold_itself_is_found(tmp_path: Path, size: int, more: int) -> None:
    """All that the larger one has alone is rarer than what they share. Sabotage: take one shingle less of a prefix."""
    shared = [f"a{number}" for number in range(size + 4)]
    alone = [f"b{number}" for number in range(more)]
    codes = [f"def f():\n    {' '.join(lexemes)}\n" for lexemes in (shared, [*shared, *alone])]
    threshold = size / (size + more)
    assert jaccard(*codes) == threshold
    assert by_prefixes(tmp_path, codes, threshold) == [0, 0]
    assert by_prefixes(tmp_path, codes, threshold + 0.001) == [0, 1]


def test_of_too_many_that_share_a_rare_part_none_is_parted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotage: compare only the first 64 of a group, and let the others be."""
    codes = [f"def f(a):\n    {' '.join(f'{kind}{at}' for at in range(24))} {number}\n"
             for kind in "abc" for number in range(12)]  # fmt: skip
    exact = by_hand(codes, 0.6)
    monkeypatch.setattr(together, "MOST", 3)
    coarse = by_prefixes(tmp_path, codes, 0.6)
    assert len(set(exact)) == 3
    assert coarse == exact


@pytest.mark.parametrize("count", [3, 40, 300])
def test_bits_rule_out_no_pair_that_is_alike(tmp_path: Path, count: int) -> None:
    """Sabotage: take the bits that one has and the other lacks for shingles that the other has, or count them twice."""
    chance, codes = random.Random(count), []
    for _ in range(8):
        lexemes = [f"a{chance.randint(0, 9 * count)}" for _ in range(count)]
        for cut in (0, count // 12, count // 5):
            codes += [f"def f():\n    {' '.join([*lexemes[cut:], *([f'b{cut}'] * cut)])}\n"]
    for threshold in (0.5, 0.7, 0.85):
        assert by_prefixes(tmp_path, codes, threshold) == by_hand(codes, threshold)


def test_comparing_can_be_stopped_and_is_told_of(tmp_path: Path) -> None:
    """Sabotage: compare without a word: of many functions that are alike it takes minutes, deaf to a signal."""
    told: list[int] = []

    def progress(doing: str, entries: int) -> None:
        if doing == "compared":
            told.append(entries)
            if len(told) == 3:
                raise Interrupted("stopped")

    long = " + ".join(f"a{at}" for at in range(24))
    codes = [f"def f_{number}():\n    return {long} + {number}\n" for number in range(9)]
    run = source_of(written(tmp_path, [row(number, code=code) for number, code in enumerate(codes)]))
    with pytest.raises(Interrupted):
        learn(run, Export(near_duplicates=0.5), tmp_path, progress)
    assert len(told) == 3
    assert told == sorted(told)
    assert [path.name for path in tmp_path.iterdir()] == ["code"]


def learnt(folder: Path, rows: list[dict[str, object]], config: Export) -> Learnt:
    return learn(source_of(written(folder, rows)), config, folder, lambda doing, rows: None)


@settings(max_examples=40, deadline=None)
@given(
    picks=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12), st.booleans()), min_size=2, max_size=40),
    share=st.floats(0.05, 0.9),
    seed=st.integers(0, 99),
)
def test_no_pair_is_parted_and_the_order_of_the_rows_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, picks: list[tuple[int, int, bool]], share: float, seed: int
) -> None:
    """Sabotage: compare names as they are spelt, or let the first row of a set decide its side."""
    rows = []
    for number, (which, word, camel) in enumerate(picks):
        name = f"{WORDS[word % 12].title() if camel else WORDS[word % 12]}_{'x' if camel else '_x'}"
        code = row(which)["code"].replace(row(which)["func_name"], name)
        rows.append(row(which, code=code, func_name=name, key=f"{number:032x}"))
    config = Export(validation=share, near_duplicates=0.7)
    found = learnt(tmp_path_factory.mktemp("one"), rows, config).validation.tolist()
    for (one, side), (other, its_side) in combinations(zip(rows, found, strict=True), 2):
        alike = jaccard(str(one["code"]), str(other["code"])) >= 0.7
        named_alike = str(one["func_name"]).replace("_", "").lower() == str(other["func_name"]).replace("_", "").lower()
        if alike or named_alike or one["hashes"] == other["hashes"]:
            assert side == its_side
    order = random.Random(seed).sample(range(len(rows)), len(rows))
    again = learnt(tmp_path_factory.mktemp("two"), [rows[at] for at in order], config).validation.tolist()
    assert again == [found[at] for at in order]


def test_a_lower_threshold_keeps_more_together(tmp_path: Path) -> None:
    """Sabotage: compare at 0.7 whatever is configured."""
    base = row(1)["code"]
    other = base.replace("append", "extend", 1).replace("sum", "max")
    assert 0.5 < jaccard(base, other) < 0.9
    rows = [row(1), row(2, code=other.replace(row(1)["func_name"], "other"), func_name="other")]
    apart, joined = (learnt(tmp_path, rows, Export(validation=0.5, near_duplicates=t)).components for t in (0.95, 0.5))
    assert apart == (2, 1)
    assert joined == (1, 2)


def test_a_row_that_is_added_moves_no_other(tmp_path: Path) -> None:
    """Sabotage: draw the sides by ``Random(seed)`` in the order of the rows."""
    rows = [row(number) for number in range(200)]
    before = learnt(tmp_path, rows[50:], Export(validation=0.3)).validation.tolist()
    after = learnt(tmp_path, rows, Export(validation=0.3)).validation.tolist()
    assert after[50:] == before
    assert 30 < sum(after) < 90


def test_large_sets_have_the_same_chance() -> None:
    """Sabotage: compare the smallest number itself, and not its hash, with the limit."""
    roots = np.repeat(np.arange(0, 40_000, 20), 20)
    chosen = sides(roots, map(number_of, map(str, range(40_000))), 0.1)
    assert abs(chosen.mean() - 0.1) < 0.025
    assert (chosen.reshape(-1, 20).all(1) == chosen.reshape(-1, 20).any(1)).all()


def test_odd_splits_are_told_of(tmp_path: Path) -> None:
    """Sabotage: leave out ``_even_out``: a dataset may then have nothing to train on."""
    one_set = [row(number, func_name="same_name", code=row(number)["code"]) for number in range(20)]
    everything = learnt(tmp_path, one_set, Export(validation=0.999))
    assert not everything.validation.any()
    assert "there is no split validation" in everything.remarks[0]
    assert "20 of 20 functions" in everything.remarks[1]
    assert learnt(tmp_path, [row(0), row(1)], Export(validation=1)).validation.all()
    assert learnt(tmp_path, one_set, Export(validation=0)).remarks == []
