"""The exact body of ``/v1/completions`` for each server: what is in it, and what is not.

The documents are written out: a field more is refused by some server (TensorRT-LLM, Mistral, DeepSeek), a field less
lets a server's own default into the data.
"""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from msgspec import structs

from evoselfcode.records import Fim, L2r, Request, Sampling
from evoselfcode.wire.completions import body
from evoselfcode.wire.dialect import Dialect, endpoint
from evoselfcode.wire.messages import call

SAMPLING = Sampling(max_new_tokens=16, n=4, temperature=0.8, top_p=0.95, stop=("(", ":"), seed=40, logprobs=0)
COMMON: dict[str, Any] = {
    "model": "m",
    "prompt": "def ",
    "max_tokens": 16,
    "temperature": 0.8,
    "top_p": 0.95,
    "n": 4,
    "seed": 40,
    "stop": ["(", ":"],
    "logprobs": 1,
}
OWN: dict[str, dict[str, Any]] = {
    "vllm": {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0},
    "sglang": {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0},
    "llamacpp": {"top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0},
    "llama-cpp-python": {"top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0},
    # Everybody else gets what OpenAI documents and nothing more; TensorRT-LLM answers 400 to a field it does not know.
    **{
        name: {}
        for name in (
            "trtllm", "triton", "tgi", "lmdeploy", "tabby", "openai", "fireworks", "together", "openrouter",
            "siliconflow", "evoselfcode", "ollama", "unknown",
        )
    },
}  # fmt: skip


@pytest.mark.parametrize("server", OWN)
def test_the_whole_body_of_each_server(server: str) -> None:
    """Sabotage: send ``top_k`` to everybody; drop ``repetition_penalty`` for vLLM."""
    assert body(SAMPLING, Dialect(server=server, model="m"), "def ") == COMMON | OWN[server]


def test_deepseek_is_sent_neither_n_nor_seed() -> None:
    """It knows neither and answers 422 to unknown fields. Sabotage: empty ``_SEEDLESS``."""
    expected = {name: value for name, value in COMMON.items() if name not in ("n", "seed")}
    assert body(SAMPLING, Dialect(server="deepseek", model="m"), "def ") == expected


def test_what_was_not_asked_for_is_not_sent() -> None:
    """Sabotage: send ``"seed": null``, ``"stop": []`` or ``"n": 1``."""
    assert body(Sampling(max_new_tokens=2), Dialect(), "x") == {
        "prompt": "x",
        "max_tokens": 2,
        "temperature": 1.0,
        "top_p": 1.0,
    }


def test_the_key_suffix_is_there_only_if_meant() -> None:
    """vLLM refuses even an empty one. Sabotage: ``if suffix is not None`` → always, or → ``if suffix``."""
    assert "suffix" not in body(SAMPLING, Dialect(server="vllm"), "x")
    assert body(SAMPLING, Dialect(), "x", suffix="")["suffix"] == ""
    assert body(SAMPLING, Dialect(), "x", suffix="():\n")["suffix"] == "():\n"


@pytest.mark.parametrize(("top_p", "sent"), [(1.0, False), (0.999, True)])
def test_tgi_is_not_sent_a_top_p_of_one(top_p: float, sent: bool) -> None:
    """TGI wants it strictly below 1 and answers 422. Sabotage: compare with another server's name."""
    sampling = Sampling(max_new_tokens=2, top_p=top_p)
    assert ("top_p" in body(sampling, Dialect(server="tgi"), "x")) is sent
    assert "top_p" in body(sampling, Dialect(server="vllm"), "x")


def test_a_prompt_may_be_ids() -> None:
    assert body(SAMPLING, Dialect(server="vllm"), [1, 13, 200, 11, 100])["prompt"] == [1, 13, 200, 11, 100]


@pytest.mark.parametrize("server", ["vllm", "sglang", "trtllm"])
def test_stop_ids_go_where_they_are_taken(server: str) -> None:
    assert body(SAMPLING, Dialect(server=server), "x", stop_ids=(7, 8))["stop_token_ids"] == (7, 8)


@pytest.mark.parametrize("server", ["llamacpp", "tgi", "openai", "unknown", "deepseek", "fireworks", "lmdeploy"])
def test_stop_ids_go_nowhere_else(server: str) -> None:
    """Sabotage: drop the condition on the server."""
    assert "stop_token_ids" not in body(SAMPLING, Dialect(server=server), "x", stop_ids=(7, 8))


@pytest.mark.parametrize(("server", "sent"), [("vllm", True), ("sglang", True), ("llamacpp", False), ("trtllm", False)])
def test_special_tokens_are_shown_where_they_would_be_hidden(server: str, sent: bool) -> None:
    """A stop string never matches a hidden token, and a hidden leak joins two texts. Sabotage: send it to all."""
    shown = body(SAMPLING, Dialect(server=server), "x", show_special=True)
    assert shown.get("skip_special_tokens") == (False if sent else None)
    assert "skip_special_tokens" not in body(SAMPLING, Dialect(server=server), "x")


FAMILY = tuple(f"<{i}>" for i in range(60))


@pytest.mark.parametrize(
    ("server", "most"),
    [("vllm", 64), ("sglang", 32), ("llamacpp", 64), ("evoselfcode", 64), ("deepseek", 16), ("openai", 4), ("tgi", 4)],
)
def test_as_many_stops_as_the_server_takes_the_users_first(server: str, most: int) -> None:
    """OpenAI documents 4. Sabotage: the family's stops first; no cut."""
    stops = body(SAMPLING, Dialect(server=server), "x", stops=FAMILY)["stop"]
    assert stops == ["(", ":", *FAMILY][:most]


def test_the_users_stops_are_never_cut_and_never_doubled() -> None:
    """A server that takes fewer refuses loudly, which is better than texts that run on. Sabotage: ``[:4]``."""
    sampling = Sampling(max_new_tokens=2, stop=("a", "b", "c", "d", "e", "a"))
    assert body(sampling, Dialect(server="openai"), "x", stops=("b", "z"))["stop"] == ["a", "b", "c", "d", "e", "z"]


@pytest.mark.parametrize(("asked", "sent"), [(0, 1), (1, 1), (5, 5)])
def test_logprobs_of_zero_are_asked_for_as_one(asked: int, sent: int) -> None:
    """0 is "none" to SGLang and llama.cpp. Sabotage: send what was asked."""
    sampling = Sampling(max_new_tokens=2, logprobs=asked)
    assert body(sampling, Dialect(), "x")["logprobs"] == sent
    assert "logprobs" not in body(sampling, Dialect(logprobs=False), "x")


def test_what_is_built_once_for_an_arm_is_what_is_built_for_each_request() -> None:
    """Sabotage: leave the seed of the first request in the place of each, or the suffix; take 1 for 1.0."""
    asked = [
        (prompt, structs.replace(SAMPLING, seed=seed, temperature=temperature))
        for prompt in (Fim("a", "b"), L2r("c"), Fim("d", ""), L2r(""))
        for seed in (1, None, 2, 0)
        for temperature in (1.0, 0.5, 1)
    ]
    for server in ("vllm", "deepseek", "tgi", "sglang"):
        dialect = Dialect(server=server, model="m", fim="suffix", blank_suffix=server == "sglang")
        for prompt, sampling in asked:
            called = call(Request(key="", prompt=prompt, sampling=sampling), dialect, endpoint("http://a"))
            blank = "" if dialect.blank_suffix else None
            text, suffix = (prompt.prefix, prompt.suffix) if isinstance(prompt, Fim) else (prompt.prompt, blank)
            assert called.body == orjson.dumps(body(sampling, dialect, text, suffix=suffix))
