"""Which server answers: read off its list of models, its headers and its address."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evoselfcode.records import Failure
from evoselfcode.wire.servers import Models, read_models, server_of_url


def _list(*cards: object, **more: Any) -> bytes:
    return json.dumps({"object": "list", "data": cards, **more}).encode()


def _card(name: str = "m", owner: str | None = None, **more: Any) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1795350341} | ({"owned_by": owner} if owner else {}) | more


def _read(body: bytes, headers: dict[str, str] | None = None) -> Models:
    found = read_models(200, headers or {}, body)
    assert isinstance(found, Models), found
    return found


@pytest.mark.parametrize(
    ("card", "server", "context"),
    [
        (_card(owner="vllm", root="m", max_model_len=32768, permission=[]), "vllm", 32768),
        (_card(owner="sglang", root="m", max_model_len=4096), "sglang", 4096),
        (_card(owner="llamacpp", meta={"n_ctx": 2048, "n_ctx_train": 8192}), "llamacpp", 2048),
        (_card(owner="library"), "ollama", None),
        (_card(owner="lmdeploy"), "lmdeploy", None),
        (_card(owner="tensorrt_llm"), "trtllm", None),
        (_card(owner="Triton Inference Server"), "triton", None),
        (_card(owner="tabbyAPI"), "tabby", None),
        (_card(owner="me", permissions=[]), "llama-cpp-python", None),
        (_card(owner="evoselfcode"), "evoselfcode", None),
        (_card("bigcode/starcoder2-3b", "bigcode/starcoder2-3b", created=0), "tgi", None),
        (_card("m", "m", created=5), "unknown", None),
        (_card("m", "somebody", created=0), "unknown", None),
        (_card(type="chat", context_length=32768), "unknown", 32768),
        (_card(owner="vllm", max_model_len="long"), "vllm", None),
        (_card(owner="vllm", max_model_len=True, meta=3), "vllm", None),
        (_card(), "unknown", None),
    ],
)
def test_a_list_of_models_names_its_server(card: dict[str, Any], server: str, context: int | None) -> None:
    """Sabotage: compare owners with their case; forget TGI's mark: runs with ``top_p: 1`` would be refused."""
    assert _read(_list(card)) == Models((card["id"],), server, context)


def test_llamacpp_is_known_by_its_header_too() -> None:
    headers = {"server": "llama.cpp"}
    assert _read(_list(_card()), headers).server == "llamacpp"
    assert _read(_list(), headers).server == "llamacpp"
    assert _read(_list(_card()), {"server": "nginx"}).server == "unknown"


def test_all_names_are_kept_in_the_servers_order_and_any_owner_counts() -> None:
    """A model that a user made is listed by Ollama under its own owner. Sabotage: look at the first card only."""
    found = _read(_list(_card("mine", "bartowski"), _card("qwen2.5-coder:7b", "library")))
    assert found == Models(("mine", "qwen2.5-coder:7b"), "ollama")


@pytest.mark.parametrize("body", [json.dumps([_card("a"), 5, {"id": None}, {}]).encode(), _list(_card("a"), None)])
def test_a_bare_list_and_odd_cards(body: bytes) -> None:
    """Together answers with a bare list."""
    assert _read(body).names == ("a",)


@pytest.mark.parametrize("body", [b"", b"{}", b"3", b'{"data": {}}', b"<html>", b"\xff", b"[" * 100_000])
def test_a_reply_that_is_no_list(body: bytes) -> None:
    found = read_models(200, {}, body)
    assert isinstance(found, Failure)
    assert found.kind == "bad_reply"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b'{"error":"Unauthorized"}', "auth"),
        (404, b'{"detail":"Not Found"}', "no_route"),
        (503, b'{"error":{"message":"Loading model","code":503}}', "loading"),
    ],
)
def test_a_refusal(status: int, body: bytes, kind: str) -> None:
    found = read_models(status, {}, body)
    assert isinstance(found, Failure)
    assert (found.kind, found.status) == (kind, status)


@pytest.mark.parametrize(
    ("base_url", "server"),
    [
        ("https://codestral.mistral.ai/v1", "mistral"),
        ("https://api.mistral.ai", "mistral"),
        ("https://api.inceptionlabs.ai/v1", "mistral"),
        ("https://api.deepseek.com/beta", "deepseek"),
        ("https://API.OPENAI.COM/v1", "openai"),
        ("https://api.fireworks.ai/inference/v1", "fireworks"),
        ("https://api.together.xyz/v1", "together"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("https://api.siliconflow.cn/v1", "siliconflow"),
        ("https://mistral.ai.example.org/v1", None),
        ("https://notmistral.ai/v1", None),
        ("http://deepseek.com.cluster.local:8000", None),
        ("http://localhost:8000/v1", None),
        ("http://pod/api.openai.com", None),
        ("local:", None),
    ],
)
def test_hosted_services_are_known_by_their_domain(base_url: str, server: str | None) -> None:
    """Sabotage: ``in`` instead of the end of the host's name."""
    assert server_of_url(base_url) == server


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["data", "id", "owned_by", "created", "meta", "n_ctx"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.integers(100, 599), st.binary(max_size=30) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_reply_makes_it_raise(status: int, body: bytes) -> None:
    for code in (200, status):
        assert isinstance(read_models(code, {}, body), Models | Failure)


def test_what_a_served_name_stands_for_is_kept() -> None:
    """vLLM's ``root`` is the folder of the weights, whatever ``--served-model-name`` says."""
    cards = [
        {"id": "coder", "owned_by": "vllm", "root": "/models/Qwen2.5-Coder-32B-Instruct"},
        {"id": "same", "owned_by": "vllm", "root": "same"},
        {"id": "odd", "owned_by": "vllm", "root": 7},
    ]
    found = read_models(200, {}, json.dumps({"data": cards}).encode())
    assert isinstance(found, Models)
    assert [found.root(name) for name in ("coder", "same", "odd", "none")] == [
        "/models/Qwen2.5-Coder-32B-Instruct", "", "", ""
    ]  # fmt: skip
