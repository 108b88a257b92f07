"""The stop rules: each alone, and on simulated arms whose true crossing is known."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.stats.forecast import forecast
from evoselfcode.stats.saturation import Look, Rule, Saturation, Stop, StopRules
from evoselfcode.stats.species import Frequencies, coverage

OFF: dict[str, Any] = {"new_per_1000": None, "coverage": None, "gain": None}

some_names = st.lists(st.none() | st.sampled_from("abcdefghijklmnop"), max_size=120)


def rules(**on: Any) -> StopRules:
    """Switch all rules off but these."""
    return StopRules(**{**OFF, **on})


def arm(law: list[float], accept: float, draws: int, random: Random) -> list[str | None]:
    """Draw names from a law; a gate drops each draw with the same probability."""
    names = random.choices(range(len(law)), law, k=draws)
    return [f"name_{name}" if random.random() < accept else None for name in names]


def zipf(names: int, exponent: float) -> list[float]:
    """Return the probabilities of a Zipf law."""
    weights = [1 / rank**exponent for rank in range(1, names + 1)]
    whole = sum(weights)
    return [weight / whole for weight in weights]


def crossed(rule: Rule, limit: float, law: list[float], accept: float, n: int) -> bool:
    """Say whether the law itself, not what was seen of it, has reached the limit after n draws."""
    drawn = [p * accept for p in law]
    if rule == "coverage":
        return 1 - sum(p * (1 - q) ** n for p, q in zip(law, drawn, strict=True)) >= limit
    if rule == "gain":
        return sum(1 - (1 - q) ** (2 * n) for q in drawn) / sum(1 - (1 - q) ** n for q in drawn) - 1 < limit
    once = sum(n * q * (1 - q) ** (n - 1) for q in drawn)
    twice = sum(n * (n - 1) / 2 * q * q * (1 - q) ** (n - 2) for q in drawn)
    return 1000 * (once / n + 1.96 * math.sqrt((once * (n - once) + 2 * n * twice) / n**3)) < limit


def looks_late(rule: Rule, limit: float, exponent: float, seeds: int) -> list[int]:
    """Return for each seed how many looks after the true crossing an arm of 5,000 names was stopped."""
    law, accept, look = zipf(5_000, exponent), 0.8, 2_000
    truth = next(n for n in range(look, 10**6, look) if crossed(rule, limit, law, accept, n))
    late = []
    for seed in range(seeds):
        random = Random(f"stop/{seed}")
        saturation = Saturation(rules(**{rule: limit}, look=look))
        while saturation.stop is None:
            saturation.add(arm(law, accept, 500, random))
        assert saturation.stop.rule == rule
        late.append((saturation.stop.look.draws - truth) // look)
    return late


def test_new_names_run_dry() -> None:
    """The second look says 250, but is not sure of less than 280; the third is. Sabotage: judge ``estimate``."""
    saturation = Saturation(rules(new_per_1000=280, look=100))
    assert saturation.add(f"name_{number}" for number in range(100)) is None
    assert saturation.add([f"name_{number % 50}" for number in range(200)]) is None
    assert [look.new_per_1000.estimate for look in saturation.looks[:2]] == [1000, 250]
    third = saturation.looks[2]
    # 50 of the 300 draws are names seen once and none twice: 167 in 1,000, at most 209.
    assert third.new_per_1000.estimate == pytest.approx(1000 / 6)
    assert third.new_per_1000.high == pytest.approx(1000 * (1 / 6 + 1.96 * math.sqrt(50 * 250 / 300**3)), abs=0.01)
    stop = saturation.add([None] * 100)
    assert stop is not None
    assert (stop.rule, stop.limit, stop.look.draws) == ("new_per_1000", 280, 400)
    assert stop.value == stop.look.new_per_1000.high
    assert "fewer than 280" in stop.sentence()


def test_coverage() -> None:
    """Sabotage: ``>`` for ``>=``; of all draws instead of the accepted ones."""
    saturation = Saturation(rules(coverage=1, look=10, in_a_row=1))
    assert saturation.add(["a", None] * 4 + ["a", "b"]) is None
    assert saturation.looks[0].coverage == coverage(Frequencies.of([5, 1]))
    stop = saturation.add(["b", "a", *[None] * 8])
    assert stop is not None
    assert (stop.rule, stop.value, stop.look.accepted) == ("coverage", 1, 8)


def test_gain() -> None:
    """Sabotage: compare the forecast itself instead of what it adds."""
    saturation = Saturation(rules(gain=0.5, look=10, in_a_row=1))
    assert saturation.add("abcdefghij") is None
    assert saturation.looks[0].gain == pytest.approx(1, abs=0.01)
    stop = saturation.add("abcdefghij")
    assert stop is not None
    assert (stop.rule, stop.value) == ("gain", 0)
    assert stop.look.forecast == forecast(Frequencies.of([2] * 10), 40)


def test_two_looks_in_a_row() -> None:
    """A rule that holds, fails and holds again has held once. Sabotage: never set ``_held`` back to 0."""
    saturation = Saturation(rules(coverage=0.9, look=10))
    assert saturation.add("aaaaaaaaaa") is None
    assert saturation.add("bcdefghijk") is None
    assert saturation.add("bcdefghijk") is None
    assert [look.coverage >= 0.9 for look in saturation.looks] == [True, False, True]
    stop = saturation.add([None] * 10)
    assert stop is not None
    assert stop.look.draws == 40


def test_two_rules_are_not_two_looks() -> None:
    """Sabotage: count looks at which any rule holds."""
    saturation = Saturation(rules(coverage=0.5, new_per_1000=300, look=100))
    assert saturation.add(["a"] * 100) is None
    assert saturation.add(["a"] * 99) is None


@pytest.mark.parametrize("size", [1, 7, 100])
def test_the_budget_of_draws(size: int) -> None:
    """It ends at once and at its number, whatever the lists are. Sabotage: judge it at looks only."""
    saturation = Saturation(rules(draws=50, look=40))
    names = [f"name_{number}" for number in range(100)]
    for start in range(0, 100, size):
        saturation.add(names[start : start + size])
    assert saturation.stop is not None
    assert (saturation.stop.rule, saturation.stop.look.draws, saturation.stop.look.distinct) == ("draws", 50, 50)
    assert saturation.stop.look.forecast.estimate > 50


def test_the_budget_of_tokens() -> None:
    """Sabotage: ``>`` for ``>=``."""
    saturation = Saturation(rules(tokens=100))
    assert saturation.add("ab", tokens=99) is None
    stop = saturation.add("a", tokens=1)
    assert stop is not None
    assert (stop.rule, stop.tokens, stop.look.draws, stop.look.distinct) == ("tokens", 100, 3, 2)


def test_a_stop_stays_and_what_drains_is_counted() -> None:
    """Sabotage: let a later rule take the place of the first."""
    saturation = Saturation(rules(draws=5, tokens=10, coverage=0.1, look=10, in_a_row=1))
    first = saturation.add("abcde")
    assert saturation.add("aaaaa", tokens=50) is first
    assert saturation.stop is first
    assert saturation.looks[-1].draws == 10


def test_an_arm_without_a_name_stops() -> None:
    """Nothing comes, so nothing will: two looks are enough. There is no gain to speak of, and no coverage."""
    saturation = Saturation(StopRules(look=100))
    assert saturation.add([None] * 199) is None
    stop = saturation.add([None])
    assert stop is not None
    assert (stop.rule, stop.look.gain, stop.look.coverage, stop.look.distinct) == ("new_per_1000", None, 0, 0)
    assert "0 names after 200 draws" in stop.sentence()


def test_every_rule_can_be_off() -> None:
    saturation = Saturation(rules(look=10))
    assert saturation.add(["a"] * 1000, tokens=10**9) is None
    assert len(saturation.looks) == 100


def test_the_sentence_names_the_rule_and_twice_the_draws() -> None:
    stops: list[Stop] = []
    for on in ({"new_per_1000": 900.0}, {"coverage": 0.5}, {"gain": 0.9}, {"draws": 40}, {"tokens": 7}):
        stop = Saturation(rules(**on, look=20, in_a_row=1)).add("abcdefghij" * 4, tokens=8)
        assert stop is not None
        stops.append(stop)
    assert [stop.rule for stop in stops] == ["new_per_1000", "coverage", "gain", "draws", "tokens"]
    said = [stop.sentence() for stop in stops]
    assert said[1].startswith("the names seen make up 100.0% of the accepted draws, at least 50.0% (10 names after 20")
    assert said[3].startswith("the budget of 40 draws is spent (10 names after 40 draws; 80 would give about 10")
    assert all("would give about" in sentence for sentence in said)


@pytest.mark.parametrize(
    "wrong",
    [
        {"look": 0},
        {"in_a_row": 0},
        {"coverage": 0.0},
        {"coverage": 1.5},
        {"gain": 0.0},
        {"new_per_1000": -1.0},
        {"draws": 0},
        {"tokens": 0},
        {"gain": math.nan},
    ],
)
def test_wrong_rules(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"look|coverage|limit"):
        StopRules(**wrong)


@given(some_names, st.integers(1, 30), st.integers(1, 20))
def test_the_lists_do_not_matter(names: list[str | None], size: int, look: int) -> None:
    """Looks fall after every ``look`` draws. Sabotage: look after a list instead."""
    whole, parts = (Saturation(StopRules(look=look, draws=100)) for _ in range(2))
    whole.add(names)
    for start in range(0, len(names), size):
        parts.add(names[start : start + size])
    assert whole.looks == parts.looks
    assert whole.stop == parts.stop
    assert [seen.draws for seen in whole.looks] == list(range(look, len(names) + 1, look))


@given(some_names.filter(len))
def test_a_look_is_what_the_draws_say(names: list[str | None]) -> None:
    """Sabotage: forget to take a name from the ones seen once."""
    saturation = Saturation(rules(look=len(names)))
    saturation.add(names)
    [look] = saturation.looks
    accepted = Frequencies.of_names(name for name in names if name is not None)
    assert isinstance(look, Look)
    assert (look.accepted, look.distinct, look.coverage) == (accepted.n, accepted.distinct, coverage(accepted))
    assert look.new_per_1000.estimate == pytest.approx(1000 * accepted.f(1) / len(names))
    assert look.forecast == forecast(accepted, 2 * accepted.n)


@pytest.mark.parametrize(("rule", "limit"), [("coverage", 0.95), ("new_per_1000", 50), ("gain", 0.3)])
def test_stops_within_one_look_of_the_true_crossing(rule: Rule, limit: float) -> None:
    """The second look in a row comes one after it. Sabotage: ``in_a_row`` of 4."""
    assert all(0 <= late <= 2 for late in looks_late(rule, limit, 0.9, 3))


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "limit"), [("coverage", 0.95), ("new_per_1000", 50)])
@pytest.mark.parametrize("exponent", [0.8, 0.9, 1.0, 1.1, 1.2])
def test_stops_within_one_look_in_95_of_100_runs(rule: Rule, limit: float, exponent: float) -> None:
    late = looks_late(rule, limit, exponent, 100)
    assert sum(0 <= looks <= 2 for looks in late) >= 95, sorted(late)
