"""Arms in the configuration: what an arm takes from the run, what cannot be, and what is remarked on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evoselfcode.config import RunConfig, cells, contrasts
from evoselfcode.errors import ConfigError

CONFIGS = Path(__file__).parents[1] / "configs"


def config(arms: Any, **sections: Any) -> RunConfig:
    namegen = sections.pop("namegen", {})
    return RunConfig.from_mapping({"namegen": {"arms": arms, **namegen}, **sections})


def test_an_arm_takes_what_it_does_not_say_from_the_run() -> None:
    """Sabotage: take the FIM prefix for an L2R arm."""
    made = cells(
        config(
            {"a": {"mode": "L2R"}, "b": {"mode": "FIM-SPM", "suffix": "(", "temperature": 0.9, "boundary": "token"}},
            prompts={"funcname": {"l2r": {"prompt": "x"}, "fim": {"prefix": "y", "suffix": "z"}}},
            namegen={"temperature": 0.5, "top_p": 0.7},
        )
    )
    a, b = made["a"], made["b"]
    assert (a.mode, a.prefix, a.suffix, a.boundary, a.temperature, a.top_p) == ("L2R", "x", None, "literal", 0.5, 0.7)
    assert (b.order, b.prefix, b.suffix, b.boundary, b.temperature, b.top_p) == ("SPM", "y", "(", "token", 0.9, 0.7)
    assert (a.fim, b.fim, a.order) == (False, True, None)


def test_without_arms_there_are_the_guides_two() -> None:
    assert {name: cell.mode for name, cell in cells(RunConfig()).items()} == {"FIM": "FIM", "L2R": "L2R"}
    assert cells(RunConfig.from_mapping({"namegen": {"arms": None}})) == cells(RunConfig())


def test_an_arm_that_is_null_is_left_out() -> None:
    """So that a file that extends another can take an arm out. Sabotage: make a section of nothing."""
    assert list(config({"a": {"mode": "L2R"}, "b": None}).namegen.arms) == ["a"]


@pytest.mark.parametrize(
    ("arms", "told"),
    [
        ({}, "namegen.arms: has 0 arms, expected 1 to 64"),
        ([], "namegen.arms: got a list, expected a map of names"),
        ({"a": {}}, "namegen.arms.a.mode: is missing; one of FIM, FIM-PSM, FIM-SPM, L2R"),
        ({"a": {"mode": "PSM"}}, "namegen.arms.a.mode: got 'PSM' (str), expected one of FIM, FIM-PSM, FIM-SPM, L2R"),
        ({"a": {"mode": "L2R", "temprature": 1}}, "unknown key; did you mean namegen.arms.a.temperature?"),
        ({"a.b": {"mode": "L2R"}}, "names an arm; expected at most 24 letters"),
        ({"x" * 25: {"mode": "L2R"}}, "names an arm; expected at most 24 letters"),
        ({"Undecided": {"mode": "L2R"}}, "Undecided is taken: reports say it of two arms"),
        ({"a": {"mode": "L2R"}, "A": {"mode": "FIM"}}, "namegen.arms.a: differs from another arm by case only"),
        ({"a": {"mode": "L2R", "suffix": "("}}, "namegen.arms.a.suffix: has no place in an L2R arm"),
        ({"a": {"mode": "L2R", "temperature": 3}}, "namegen.arms.a.temperature: got 3 (int), expected a number"),
        ({"a": {"mode": "L2R", "temperature": 0}}, "is 4 while namegen.arms.a.temperature is 0"),
        ({"a": {"mode": "L2R", "first_words": ["Get_"]}}, "namegen.arms.a.first_words[0]: got 'Get_'"),
        ({"a": {"mode": "L2R", "first_words": ["get"], "prefix": "x"}}, "needs a prompt that ends in `def`"),
        ({"a": {"mode": "L2R", "topics": "builtin", "prefix": "x"}}, "begins with prompts.global_prefix"),
        ({"a": "L2R"}, "namegen.arms.a: got 'L2R' (str), expected a map of settings"),
    ],
)
def test_what_cannot_be_is_told_with_its_key(arms: Any, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        config(arms)
    assert told in str(error.value)


def test_placeholders_are_wanted() -> None:
    with pytest.raises(ConfigError, match=r"prompts\.topic_prefix: has no \{topic\}"):
        RunConfig.from_mapping({"prompts": {"topic_prefix": "x"}})
    with pytest.raises(ConfigError, match=r"prompts\.used_name: has no \{func_name\}"):
        RunConfig.from_mapping({"prompts": {"used_name": "x"}})


def test_two_arms_that_ask_for_the_same_are_remarked_on() -> None:
    (remark,) = config({"a": {"mode": "L2R"}, "b": {"mode": "L2R"}}).warnings()
    assert remark.startswith("the arms a and b ask for the same")


def test_the_experiment_that_comes_with_the_project_compares_one_factor_each_and_gives_no_remark() -> None:
    """Sabotage: give ``L2R-hot`` a boundary in configs/arms.yaml."""
    experiment = RunConfig.from_file(CONFIGS / "arms.yaml")
    assert list(contrasts(cells(experiment)).values()) == [("mode",), ("temperature",), ("topics",), ("first_words",)]
    assert experiment.warnings() == []


def test_arms_can_be_given_on_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("namegen: {arms: {a: {mode: L2R}}}\n")
    made = RunConfig.from_file(file, overrides=["namegen.arms.b={mode: FIM, top_p: 0.5}", "namegen.arms.a.top_p=0.8"])
    assert {name: cell.top_p for name, cell in cells(made).items()} == {"a": 0.8, "b": 0.5}
