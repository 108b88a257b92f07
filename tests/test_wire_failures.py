"""Every refusal that servers are known to send → its kind → what the run does about it.

The bodies are the servers' own (versions in ``docs/reference/dialects.md``). The last column is the action of the
retry policy, so that a kind cannot change its meaning unseen.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evoselfcode.records import Failure
from evoselfcode.wire.failures import classify, read_error, shorten
from evoselfcode.wire.retry import policy


def nested(message: str, kind: str = "BadRequestError", code: object = 400) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def flat(message: str, kind: str = "BadRequestError", code: object = 400) -> dict[str, Any]:
    return {"object": "error", "message": message, "type": kind, "param": None, "code": code}


def llamacpp(code: int, message: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "type": kind, **more}}


CONTEXT = "This model's maximum context length is 32768 tokens. However, you requested 40000 tokens (39984 in the"
PYDANTIC = "[{'type': 'value_error', 'loc': ('body',), 'msg': 'Value error, suffix is not supported'}]"
HTML = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"

ROWS: list[tuple[str, int, object, str, str]] = [
    # capability errors: never asked again, whatever the status
    ("vllm", 400, nested("suffix is not currently supported"), "unsupported", "give_up"),
    ("vllm", 400, flat("suffix is not currently supported"), "unsupported", "give_up"),
    ("vllm", 400, nested("suffix is only supported for models with FIM completion"), "unsupported", "give_up"),
    ("vllm", 400, nested("n must be 1 when using greedy sampling, got 4."), "unsupported", "give_up"),
    ("vllm", 400, nested("Requested sample logprobs of 30, which is greater than"), "unsupported", "give_up"),
    ("vllm", 400, nested("vLLM V1 does not yet support best_of."), "unsupported", "give_up"),
    ("vllm", 501, nested("not here", "NotImplementedError", 501), "unsupported", "give_up"),
    ("trtllm", 400, {"error": PYDANTIC}, "unsupported", "give_up"),
    ("triton", 400, {"detail": "suffix is not currently supported"}, "unsupported", "give_up"),
    ("triton", 400, {"detail": "n currently only supports value of 1"}, "unsupported", "give_up"),
    ("tgi", 422, {"error": "Suffix is …", "error_type": "suffix not supported"}, "unsupported", "give_up"),
    ("ollama", 400, {"error": "registry.ollama.ai/x does not support insert"}, "unsupported", "give_up"),
    (
        "llamacpp",
        400,
        llamacpp(400, "Field 'n': Value must be between 1 <= value <= 4, but got 5", "invalid_request_error"),
        "unsupported",
        "give_up",
    ),
    (
        "llamacpp",
        501,
        llamacpp(501, "Infill is not supported by this model: prefix token is missing.", "not_supported_error"),
        "unsupported",
        "give_up",
    ),
    ("llamacpp", 500, llamacpp(500, "Unsupported param: suffix", "server_error"), "unsupported", "give_up"),
    ("llamacpp", 500, llamacpp(500, "Only one completion choice is allowed", "x"), "unsupported", "give_up"),
    ("llamacpp", 500, llamacpp(500, "Only no echo is supported", "x"), "unsupported", "give_up"),
    # too long: this row is lost, the next may fit
    ("vllm", 400, nested(CONTEXT), "too_long", "give_up"),
    ("vllm", 400, nested("'max_tokens' or 'max_completion_tokens' is too large: 9"), "too_long", "give_up"),
    ("sglang", 400, flat("The input (9 tokens) is longer than the model's context length"), "too_long", "give_up"),
    ("openai", 400, nested("Too many", code="context_length_exceeded"), "too_long", "give_up"),
    ("tabby", 400, nested("Prompt length", code="context_length_exceeded"), "too_long", "give_up"),
    (
        "llamacpp",
        400,
        llamacpp(400, "request (6001 tokens) exceeds the…", "exceed_context_size_error", n_ctx=2048),
        "too_long",
        "give_up",
    ),
    ("tgi", 422, {"error": "Input validation error: `inputs` must have less than 1024 tokens"}, "too_long", "give_up"),
    # other refusals of one request
    ("vllm", 400, nested("temperature must be at most 2.0"), "bad_request", "give_up"),
    ("trtllm", 400, {"error": "[{'type': 'extra_forbidden', 'loc': ('body', 'top_z')}]"}, "bad_request", "give_up"),
    ("tgi", 422, {"error": "`top_p` must be < 1", "error_type": "validation"}, "bad_request", "give_up"),
    ("mistral", 422, {"detail": [{"loc": ["body", "n"], "msg": "Extra inputs"}]}, "bad_request", "give_up"),
    ("deepseek", 422, nested("invalid parameters"), "bad_request", "give_up"),
    ("unknown", 413, HTML, "bad_request", "give_up"),
    ("unknown", 418, "", "bad_request", "give_up"),
    ("llamacpp", 500, llamacpp(500, "[json.exception.out_of_range.403] key", "x"), "bad_request", "give_up"),
    ("openrouter", 403, nested("Your input was flagged for violence", code=403), "bad_request", "give_up"),
    # the run cannot go on
    ("vllm", 401, {"error": "Unauthorized"}, "auth", "stop_run"),
    ("llamacpp", 401, llamacpp(401, "Invalid API Key", "authentication_error"), "auth", "stop_run"),
    ("unknown", 400, nested("no key", "authentication_error"), "auth", "stop_run"),
    ("mistral", 403, "", "auth", "stop_run"),
    ("unknown", 407, "", "auth", "stop_run"),
    ("deepseek", 402, nested("Insufficient Balance"), "payment", "stop_run"),
    ("fireworks", 412, nested("account suspended"), "payment", "stop_run"),
    ("openai", 429, nested("quota", "insufficient_quota", "insufficient_quota"), "payment", "stop_run"),
    ("vllm", 404, nested("The model `x` does not exist.", "NotFoundError", 404), "no_model", "stop_run"),
    ("ollama", 404, {"error": 'model "x" not found, try pulling it first'}, "no_model", "stop_run"),
    ("openai", 404, nested("gone", code="model_not_found"), "no_model", "stop_run"),
    ("llamacpp", 404, llamacpp(404, "File Not Found", "not_found_error"), "no_route", "stop_run"),
    ("vllm", 404, {"detail": "Not Found"}, "no_route", "stop_run"),
    ("ollama", 404, "404 page not found", "no_route", "stop_run"),
    ("unknown", 405, {"detail": "Method Not Allowed"}, "no_route", "stop_run"),
    ("unknown", 301, "", "no_route", "stop_run"),
    # the endpoint is away or busy: no attempt is spent
    ("together", 429, nested("dynamic_request_limited"), "rate_limited", "wait"),
    ("tgi", 429, {"error": "Model is overloaded", "error_type": "overloaded"}, "rate_limited", "wait"),
    ("mistral", 429, flat("Rate limit exceeded", "rate_limited", "1300"), "rate_limited", "wait"),
    ("openrouter", 402, {"error": {"code": 402, "metadata": {"reason": "in_flight_budget_exhausted"}}},
     "rate_limited", "wait"),
    ("vllm", 503, nested("The engine is currently busy", "Service Unavailable", 503), "overloaded", "wait"),
    ("sglang", 503, flat("The request queue is full.", code=503), "overloaded", "wait"),
    ("ollama", 503, {"error": "server busy, please try again.  maximum pending requests"}, "overloaded", "wait"),
    ("unknown", 529, "", "overloaded", "wait"),
    ("llamacpp", 503, llamacpp(503, "Loading model", "unavailable_error"), "loading", "wait"),
    ("unknown", 503, {"error": "Model x is currently loading", "estimated_time": 20.0}, "loading", "wait"),
    ("vllm", 500, nested("EngineCore encountered an issue. See stack", "InternalServerError"), "connect", "wait"),
    ("openrouter", 502, nested("Provider returned error", code=502), "connect", "wait"),
    ("unknown", 502, HTML, "connect", "wait"),
    ("unknown", 522, "", "connect", "wait"),
    # may pass: asked again, and counted
    ("vllm", 500, nested("Internal Server Error", "InternalServerError", 500), "server_error", "retry"),
    ("llama-cpp-python", 500, nested("x", "internal_server_error", None), "server_error", "retry"),
    ("localai", 500, nested("could not load"), "server_error", "retry"),
    ("tabby", 503, nested("Completion aborted. Maybe the model was unloaded?", code=503), "server_error", "retry"),
    ("tabby", 422, nested("Completion request cancelled by user.", code=422), "server_error", "retry"),
    ("tgi", 424, {"error": "Request failed during generation", "error_type": "generation"}, "server_error", "retry"),
    ("vllm", 415, "", "server_error", "retry"),
    ("openai", 409, "", "server_error", "retry"),
    ("openai", 408, "", "timeout", "retry"),
    ("openrouter", 504, "", "timeout", "retry"),
    ("ollama", 499, {"error": "context canceled"}, "server_error", "retry"),
    ("unknown", 520, "", "server_error", "retry"),
    ("unknown", 599, "", "server_error", "retry"),
    ("unknown", 500, nested("x", "authentication_error"), "server_error", "retry"),
    ("unknown", 204, "", "bad_reply", "retry"),
]  # fmt: skip


def _bytes(body: object) -> bytes:
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


@pytest.mark.parametrize(("server", "status", "body", "kind", "action"), ROWS)
def test_the_table(server: str, status: int, body: object, kind: str, action: str) -> None:
    """Sabotage: retry 501 as other 5xx; let 502 spend attempts; drop a phrase; forget TabbyAPI's 503."""
    failure = classify(status, {}, _bytes(body), server=server)
    assert (failure.kind, policy(failure.kind)) == (kind, action)
    assert failure.status == status
    assert failure.message


