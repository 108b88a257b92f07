"""The fake servers keep to what is recorded of the real ones, over a socket as without one."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from fakes import FAKES, fake, serving

from evoselfcode.clients import OpenAICompletionClient


def test_a_fake_answers_the_same_over_a_socket_and_without_one() -> None:
    body = json.dumps({"model": "Qwen2.5-Coder-32B", "prompt": "def ", "seed": 3, "n": 2}).encode()
    with serving(fake("vllm-0.12")) as url, httpx.Client(trust_env=False) as client:
        over_http = client.post(f"{url}/completions", content=body)
        again = client.post(f"{url}/completions", content=body)
    direct = fake("vllm-0.12").answer("POST", "/v1/completions", {}, body)
    assert over_http.json() == again.json() == json.loads(direct[2])
    assert over_http.status_code == direct[0] == 200


def test_a_base_without_v1_serves_the_same_paths() -> None:
    """The usage guide's address has no path; the client adds ``/v1``."""
    server = fake("vllm-0.12")
    with serving(server, base="") as url:
        client = OpenAICompletionClient(url, "Qwen2.5-Coder-32B")
        rows = client.complete_fim("def ", "():\n", n=4, seed=1, stop="(")
    assert len({row["text"] for row in rows}) == 4
    assert {path for _, path, _ in server.calls} == {"/v1/models", "/v1/completions"}
    assert server.calls[-1][2]["prompt"] == "<|fim_prefix|>def <|fim_suffix|>():\n<|fim_middle|>"


def test_closing_ends_the_connections_that_clients_keep_open() -> None:
    """Sabotage: leave out ``hang_up``; ``server_close`` then waits for ever for the idle connection's thread."""
    client = httpx.Client(trust_env=False)
    with serving(fake("sglang")) as url:
        assert client.get(f"{url}/models").status_code == 200
    with pytest.raises(httpx.TransportError):
        client.get(f"{url}/models")
    client.close()


def ask(name: str, path: str = "/completions", **body: Any) -> tuple[int, Any]:
    """Send a body to a fresh fake, the model's name filled in; return status and decoded reply."""
    server = fake(name)
    document = {"model": server.row.model, "prompt": "def ", "max_tokens": 8, "seed": 1} | body
    whole = path if path in server.row.natives else server.api + path
    status, _, reply = server.answer("POST", whole, {}, json.dumps(document).encode())
    return status, json.loads(reply)


@pytest.mark.parametrize(
    ("name", "body", "status", "reply"),
    [
        ("vllm-0.12", {"suffix": ""}, 400, {"error": {"type": "BadRequestError", "code": 400}}),
        ("vllm-0.8", {"suffix": "x"}, 400, {"object": "error", "message": "suffix is not currently supported"}),
        ("vllm-0.33", {"suffix": "x"}, 400, {"error": {"param": "suffix"}}),
        (
            "vllm-0.12",
            {"n": 2, "temperature": 0},
            400,
            {"error": {"message": "n must be 1 when"}},
        ),
        ("vllm-0.12", {"model": "x"}, 404, {"error": {"message": "The model `x` does not exist."}}),
        (
            "llamacpp",
            {"n": 5},
            400,
            {"error": {"message": "Field 'n': Value must be between 1 <= value <= 4"}},
        ),
        ("llamacpp-2025", {"suffix": None}, 500, {"error": {"message": "Unsupported param: suffix"}}),
        ("tgi", {"suffix": "x"}, 422, {"error_type": "suffix not supported"}),
        ("tgi", {"top_p": 1.0}, 422, {"error_type": "validation"}),
        (
            "trtllm",
            {"top_k": 0, "cache_salt": "x"},
            400,
            {"error": "[{'type': 'extra_forbidden', 'loc'"},
        ),
        ("triton", {"n": 4}, 400, {"detail": "Received n=4."}),
        ("deepseek", {}, 422, {"error": {"message": "invalid parameter: seed"}}),
        ("ollama-v1", {"prompt": ["def "]}, 400, {"error": {"message": "prompt must be a string"}}),
    ],
)
def test_refusals_have_the_recorded_shape(name: str, body: dict[str, Any], status: int, reply: Any) -> None:
    got, document = ask(name, **body)
    assert got == status
    _contains(document, reply)


def _contains(document: Any, part: Any) -> None:
    if isinstance(part, dict):
        for key, value in part.items():
            _contains(document[key], value)
    elif isinstance(part, str):
        assert document.startswith(part)
    else:
        assert document == part


@pytest.mark.parametrize("name", [name for name, known in FAKES.items() if known.row.suffix == "ignored"])
def test_an_ignored_suffix_changes_nothing(name: str) -> None:
    if "/completions" in FAKES[name].row.endpoints:
        assert ask(name, suffix="():\n")[1]["choices"] == ask(name)[1]["choices"]


def test_sglangs_template_writes_the_word_none() -> None:
    without, blank, none = (ask("sglang-template", **body)[1] for body in ({}, {"suffix": ""}, {"suffix": "None"}))
    assert without["choices"] == none["choices"] != blank["choices"]


def test_llama_cpp_has_chat_like_log_probabilities_and_counts_one_choice() -> None:
    _, document = ask("llamacpp", n=3, logprobs=1)
    tokens = document["choices"][0]["logprobs"]["content"]
    assert {"id", "token", "bytes", "logprob", "top_logprobs"} == set(tokens[0])
    assert document["usage"]["completion_tokens"] == len(tokens)


def test_infill_answers_with_a_list_for_several_choices() -> None:
    asked = {"input_prefix": "def ", "input_suffix": "():\n", "n_predict": 8}
    assert isinstance(ask("llamacpp", "/infill", **asked, n_cmpl=2)[1], list)
    assert ask("llamacpp", "/infill", **asked)[1]["stop_type"] == "eos"
    assert ask("llamacpp-smollm2", "/infill", **asked)[0] == 501


def test_ollama_puts_prompts_into_the_chat_template_unless_raw() -> None:
    options = {"num_predict": 40, "seed": 1}
    chat = ask("ollama", "/api/generate", options=options)[1]["response"]
    raw = ask("ollama", "/api/generate", options=options, raw=True)[1]["response"]
    middle = ask("ollama", "/api/generate", options=options, suffix="():\n")[1]["response"]
    dropped = ask("ollama", "/api/generate", options=options, suffix="():\n", raw=True)[1]["response"]
    assert chat.startswith("Sure!")
    assert raw == dropped != middle


def test_choice_i_is_drawn_with_seed_plus_i() -> None:
    three = [choice["text"] for choice in ask("vllm-0.12", n=3, seed=7)[1]["choices"]]
    assert three == [ask("vllm-0.12", seed=seed)[1]["choices"][0]["text"] for seed in (7, 8, 9)]
