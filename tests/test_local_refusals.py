"""What the embedded model refuses, in vLLM's words and envelope, and that no body whatever makes it raise."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evoselfcode.errors import UsageError
from evoselfcode.local import answer as answering
from evoselfcode.local.answer import answer
from evoselfcode.local.model import EmbeddedModel
from evoselfcode.local.protocol import FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX

POSTS = ("/v1/completions", "/v1/chat/completions", "/tokenize")
RAW = f"{FIM_PREFIX}def {FIM_SUFFIX}():{FIM_MIDDLE}"


def refused(path: str, body: Any, method: str = "POST") -> dict[str, Any]:
    """Ask, and return the error; check the envelope of vLLM 0.10.2 and later on the way."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    status, headers, reply = answer(method, path, content)
    assert status >= 400
    assert headers["content-type"] == "application/json"
    (error,) = orjson.loads(reply).values()
    assert list(error) == ["message", "type", "param", "code"]
    assert error["code"] == status
    return dict(error)


@pytest.mark.parametrize(
    ("body", "message", "param"),
    [
        ({"prompt": ""}, "Either prompt or prompt_embeds must be provided and non-empty.", "prompt"),
        ({"prompt": []}, "Either prompt or prompt_embeds must be provided and non-empty.", "prompt"),
        ({"prompt": ["x", ""]}, "Either prompt or prompt_embeds must be provided and non-empty.", "prompt"),
        ({"prompt": [1, 2]}, "prompts must be texts", "prompt"),
        ({"prompt": [[1, 2], [3]]}, "prompts must be texts", "prompt"),
        ({"prompt": ["x", 1]}, "prompts must be texts", "prompt"),
        ({"prompt": ["x"] * 300, "n": 4}, "at most 1024 choices", "prompt"),
        ({"max_tokens": 0}, "max_tokens must be at least 1, got 0.", "max_tokens"),
        ({"max_tokens": -1, "echo": True}, "max_tokens must be at least 0, got -1.", "max_tokens"),
        ({"max_tokens": 8192}, "maximum context length is 8192 tokens", "prompt"),
        ({"prompt": "x " * 5000}, "maximum context length is 8192 tokens", "prompt"),
        ({"prompt": "x" * 300_000}, "maximum context length is 8192 tokens", "prompt"),
        ({"n": 0}, "n must be at least 1, got 0.", "n"),
        ({"n": 5000}, "n must be at most 1024, got 5000.", "n"),
        ({"temperature": -0.1}, "temperature must be in [0, 2], got -0.1.", "temperature"),
        ({"temperature": 2.1}, "temperature must be in [0, 2], got 2.1.", "temperature"),
        ({"top_p": 0}, "top_p must be in (0, 1], got 0.0.", "top_p"),
        ({"top_p": 1.1}, "top_p must be in (0, 1], got 1.1.", "top_p"),
        ({"stop": ""}, "stop cannot contain an empty string.", "stop"),
        ({"stop": ["a", ""]}, "stop cannot contain an empty string.", "stop"),
        ({"seed": 2**63}, "seed must be a 64-bit integer.", "seed"),
        ({"logprobs": 21}, "logprobs must be in [0, 20].", "logprobs"),
        ({"logprobs": -2}, "logprobs must be in [0, 20].", "logprobs"),
        ({"stream": True}, "streaming is not supported by the embedded model", "stream"),
        ({"prompt_logprobs": 21}, "prompt_logprobs must be in [0, 20].", "prompt_logprobs"),
        ({"prompt_logprobs": -1}, "prompt_logprobs must be in [0, 20].", "prompt_logprobs"),
        ({"prompt_logprobs": 0, "suffix": "x"}, "prompt_logprobs is not supported with", "prompt_logprobs"),
        ({"prompt_logprobs": 0, "prompt": RAW}, "prompt_logprobs is not supported with", "prompt_logprobs"),
        ({"echo": True, "suffix": "x"}, "echo is not supported with fill-in-the-middle", "echo"),
        ({"echo": True, "prompt": RAW}, "echo is not supported with fill-in-the-middle", "echo"),
    ],
)
def test_impossible_wishes_are_refused_by_field(body: dict[str, Any], message: str, param: str) -> None:
    error = refused("/v1/completions", {"prompt": "def "} | body)
    assert message in error["message"]
    assert (error["type"], error["param"], error["code"]) == ("BadRequestError", param, 400)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"prompt": 3}', b"\xff\xfe", b"{}", b'{"prompt": "\\ud800"}', b"[" * 100_000],
)
def test_bodies_of_another_shape_are_bad_requests(body: bytes) -> None:
    """Pydantic's refusals have this type on vLLM."""
    assert refused("/v1/completions", body)["type"] == "Bad Request"