def test_a_503_of_others_is_no_failure_of_the_row() -> None:
    """Only TabbyAPI answers 503 to whatever fails. Sabotage: treat every server's so."""
    assert classify(503, {}, b"", server="unknown").kind == "overloaded"
    assert classify(422, {}, _bytes(nested("cancelled by user")), server="unknown").kind == "bad_request"


@pytest.mark.parametrize(
    ("status", "told", "kind"),
    [
        (500, "false", "bad_request"),
        (500, "true", "server_error"),
        (500, "perhaps", "server_error"),
        (400, "true", "server_error"),
        (400, "false", "bad_request"),
        (401, "true", "auth"),
        (429, "false", "rate_limited"),  # waiting loses nothing; a wrong guess would lose rows
        (501, "true", "unsupported"),
    ],
)
def test_a_server_may_say_whether_to_ask_again(status: int, told: str, kind: str) -> None:
    """``x-should-retry``, as OpenAI's servers send it. Sabotage: ignore the header; obey it for a wrong key."""
    assert classify(status, {"x-should-retry": told}, b"{}").kind == kind


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (nested("m", code="context_length_exceeded"), ("context_length_exceeded", "m")),
        (flat("m", "insufficient_quota"), ("insufficient_quota", "m")),
        ({"error": "m", "error_type": "validation"}, ("validation", "m")),
        ({"error": "m"}, ("", "m")),
        ({"detail": "m"}, ("", "m")),
        ({"detail": [{"msg": "m"}]}, ("", '[{"msg":"m"}]')),
        ({"error": {}}, ("", "")),
        ({"error": {"message": None, "code": 5}}, ("", "")),
        ({"errors": ["m"]}, ("", "")),
        (["m"], ("", "")),
        ("m", ("", "")),
        (None, ("", "")),
    ],
)
def test_every_envelope(document: object, expected: tuple[str, str]) -> None:
    assert read_error(json.dumps(document).encode()) == expected


