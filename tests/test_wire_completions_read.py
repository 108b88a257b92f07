"""OpenAI-like replies in the shapes that servers really send; and everything else without an exception."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evoselfcode.records import Choice, Completion, Failure, Usage
from evoselfcode.wire.completions import read


def _reply(*choices: dict[str, Any], **more: Any) -> bytes:
    document = {"id": "cmpl-1", "object": "text_completion", "created": 1795350342, "model": "m", "choices": choices}
    usage = {"prompt_tokens": 10, "completion_tokens": 12, "total_tokens": 22}
    return json.dumps(document | {"usage": usage} | more).encode()


def _text(text: str | None = "sort_list", index: int = 0, ending: str | None = "stop", **more: Any) -> dict[str, Any]:
    return {"index": index, "text": text, "finish_reason": ending, "logprobs": None} | more


def _one(body: bytes) -> Choice:
    reply = read(body)
    assert isinstance(reply, Completion), reply
    (choice,) = reply.choices
    return choice


def _failure(body: bytes) -> Failure:
    reply = read(body)
    assert isinstance(reply, Failure), reply
    return reply


RECORDED = {
    # vLLM 0.33: k + 1 alternatives where the drawn token is not among the k likeliest; -inf is written -9999.0.
    "vllm": (
        _text(
            " sort", stop_reason="(", prompt_logprobs=None, token_ids=None,
            logprobs={
                "tokens": [" so", "rt"], "token_logprobs": [-0.25, -9999.0], "text_offset": [0, 3],
                "top_logprobs": [{" so": -0.25, " me": -1.5}, {"rt": -9999.0}],
            },
        ),
        Choice(" sort", "stop", (" so", "rt"), (-0.25, -9999.0)),
    ),
    "sglang": (
        _text(
            "sort", matched_stop=198,
            logprobs={"tokens": ["so", "rt"], "token_logprobs": [-0.5, -1.0], "text_offset": [-1, -1],
                      "top_logprobs": [{"so": -0.5}, {"rt": -1.0}]},
        ),
        Choice("sort", "stop", ("so", "rt"), (-0.5, -1.0)),
    ),
    # llama.cpp, transcript of October 2026: the chat shape on the completions endpoint.
    "llamacpp": (
        _text(
            "\ndef", ending="length",
            logprobs={"content": [
                {"id": 198, "token": "\n", "bytes": [10], "logprob": -0.8454416394233704, "top_logprobs": []},
                {"id": 1604, "token": "def", "bytes": [100, 101, 102], "logprob": -2.4032046794891357},
            ]},
        ),
        Choice("\ndef", "length", ("\n", "def"), (-0.8454416394233704, -2.4032046794891357)),
    ),
    # echo + log-probabilities: the first token of a text was never predicted.
    "a hole": (
        _text(logprobs={"tokens": ["a", "b"], "token_logprobs": [None, -1.0], "top_logprobs": [None, {}]}),
        Choice("sort_list", "stop", ("a", "b"), (None, -1.0)),
    ),
    "arrays of two lengths": (
        _text(logprobs={"tokens": ["a", "b"], "token_logprobs": [-1.0]}),
        Choice("sort_list", "stop", ("a",), (-1.0,)),
    ),
    "together": (
        _text(ending="eos", logprobs={"tokens": ["x"], "token_logprobs": [-0.1], "token_ids": [5]}, seed=1),
        Choice("sort_list", "stop", ("x",), (-0.1,)),
    ),
    "tgi": (_text(ending="stop_sequence"), Choice("sort_list", "stop")),
    "tgi at the end of text": (_text(ending="eos_token"), Choice("sort_list", "stop")),
    "mistral": (
        {"index": 0, "message": {"role": "assistant", "content": "sort", "tool_calls": None}, "finish_reason": "stop"},
        Choice("sort", "stop"),
    ),
    "mistral at its limit": (
        {"index": 0, "message": {"content": "sort"}, "finish_reason": "model_length"},
        Choice("sort", "length"),
    ),
    "vllm, thoughts took all tokens": (
        {"index": 0, "message": {"content": None, "reasoning_content": "Okay, so"}, "finish_reason": "length"},
        Choice("", "length"),
    ),
    "vllm, thoughts by their later name": (
        {"index": 0, "message": {"content": None, "reasoning": "Okay, so"}, "finish_reason": "length"},
        Choice("", "length"),
    ),
    "localai, no logprobs key": ({"index": 0, "text": "sort", "finish_reason": "stop"}, Choice("sort", "stop")),
    "tabby": (_text(eos_reason="stop_string"), Choice("sort_list", "stop")),
    "openai, filtered": (_text(ending="content_filter"), Choice("sort_list", "content_filter")),
    "vllm, repetition": (_text(ending="repetition"), Choice("sort_list", "repetition")),
    "an empty text is a text": (_text(""), Choice("", "stop")),
    "empty arrays": (_text(logprobs={"tokens": [], "token_logprobs": []}), Choice("sort_list", "stop")),
    "chat logprobs": (
        {
            "index": 0, "message": {"content": "Hi"}, "finish_reason": "stop",
            "logprobs": {"content": [{"token": "Hi", "logprob": -0.5}], "refusal": None},
        },
        Choice("Hi", "stop", ("Hi",), (-0.5,)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_choice(name: str) -> None:
    """Sabotage: read ``content`` before ``text``; leave ``eos`` out of ``_ENDINGS``; a strict ``zip``."""
    document, expected = RECORDED[name]
    assert _one(_reply(document)) == expected


@pytest.mark.parametrize("odd", [3, "true", [1], {"tokens": [None]}, {"token_logprobs": "x"}, {"content": [1]}])
def test_odd_log_probabilities_do_not_lose_the_text(odd: object) -> None:
    """A paid completion is worth more than its numbers. Sabotage: type the field of the choice."""
    assert _one(_reply(_text(logprobs=odd))) == Choice("sort_list", "stop")


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 12, "prompt_tokens_details": None}, Usage(10, 12)),
        ({"prompt_tokens": 0, "completion_tokens": 0}, Usage(0, 0)),  # LocalAI counts nothing
        ({"prompt_tokens": 10}, Usage(10, None)),
        ({}, Usage()),
        (None, Usage()),
        ({"prompt_tokens": 12.5}, Usage()),
        ("many", Usage()),
    ],
)
def test_usage_in_every_shape(usage: object, expected: Usage) -> None:
    reply = read(_reply(_text(), usage=usage))
    assert isinstance(reply, Completion)
    assert reply.usage == expected


def test_no_usage_at_all_and_no_model() -> None:
    reply = read(b'{"choices": [{"text": "a", "finish_reason": "stop"}]}')
    assert reply == Completion((Choice("a", "stop"),), Usage(), None)


def test_choices_are_sorted_by_index() -> None:
    """Choice i is drawn with seed + i: their order is data. Sabotage: drop ``sorted``."""
    reply = read(_reply(_text("c", 2), _text("a", 0), _text("b", 1)))
    assert isinstance(reply, Completion)
    assert [choice.text for choice in reply.choices] == ["a", "b", "c"]


def test_blank_lines_before_the_document() -> None:
    """DeepSeek keeps a waiting connection alive with them."""
    assert _one(b"\n\n\n\r\n  " + _reply(_text())).text == "sort_list"


@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        ("abort", "server_error"),  # vLLM, SGLang, LMDeploy
        ("error", "server_error"),  # Mistral
        ("insufficient_system_resource", "overloaded"),  # DeepSeek
        ("load", "bad_request"),
    ],
)
def test_an_ending_that_is_no_ending(ending: str, kind: str) -> None:
    """One such choice spoils the reply: half a completion would shift the seeds. Sabotage: empty the table."""
    failure = _failure(_reply(_text(), _text("so", 1, ending)))
    assert failure.kind == kind
    assert ending in failure.message


NESTED = {"error": {"message": "The engine is busy", "type": "x", "param": None, "code": 503}}


@pytest.mark.parametrize(
    ("document", "kind", "status"),
    [
        (NESTED, "overloaded", 503),
        ({"error": {"code": 429, "message": "Rate limited", "metadata": {"provider_name": "p"}}}, "rate_limited", 429),
        ({"error": {"code": "429", "message": "Rate limited"}}, "rate_limited", 429),
        ({"error": {"code": 402, "message": "Insufficient credits"}}, "payment", 402),
        ({"object": "error", "message": "context length exceeded", "code": 400}, "too_long", 400),
        ({"object": "error", "message": "x", "type": "y", "code": "1300"}, "server_error", 500),
        ({"error": "Internal"}, "server_error", 500),
        ({"error": {"message": "x", "code": True}}, "server_error", 500),
        ({"error": {"message": "x", "code": 200}}, "server_error", 500),
    ],
)
def test_an_error_inside_a_200(document: dict[str, Any], kind: str, status: int) -> None:
    """OpenRouter, once generation has begun. Sabotage: look at ``choices`` before ``error``."""
    failure = _failure(json.dumps({"choices": [_text()]} | document).encode())
    assert (failure.kind, failure.status) == (kind, status)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"<html><title>502 Bad Gateway</title></html>",
        b"data: [DONE]\n\n",
        b"{}",
        b"[]",
        b'{"choices": []}',
        b'{"choices": null}',
        b'{"choices": [{"text": null, "finish_reason": "stop"}]}',
        b'{"choices": [{"text": "a", "finish_reason": null}]}',
        b'{"choices": [{"text": "a"}]}',
        b'{"choices": [{"finish_reason": "stop"}]}',
        b'{"choices": [{"message": {"content": null}, "finish_reason": "stop"}]}',
        b'{"choices": [{"text": 7, "finish_reason": "stop"}]}',
        b'{"choices": [{"text": "a", "finish_reason": "stop"}',
        b'{"choices": [{"text": "\xff\xfe", "finish_reason": "stop"}]}',
        b"[" * 100_000,
        b'{"error": ' + b"[" * 100_000,
        b"9" * 5000,
    ],
)
def test_a_body_that_is_no_completion(body: bytes) -> None:
    """Sabotage: take a choice without ``finish_reason``: a reply that was cut short would be kept."""
    assert _failure(body).kind == "bad_reply"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["error", "choices", "text", "index", "finish_reason", "code", "logprobs", "tokens", "usage", "message"]
    ), inner, max_size=4),
    max_leaves=10,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_body_makes_the_reader_raise(body: bytes) -> None:
    assert isinstance(read(body), Completion | Failure)


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        (r"a\ud83db", "a\ufffdb"),
        (r"\ude00", "\ufffd"),
        (r"\ud83d\ude00", "\U0001f600"),
        (r"\\ud83d", "\\ud83d"),
        (r"\uD83D", "\ufffd"),
    ],
)
def test_half_of_a_surrogate_pair_does_not_cost_the_reply(escaped: str, text: str) -> None:
    """Python servers write it; strict decoders refuse it. Sabotage: decode strictly, and five attempts are paid."""
    reply = read(b'{"choices":[{"text":"%b","finish_reason":"stop"}]}' % escaped.encode())
    assert isinstance(reply, Completion)
    assert reply.choices[0].text == text
