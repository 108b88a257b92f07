"""``datagen-rate`` as a process, and what its card says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import raters
from scripted_server import Line, Seen, reply, scripted

from evoselfcode import RunConfig
from evoselfcode.cli_scoring import of_the_rater
from evoselfcode.clients import OpenAICompletionClient
from evoselfcode.datagen.scoring.rating_anchors import DIMENSIONS
from evoselfcode.errors import EndpointRefused
from evoselfcode.records import Completion, L2r, Request, Sampling
from evoselfcode.terminal_scores import rating_card
from evoselfcode.wire.retry import HINTS


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "evoselfcode.cli", "datagen-rate", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_embedded_model_rates_nothing_and_the_run_ends_well(folder: Path) -> None:
    """It cannot rate. Sabotage: let an unparsed reply end the run, or hold its dimension for informative."""
    raters.write(folder / "data/generated", kept=3, dropped=1)
    first = run(folder, "--set", "rating.max_new_tokens=8")
    assert first.returncode == 0, first.stderr
    assert first.stderr.startswith("warning: the model rates its own functions")
    told = "problem, definition, correctness, efficiency, readability: not informative: no reply has a rating"
    assert told in first.stdout
    assert "not checked: retest: 0 functions were rated twice, and 20 are needed" in first.stdout
    written = folder / "data/generated/rating/ratings.jsonl"
    assert [json.loads(line)["rating"] for line in written.read_bytes().splitlines()] == [dict.fromkeys(DIMENSIONS)] * 3
    again = run(folder, "--set", "rating.max_new_tokens=8", "--quiet")
    assert again.returncode == 0
    assert "no request was sent" in again.stdout
    other = run(folder, "--set", "rating.max_new_tokens=9")
    assert other.returncode == 2
    assert "rating.max_new_tokens: 8 then, 9 now" in other.stderr


def test_rows_of_ones_own(folder: Path) -> None:
    """Sabotage: let ``--rows`` be a setting of the stage score."""
    (folder / "mine.jsonl").write_text('{"func_name": "f", "code": "def f(x):\\n    return x + 1\\n"}\n')
    done = run(folder, "--rows", "mine.jsonl", "--set", "rating.max_new_tokens=8", "--quiet")
    assert done.returncode == 0, done.stderr
    lines = (folder / "data/generated/rating/replies.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["arm"] for line in lines] == ["rating", "retest", "mutant"]
    missing = run(folder, "--rows", "yours.jsonl")
    assert (missing.returncode, missing.stderr.splitlines()[0]) == (2, "error: yours.jsonl is no file")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("rating.n=2", "rating.n: is 2 while rating.temperature is 0"),
        (
            "rating.api.base_url=http://b:1/v1",
            "rating.model: is missing; set it to the name that 'http://b:1/v1' lists",
        ),
        ("rating.api.base_url=b:1", "rating.api.base_url: 'b:1' is not an http address"),
        ("rating.api.api_key=a secret", "rating.api.api_key: a key on the command line is seen by everybody"),
        ("rating.api.api_key=[secret]", "rating.api.api_key: a key on the command line is seen by everybody"),
    ],
)
def test_settings_that_cannot_be(folder: Path, given: str, problem: str) -> None:
    """Sabotage: take the rules of ``rating.api`` out; show a key."""
    raters.write(folder / "data/generated", kept=1)
    done = run(folder, "--set", given)
    assert done.returncode == 2
    assert problem in done.stderr
    assert "secret" not in done.stderr.replace("a secret", "")


@pytest.mark.parametrize(
    ("api", "key", "address"),
    [
        ({}, "api.api_key, for instance to ${EVOSELFCODE_API_KEY}", "api.base_url"),
        ({"api_key": "x"}, "rating.api.api_key, for instance to ${RATER_API_KEY}", "api.base_url"),
        ({"base_url": "http://b:1/v1"}, "rating.api.api_key, for instance to ${RATER_API_KEY}", "rating.api.base_url"),
    ],
)
def test_a_hint_names_the_settings_of_the_rater(api: dict[str, str], key: str, address: str) -> None:
    """Where it has its own. Sabotage: pass the hint on as it is: the generator's key is sent nowhere else."""
    config = RunConfig.from_mapping({"model": "m", "rating": {"api": api}})
    for hint, wanted in ((HINTS["auth"], f"set {key}"), (HINTS["no_route"], f"check {address}; it should")):
        with pytest.raises(EndpointRefused) as raised, of_the_rater(config):
            raise EndpointRefused("no", hint=hint)
        assert str(raised.value).startswith(f"no\nhint: {wanted}")


def test_the_card_says_it_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    """Sabotage: print the share and leave the conclusion to the reader."""

    def of(**more: Any) -> dict[str, Any]:
        return {
            "informative": True, "why": [], "not_checked": [], "rated": 1200, "unparsed": 3, "median": 5,
            "at_best": 0.912, "retest": {"kappa": 0.41},
        } | more  # fmt: skip

    found = dict.fromkeys(DIMENSIONS, of())
    found["problem"] = of(
        informative=False, why=["91 % of the ratings are 5", "x\x1b[0m"], not_checked=["mutants: few"]
    )
    found["definition"] = of(median=None, at_best=None, retest={"kappa": None})
    rating_card({"dimensions": found})
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["problem", "1,200", "3", "5", "91%", "0.41"]
    assert lines[2].split() == ["definition", "1,200", "3", "-", "-", "-"]
    assert lines[6] == "problem: not informative: 91 % of the ratings are 5; x\ufffd[0m"
    assert lines[7] == "definition, correctness, efficiency, readability: informative"
    assert lines[8] == "not checked: mutants: few"


async def test_a_service_that_chats_alone_can_rate() -> None:
    """It has no ``/v1/completions``. Sabotage: let the preflight ask for a plain completion first."""
    seen: list[tuple[str, Any]] = []

    async def talk(line: Line, asked: Seen) -> None:
        seen.append((asked.path, asked.json if asked.body else None))
        if asked.path == "/v1/models":
            await line.send(reply(b'{"data": [{"id": "judge"}]}'))
        elif asked.path == "/v1/chat/completions":
            message = {"role": "assistant", "content": "Sure! correctness: 4"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            await line.send(reply(json.dumps({"choices": [choice]}).encode()))
        else:
            await line.send(reply(b'{"error": {"message": "unknown route"}}', "404 Not Found"))

    async with scripted(talk) as server:
        client = OpenAICompletionClient(server.url, "judge", fim_mode="none", chat=True)
        async with client.connect(n=1) as connection:
            findings = connection.findings
            request = Request(key="k", prompt=L2r("Rate."), sampling=Sampling(max_new_tokens=9))
            said = await connection.send(request)
    assert findings.dialect.l2r == "chat"
    assert "raw prompt" not in {check.name for check in findings.checks}
    assert isinstance(said, Completion)
    assert seen[-1][1]["messages"] == [{"role": "user", "content": "Rate."}]
    assert {path for path, _ in seen} == {"/v1/models", "/v1/chat/completions"}