@pytest.mark.parametrize("path", POSTS)
def test_another_models_name_is_not_found(path: str) -> None:
    """A client tells a wrong model from a wrong URL by this message; sabotage: answer any name."""
    body = {"model": "Qwen", "prompt": "x", "messages": [{"role": "user", "content": "x"}]}
    error = refused(path, body)
    assert (error["message"], error["type"]) == ("The model `Qwen` does not exist.", "NotFoundError")
    assert error["code"] == 404
    assert answer("POST", path, orjson.dumps(body | {"model": "evoselfcode-ngram"}))[0] == 200
    assert answer("POST", path, orjson.dumps(body | {"model": ""}))[0] == 200


def test_other_paths_and_methods() -> None:
    assert refused("/v1/nothing", b"")["code"] == 404
    assert refused("/v1/v1/completions", b"")["code"] == 404
    assert refused("/v1/completions", b"", "GET")["code"] == 405
    assert refused("/v1/models", b"", "POST")["code"] == 405
    assert "model" not in refused("/v1/nothing", b"")["message"].lower()


def test_a_chat_without_a_message_and_a_body_too_large() -> None:
    assert refused("/v1/chat/completions", {"messages": []})["param"] == "messages"
    assert refused("/v1/completions", b" " * (8 * 1024 * 1024 + 1))["code"] == 413


class _Bare:
    """Stands for the model where Python comes without its sources."""

    @staticmethod
    def load() -> EmbeddedModel:
        raise UsageError("this Python has only 0 functions", hint="use another")


def test_an_interpreter_without_sources_is_a_server_error_with_the_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotage: let the exception pass."""
    monkeypatch.setattr(answering, "EmbeddedModel", _Bare)
    error = refused("/v1/completions", {"prompt": "def "})
    assert (error["message"], error["code"]) == ("this Python has only 0 functions, use another", 500)


FIELDS = (
    "model", "prompt", "suffix", "max_tokens", "n", "temperature", "top_p", "stop", "seed", "stream", "logprobs",
    "echo", "messages", "max_completion_tokens", "top_logprobs", "prompt_logprobs",
)  # fmt: skip
leaves = (
    st.none() | st.booleans() | st.integers(-2, 6) | st.floats() | st.text(max_size=9)
    | st.sampled_from(["def ", RAW, RAW[:20], "evoselfcode-ngram", "():\n", 2**64, -(2**63), 1e-320])
)  # fmt: skip
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content", "type", "text"]), inner)
    ),
    max_leaves=4,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), values, max_size=5), st.sampled_from(POSTS), st.booleans())
def test_any_fields_get_a_reply_in_json(fields: dict[str, Any], path: str, plausible: bool) -> None:
    """Sabotage: read ``seed`` as ``abs(seed)`` before it is checked for ``None``."""
    begun: dict[str, Any] = {"prompt": "def ", "messages": [{"role": "user", "content": "x"}], "max_tokens": 2}
    body = json.dumps((begun if plausible else {}) | fields).encode()
    status, headers, reply = answer("POST", path, body)
    assert status in (200, 400, 404)
    assert headers == {"content-type": "application/json"}
    assert ("error" in orjson.loads(reply)) == (status != 200)


@settings(deadline=None)
@given(
    st.binary(max_size=80), st.sampled_from(POSTS) | st.text(max_size=12), st.sampled_from(["POST", "GET", "PUT", ""])
)
def test_any_bytes_get_a_reply(body: bytes, path: str, method: str) -> None:
    status, _, reply = answer(method, path, body)
    assert status in (200, 400, 404, 405)
    assert reply == b"" or orjson.loads(reply)
