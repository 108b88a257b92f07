"""llama.cpp ``/infill``, Mistral's FIM endpoint, Ollama ``/api/generate``: bodies out, native replies in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evoselfcode.records import Choice, Completion, Failure, Fim, L2r, Sampling, Usage
from evoselfcode.wire.dialect import Dialect
from evoselfcode.wire.infill import infill_body, ollama_body, read_infill, read_ollama, vendor_body

PROMPT = Fim("def ", "():\n")
SAMPLING = Sampling(max_new_tokens=16, n=3, temperature=0.8, top_p=0.95, stop=("(",), seed=7, logprobs=0)
PLAIN = Sampling(max_new_tokens=16)


def test_the_whole_body_of_infill() -> None:
    """llama.cpp's own names; its defaults (top_k 40, min_p 0.05) are switched off. Sabotage: drop ``top_k``."""
    assert infill_body(PROMPT, SAMPLING) == {
        "input_prefix": "def ",
        "input_suffix": "():\n",
        "n_predict": 16,
        "temperature": 0.8,
        "top_p": 0.95,
        "top_k": 0,
        "min_p": 0.0,
        "repeat_penalty": 1.0,
        "stop": ["("],
        "n_cmpl": 3,
        "seed": 7,
        "n_probs": 1,
    }
    assert not {"n_cmpl", "seed", "n_probs"} & set(infill_body(PROMPT, PLAIN))


def test_the_whole_body_of_the_vendors_endpoint() -> None:
    """Mistral: ``random_seed``, no ``n``, no ``logprobs``; 422 for any other field. Sabotage: ``"seed"``."""
    dialect = Dialect(server="mistral", model="codestral-latest", fim="vendor", l2r="vendor")
    common: dict[str, Any] = {"model": "codestral-latest", "max_tokens": 16, "temperature": 0.8, "top_p": 0.95}
    common |= {"stop": ["("], "random_seed": 7}
    assert vendor_body(PROMPT, SAMPLING, dialect) == common | {"prompt": "def ", "suffix": "():\n"}
    assert vendor_body(L2r("def "), SAMPLING, dialect) == common | {"prompt": "def "}
    assert not {"stop", "random_seed"} & set(vendor_body(PROMPT, PLAIN, dialect))


OPTIONS = {
    "num_predict": 16, "temperature": 0.8, "top_p": 0.95, "top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0,
    "stop": ["("], "seed": 7,
}  # fmt: skip
OLLAMA = {"model": "m", "stream": False, "truncate": False, "shift": False, "think": False, "logprobs": True}


def test_the_whole_body_of_ollama() -> None:
    """L2R must be raw (else it becomes a chat message); FIM must not (else the suffix is dropped).

    Sabotage: ``raw`` in both; ``stream`` left out (its default is true); ``truncate`` left out (a long prompt would
    lose its beginning without a word).
    """
    dialect = Dialect(server="ollama", model="m", fim="ollama", l2r="ollama")
    assert ollama_body(PROMPT, SAMPLING, dialect) == OLLAMA | {
        "prompt": "def ",
        "suffix": "():\n",
        "options": OPTIONS,
    }
    assert ollama_body(L2r("def "), SAMPLING, dialect) == OLLAMA | {"prompt": "def ", "raw": True, "options": OPTIONS}
    bare = ollama_body(L2r("x"), PLAIN, dialect, ("<|endoftext|>",))
    assert bare["options"]["stop"] == ["<|endoftext|>"]
    assert "seed" not in bare["options"]
    assert "logprobs" not in bare


def _result(**more: Any) -> dict[str, Any]:
    """Recorded: llama.cpp of October 2026, shortened to the fields that are read and a few that are not."""
    document = {
        "index": 0, "content": "sort_list", "tokens": [], "id_slot": 2, "stop": True, "model": "evo-tiny",
        "tokens_predicted": 3, "tokens_evaluated": 9, "stop_type": "word", "stopping_word": "(", "truncated": False,
        "generation_settings": {"seed": 7, "dry_sequence_breakers": ["\n", ":"]},
    }  # fmt: skip
    return document | more


