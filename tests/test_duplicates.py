"""Duplicates: of functions that say the same the best one stays, whatever the order they come in."""

from __future__ import annotations

import functools
import subprocess
import sys
import time
from random import Random

import numpy as np
import pytest
from checkout import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from real_programs import programs

from evoselfcode.datagen.filters.duplicates import DUPLICATE_REASONS, Duplicates
from evoselfcode.datagen.filters.shingles import shingles

Row = tuple[str, str, str, tuple[float, ...]]


def rows_of(codes: tuple[str, ...], seed: int = 0) -> list[Row]:
    """Give every text a key, an alpha hash of its own and a random rank, many the same."""
    random = Random(seed)
    return [(f"{number:05}", code, f"{number:x}", (random.randrange(4),)) for number, code in enumerate(codes)]


def verdicts(rows: list[Row], threshold: float = 0.7) -> dict[str, tuple[str, str]]:
    judge = Duplicates(threshold)
    for row in rows:
        judge.add(*row)
    return judge.verdicts()


def jaccard(one: str, other: str) -> float:
    first, second = set(shingles(one).tolist()), set(shingles(other).tolist())
    return len(first & second) / len(first | second)


def function(lines: list[str], name: str = "f") -> str:
    return f"def {name}(x):\n" + "".join(f"    {line}\n" for line in lines)


BODY = [f"total_{number} = left_{number} + right_{number} * {number}" for number in range(20)]
"""140 lexemes; one other line changes 11 shingles in the middle and 7 at an end."""


def test_the_best_of_exact_duplicates_stays() -> None:
    """Sabotage: in Duplicates.add, leave out the branch that puts the better function into the row."""
    one = "def f(x):\n    return x * 10 + 1\n"
    rows: list[Row] = [
        ("a", one, "00", (1,)),
        ("b", one, "00", (2,)),
        ("c", one, "00", (2,)),
        ("d", "pass", "11", (0,)),
    ]
    assert verdicts(rows) == {"a": ("duplicate", "b"), "c": ("duplicate", "b")}


def test_functions_without_an_alpha_hash_are_no_exact_duplicates() -> None:
    """Sabotage: file them under ``alpha`` alone."""
    rows: list[Row] = [(key, function([f"return {key} + {key} + {key} * {key}"]), "", (1,)) for key in "ab"]
    assert verdicts(rows) == {}


def test_the_best_of_near_duplicates_stays() -> None:
    """Sabotage: sort the ranks of verdicts() without ``reverse=True``."""
    other = function([*BODY[:-1], "return None"])
    rows: list[Row] = [("a", function(BODY), "00", (1, 5)), ("b", other, "11", (2, 0))]
    assert jaccard(rows[0][1], other) >= 0.7
    assert verdicts(rows) == {"a": ("near_duplicate", "b")}
    assert verdicts(rows, threshold=0.99) == {}


def test_what_stays_instead_is_something_that_stays() -> None:
    """An exact duplicate of a near duplicate. Sabotage: name ``self._keys[row]`` for exact duplicates."""
    rows: list[Row] = [("a", function(BODY), "00", (1,)), ("b", function(BODY), "00", (0,)),
                       ("c", function(BODY[1:]), "11", (2,))]  # fmt: skip
    assert verdicts(rows) == {"a": ("near_duplicate", "c"), "b": ("duplicate", "c")}


def test_the_last_of_a_chain_stays() -> None:
    """a is like b and b like c, but a is not like c: b goes, c stays. Sabotage: let rows that go be rivals too."""
    more = [f"other_{number} = some_{number} - thing_{number} / {number}" for number in range(6)]
    chain = [function(BODY), function([*BODY[3:], *more[:3]]), function([*BODY[6:], *more])]
    assert jaccard(*chain[:2]) >= 0.7 <= jaccard(*chain[1:])
    assert jaccard(chain[0], chain[2]) < 0.7
    rows: list[Row] = [(f"{place}", code, f"{place}", (-place,)) for place, code in enumerate(chain)]
    assert verdicts(rows) == {"1": ("near_duplicate", "0")}


