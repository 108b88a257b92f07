"""The n-gram model against brute force: counts, the smoothing formula, ranks, nuclei, and bounded tables."""

from __future__ import annotations

import math
from collections import Counter
from itertools import accumulate
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evoselfcode.local import ngram
from evoselfcode.local.ngram import NGram, pick
from evoselfcode.local.suffix_array import Places, Sorted

NOVEL = "?"
DEPTH = 3
ALPHA = 0.25
texts = st.text("abcd", min_size=1, max_size=40)
contexts = st.text("abcdz", min_size=1, max_size=5)


def model_of(text: str, **options: int) -> NGram:
    source = Sorted.of(text, DEPTH)
    return NGram(source, depth=DEPTH, alpha=ALPHA, kind=lambda s: int(s in "ab"), novel=NOVEL, **options)


def counted(text: str, context: str) -> Counter[str]:
    """Count followers by looking at every place."""
    size = len(context)
    return Counter(text[i + size] for i in range(len(text) - size) if text[i : i + size] == context)


def smoothed(text: str, context: str) -> dict[str, float]:
    """Compute the formula of the module's docstring, term by term, from the bottom up."""
    group = [counted(text, s) for s in set(text) if (s in "ab") == (context[-1] in "ab")]
    bottom = sum(group, Counter[str]())
    if not bottom:
        return {NOVEL: 1.0}
    once = sum(count == 1 for count in bottom.values())
    total = bottom.total() + once + 1
    result = {s: count / total for s, count in bottom.items()} | {NOVEL: (once + 1) / total}
    for length in range(1, min(len(context), DEPTH) + 1):
        counts = counted(text, context[-length:])
        if not counts:
            break
        escape = ALPHA * len(counts)
        result = {s: (counts[s] + escape * result.get(s, 0.0)) / (counts.total() + escape) for s in {*result, *counts}}
    return result


@given(texts, contexts)
def test_followers_are_counted_as_a_walk_over_the_text_counts_them(text: str, context: str) -> None:
    """Sabotage: let the symbol ranges of ``Places`` begin one place later."""
    assert Places(Sorted.of(text, DEPTH)).followers(context[:DEPTH]) == counted(text, context[:DEPTH])


@given(texts, contexts)
def test_every_probability_is_the_formulas(text: str, context: str) -> None:
    """Sabotage: leave ``alpha`` out of the escape mass."""
    node = model_of(text).node(context)
    expected = smoothed(text, context)
    assert {s: node.probability(s) for s in expected} == pytest.approx(expected, abs=1e-12)
    assert {s: p for p, s in node.symbols()} == pytest.approx(expected, abs=1e-12)


@given(texts, contexts)
def test_the_distribution_sums_to_one_and_is_listed_likeliest_first(text: str, context: str) -> None:
    """Sabotage: give the unseen symbol ``once`` in place of ``once + 1`` after the total was taken."""
    listed = list(model_of(text).node(context).symbols())
    assert math.fsum(p for p, _ in listed) == pytest.approx(1.0, abs=1e-12)
    assert listed == sorted(listed, key=lambda item: (-item[0], item[1]))
    assert len({s for _, s in listed}) == len(listed)


@settings(deadline=None)
@given(texts, contexts, st.sampled_from([0.5, 1.0, 2.5, 100.0]), st.sampled_from([1.0, 0.9, 0.5, 0.01]))
def test_draws_fill_the_nucleus_exactly(text: str, context: str, exponent: float, top_p: float) -> None:
    """Compare with a nucleus that is cut from the whole sharpened distribution.

    Sabotage: ask for ``goal = top_p`` in place of ``top_p * whole`` in ``Node.draw``.
    """
    node = model_of(text).node(context)
    weights = [((p / node.peak()) ** exponent, symbol) for p, symbol in node.symbols()]
    whole = math.fsum(weight for weight, _ in weights)
    assert node.mass(exponent) == pytest.approx(whole, rel=1e-9)
    reached = list(accumulate(weight for weight, _ in weights))
    assume(all(abs(sum_ - top_p * whole) > 1e-9 for sum_ in reached) or top_p == 1)
    size = 1 + sum(sum_ < top_p * whole for sum_ in reached) if top_p < 1 else len(weights)
    for (weight, symbol), end in zip(weights[:size], reached, strict=False):
        if weight / reached[size - 1] > 1e-9:
            assert node.draw((end - weight / 2) / reached[size - 1], exponent, top_p) == symbol


def test_a_nucleus_that_is_reached_to_the_last_bit_takes_no_symbol_more() -> None:
    """Two symbols of one half each, top_p = 0.5: the nucleus is the first one.

    Sabotage: drop the correction for an exact hit in ``Node.draw``.
    """
    node = ngram.Node({"a": 1, "b": 1}, 2.0, 0.0, None, lambda entries: None)
    assert {node.draw(u / 100, 1.0, 0.5) for u in range(100)} == {"a"}
    assert {node.draw(u / 100, 1.0, 0.51) for u in range(100)} == {"a", "b"}


def test_draws_come_as_often_as_their_probability_says() -> None:
    model = model_of("abracadabra" * 3)
    node = model.node("a")
    random = Random(1)
    drawn = Counter(pick(node, random, 1.0, 1.0) for _ in range(20_000))
    for p, symbol in node.symbols():
        assert drawn[symbol] / 20_000 == pytest.approx(p, abs=4.5 * math.sqrt(p / 20_000))


def test_an_unwanted_symbol_is_never_drawn_even_where_it_is_the_whole_nucleus() -> None:
    """Sabotage: return the last draw of ``pick`` whatever it is."""
    node = ngram.Node({"a": 99, "b": 1}, 100.0, 0.0, None, lambda entries: None)
    assert {pick(node, Random(seed), 1.0, 0.5, never="a") for seed in range(20)} == {"b"}
    assert pick(node, Random(0), math.inf, 1.0, never="a") == "b"
    alone = ngram.Node({"a": 1}, 1.0, 0.0, None, lambda entries: None)
    assert pick(alone, Random(0), 1.0, 1.0, never="a") is None


def test_tables_are_dropped_when_they_are_full_and_come_back_the_same() -> None:
    """A run of any length keeps a bounded number of tables.

    Sabotage: do not ``_forget``.
    """
    random = Random(3)
    model = model_of("".join(random.choices("abcd", k=500)), cached=2_000)
    asked = ["".join(random.choices("abcd", k=3)) for _ in range(50)]
    first = [list(model.node(context).symbols()) for context in asked]
    kept = []
    for number in range(2_000):
        context = "".join(random.choices("abcdefgh", k=3))
        model.node(context).draw(random.random(), 1.0 + number, 0.9)
        kept.append(len(model._nodes))
    assert max(kept) < 300
    assert [list(model.node(context).symbols()) for context in asked] == first


def test_a_context_that_leads_nowhere_new_is_charged_for_being_remembered() -> None:
    """Contexts that do not occur in the corpus make no table, yet each is a key: a long run would keep them all.

    Sabotage: drop ``self._spend(_NAMED)`` in ``NGram.node``.
    """
    model = model_of("abcd", cached=3_000)
    for number in range(5_000):
        model.node(chr(0x4E00 + number) + "a")
    assert len(model._nodes) <= 1_001


def test_a_temperature_asked_for_once_is_charged_for_being_remembered() -> None:
    """Sabotage: drop ``self._spend(_NAMED)`` in ``Node.mass``."""
    model = model_of("abcd", cached=3_000)
    for number in range(3_000):
        model.node("a").mass(1.5 + number)
    assert all(len(node._masses) <= 1_001 for node in model._bottom.values())
