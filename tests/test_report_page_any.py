"""Any document of the contract becomes a page: names of every script and none, numbers of every size, empty lists."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from report_documents import HOSTILE
from test_report_page import Reader, check_inert

from evoselfcode.report.page import render

TEXTS = st.sampled_from(HOSTILE) | st.text(max_size=12) | st.text(st.characters(codec=None), max_size=6)
COUNTS = st.integers(0, 20) | st.integers(0, 10**6) | st.sampled_from([2**53 + 1, 2**63 - 1])
SIZES = st.floats(0, 10**6) | st.floats(0, allow_infinity=False) | st.sampled_from([0.0, 5e-324, 1e12, 1e308])
NUMBERS = SIZES | st.floats(allow_nan=False, allow_infinity=False)
INTERVALS = st.fixed_dictionaries({"estimate": NUMBERS, "low": NUMBERS, "high": NUMBERS}) | SIZES.map(
    lambda size: {"estimate": size, "low": size / 2, "high": size * 1.01 if size < 1e300 else size}
)


def lists(of: Any, most: int = 3) -> Any:
    return st.lists(of, max_size=most)


def pairs() -> Any:
    return lists(st.tuples(COUNTS, COUNTS).map(list), 6)


def told(**parts: Any) -> Any:
    return st.fixed_dictionaries(parts)


REASONS = told(reason=TEXTS, meaning=TEXTS, count=COUNTS, distinct=COUNTS,
               examples=lists(told(text=TEXTS, count=COUNTS)))  # fmt: skip
SPECIES = told(draws=COUNTS, distinct=COUNTS, once=COUNTS, twice=COUNTS, unseen=INTERVALS, coverage=NUMBERS,
               chao1=NUMBERS, chao1_range=INTERVALS, ace=st.none() | NUMBERS,
               rarefied=told(draws=COUNTS, distinct=st.none() | NUMBERS),
               hill=st.lists(SIZES, min_size=3, max_size=3) | st.just([]))  # fmt: skip
TOPIC = told(topic=TEXTS, draws=COUNTS, accepted=COUNTS, names=COUNTS)
TOPICS = told(asked=COUNTS, most=lists(TOPIC), fewest=lists(TOPIC))
TOKENS = told(prompt=COUNTS, completion=COUNTS, per_kept=st.none() | NUMBERS)
ARM = st.fixed_dictionaries({
    "arm": TEXTS, "requests": COUNTS, "dead": COUNTS, "draws": COUNTS, "kept": COUNTS, "yield": INTERVALS,
    "reasons": lists(REASONS), "new_per_1000": NUMBERS, "species": SPECIES, "curve": pairs(),
    "heaps": st.none() | NUMBERS, "vendi": st.none() | told(names=COUNTS, score=NUMBERS),
    "logprob": st.none() | told(names=COUNTS, low=NUMBERS, median=NUMBERS, high=NUMBERS),
    "forecast": told(draws=COUNTS, distinct=INTERVALS), "top": lists(told(name=TEXTS, count=COUNTS)),
    "lengths": pairs(), "words": pairs(), "tokens": TOKENS, "seconds": SIZES, "attempts": COUNTS,
    "failures": st.dictionaries(TEXTS, COUNTS, max_size=3), "topics": st.none() | TOPICS,
})  # fmt: skip
METRIC = told(metric=TEXTS, unit=TEXTS | st.just("share of draws"), a=NUMBERS, b=NUMBERS, difference=INTERVALS,
              p=st.none() | st.floats(0, 1), p_holm=st.none() | st.floats(0, 1), verdict=TEXTS)  # fmt: skip
VALUES = st.recursive(st.none() | st.booleans() | COUNTS | NUMBERS | TEXTS, lists, max_leaves=4)
STEPS = lists(st.tuples(SIZES, NUMBERS).map(list)).map(sorted)


@st.composite
def timelines(draw: Any) -> dict[str, Any]:
    edges = sorted(draw(st.lists(SIZES, min_size=1, max_size=6)))
    bins = len(edges) - 1

    def each(of: Any) -> Any:
        return st.lists(of, min_size=bins, max_size=bins)

    found = draw(told(
        began=NUMBERS, seconds=SIZES, requests=COUNTS, undated=COUNTS, settled=each(COUNTS), kept=each(COUNTS),
        under_way=each(NUMBERS), failures=st.dictionaries(TEXTS, each(COUNTS), max_size=5),
        limit=STEPS, limits=st.dictionaries(TEXTS, STEPS, max_size=6),
        episodes=told(count=st.dictionaries(TEXTS, COUNTS, max_size=3), first=lists(told(
            at=SIZES, kind=TEXTS, endpoint=TEXTS, seconds=st.none() | SIZES, reason=TEXTS))),
        pauses=told(count=COUNTS, seconds=SIZES, first=lists(st.tuples(SIZES, SIZES).map(list))),
    ))  # fmt: skip
    return {**found, "edges": edges}


@st.composite
def documents(draw: Any) -> dict[str, Any]:
    arms = draw(st.lists(ARM, max_size=3, unique_by=lambda arm: arm["arm"]))
    pair = [arm["arm"] for arm in arms][:2] if len(arms) > 1 else ["FIM", "L2R"]
    metrics = draw(lists(METRIC))
    verdicts = st.sampled_from([*pair, "equivalent", "undecided"])
    primaries = st.sampled_from([metric["metric"] for metric in metrics] or ["-"])
    comparison = told(arms=st.just(pair), draws=COUNTS, primary=primaries, verdict=verdicts,
                      sentence=TEXTS, more_draws=st.none() | COUNTS, metrics=st.just(metrics), factors=lists(TEXTS),
                      confidence=st.floats(0.5, 1), more_probable=st.none() | st.floats(0, 1))  # fmt: skip
    overlap = told(both=COUNTS, only=st.just(dict.fromkeys(pair, 3)), jaccard=NUMBERS,
                   examples=st.just({"both": [], pair[0]: draw(lists(TEXTS)), pair[1]: []}))  # fmt: skip
    provenance = {key: draw(TEXTS) for key in ("model", "server", "fim", "base_url", "started", "updated", "state")}
    provenance |= {"versions": draw(st.dictionaries(TEXTS, TEXTS, max_size=2))}
    provenance |= {"settings": draw(st.dictionaries(TEXTS, VALUES, max_size=3))}
    return {
        "version": 2, "stage": "names", "folder": draw(TEXTS), "warnings": draw(lists(TEXTS)), "provenance": provenance,
        "arms": arms, "comparisons": [one | {"overlap": draw(overlap)} for one in draw(lists(comparison))],
        "answer": {"word": draw(TEXTS), "sentence": draw(TEXTS)},
        "ranking": draw(lists(told(arm=TEXTS, draws=COUNTS, names=COUNTS, new_per_1000=INTERVALS))),
        "timeline": draw(st.none() | timelines()),
    }  # fmt: skip


@settings(max_examples=15, phases=[Phase.explicit, Phase.generate])  # a page takes too long for shrinking
@given(documents())
def test_any_document_is_a_page(document: dict[str, Any]) -> None:
    """Sabotage: let ``drawable`` say yes to everything, or take ``autoescape`` out."""
    written = render(document)
    assert "<script" not in written.lower()
    check_inert(Reader(written))
    written.encode()
    assert written == render(json.loads(json.dumps(document)))
