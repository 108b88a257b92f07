"""Strata, novelty and the table of metrics."""

from __future__ import annotations

import math
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.config.choose_section import ParetoKey, Weights
from evoselfcode.datagen.choosing.metrics import METRICS, oriented
from evoselfcode.datagen.choosing.novelty import Novelty
from evoselfcode.datagen.choosing.strata import Stratum, strata_of

EDGES = (2, 5, 8, 16)
ROWS = st.lists(st.tuples(st.sampled_from([None, "a", "b"]), st.sampled_from([1, 2, 4, 5, 40, math.nan])), max_size=40)


def strata(rows: list[tuple[str | None, float]], least: int = 2, edges: tuple[int, ...] = EDGES) -> list[Stratum]:
    """Return the stratum of each row."""
    topics, complexities = ([*column] for column in zip(*rows, strict=True)) if rows else ([], [])
    groups, found = strata_of(topics, np.array(complexities, float), edges, least)
    assert sorted(set(groups.tolist())) == list(range(len(found)))
    return [found[group] for group in groups]


def test_a_stratum_is_a_topic_and_a_band() -> None:
    """Sabotage: count an edge to the band before it."""
    rows = [(topic, count) for topic in "ab" for count in (1, 2, 4, 5, 7, 8, 15, 16, 99)]
    bands = ["1", "2-4", "2-4", "5-7", "5-7", "8-15", "8-15", "16+", "16+"]
    assert strata(rows, 1) == [Stratum(topic, band) for topic in "ab" for band in bands]


def test_small_strata_are_joined_topics_first() -> None:
    """Sabotage: join bands first, or leave what is small alone."""
    rows = [*[("a", 1)] * 3, ("b", 1), ("c", 1), ("b", 3), (None, 1)]
    found = strata(rows, 3)
    assert found == [*[Stratum("a", "1")] * 3, *[Stratum("any", "1")] * 2, Stratum("any", "any"), Stratum("any", "1")]


def test_what_has_no_topic_or_complexity_is_ranked_too() -> None:
    """Sabotage: take an unknown complexity for the highest."""
    assert strata([("a", math.nan), (None, math.nan), (None, 3.0)], 1) == [
        Stratum("a", "any"), Stratum("any", "any"), Stratum("any", "2-4"),
    ]  # fmt: skip
    assert strata([("a", 1), ("a", 40)], 1, ()) == [Stratum("a", "1+")] * 2
    assert strata([]) == []


@given(ROWS, st.integers(1, 9), st.randoms(use_true_random=False))
def test_strata_do_not_depend_on_the_order(rows: list[tuple[str | None, float]], least: int, random: Random) -> None:
    """Sabotage: number topics as they come, and let the number decide who joins whom."""
    order = random.sample(range(len(rows)), len(rows))
    found = strata(rows, least)
    assert strata([rows[i] for i in order], least) == [found[i] for i in order]


def test_the_metrics_are_the_weights_of_the_configuration() -> None:
    """Sabotage: add a metric to the table alone."""
    assert tuple(METRICS) == Weights.__struct_fields__
    assert {*ParetoKey.__args__} <= {*METRICS}  # type: ignore[attr-defined]


def test_of_every_metric_the_higher_is_the_better_in_the_end() -> None:
    """Sabotage: rank perplexity as it is, or an IFD of one above one of 0.9."""
    values = np.array([0.5, 0.9, 1.0, 1.3, math.nan])
    assert oriented(METRICS["perplexity"], values).tolist()[:4] == [-0.5, -0.9, -1.0, -1.3]
    assert oriented(METRICS["ifd"], values).tolist()[:4] == [0.5, 0.9, -math.inf, -math.inf]
    assert oriented(METRICS["lint"], values) is values
    assert math.isnan(oriented(METRICS["ifd"], values)[4])


SUM = "def f(a):\n    total = 0\n    for x in a:\n        total += x\n    return total\n"
OTHER = "def g(a):\n    return sorted(set(a), key=lambda x: (len(x), x))[::-1]\n"


def test_what_another_name_has_too_is_not_new() -> None:
    """Sabotage: count a run that the same name has twice as shared."""
    novelty = Novelty(10_000)
    for owner, code in ((1, SUM), (1, SUM + "    # again"), (2, SUM.replace("def f", "def h")), (3, OTHER), (3, OTHER)):
        novelty.add(owner, code)
    assert novelty.of(1, SUM) == 0.0
    assert novelty.of(3, OTHER) == 1.0
    half = SUM.removesuffix("    return total\n") + "    return {total: [a, a]}\n"
    novelty.add(4, half)
    assert 0 < novelty.of(4, half) < 1


@given(st.permutations([(1, SUM), (2, SUM), (3, OTHER), (2, OTHER), (4, SUM + OTHER)]))
def test_novelty_does_not_depend_on_the_order(functions: list[tuple[int, str]]) -> None:
    """Sabotage: let the last name have a place that several share."""
    novelty = Novelty(10_000)
    for owner, code in functions:
        novelty.add(owner, code)
    assert [novelty.of(1, SUM), novelty.of(3, OTHER)] == [0.0, 0.0]
    assert 0 < novelty.of(4, SUM + OTHER) < 0.4  # where one ends and the other begins


def test_a_table_has_a_largest_size() -> None:
    """Sabotage: make it as large as the file asks for."""
    assert len(Novelty(1)._owners) == 4096
    assert len(Novelty(10**12)._owners) == 1 << 27