def test_every_near_duplicate_of_real_programs_is_found_and_nothing_else() -> None:
    """T18, against every pair of 1,500 programs.

    Sabotage: ``ROWS = 12``, or compare with the sizes of the sets and not with that of their union.
    """
    sets = {shingles(code).tobytes(): code for code in programs(tasks=30)[:1500]}
    codes, found = tuple(sets.values()), [frozenset(np.frombuffer(one, np.uint64).tolist()) for one in sets]
    alike = {
        (one, two)
        for one in range(len(codes))
        for two in range(one)
        if (both := len(found[one] & found[two])) / (len(found[one]) + len(found[two]) - both) >= 0.7
    }
    assert len(alike) > 100
    judged = verdicts(rows_of(codes))
    stay = [f"{number:05}" not in judged for number in range(len(codes))]
    assert sum(stay[one] and stay[two] for one, two in alike) <= 0.01 * len(alike)
    for key, (reason, better) in judged.items():
        assert reason == "near_duplicate"
        assert stay[int(better)]
        assert (int(key), int(better)) in alike or (int(better), int(key)) in alike


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 4))
def test_the_order_of_adding_does_not_matter(random: Random, parts: int) -> None:
    """Any order, any split into parts, parts in any order, and a part that comes twice, as after a resume.

    Sabotage: leave out the first sorting of verdicts(), or let ``>`` in add() be ``>=`` of the ranks alone.
    """
    rows = [(key, code, str(int(alpha, 16) // 3), rank) for key, code, alpha, rank in rows_of(programs()[:300])]
    shuffled = random.sample(rows, len(rows))
    shards = [shuffled[part::parts] for part in range(parts)]
    assert verdicts([row for shard in [*shards, shards[0]] for row in shard]) == expected_of_300()


@functools.cache
def expected_of_300() -> dict[str, tuple[str, str]]:
    rows = [(key, code, str(int(alpha, 16) // 3), rank) for key, code, alpha, rank in rows_of(programs()[:300])]
    judged = verdicts(rows)
    assert {reason for reason, _ in judged.values()} == set(DUPLICATE_REASONS)
    return judged


def test_every_process_says_the_same() -> None:
    """Sabotage: hash lexemes with ``hash(lexeme) % 2**64``."""
    program = (
        "import sys; sys.path.insert(0, 'tests'); from real_programs import programs;"
        "from evoselfcode.datagen.filters.duplicates import Duplicates, shingles; judge = Duplicates();"
        "[judge.add(str(n), code, str(n), (n % 7,)) for n, code in enumerate(programs(3))];"
        "print(judge.verdicts(), shingles(programs(3)[0]).tolist())"
    )
    told = [
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
                       capture_output=True, text=True, check=True).stdout
        for seed in ("0", "1")
    ]  # fmt: skip
    assert "near_duplicate" in told[0]
    assert told[0] == told[1]


def test_docstrings_do_not_change_who_stays() -> None:
    """T18. Sabotage: in lexemes(), count statements that are nothing but strings."""
    codes = tuple(code for code in programs()[:300] if code.count('"""') == 2)
    assert len(codes) > 100
    edited = tuple(code.split('"""')[0] + f'"""Edit {n}."""' + code.split('"""')[2] for n, code in enumerate(codes))
    assert edited != codes
    assert verdicts(rows_of(edited)) == verdicts(rows_of(codes)) != {}


def cluster(count: int, shared: int, own: int) -> Duplicates:
    """Take functions that share some lines and have some of their own."""
    random, judge = Random(count), Duplicates()
    for number in range(count):
        lines = BODY[:shared] + [f"n{random.random()} = {random.random()} * {random.random()}" for _ in range(own)]
        judge.add(f"{number:06}", function(lines), f"{number:x}", (random.random(),))
    return judge


@pytest.mark.parametrize(("shared", "own", "alike"), [(12, 1, True), (6, 4, False)], ids=["alike", "boilerplate"])
def test_the_time_of_a_huge_cluster_grows_like_its_size(shared: int, own: int, alike: bool) -> None:
    """All near duplicates of each other, or none of any but half of it the same: eight times as many take no 24 times.

    Sabotage: ``MOST = 10**9`` (the boilerplate), or let rows that go be rivals too (both).
    """
    seconds = {}
    for count in (500, 4000):
        judge = cluster(count, shared, own)
        start = time.process_time()
        assert len(judge.verdicts()) == (count - 1 if alike else 0)
        seconds[count] = time.process_time() - start
    assert seconds[4000] < 24 * max(seconds[500], 0.005)


def test_near_duplicates_among_thousands_that_are_half_the_same_are_found() -> None:
    """Sabotage: in rivals(), take the buckets as they come."""
    random = Random(0)
    own = [[f"n{random.random()} = {random.random()} * {random.random()}" for _ in range(4)] for _ in range(1000)]
    bodies = [[*BODY[:6], *lines] for lines in own]
    bodies = [[*body[:9], "n = 1"] for body in bodies[:50]] + bodies
    assert jaccard(function(bodies[0]), function(bodies[50])) >= 0.7
    judged = verdicts([(f"{n:04}", function(body), str(n), (n,)) for n, body in enumerate(bodies)])
    assert len(judged) >= 49


@pytest.mark.parametrize("threshold", [0, -1, 1.01, float("nan")])
def test_a_threshold_that_is_no_similarity_is_refused(threshold: float) -> None:
    """Sabotage: leave the check out."""
    with pytest.raises(ValueError, match="Jaccard"):
        Duplicates(threshold)


def test_a_rank_that_orders_nothing_is_refused() -> None:
    """Sabotage: leave the check out: what stays would depend on the order of adding."""
    with pytest.raises(ValueError, match="not a number"):
        Duplicates().add("a", "", "00", (1.0, float("nan")))


def test_nothing_added_nothing_said() -> None:
    """Sabotage: in _shared(), look at the bands of no functions too."""
    assert Duplicates().verdicts() == {}
