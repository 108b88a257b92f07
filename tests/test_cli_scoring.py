"""The command that scores: a card with medians, a second run that asks nothing, and one message where it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import journal_lines
import pytest
from fakes import fake, serving
from scored_rows import PLAIN_PROMPT, ROWS
from test_cli_code import run


@pytest.fixture
def scored(folder: Path) -> Path:
    """A folder with a short configuration and functions."""
    rows = [{**ROWS[0], "logprob": -0.5}, *ROWS[1:]]
    (folder / "it's rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    prompt = json.dumps(PLAIN_PROMPT)
    (folder / "configs" / "datagen.yaml").write_text(f"score:\n  description_prompt: {prompt}\n")
    return folder


def test_score_and_score_again(scored: Path) -> None:
    first = run(scored, "datagen-score", "--rows", "it's rows.jsonl")
    assert (first.returncode, first.stderr) == (0, "")
    assert "left out: name, plain_name: not possible" in first.stdout
    (perplexity,) = [line for line in first.stdout.splitlines() if line.startswith("perplexity")]
    assert perplexity.split()[1] == "4"
    assert "no_docstring 1, no_function 1" in " ".join(first.stdout.split())
    assert len((scored / "data/generated/score/scores.jsonl").read_text().splitlines()) == 4
    again = run(scored, "datagen-score", "--rows", "it's rows.jsonl", "--quiet")
    assert again.returncode == 0
    assert "no request was sent" in again.stdout
    fewer = run(scored, "datagen-score", "--rows", "it's rows.jsonl", "--set", "score.texts=[bare]", "--new-run")
    assert "warning: score.texts is without code" in fewer.stderr
    assert (scored / "data/generated/score/old-1/scores.jsonl").exists()
    journal = journal_lines.lines(scored / "data/generated/score")
    assert {json.loads(line)["entry"]["arm"] for line in journal} == {"bare"}


def test_one_message_where_it_cannot(scored: Path) -> None:
    """What rows were drawn with is written all the same. Sabotage: end well with a file of nulls."""
    nothing = run(scored, "datagen-score")
    assert nothing.returncode == 2
    assert nothing.stderr.startswith(
        "error: there is no code to score: data/generated/code/filtered.jsonl is not there"
    )
    with serving(fake("llamacpp")) as url:
        server = ("--set", f"api.base_url={url}", "--set", "model=Qwen2.5-Coder-32B")
        refused = run(scored, "datagen-score", "--rows", "it's rows.jsonl", *server)
    assert refused.returncode == 2
    assert "not possible on this server" in refused.stderr
    assert "hint: " in refused.stderr
    assert "Traceback" not in refused.stderr
    lines = (scored / "data/generated/score/scores.jsonl").read_text().splitlines()
    assert [json.loads(line)["drawn_logprob"] for line in lines] == [-0.5 / len(ROWS[0]["code"]), None, None, None]
    assert all(value is None for line in lines for value in json.loads(line)["scores"].values())