def test_one_result_of_infill() -> None:
    probabilities = [{"id": 5, "token": "sort", "logprob": -0.5, "top_logprobs": []}, {"token": "_list"}]
    reply = read_infill(json.dumps(_result(completion_probabilities=probabilities)).encode())
    assert reply == Completion((Choice("sort_list", "stop", ("sort", "_list"), (-0.5, None)),), Usage(9, 3), "evo-tiny")


@pytest.mark.parametrize(("stop_type", "ending"), [("eos", "stop"), ("word", "stop"), ("limit", "length")])
def test_stop_types_in_our_words(stop_type: str, ending: str) -> None:
    """Sabotage: map ``limit`` to ``stop``: truncated names would be kept."""
    reply = read_infill(json.dumps(_result(stop_type=stop_type)).encode())
    assert isinstance(reply, Completion)
    assert reply.choices[0].finish_reason == ending


def test_several_results_are_sorted_and_their_tokens_added() -> None:
    """A list, in the order in which slots ended. Sabotage: drop ``sorted``; count the first result only."""
    results = [_result(index=1, content="b", tokens_predicted=5), _result(index=0, content="a", tokens_predicted=2)]
    reply = read_infill(json.dumps(results).encode())
    assert isinstance(reply, Completion)
    assert [choice.text for choice in reply.choices] == ["a", "b"]
    assert reply.usage == Usage(9, 7)


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ([], "bad_reply"),
        ({}, "bad_reply"),
        (_result(content=None), "bad_reply"),
        (_result(stop_type=None), "bad_reply"),
        ({"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, "loading"),
        ({"error": {"code": 501, "message": "no infill", "type": "not_supported_error"}}, "unsupported"),
        ([{"error": {"code": 500, "message": "x"}}], "server_error"),
        ([1], "bad_reply"),
        ("text", "bad_reply"),
    ],
)
def test_an_infill_reply_that_is_none(document: object, kind: str) -> None:
    """Sabotage: read an error out of a list as if it were an object: it raises."""
    reply = read_infill(json.dumps(document).encode())
    assert isinstance(reply, Failure)
    assert reply.kind == kind


def _ollama(**more: Any) -> bytes:
    document = {
        "model": "qwen2.5-coder:7b", "created_at": "2026-08-21T00:00:00Z", "response": "sort_list", "done": True,
        "done_reason": "stop", "total_duration": 5043500667, "prompt_eval_count": 26, "eval_count": 3,
    }  # fmt: skip
    return json.dumps(document | more).encode()


def test_ollamas_reply() -> None:
    logprobs = [{"token": "sort", "logprob": -0.1, "bytes": [1]}, {"token": "_list", "logprob": -9999.0}]
    assert read_ollama(_ollama()) == Completion((Choice("sort_list", "stop"),), Usage(26, 3), "qwen2.5-coder:7b")
    reply = read_ollama(_ollama(logprobs=logprobs, done_reason="length", response=""))
    assert reply == Completion(
        (Choice("", "length", ("sort", "_list"), (-0.1, -9999.0)),), Usage(26, 3), "qwen2.5-coder:7b"
    )


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        # An empty prompt only loads the model: asking again loads it again.
        ({"done_reason": "load", "response": ""}, "bad_request"),
        ({"done_reason": "unload", "response": ""}, "bad_request"),
        ({"done_reason": None}, "bad_reply"),
        ({"response": None}, "bad_reply"),
        ({"error": "llama runner process has terminated"}, "server_error"),
    ],
)
def test_a_reply_of_ollama_that_is_no_completion(more: dict[str, Any], kind: str) -> None:
    """Sabotage: call ``load`` a passing state: a run with an empty prompt would wait out its outage limit."""
    reply = read_ollama(_ollama(**more))
    assert isinstance(reply, Failure)
    assert reply.kind == kind


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["error", "content", "response", "index", "stop_type", "done_reason", "code", "completion_probabilities"]
    ), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_reply_makes_the_readers_raise(body: bytes) -> None:
    for read in (read_infill, read_ollama):
        assert isinstance(read(body), Completion | Failure)
