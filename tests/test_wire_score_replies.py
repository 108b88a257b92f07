"""Replies about a given text that lack something, hold too much, or are of no shape at all."""

from __future__ import annotations

import json
import math
from typing import Any, get_args

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode.records import Completion, Failure, Given
from evoselfcode.wire import retry
from evoselfcode.wire.dialect import Dialect, ScoreMode
from evoselfcode.wire.score_replies import number, read
from evoselfcode.wire.scoring import read as read_given

MODES = [mode for mode in get_args(ScoreMode) if mode != "none"]


def score(mode: Any, document: Any, text: str = "ab c", before: str = "") -> Completion | Failure:
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    return read_given(Given(text, before), Dialect(score=mode), body)


def numbers(reply: Completion | Failure) -> tuple[float | None, ...]:
    assert isinstance(reply, Completion), reply
    return reply.choices[0].logprobs or ()


def entry(text: str | None, logprob: object, rank: int | None = 1) -> dict[str, object]:
    return {"logprob": logprob, "rank": rank, "decoded_token": text}


def vllm(*listed: Any, **more: Any) -> dict[str, Any]:
    return {"choices": [{"text": "x", "finish_reason": "length", "prompt_logprobs": listed} | more]}


FIRST = {"7": entry("ab", -1.0)}
OWN = {"8": entry(" c", -5.0, 9)}
LIKELY = {"9": entry(" d", -0.1), "10": entry(" ", -0.2, 2)}


@pytest.mark.parametrize("listed", [LIKELY | OWN, OWN | LIKELY])
@pytest.mark.parametrize("ids", [None, [7, 8], [7], ["7", "8"]])
def test_of_more_entries_than_asked_for_the_tokens_own_is_taken(listed: dict[str, Any], ids: Any) -> None:
    """Sabotage: take the first, the last, or the one of the best rank."""
    assert numbers(score("prompt_logprobs", vllm(None, listed, prompt_token_ids=ids))) == (None, -5.0)


def test_an_id_tells_what_the_text_leaves_open() -> None:
    """Two ids that read alike: U+FFFD for two bytes, most often. Sabotage: drop ``prompt_token_ids``."""
    alike = {"8": entry(" c", -5.0, 9), "9": entry(" c", -0.1)}
    assert numbers(score("prompt_logprobs", vllm(None, alike, prompt_token_ids=[7, 8]))) == (None, -5.0)
    reply = score("prompt_logprobs", vllm(None, alike))
    assert isinstance(reply, Failure)
    assert reply.kind == "unaligned"


def test_the_first_entry_may_be_null_empty_or_there() -> None:
    """Sabotage: raise for a hole."""
    for first in (None, {}, FIRST):
        assert numbers(score("prompt_logprobs", vllm(first, OWN))) == (None, -5.0)


def test_entries_without_a_text_are_laid_where_the_others_leave_room() -> None:
    assert numbers(score("prompt_logprobs", vllm(FIRST, {"8": entry(None, -5.0)}))) == (None, -5.0)
    assert numbers(score("prompt_logprobs", vllm(FIRST, {"8": -5.0}))) == (None, -5.0)


ABSENT = [None, "-inf", "-Infinity", "NaN", -9999.0, -1e9, True, [], {}, "x"]


@pytest.mark.parametrize("value", ABSENT)
def test_what_is_no_number_is_a_hole_and_nothing_else(value: object) -> None:
    """It makes no sum of the others. Sabotage: take it for 0."""
    assert number(value) is None
    held = [[None, 1, "ab"], [value, 2, " "], [-2.0, 3, "c"]]
    reply = score("generate", {"meta_info": {"input_token_logprobs": held}})
    assert numbers(reply) == (None, None, -2.0)
    assert isinstance(reply, Completion)
    assert reply.choices[0].logprob is None
    assert numbers(score("prompt_logprobs", vllm(FIRST, {"8": entry(" c", value)}))) == (None, None)


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "Infinity"])
def test_python_writes_numbers_that_are_no_json(value: str) -> None:
    """Sabotage: decode strictly, and the whole text is lost."""
    body = b'{"meta_info": {"input_token_logprobs": [[null, 1, "ab"], [%s, 2, " "], [-2.0, 3, "c"]]}}' % value.encode()
    assert numbers(score("generate", body)) == (None, None, -2.0)


@given(st.one_of(st.floats(), st.integers(), st.text(max_size=6)))
def test_a_number_is_finite_or_absent(value: object) -> None:
    read_ = number(value)
    assert read_ is None or (math.isfinite(read_) and read_ > -9999)


def choice(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "text": "ab c", "finish_reason": "length"} | fields]}


