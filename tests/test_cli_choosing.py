"""choose-code as a process: what it prints, and one message and an exit code where it cannot."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from kept_rows import agreement, lines, row, write_code

from evoselfcode.config import RunConfig
from evoselfcode.errors import ConfigError
from evoselfcode.terminal_choosing import choice_card


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "evoselfcode.cli", "choose-code", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def filtered(folder: Path) -> Path:
    """A folder with a configuration and a code run of three names."""
    rows = [row(number, f"name_{number // 2}", agreement=agreement(2, 2)) for number in range(6)]
    write_code(folder / "data" / "generated" / "code", rows)
    return folder


def test_the_card_says_what_was_chosen_and_where_it_is(filtered: Path) -> None:
    """Sabotage: print the card on the standard error, or forget an option."""
    done = run(filtered)
    assert done.returncode == 0
    assert done.stderr.startswith("no report was written: ")  # of a run that is made up
    assert "3 of 6 functions chosen, for 3 names; 3 of them on the short list" in done.stdout
    assert "agreement 3, outranked 3" in done.stdout
    assert "data/generated/code/chosen.jsonl  3 rows" in done.stdout
    assert "left out, for there is no file of scores: perplexity, bits_per_byte" in done.stdout
    code = filtered / "data" / "generated" / "code"
    assert len(lines(code / "chosen.jsonl")) == 3
    done = run(filtered, "data/generated/code", "--per-name", "2", "--top", "5", "--out", "best", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(lines(filtered / "best" / "chosen.jsonl")) == 5
    assert json.loads((filtered / "best" / "choice.json").read_bytes())["settings"]["top"] == 5


def test_an_option_beats_the_configuration_and_a_setting(filtered: Path) -> None:
    """Sabotage: put the options before the settings."""
    done = run(filtered, "--set", "choose.top=1", "--top", "2")
    assert "2 of 6 functions chosen" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("elsewhere",), "error: elsewhere holds no filtered.jsonl\nhint: "),
        (("--scores", "none.jsonl"), "error: none.jsonl is no file\nhint: "),
        (("--set", "choose.tail.enabled=true"), "error: choose.tail draws among verified functions"),
        (("--set", "choose.weights.lnt=1"), "choose.weights.lnt: unknown key; did you mean choose.weights.lint?"),
    ],
)
def test_what_cannot_be_is_one_message(filtered: Path, arguments: tuple[str, ...], told: str) -> None:
    """Sabotage: let an exception out."""
    done = run(filtered, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"weights": {"lint": -1}}, "choose.weights.lint: got -1"),
        ({"strata": {"bands": [5, 2]}}, "choose.strata.bands: [5, 2] does not rise"),
        ({"strata": {"bands": [2, 2]}}, "choose.strata.bands: [2, 2] does not rise"),
        ({"pareto": ["lint", "typing", "novelty", "evidence"]}, "choose.pareto"),
        ({"pareto": ["luck"]}, "expected one of"),
        ({"share": 0}, "choose.share"),
        ({"per_name": 0}, "choose.per_name"),
        ({"tail": {"sharpness": float("nan")}}, "choose.tail.sharpness"),
    ],
)
def test_a_section_that_cannot_be_is_refused(section: dict[str, object], told: str) -> None:
    """Sabotage: take a limit or the rule away."""
    with pytest.raises(ConfigError) as raised:
        RunConfig.from_mapping({"choose": section})
    assert told in str(raised.value)


def test_text_of_a_model_is_printed_as_text(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A topic may be anybody's. Sabotage: leave ``printable`` out."""
    strata = [
        {"topic": f"[red]{number}\x1b[2J", "band": "1", "rows": 20 - number, "names": 1, "chosen": 1}
        for number in range(14)
    ]
    metric = {"weight": 1.0, "rows": 3, "median": None, "auc": 0.5, "auc_within": None}
    choice_card(
        {
            "rows": 1, "names": 1, "chosen": 1, "pareto": 0, "why": {"only": 1}, "strata": strata,
            "metrics": {"lint": metric}, "warnings": ["[bold]two\x07"], "left_out": {},
        },
        tmp_path,
    )  # fmt: skip
    shown = capsys.readouterr().out
    assert "[red]0\ufffd[2J" in shown
    assert "warning: [bold]two\ufffd" in shown
    assert "and 2 smaller strata" in shown
