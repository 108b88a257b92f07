"""Named arms in a configuration: what is refused and how, how files and overrides merge, what is remarked on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evoselfcode.config import RunConfig, arm_of, cells, contrasts
from evoselfcode.errors import ConfigError


def config(arms: object, **rest: Any) -> RunConfig:
    return RunConfig.from_mapping({**rest, "namegen": {"arms": arms, **rest.get("namegen", {})}})


def problems(arms: object, **rest: Any) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        config(arms, **rest)
    return [problem.removeprefix("the configuration: ") for problem in raised.value.problems]


L2R = {"mode": "L2R"}


@pytest.mark.parametrize(
    ("arms", "told"),
    [
        ({}, "namegen.arms: has no arm; leave it out to run FIM and L2R"),
        ({"X": None}, "namegen.arms: has no arm"),
        (["FIM"], "namegen.arms: got a list, expected a map of names"),
        ("FIM", "namegen.arms: got 'FIM' (str), expected a map of names"),
        ({"a b": L2R}, "namegen.arms.a b: names an arm; expected at most 24 letters"),
        ({"a.b": L2R}, "namegen.arms.a.b: names an arm"),
        ({"": L2R}, "namegen.arms.: names an arm"),
        ({"x" * 25: L2R}, "names an arm; expected at most 24"),
        ({"é": L2R}, "names an arm"),
        ({"a\n": L2R}, "names an arm"),
        ({"Both": L2R}, "namegen.arms.Both: Both is taken: reports say it of two arms"),
        ({1: L2R}, "namegen.arms.1: got 1 (int) for a name, expected text"),
        ({None: L2R}, "namegen.arms.None: got nothing for a name, expected text"),
        ({"a": L2R, "A": L2R}, "namegen.arms.a: differs from another arm by case only"),
        ({f"a{number}": L2R for number in range(65)}, "namegen.arms: has 65 arms, expected 1 to 64"),
        ({"X": "L2R"}, "namegen.arms.X: got 'L2R' (str), expected a map of settings"),
        ({"X": {}}, "namegen.arms.X.mode: is missing; one of FIM, FIM-PSM, FIM-SPM, L2R"),
        ({"X": {"mode": None}}, "namegen.arms.X.mode: got nothing, expected one of FIM, FIM-PSM, FIM-SPM, L2R"),
        ({"X": {"mode": ["L2R"]}}, "namegen.arms.X.mode: got a list, expected one of FIM, FIM-PSM, FIM-SPM, L2R"),
        ({"X": {"mode": "FIM-PMS"}}, "did you mean FIM-"),
        ({"X": L2R | {"temprature": 1}}, "unknown key; did you mean namegen.arms.X.temperature?"),
        ({"X": L2R | {"suffix": "("}}, "namegen.arms.X.suffix: has no place in an L2R arm"),
        ({"X": L2R | {"temperature": 0}}, "namegen.n: is 4 while namegen.arms.X.temperature is 0"),
        ({"X": L2R | {"topics": ""}}, "namegen.arms.X.topics: got ''"),
        ({"X": L2R | {"topics": "\ud800"}}, "half of a surrogate pair"),
        ({"X": L2R | {"topics": "builtin", "prefix": "class "}}, "namegen.arms.X.topics: needs a prompt that begins"),
        ({"X": L2R | {"used_names": "a", "prefix": "class "}}, "namegen.arms.X.used_names: needs a prompt that begins"),
        ({"X": L2R | {"used_names_shown": 0}}, "expected a whole number >= 1"),
        ({"X": L2R | {"first_words": "find"}}, "namegen.arms.X.first_words: got 'find' (str), expected a list"),
        ({"X": L2R | {"first_words": ["Find"]}}, "namegen.arms.X.first_words[0]: got 'Find'"),
        ({"X": L2R | {"first_words": ["find"], "prefix": "class "}}, "needs a prompt that ends in `def`"),
        ({"X": L2R | {"first_words": ["find"], "prefix": "undef "}}, "needs a prompt that ends in `def`"),
    ],
)
def test_a_mistake_in_an_arm_is_one_line_that_names_the_key(arms: object, told: str) -> None:
    """Sabotages: check a name without asking whether it is text; look for ``def`` by ``endswith``; take the closed
    set's words for wrong texts only; leave ``suffix`` to L2R.
    """
    assert any(told in problem for problem in problems(arms)), problems(arms)


def test_the_problems_of_several_arms_are_told_at_once_and_in_order() -> None:
    """Sabotage: walk ``{"topics", "used_names"}``: the order of a set of texts is another one in each process."""
    wrong = {"prefix": "class ", "topics": "builtin", "used_names": "a.jsonl", "first_words": ["find"]}
    keys = [problem.partition(":")[0] for problem in problems(dict.fromkeys(("A", "B"), L2R | wrong))]
    assert keys == [f"namegen.arms.{arm}.{key}" for arm in "AB" for key in ("topics", "used_names", "first_words")]


def test_one_greedy_arm_is_no_trouble_with_one_draw() -> None:
    assert cells(config({"X": L2R | {"temperature": 0}}, namegen={"n": 1}))["X"].temperature == 0


def test_an_arm_takes_what_it_leaves_out_from_the_run() -> None:
    """Sabotage: take ``arm.temperature or namegen.temperature`` (0 is a temperature)."""
    settings = config(
        {"X": L2R | {"prefix": "", "temperature": 0.0}, "Y": {"mode": "FIM-SPM", "suffix": "", "boundary": "token"}},
        namegen={"n": 1, "temperature": 0.7, "top_p": 0.5},
    )
    x, y = cells(settings)["X"], cells(settings)["Y"]
    assert (x.prefix, x.suffix, x.boundary, x.temperature, x.top_p) == ("", None, "literal", 0.0, 0.5)
    assert (y.suffix, y.boundary, y.temperature, y.fim, y.order) == ("", "token", 0.7, True, "SPM")
    assert y.prefix == "This is an algorithm function.\n\ndef "
    assert (x.fim, x.order) == (False, None)


def test_files_that_extend_merge_their_arms_and_null_takes_one_out(tmp_path: Path) -> None:
    """Sabotage: in ``_map``, keep an arm that is null; in ``load._deep``, replace maps."""
    (tmp_path / "base.yaml").write_text("namegen: {arms: {A: {mode: L2R, temperature: 0.5}, B: {mode: FIM}}}\n")
    (tmp_path / "own.yaml").write_text(
        "extends: base.yaml\nnamegen: {arms: {A: {temperature: 0.9}, B: null, C: {mode: FIM}}}\n"
    )
    settings = RunConfig.from_file(tmp_path / "own.yaml", environ={})
    assert list(settings.namegen.arms) == ["A", "C"]
    assert settings.namegen.arms["A"].temperature == 0.9
    assert settings.namegen.arms["A"].mode == "L2R"


def test_arms_by_override(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("namegen: {arms: {A: {mode: L2R}}}\n")
    given = ("namegen.arms.X={mode: L2R}", "namegen.arms.A.temperature=0.9", "namegen.arms.Y.mode=FIM-PSM")
    arms = RunConfig.from_file(path, overrides=given, environ={}).namegen.arms
    assert {name: arm.mode for name, arm in arms.items()} == {"A": "L2R", "X": "L2R", "Y": "FIM-PSM"}
    assert arms["A"].temperature == 0.9
    for nothing in ("namegen.arms=", "namegen.arms=null"):
        assert list(RunConfig.from_file(path, overrides=[nothing], environ={}).namegen.arms) == ["FIM", "L2R"]
    with pytest.raises(ConfigError, match="a key must be plain text, got 'true'"):
        RunConfig.from_file(path, overrides=["namegen.arms={true: {mode: L2R}}"], environ={})


def test_the_settings_of_an_arm_are_known_by_their_key() -> None:
    assert arm_of("namegen.arms.L2R-hot.top_p") == "L2R-hot"
    assert arm_of("namegen.arms.X.topics.digest") == "X"
    assert arm_of("namegen.n") is None
    assert arm_of("namegen.arms") is None


FACTORS = {
    "A": L2R,
    "B": L2R | {"temperature": 0.9},
    "C": L2R | {"topics": "builtin"},
    "D": {"mode": "FIM"},
    "E": {"mode": "FIM-SPM", "temperature": 0.9, "topics": "builtin"},
}


def test_of_more_than_two_arms_those_are_compared_that_differ_in_one_factor() -> None:
    """Sabotage: let ``contrasts`` return every pair; count the suffix as a factor of its own."""
    assert contrasts(cells(config(FACTORS))) == {
        ("A", "B"): ("temperature",),
        ("A", "C"): ("topics",),
        ("A", "D"): ("mode",),
    }
    assert contrasts(cells(config({"A": L2R, "E": FACTORS["E"]}))) == {("A", "E"): ("mode", "temperature", "topics")}
    (remark,) = config(FACTORS).warnings()
    assert remark.startswith("the arm E differs from every other in more than one factor, so it is compared with none")


def test_used_names_are_one_factor_however_many_are_shown() -> None:
    """Sabotage: leave the two ``used_names`` conditions out of ``differing``."""
    arms = {"A": L2R, "B": L2R | {"used_names": "a.jsonl", "used_names_shown": 3}, "C": L2R | {"used_names_shown": 3}}
    assert contrasts(cells(config(arms))) == {("A", "B"): ("used_names",), ("A", "C"): (), ("B", "C"): ("used_names",)}


def test_arms_that_ask_for_the_same_are_one_remark() -> None:
    """Sabotage: remark on each pair: sixty-four such arms would be two thousand remarks."""
    (remark,) = config(dict.fromkeys(("A", "B", "C"), L2R)).warnings()
    assert remark.startswith("the arms A, B and C ask for the same\nhint: ")