@pytest.mark.parametrize(
    ("mode", "document", "told"),
    [
        ("prompt_logprobs", choice(), "no prompt_logprobs"),
        ("prompt_logprobs", choice(prompt_logprobs=None), "no prompt_logprobs"),
        ("echo", choice(), "no log-probabilities"),
        ("echo", choice(logprobs=None), "no log-probabilities"),
        ("echo_one", choice(logprobs={}), "no tokens"),
        ("echo", choice(logprobs={"tokens": ["ab"], "token_logprobs": None}), "no tokens"),
        ("echo", {"choices": []}, "no log-probabilities"),
        ("together", choice(logprobs={"tokens": ["ab c"], "token_logprobs": [-1.0]}), "no log-probabilities"),
        ("generate", {"text": "", "meta_info": {"prompt_tokens": 2}}, "no input_token_logprobs"),
        ("generate", {"text": "", "meta_info": {"input_token_logprobs": []}}, "no input_token_logprobs"),
        ("prefill", {"generated_text": "x"}, "--enable-prefill-logprobs"),
        ("prefill", {"generated_text": "x", "details": {"prefill": []}}, "--enable-prefill-logprobs"),
        ("get_ppl", {"code": 400}, "no ppl"),
        ("get_ppl", {"ppl": None}, "no ppl"),
    ],
)
def test_what_is_absent_is_named_and_not_asked_for_again(mode: Any, document: Any, told: str) -> None:
    """Sabotage: call it ``bad_reply``, and each row costs five requests."""
    reply = score(mode, document)
    assert isinstance(reply, Failure)
    assert told in reply.message
    assert retry.policy(reply.kind) == "give_up"


@pytest.mark.parametrize("logprobs", [{"content": [{"token": "x", "logprob": -0.1}]}, {"content": []}])
def test_numbers_of_what_was_generated_are_not_those_of_the_text(logprobs: Any) -> None:
    """llama.cpp#27174: echo is ignored. Sabotage: take what is there."""
    reply = score("echo_one", choice(text="x", logprobs=logprobs))
    assert isinstance(reply, Failure)
    assert (reply.kind, reply.status) == ("unaligned", 200)


@pytest.mark.parametrize(
    ("mode", "document", "kind"),
    [
        ("generate", {"error": {"message": "queue full", "code": 503}}, "overloaded"),
        ("prefill", {"error": "Model is overloaded", "error_type": "overloaded"}, "server_error"),
        ("get_ppl", {"object": "error", "message": "context length exceeded", "code": 400}, "too_long"),
        ("generate", {"meta_info": {"finish_reason": {"type": "abort"}}}, "server_error"),
        ("prompt_logprobs", choice(finish_reason="abort"), "server_error"),
        ("echo", choice(logprobs={"tokens": ["ab"], "token_logprobs": [-1.0, -2.0]}), "bad_reply"),
        ("echo", choice(logprobs={"content": [1]}), "bad_reply"),
        ("prompt_logprobs", choice(prompt_logprobs={"7": 1}), "bad_reply"),
        ("generate", {"meta_info": {"input_token_logprobs": [1]}}, "bad_reply"),
        ("prefill", {"details": {"prefill": [1]}}, "bad_reply"),
        ("echo", b"<html>", "bad_reply"),
        ("echo", [1, 2], "bad_reply"),
        ("echo", b"[" * 100_000, "bad_reply"),
        ("echo", b"\xff", "bad_reply"),
    ],
)
def test_a_reply_that_is_none(mode: Any, document: Any, kind: str) -> None:
    """Sabotage: look for the numbers before the error."""
    reply = score(mode, document)
    assert isinstance(reply, Failure)
    assert reply.kind == kind


def test_a_native_endpoint_may_answer_with_a_list_of_one() -> None:
    document = [{"meta_info": {"input_token_logprobs": [[None, 1, "ab"], [-2.0, 3, " c"]]}}]
    assert numbers(score("generate", document)) == (None, -2.0)
    assert numbers(score("generate", {"meta_info": {"input_token_logprobs": [[None, 1, "ab"], [-2, 3]]}})) == (
        None,
        -2.0,
    )


KEYS = [
    "choices", "prompt_logprobs", "prompt_token_ids", "logprobs", "tokens", "token_logprobs", "content", "token",
    "logprob", "meta_info", "input_token_logprobs", "details", "prefill", "ppl", "prompt", "usage", "error", "text",
    "finish_reason", "decoded_token", "object", "model", "prompt_tokens",
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(MODES), st.binary(max_size=30) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_body_makes_a_reader_raise(mode: Any, body: bytes) -> None:
    read(mode, body)
    assert isinstance(score(mode, body), Completion | Failure)