def test_a_message_is_short_and_printable() -> None:
    """It is shown on terminals. Sabotage: return the text as it is."""
    failure = classify(400, {}, _bytes(nested("bad \x1b[31m\x00 \u202e" + "x" * 5000)))
    assert len(failure.message) == 300
    assert failure.message.isprintable()
    assert shorten("a\nb") == "a b"
    assert classify(500, {}, b"").message == "HTTP 500"
    assert classify(500, {}, b"\xff\xfe plain").message.endswith("plain")


ANY_BODY = st.binary(max_size=60) | st.sampled_from([_bytes(row[2]) for row in ROWS]) | st.just(b"[" * 100_000)
ANY_TEXT = st.text(max_size=12) | st.sampled_from(["1m30s", "nan", "-1", "Wed, 21 Oct 2015 07:28:00 GMT", "0x5"])
HEADER = st.sampled_from(
    ["retry-after", "retry-after-ms", "date", "x-should-retry", "x-ratelimit-remaining", "x-ratelimit-reset"]
)


@settings(max_examples=200, deadline=None)
@given(st.integers(100, 999), st.dictionaries(HEADER, ANY_TEXT), ANY_BODY, st.sampled_from(["tabby", "unknown"]))
def test_nothing_makes_it_raise(status: int, headers: dict[str, str], body: bytes, server: str) -> None:
    failure = classify(status, headers, body, server=server)
    assert isinstance(failure, Failure)
    assert policy(failure.kind)
    assert failure.retry_after is None or 0 <= failure.retry_after <= 300


def test_a_redirect_says_where_it_points() -> None:
    failure = classify(301, {"location": "https://pod/v1/completions"}, b"")
    assert (failure.kind, failure.message) == ("no_route", "redirects to https://pod/v1/completions")
