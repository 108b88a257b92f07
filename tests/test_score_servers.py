"""Scoring against servers that behave as recorded: what each can give is given, and nothing else is made up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from fakes import FAKES, Fake, Reply, client_for, fake
from fakes.shapes import error
from scored_rows import ADD_UP, BARE, FACTORIAL, config, entries, of, run, written

from evoselfcode import OpenAICompletionClient
from evoselfcode.datagen.scoring.numbers import SCORES
from evoselfcode.errors import ScoresUnavailable


def client(server: Fake) -> OpenAICompletionClient:
    return OpenAICompletionClient(server.row.base_url, server.row.model, http_client=client_for(server))


def asked(server: Fake) -> Iterable[dict[str, Any]]:
    return (body for method, _, body in server.calls if method == "POST")


@pytest.mark.parametrize("name", ["vllm-0.12", "vllm-0.8", "sglang"])
async def test_a_server_that_can_gives_every_score(tmp_path: Path, name: str) -> None:
    """Recorded shapes, a body's tokens after another text's. Sabotage: take a text's tokens as if it stood alone."""
    server = fake(name)
    summary = await run(client(server), config(tmp_path, ADD_UP, BARE, FACTORIAL))
    rows = written(tmp_path)
    assert rows[0]["unknown"] == {}
    assert list(rows[0]["scores"]) == list(SCORES)
    assert set(rows[1]["unknown"]) == {"docstring_pmi", "coder_reviewer"}
    assert of(rows, "factorial")["unknown"] == {"name_recoverability": "tells_its_name"}
    assert (summary.left_out, summary.meter.dead) == ({}, 0)


async def test_a_description_is_scored_behind_the_function_without_its_docstring(tmp_path: Path) -> None:
    """Sabotage: leave the docstring, which is the description, in what stands before."""
    server = fake("vllm-0.12")
    await run(client(server), config(tmp_path, ADD_UP, texts=["description"], description_prompt="\n\n# It:  "))
    prompts = [body["prompt"] for body in asked(server) if "# It" in str(body.get("prompt"))]
    assert prompts == [BARE["code"].rstrip() + "\n\n# It: Return the sum of the values."]


async def test_how_probable_a_name_is_by_itself_is_asked_once(tmp_path: Path) -> None:
    """Sabotage: put the row into the key of ``plain_name``, or leave its suffix out."""
    server = fake("vllm-0.12")
    await run(client(server), config(tmp_path, ADD_UP, {**BARE, "description": ADD_UP["description"]}))
    arms = [entry.arm for entry in entries(tmp_path)]
    assert arms.count("plain_name") == 1
    assert arms.count("name") == 2
    prompts = [body["prompt"] for body in asked(server) if str(body.get("prompt", "")).endswith("add_up")]
    plain = "<|fim_prefix|>def <|fim_suffix|><|fim_middle|>add_up"
    assert plain in prompts
    rest = "(values: list[int]) -> int:\n    total = 0\n"
    assert sum(prompt.startswith(f"<|fim_prefix|>def <|fim_suffix|>{rest}") for prompt in prompts) == 2


async def test_the_stage_has_a_limit_of_its_own(tmp_path: Path) -> None:
    """Sabotage: open the gate by ``api.concurrency``."""
    server = fake("vllm-0.12")
    slots: list[tuple[int, int]] = []
    settings = config(tmp_path, ADD_UP, FACTORIAL, concurrency=3)
    await run(client(server), settings, report=lambda summary, gate: slots.append((gate.slots, gate.in_flight)))
    assert {slot for slot, _ in slots} == {3}
    assert max(flying for _, flying in slots) <= 3


async def test_one_mean_is_a_perplexity_and_no_more(tmp_path: Path) -> None:
    """LMDeploy. Sabotage: ask it for the parts of a text, or take its mean for a sum."""
    server = fake("lmdeploy")
    summary = await run(client(server), config(tmp_path, ADD_UP))
    (row,) = written(tmp_path)
    known = {name: value for name, value in row["scores"].items() if value is not None}
    assert list(known) == ["perplexity"]
    assert known["perplexity"] > 1
    assert row["unknown"]["body_logprob"] == row["unknown"]["tokens"] == "no_tokens"
    assert row["unknown"]["docstring_pmi"] == "not_asked"
    assert set(summary.left_out) == {"bare", "body", "description", "name", "plain_name"}
    assert summary.meter.dead == 0
    with pytest.raises(ScoresUnavailable, match="one mean for a whole text"):
        await run(client(fake("lmdeploy")), config(tmp_path, BARE, texts=["body"]), new_run=True)


async def test_a_server_that_cannot_score_is_refused(tmp_path: Path) -> None:
    """Sabotage: leave every arm out, and end well without a row."""
    server = fake("llamacpp")
    with pytest.raises(ScoresUnavailable) as raised:
        await run(client(server), config(tmp_path, ADD_UP))
    assert "not possible on this server" in raised.value.message
    assert "choose-code then goes by the log-probabilities that the draws came with" in str(raised.value.hint)
    assert entries(tmp_path) == []


class Short(Fake):
    """A server whose context has no room for descriptions."""

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        if b"Description:" in body:
            return error("nested", 400, "This model's maximum context length is 64 tokens. You requested 99 tokens.")
        return super().answer(method, path, headers, body)


async def test_a_text_that_is_too_long_loses_only_itself(tmp_path: Path) -> None:
    """Sabotage: give a whole row up with one of its texts."""
    await run(client(Short(FAKES["vllm-0.12"].row)), config(tmp_path, ADD_UP))
    (row,) = written(tmp_path)
    assert row["unknown"] == {"coder_reviewer": "too_long"}
    assert [entry.arm for entry in entries(tmp_path) if entry.failure] == ["description"]
