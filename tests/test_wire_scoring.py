"""What each server is asked for the log-probabilities of a given text, and that the text sent is the one laid on."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson
import pytest

from evoselfcode.errors import PromptError
from evoselfcode.records import Choice, Completion, Failure, Given, Request, Sampling
from evoselfcode.wire import messages
from evoselfcode.wire.dialect import Dialect, endpoint
from evoselfcode.wire.scoring import sent, why_not

WHERE = endpoint("http://pod:8000/v1")
SAMPLING = Sampling(max_new_tokens=1, temperature=0.0)
ECHO = {"model": "m", "prompt": "ab cd", "temperature": 0.0, "echo": True, "logprobs": 1}
GENERATE = {
    "text": "ab cd",
    "sampling_params": {"max_new_tokens": 0, "temperature": 0.0},
    "return_logprob": True,
    "logprob_start_len": 0,
    "return_text_in_logprobs": True,
}


def request(prompt: Given) -> Request:
    return Request(key="k", prompt=prompt, sampling=SAMPLING)


def asked(prompt: Given, **dialect: Any) -> tuple[str, Any]:
    call = messages.call(request(prompt), Dialect(**{"model": "m"} | dialect), WHERE)
    assert call.method == "POST"
    return call.url, orjson.loads(call.body)


@pytest.mark.parametrize(
    ("mode", "url", "body"),
    [
        (
            "prompt_logprobs",
            "http://pod:8000/v1/completions",
            {"model": "m", "prompt": "ab cd", "temperature": 0.0, "max_tokens": 1, "prompt_logprobs": 0,
             "return_token_ids": True},
        ),
        ("echo", "http://pod:8000/v1/completions", ECHO | {"max_tokens": 0}),
        ("echo_one", "http://pod:8000/v1/completions", ECHO | {"max_tokens": 1}),
        ("together", "http://pod:8000/v1/completions", ECHO | {"max_tokens": 1}),
        ("generate", "http://pod:8000/generate", GENERATE),
        (
            "prefill",
            "http://pod:8000/generate",
            {"inputs": "ab cd", "parameters": {"max_new_tokens": 1, "details": True, "decoder_input_details": True}},
        ),
    ],
)  # fmt: skip
def test_the_request_of_each_way(mode: Any, url: str, body: dict[str, Any]) -> None:
    """``max_tokens: 0`` is refused by SGLang and runs on at llama-cpp-python; ``logprobs: 0`` gives nothing at SGLang.

    Sabotage: send ``max_tokens`` 0 in both ways of echo; or the native ones below ``/v1``.
    """
    assert asked(Given(" cd", "ab"), score=mode) == (url, body)


def test_the_mean_of_a_whole_text_is_asked_for_at_the_root() -> None:
    assert asked(Given("ab cd"), score="get_ppl") == ("http://pod:8000/get_ppl", {"model": "m", "input": "ab cd"})


def test_a_templated_sglang_server_is_sent_a_blank_suffix() -> None:
    """It would render the word None. Sabotage: leave ``blank_suffix`` out."""
    assert asked(Given("x"), score="echo_one", blank_suffix=True)[1]["suffix"] == ""
    assert "suffix" not in asked(Given("x"), score="echo_one")[1]


FIM = Given("c", "a", "b")


@pytest.mark.parametrize(
    ("family", "text"),
    [
        ("qwen2.5-coder", "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>c"),
        ("mellum", "<fim_suffix>b<fim_prefix>a<fim_middle>c"),  # SPM is its own order
        ("code-llama", "<PRE> a <SUF>b <MID>c"),
    ],
)
def test_a_middle_stands_behind_the_familys_own_prompt(family: str, text: str) -> None:
    """Sabotage: let ``begin`` be the length of `before`."""
    dialect = Dialect(score="prompt_logprobs", score_family=family)
    assert sent(FIM, dialect) == (text, len(text) - 1)
    assert asked(FIM, score="prompt_logprobs", score_family=family)[1]["prompt"] == text


@pytest.mark.parametrize(
    ("prompt", "dialect"),
    [
        (Given("x"), Dialect()),
        (FIM, Dialect(score="echo")),
        (Given("x", "before"), Dialect(score="get_ppl")),
        (FIM, Dialect(score="get_ppl", score_family="qwen2.5-coder")),
        (FIM, Dialect(score="echo", score_family="mistral-v3")),
        (FIM, Dialect(score="echo", score_family="nonesuch")),
        (Given("a<|fim_middle|>", "b", "c"), Dialect(score="echo", score_family="qwen2.5-coder")),
        (Given("a", "<|fim_prefix|>", "c"), Dialect(score="echo", score_family="qwen2.5-coder")),
        (Given("\ud83d"), Dialect(score="echo")),
    ],
)
def test_what_cannot_be_scored_is_never_sent(prompt: Given, dialect: Dialect) -> None:
    """Sabotage: in ``sent``, do not look for sentinels in the text itself."""
    with pytest.raises(PromptError):
        messages.call(request(prompt), dialect, WHERE)
    assert bool(why_not(prompt, dialect)) == (dialect.score in ("none", "get_ppl") or dialect.score_family is None) or (
        prompt.suffix is None
    )


def legacy(*pairs: tuple[str, float | None]) -> dict[str, Any]:
    tokens, numbers = zip(*pairs, strict=True)
    return {"tokens": tokens, "token_logprobs": numbers, "text_offset": [-1] * len(pairs)}


RECORDED: dict[str, tuple[Any, dict[str, Any]]] = {
    "vLLM 0.33": (
        "prompt_logprobs",
        {"choices": [{
            "index": 0, "text": " x", "finish_reason": "length", "prompt_token_ids": [870, 272, 88],
            "prompt_logprobs": [
                None,
                {"272": {"logprob": -1.5, "rank": 4, "decoded_token": " c"}},
                {"88": {"logprob": -2.5, "rank": 1, "decoded_token": "d"}},
            ],
        }]},
    ),
    "vLLM by echo": (
        "echo",
        {"choices": [{
            "index": 0, "text": "ab cd", "finish_reason": "length",
            "logprobs": legacy(("ab", None), (" c", -1.5), ("d", -2.5)),
        }]},
    ),
    "SGLang": (
        "generate",
        {"text": "", "meta_info": {
            "finish_reason": {"type": "length", "length": 0}, "prompt_tokens": 3, "completion_tokens": 0,
            "input_token_logprobs": [[None, 870, "ab"], [-1.5, 272, " c"], [-2.5, 88, "d"]],
        }},
    ),
    "SGLang by echo": (
        "echo_one",
        {"choices": [{
            "index": 0, "text": "ab cd!", "finish_reason": "length",
            "logprobs": legacy(("ab", None), (" c", -1.5), ("d", -2.5), ("!", -0.5)),
        }]},
    ),
    "llama-cpp-python": (
        "echo_one",
        {"choices": [{
            "index": 0, "text": "ab cd!", "finish_reason": "length",
            "logprobs": legacy(("", None), ("ab", -9.0), (" c", -1.5), ("d", -2.5), ("!", -0.5)),
        }]},
    ),
    "Fireworks": (
        "echo",
        {"choices": [{
            "index": 0, "text": "ab cd", "finish_reason": "length",
            "logprobs": legacy(("ab", 0.0), (" c", -1.5), ("d", -2.5)),
        }]},
    ),
    "chat-like": (
        "echo",
        {"choices": [{
            "index": 0, "text": "ab cd", "finish_reason": "length",
            "logprobs": {"content": [
                {"token": "ab", "logprob": None, "bytes": [97, 98]}, {"token": " c", "logprob": -1.5},
                {"token": "d", "logprob": -2.5},
            ]},
        }]},
    ),
    "Together": (
        "together",
        {
            "prompt": [{"text": "ab cd", "logprobs": legacy(("<s>", None), ("ab", -9.0), (" c", -1.5), ("d", -2.5))}],
            "choices": [{"index": 0, "text": "!", "finish_reason": "eos", "logprobs": legacy(("!", -0.5))}],
        },
    ),
    "TGI": (
        "prefill",
        {"generated_text": "!", "details": {
            "finish_reason": "length", "generated_tokens": 1,
            "prefill": [{"id": 1, "text": "<s>", "logprob": None}, {"id": 2, "text": "ab", "logprob": -9.0},
                        {"id": 3, "text": " c", "logprob": -1.5}, {"id": 4, "text": "d", "logprob": -2.5}],
            "tokens": [{"id": 5, "text": "!", "logprob": -0.5, "special": False}],
        }},
    ),
}  # fmt: skip


def read(mode: Any, document: Any, prompt: Given, **dialect: Any) -> Completion | Failure:
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    return messages.read(request(prompt), Dialect(score=mode, **dialect), 200, {}, body)


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_reply(name: str) -> None:
    """One choice: the text that was given, in the server's tokens. Sabotage: drop any row of ``_READERS``."""
    mode, document = RECORDED[name]
    reply = read(mode, document, Given(" cd", "ab"))
    assert isinstance(reply, Completion), reply
    assert reply.choices == (Choice(" cd", "stop", (" c", "d"), (-1.5, -2.5)),)
    assert reply.choices[0].logprob == -4.0


