"""All the way from names to a dataset by one command, in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from evoselfcode.cli import main
from evoselfcode.cli_all import ALSO, STEPS, datagen_all
from evoselfcode.errors import EvoselfcodeError, ScoresUnavailable

SMALL = (
    "--set", "namegen.num_requests=30", "--set", "codegen.n=6", "--set", "codegen.max_new_tokens=120", "--top", "8",
    "--quiet",
)  # fmt: skip


def all_the_way(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "evoselfcode.cli", "datagen-all", *SMALL, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_one_command_goes_from_names_to_a_dataset_and_asks_nothing_twice(folder: Path) -> None:
    """Sabotages: leave a step out of STEPS; put choose-code before datagen-score."""
    pytest.importorskip("pyarrow")
    first = all_the_way(folder, "--set", "export.files=jsonl")
    assert first.returncode == 0, first.stderr
    made = folder / "data" / "generated"
    chosen = rows(made / "code" / "chosen.jsonl")
    assert chosen
    assert all(row["scores"] and row["quality"] for row in chosen)
    (text,) = (made / "export" / "data" / "text").glob("train-*.jsonl")
    exported = rows(text)
    assert sorted(row["text"] for row in exported) == sorted(row["code"] for row in chosen)  # type: ignore[type-var]
    settled = {path: path.read_bytes() for path in made.glob("*/journal/*.jsonl")}
    assert {path.parents[1].name for path in settled} == {"names", "code", "score"}
    again = all_the_way(folder, "--set", "export.files=jsonl")
    assert again.returncode == 0, again.stderr
    assert {path: path.read_bytes() for path in made.glob("*/journal/*.jsonl")} == settled
    assert rows(text) == exported


def played(*arguments: str, fails: str = "", error: EvoselfcodeError | None = None) -> tuple[list[str], str, object]:
    """Run the command in a group whose other commands only say that they were called."""
    called: list[str] = []
    group = click.Group("main", commands=[datagen_all])

    def command(name: str) -> click.Command:
        def callback(**given: object) -> None:
            called.append(name)
            assert given.keys() == {option.name for option in main.commands[name].params}
            if name == fails and error is not None:
                raise error

        return click.Command(name, callback=callback, params=main.commands[name].params)

    for name in STEPS:
        group.add_command(command(name))
    result = CliRunner().invoke(group, ["datagen-all", "--config", "configs/datagen.yaml", *arguments])
    return called, result.stderr, result.exception


def test_steps_that_are_optional_are_taken_in_their_place_when_asked_for() -> None:
    """Sabotage: append the steps of --also to the end."""
    called, told, error = played("--also", "rate", "--also", "skeleton")
    assert error is None
    assert called == [step for step in STEPS if step not in ("datagen-describe", "datagen-asserts")]
    assert "step 3 of 8: datagen-skeleton" in told
    assert played()[0] == [step for step in STEPS if step not in ALSO.values()]


def test_a_server_that_cannot_score_does_not_end_it_and_any_other_error_does() -> None:
    """Sabotages: let ScoresUnavailable end it; catch every EvoselfcodeError."""
    called, told, error = played(fails="datagen-score", error=ScoresUnavailable("no way of scoring works"))
    assert error is None
    assert called[-2:] == ["choose-code", "export"]
    assert "warning: no way of scoring works" in told
    called, _, error = played(fails="datagen-code", error=EvoselfcodeError("no"))
    assert called[-1] == "datagen-code"
    assert isinstance(error, EvoselfcodeError)
