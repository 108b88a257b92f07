"""What the report says of names besides the verdict: what was dropped, how many more, how alike, how probable."""

from __future__ import annotations

import math
from typing import Any

import pytest
from report_documents import realistic
from test_report_edges import made
from test_report_page import Reader

from evoselfcode.datagen.filters import canonical
from evoselfcode.report.draws import gather
from evoselfcode.report.likeness import alike, chosen, vendi_scores
from evoselfcode.report.page import render
from evoselfcode.report.probability import more_probable, quartiles
from evoselfcode.storage import Draw, Entry


def entry(arm: str, number: int, *draws: Draw) -> Entry:
    return Entry(key=f"{arm}{number}", stage="names", arm=arm, number=number, attempts=1, seconds=0.1, draws=draws)


def accepted(arm: str, *names: str) -> list[Entry]:
    return [entry(arm, number, Draw(name, name)) for number, name in enumerate(names)]


def report(entries: list[Entry]) -> dict[str, Any]:
    found: Any = made(entries)
    return {arm["arm"]: arm for arm in found["arms"]} | {"": found}


def test_the_commonest_texts_of_a_reason_are_shown_and_the_rest_is_counted() -> None:
    """Sabotage: rank by text alone, or return all of them in ``_texts``."""
    often = [Draw("b", "b", "weak"), Draw("b", "b", "weak"), Draw("a", "a", "weak")]
    rare = [Draw(f"{number:03}", "", "weak") for number in range(298)]
    [reason] = report([entry("FIM", 0, *rare), entry("FIM", 1, *often)])["FIM"]["reasons"]
    assert (reason["count"], reason["distinct"], len(reason["examples"])) == (301, 300, 200)
    assert reason["examples"][:3] == [{"text": "b", "count": 2}, {"text": "000", "count": 1},
                                      {"text": "001", "count": 1}]  # fmt: skip


def test_a_cut_list_says_how_many_more_there_are_and_the_page_holds_200() -> None:
    """Sabotage: show every example in page.html."""
    document = realistic()
    told = [{"text": f"text_{number}", "count": 1} for number in range(5_000)]
    document["arms"][0]["reasons"] = [{"reason": "weak", "meaning": "", "count": 9, "distinct": 7_000,
                                       "examples": told}]  # fmt: skip
    read = Reader(render(document))
    assert "text_199" in read.text
    assert "text_200" not in read.text
    assert "6,800 more distinct texts are in the journal." in read.text


def test_a_list_of_dropped_texts_can_be_scrolled_by_keyboard() -> None:
    """Sabotage: take ``tabindex`` out of the macro ``counted``."""
    lists = [found for tag, found in Reader(render(realistic())).elements if tag == "ol"]
    assert len(lists) == 2 * 4 + 2
    assert all(found.get("tabindex") == "0" and found.get("class") == "top" for found in lists)
    assert lists[0]["aria-label"] == "Texts dropped as duplicate"


def test_arms_are_rarefied_to_the_fewest_accepted_draws() -> None:
    """Sabotage: let ``fewest_accepted`` count the draws that a gate dropped."""
    long = accepted("FIM", *["a_b", "c_d"] * 10)
    short = [*accepted("L2R", "a_b", "c_d", "e_f"), entry("L2R", 9, Draw("x", "x", "weak"))]
    found = report([*long, *short])
    fim, l2r = found["FIM"]["species"]["rarefied"], found["L2R"]["species"]["rarefied"]
    assert l2r == {"draws": 3, "distinct": 3.0}
    assert fim["draws"] == 3
    assert fim["distinct"] == pytest.approx(2 * (1 - 10 * 9 * 8 / (20 * 19 * 18)))


def test_estimators_that_know_nothing_say_so() -> None:
    """Sabotage: let ``ValueError`` through in ``_ace`` or ``_heaps``."""
    once = report(accepted("FIM", "a_b"))["FIM"]
    assert (once["species"]["ace"], once["heaps"]) == (None, None)
    often = report(accepted("FIM", "a", "a", "b", "b", "c"))["FIM"]
    assert often["species"]["ace"] == pytest.approx(3.75 + 0.0, abs=0.5)
    assert 0 < often["heaps"] < 1
    assert often["species"]["chao1_range"]["low"] <= often["species"]["chao1_range"]["high"]
    nothing = report([entry("FIM", 0, Draw("x", "x", "weak"))])["FIM"]
    assert (nothing["vendi"], nothing["logprob"], nothing["species"]["rarefied"]["distinct"]) == (None, None, None)
    assert "–" in Reader(render(report(accepted("FIM", "a_b"))[""])).text


def test_likeness_is_of_runs_of_three_characters() -> None:
    """Sabotage: leave the marks of the ends out of ``_trigrams``."""
    same = alike(["abc", "abc"])
    assert same.tolist() == [[pytest.approx(1)] * 2] * 2
    # ^ab abc bc$ and ^ab abd bd$ share one of three.
    assert alike(["abc", "abd"])[0, 1] == pytest.approx(1 / 3)
    assert alike(["abc", "xyz"])[0, 1] == 0
    assert alike(["", "a"]).diagonal().tolist() == [1, 1]


def test_arms_are_scored_over_equally_many_names() -> None:
    """Sabotage: take all names of each arm."""
    arms = gather([*accepted("A", "one", "two", "six"), *accepted("B", "ten", "elf"), *accepted("C")], canonical)
    arms |= gather([entry("D", 0, Draw("x", "x", "weak"))], canonical)
    scores = vendi_scores(arms)
    assert scores["A"] == scores["B"] == {"names": 2, "score": pytest.approx(2)}
    assert scores["D"] is None


def test_which_names_are_looked_at_does_not_depend_on_their_order() -> None:
    """Sabotage: sort by the built-in ``hash``, or not at all."""
    names = [f"name{number}" for number in range(1_000)]
    assert chosen(names, 300) == chosen(names[::-1], 300)
    assert chosen([f"n{number}" for number in range(30)], 6) == ["n10", "n28", "n11", "n25", "n7", "n2"]


def likely(arm: str, *draws: tuple[str, float | None]) -> list[Entry]:
    return [entry(arm, place, Draw(name, name, None, None, value)) for place, (name, value) in enumerate(draws)]


def test_a_name_is_as_probable_as_its_most_probable_draw() -> None:
    """Sabotage: count every draw."""
    told = likely("FIM", ("a_b", -4.0), ("ab", -2.0), ("a_b", -3.0), ("c", -6.0), ("d", None), ("e", -10.0))
    told.append(entry("FIM", 99, Draw("z", "z", "weak", None, -0.5)))
    arms = gather(told, canonical)
    assert arms["FIM"].logprobs == {"ab": -2.0, "c": -6.0, "e": -10.0}
    assert quartiles(arms["FIM"]) == {"names": 3, "low": -8.0, "median": -6.0, "high": -4.0}


def test_the_chance_of_being_more_probable_is_of_the_first_arm() -> None:
    """Sabotage: swap the arguments of ``mann_whitney_effect``."""
    a, b = likely("A", ("a", -1.0), ("b", -3.0)), likely("B", ("a", -2.0), ("b", -4.0))
    arms = gather([*a, *b, *likely("C", ("a", None))], canonical)
    assert more_probable(arms["A"], arms["B"]) == 0.75
    assert more_probable(arms["A"], arms["C"]) is None


def test_a_log_probability_that_is_no_number_is_left_out() -> None:
    """Sabotage: take ``isfinite`` out of ``Draws.add``."""
    assert gather(likely("A", ("a", -math.inf), ("b", math.nan)), canonical)["A"].logprobs == {}