@pytest.mark.parametrize("name", RECORDED)
@pytest.mark.parametrize("text", ["ab ce", "ab c", f"{'z' * 200}ab cd", "ab cd e"])
def test_the_reply_to_another_text_is_refused_for_good(name: str, text: str) -> None:
    """Asked again it would be the same. Sabotage: call it ``bad_reply``; or do not lay the tokens on the text.

    vLLM's first token, whose text is not told, can hold much; not everything.
    """
    mode, document = RECORDED[name]
    if mode == "echo_one" and text == "ab c":
        return  # "ab", " c" and a generated "d": what the server would have said of that text
    reply = read(mode, document, Given(text))
    assert isinstance(reply, Failure)
    assert reply.kind == "unaligned"


def test_usage_and_model_are_read() -> None:
    document = RECORDED["vLLM 0.33"][1] | {"model": "m", "usage": {"prompt_tokens": 3, "completion_tokens": 1}}
    reply = read("prompt_logprobs", document, Given(" cd", "ab"))
    assert isinstance(reply, Completion)
    assert (reply.model, reply.usage.prompt_tokens, reply.usage.completion_tokens) == ("m", 3, 1)
    native = read("generate", RECORDED["SGLang"][1], Given(" cd", "ab"))
    assert isinstance(native, Completion)
    assert (native.usage.prompt_tokens, native.usage.completion_tokens) == (3, 0)


