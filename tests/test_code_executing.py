"""Functions are run behind walls: what fails is dropped, what asserts say is written beside, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from code_answers import config, names, rows, run, writing

from evoselfcode import RunConfig
from evoselfcode.datagen.code.codegen import CODE
from evoselfcode.datagen.code.executing import read_asserts
from evoselfcode.datagen.code.filtering import filter_code
from evoselfcode.datagen.sandbox import probe
from evoselfcode.errors import ConfigError, UsageError

try:
    LEVEL = probe().level
except UsageError as error:  # pragma: no cover - a machine on which nothing holds
    pytest.skip(str(error), allow_module_level=True)

HEAD = {
    "func_name": "shift_all",
    "description": "Add one to each number.",
    "signature": "(items: list[int]) -> list[int]",
}
RIGHT = "    return [item * 3 - 1 for item in items]\n"
ALSO = "    shifted = []\n    for item in items:\n        shifted.append(item * 3 - 1)\n    return shifted\n"
WRONG = "    return [item * 2 - 1 for item in items if item]\n"
BODIES = {
    "right": (RIGHT, "pass"),
    "also": (ALSO, "pass"),
    "wrong": (WRONG, "pass"),
    "unbound": ("    return [item + one for item in items]\n", "NameError"),
    "types": ("    return items + 1\n", "TypeError"),
    "mutates": ("    items.append(len(items) + 1)\n    return items\n", "changes its input"),
    "endless": ("    while items is not None:\n        items = items[:]\n    return items\n", "timeout"),
    "value": ("    if not items:\n        raise ValueError\n    return [item * 3 - 1 for item in items]\n", "pass"),
}  # fmt: skip


def settings(folder: Path, **execution: Any) -> RunConfig:
    filters = {"execute": True, "near_duplicates": 1.0, "execution": {"seconds": 3, **execution}}
    return config(folder, codegen={"n": len(BODIES)}, filters=filters)


async def test_what_fails_on_arguments_of_its_own_types_is_dropped(tmp_path: Path) -> None:
    """Sabotages: keep what has a fault; leave the program's own status out; count a sandbox error as a fault."""
    names(tmp_path, HEAD)
    await run(CODE, writing(lambda prompt: [body for body, _ in BODIES.values()]), settings(tmp_path))
    await filter_code([tmp_path / "code"], settings(tmp_path))
    raw = dict(zip(BODIES, rows(tmp_path / "code" / "raw.jsonl"), strict=True))
    assert {name: row["execution"]["status"] for name, row in raw.items()} == {
        name: status for name, (_, status) in BODIES.items()
    }
    assert {row["execution"]["level"] for row in raw.values()} == {LEVEL}
    assert raw["right"]["execution"]["arguments"] == "typed"
    assert raw["right"]["execution"]["calls"] > 10
    assert raw["unbound"]["reason"] == "failed"
    assert raw["unbound"]["of"] == "NameError"
    assert {row["verdict"] for name, row in raw.items() if BODIES[name][1] == "pass"} == {"kept"}


async def test_functions_that_agree_on_asserts_are_told_from_others(tmp_path: Path) -> None:
    """Wrong asserts drop nothing. Sabotages: drop what fails an assert; score by the number of members alone."""
    names(tmp_path, HEAD)
    (tmp_path / "asserts").mkdir()
    asserts = [
        "assert shift_all([1, 2]) == [2, 5]", "assert shift_all([]) == []", "assert shift_all([0]) == [7]",
        "assert __import__('os')", "assert shift_all([-1]) == [-4]",
    ]  # fmt: skip
    row = {"func_name": "shift_all", "asserts": asserts}
    (tmp_path / "asserts" / "asserts.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    bodies = [RIGHT, ALSO, WRONG]
    three = config(
        tmp_path, codegen={"n": 3}, filters={"execute": True, "disabled_gates": ["duplicate", "near_duplicate"]}
    )
    await run(CODE, writing(lambda prompt: bodies), three)
    await filter_code([tmp_path / "code"], three)
    raw = rows(tmp_path / "code" / "raw.jsonl")
    assert [row["verdict"] for row in raw] == ["kept"] * 3
    assert [row["execution"]["asserts"] for row in raw] == [
        {"passed": 3, "of": 4}, {"passed": 3, "of": 4}, {"passed": 1, "of": 4},
    ]  # fmt: skip
    assert [row["agreement"]["chosen"] for row in raw] == [True, True, False]
    assert raw[0]["agreement"] | {"mutants_noticed": None} == {
        "size": 2, "of": 3, "asserts": 3, "score": 4.2426, "chosen": True, "mutants_noticed": None, "vacuous": False,
    }  # fmt: skip
    assert raw[0]["agreement"]["mutants_noticed"] > 0.5


async def test_examples_in_a_docstring_must_hold(tmp_path: Path) -> None:
    """Sabotage: leave the examples out of the checks."""
    skeleton = (
        'def shift_all(items: list[int]) -> list[int]:\n    """Add one.\n\n    >>> shift_all([1])\n    [2]\n    """\n'
    )
    names(tmp_path, {"func_name": "shift_all", "skeleton": skeleton})
    two = config(tmp_path, codegen={"n": 2}, filters={"execute": True})
    await run(CODE, writing(lambda prompt: [RIGHT, "    return [item * 2 - 1 for item in items]\n"]), two)
    await filter_code([tmp_path / "code"], two)
    right, wrong = rows(tmp_path / "code" / "raw.jsonl")
    assert (right["execution"]["examples"], right["verdict"]) == ("pass", "kept")
    assert (wrong["execution"]["status"], wrong["reason"]) == ("example assert", "failed")


@pytest.mark.parametrize(
    ("line", "told"),
    [("{}", "line 1: is no row"), ('{"func_name": "f", "asserts": "x"}', "line 1: is no row"), (None, "is no file")],
)
def test_a_file_of_asserts_that_is_none_is_one_message(tmp_path: Path, line: str | None, told: str) -> None:
    path = tmp_path / "mine.jsonl"
    if line is not None:
        path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=told):
        read_asserts(settings(tmp_path, asserts=str(path)), [tmp_path])
    assert read_asserts(settings(tmp_path), [tmp_path]).of("f", "") == ()


async def test_the_mutants_are_those_of_the_group_that_won(tmp_path: Path) -> None:
    """A loner may pass what the group passes, and more. Sabotage: take the first that passes the group's asserts."""
    names(tmp_path, HEAD)
    (tmp_path / "asserts").mkdir()
    asserts = [
        "assert shift_all([1]) == [2]",
        "assert shift_all([4]) == [11]",
        "assert shift_all([0, 0, 0]) == [-1, -1, 9]",
    ]
    row = {"func_name": "shift_all", "asserts": asserts}
    (tmp_path / "asserts" / "asserts.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    beside = "    if len(items) > 9:\n        items = [2 + 3, 4 * 5, 6 - 7, 8 + 1, 3 * 3, 9 - 2, 5 + 5, 7 * 8, 1 - 4]\n"
    loner = f"    if len(items) == 3:\n        return [-1, -1, 9]\n{beside}{RIGHT}"
    four = config(
        tmp_path, codegen={"n": 4}, filters={"execute": True, "disabled_gates": ["duplicate", "near_duplicate"]}
    )
    await run(CODE, writing(lambda prompt: [loner, RIGHT, ALSO, RIGHT]), four)
    await filter_code([tmp_path / "code"], four)
    raw = rows(tmp_path / "code" / "raw.jsonl")
    assert [row["agreement"]["chosen"] for row in raw] == [False, True, True, True]
    assert raw[1]["agreement"]["mutants_noticed"] > 0.5