def test_lmdeploys_ppl_is_the_mean_loss() -> None:
    """Sabotage: take its logarithm."""
    reply = read("get_ppl", {"ppl": 1.25}, Given("ab cd"))
    assert isinstance(reply, Completion)
    assert reply.choices == (Choice("ab cd", "stop", mean_logprob=-1.25),)


def test_a_middle_is_laid_behind_its_sentinels() -> None:
    """They are shown as nothing here. Sabotage: do not pass the family's tokens on."""
    shown = [(None, ""), (-1.0, "a"), (-2.0, ""), (-3.0, "b"), (-4.0, ""), (-0.5, "c")]
    document = {"meta_info": {"input_token_logprobs": [[number, 0, text] for number, text in shown]}}
    reply = read("generate", document, FIM, score_family="qwen2.5-coder")
    assert isinstance(reply, Completion)
    assert reply.choices[0] == Choice("c", "stop", ("c",), (-0.5,))


@pytest.mark.parametrize(("number", "kind"), [(0.5, "unsupported"), (0.001, None), (-0.0, None)])
def test_a_number_above_zero_is_no_log_probability(number: float, kind: str | None) -> None:
    """llama.cpp#27174, ``logprobs_mode: raw_logits``. Sabotage: drop the comparison; or do not cap what is let pass."""
    document = {"meta_info": {"input_token_logprobs": [[None, 1, "a"], [number, 2, "b"]]}}
    reply = read("generate", document, Given("ab"))
    if kind is None:
        assert isinstance(reply, Completion)
        assert reply.choices[0].logprobs == (None, 0.0)
    else:
        assert isinstance(reply, Failure)
        assert reply.kind == kind
        assert isinstance(read("get_ppl", {"ppl": -number}, Given("a")), Failure)


def test_requests_about_given_texts_are_not_split() -> None:
    whole = msgspec.structs.replace(request(Given("x")), sampling=SAMPLING)
    assert messages.parts(whole, 1) == (whole,)
