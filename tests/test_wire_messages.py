"""Request and dialect → the HTTP message, and its reply → a record: the door of the wire, for every mode."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evoselfcode.errors import PromptError
from evoselfcode.records import Completion, Failure, Fim, L2r, Request, Sampling
from evoselfcode.wire import messages
from evoselfcode.wire.dialect import Dialect, endpoint

WHERE = endpoint("http://pod:8000/v1")
FIM = Request(key="k", prompt=Fim("def ", "():\n"), sampling=Sampling(max_new_tokens=8))
L2R = Request(key="k", prompt=L2r("def "), sampling=Sampling(max_new_tokens=8))
QWEN = "Qwen2.5-Coder-32B"
RAW = "<|fim_prefix|>def <|fim_suffix|>():\n<|fim_middle|>"
QWEN_IDS = [151643, 151645, 151659, 151661, 151662, 151663, 151664]


def _sent(request: Request, dialect: Dialect, ids: list[int] | None = None) -> tuple[str, dict[str, Any]]:
    call = messages.call(request, dialect, WHERE, ids=ids)
    assert call.method == "POST"
    return call.url, json.loads(call.body)


@pytest.mark.parametrize(
    ("mode", "url", "has", "lacks"),
    [
        ("suffix", "/v1/completions", {"prompt": "def ", "suffix": "():\n"}, {"prefix", "messages"}),
        ("chat", "/v1/chat/completions", {"prefix": "def ", "suffix": "():\n"}, {"prompt"}),
        ("sentinel", "/v1/completions", {"prompt": RAW}, {"suffix"}),
        ("infill", "/infill", {"input_prefix": "def ", "input_suffix": "():\n"}, {"prompt", "suffix"}),
        ("vendor", "/v1/fim/completions", {"prompt": "def ", "suffix": "():\n"}, {"n", "seed"}),
        ("ollama", "/api/generate", {"prompt": "def ", "suffix": "():\n", "stream": False}, {"raw"}),
    ],
)
def test_every_way_of_fim_has_its_address_and_its_body(
    mode: Any, url: str, has: dict[str, Any], lacks: set[str]
) -> None:
    """Native paths are at the root, not below ``/v1``. Sabotage: ``where.api`` for all."""
    dialect = Dialect(model=QWEN, fim=mode, family="qwen2.5-coder", l2r="ollama" if mode == "ollama" else "completions")
    address, document = _sent(FIM, dialect)
    assert address == "http://pod:8000" + url
    assert has.items() <= document.items()
    assert not lacks & set(document)


@pytest.mark.parametrize(
    ("mode", "url", "has", "lacks"),
    [
        ("completions", "/v1/completions", {"prompt": "def "}, {"suffix"}),
        ("vendor", "/v1/fim/completions", {"prompt": "def "}, {"suffix"}),
        ("ollama", "/api/generate", {"prompt": "def ", "raw": True}, {"suffix"}),
    ],
)
def test_every_way_of_l2r_has_its_address_and_its_body(
    mode: Any, url: str, has: dict[str, Any], lacks: set[str]
) -> None:
    address, document = _sent(L2R, Dialect(model=QWEN, fim="suffix", l2r=mode))
    assert address == "http://pod:8000" + url
    assert has.items() <= document.items()
    assert not lacks & set(document)


def test_a_templated_sglang_server_gets_an_empty_suffix_for_all_that_has_none() -> None:
    """Without the key it renders the word None. Sabotage: drop ``blank_suffix`` from one of the two ways."""
    dialect = Dialect(server="sglang", model=QWEN, fim="sentinel", family="qwen2.5-coder", blank_suffix=True)
    assert _sent(L2R, dialect)[1]["suffix"] == ""
    assert _sent(FIM, dialect)[1]["suffix"] == ""
    assert _sent(FIM, msgspec.structs.replace(dialect, fim="suffix"))[1]["suffix"] == "():\n"


def test_a_raw_prompt_brings_the_familys_stops_behind_the_users() -> None:
    request = msgspec.structs.replace(FIM, sampling=Sampling(max_new_tokens=8, stop=("(",)))
    dialect = Dialect(server="llamacpp", model=QWEN, fim="sentinel", family="starcoder")
    assert _sent(request, dialect)[1]["stop"] == [
        "(", "<|endoftext|>", "<file_sep>", "<repo_name>", "<fim_prefix>", "<fim_suffix>", "<fim_middle>",
    ]  # fmt: skip
    assert _sent(L2R, dialect)[1].get("stop") is None


@pytest.mark.parametrize(
    ("model", "ids"), [(QWEN, QWEN_IDS), ("my-coder-7b", None), ("google/codegemma-7b", None), ("Qwen3-8B", None)]
)
def test_stop_ids_are_sent_to_models_of_the_family_alone(model: str, ids: list[int] | None) -> None:
    """CodeGemma spells its sentinels as Qwen does; Qwen's ids are ordinary words to it.

    Sabotage: ``stop_ids=family.stop_ids`` whatever the model.
    """
    dialect = Dialect(server="vllm", model=model, fim="sentinel", family="qwen2.5-coder")
    assert _sent(FIM, dialect)[1].get("stop_token_ids") == ids


def test_ids_take_the_place_of_the_text() -> None:
    """And special tokens stay hidden: vLLM cannot show them with Mistral's tokenizers. Sabotage: always show."""
    dialect = Dialect(server="vllm", model="Codestral-22B", fim="sentinel", family="mistral-v3")
    document = _sent(FIM, dialect, [1, 13, 200, 11, 100])[1]
    assert document["prompt"] == [1, 13, 200, 11, 100]
    assert "skip_special_tokens" not in document


def test_a_raw_prompt_has_special_tokens_shown() -> None:
    dialect = Dialect(server="vllm", model="bigcode/starcoder2-3b", fim="sentinel", family="starcoder")
    assert _sent(FIM, dialect)[1]["skip_special_tokens"] is False
    assert "skip_special_tokens" not in _sent(L2R, dialect)[1]


def test_raw_sentinels_on_ollama_go_to_its_raw_endpoint() -> None:
    """Its ``/v1/completions`` would put them into the chat template; this serves models without an insert template.

    Sabotage: send them to ``/completions``; read the reply as OpenAI's.
    """
    dialect = Dialect(server="ollama", model="deepseek-coder:6.7b", fim="sentinel", family="starcoder", l2r="ollama")
    address, document = _sent(FIM, dialect)
    assert address == "http://pod:8000/api/generate"
    assert (document["prompt"], document["raw"]) == ("<fim_prefix>def <fim_suffix>():\n<fim_middle>", True)
    assert document["options"]["stop"][0] == "<|endoftext|>"
    assert "suffix" not in document
    reply = messages.read(FIM, dialect, 200, {}, b'{"response": "x", "done_reason": "stop"}')
    assert isinstance(reply, Completion)


@pytest.mark.parametrize(
    ("prompt", "dialect", "words"),
    [
        (Fim("a <|fim_suffix|>", ""), Dialect(fim="sentinel", family="qwen2.5-coder"), "special token"),
        (Fim("", "<|endoftext|>"), Dialect(fim="sentinel", family="qwen2.5-coder"), "special token"),
        (Fim("a", "b"), Dialect(fim="sentinel", family=None), "no family"),
        (Fim("a", "b"), Dialect(fim="sentinel", family="gpt-9"), "no family"),
        (Fim("a", "b"), Dialect(fim="none"), "no fill-in-the-middle"),
        (Fim("\ud800", "b"), Dialect(fim="suffix"), "JSON"),
        (L2r("\udfff"), Dialect(), "JSON"),
    ],
)
def test_a_prompt_that_cannot_be_asked(prompt: Fim | L2r, dialect: Dialect, words: str) -> None:
    """One exception, which the client turns into a failure of this row. Sabotage: let ``KeyError`` pass."""
    request = Request(key="k", prompt=prompt, sampling=Sampling(max_new_tokens=8))
    with pytest.raises(PromptError, match=words):
        messages.call(request, dialect, WHERE)


def test_sentinels_in_the_text_are_refused_only_where_they_are_templated() -> None:
    """llama.cpp tokenizes the two texts of ``/infill`` without special tokens; in L2R nothing is templated."""
    prompt = Fim("# <|fim_suffix|>\n", "")
    request = Request(key="k", prompt=prompt, sampling=Sampling(max_new_tokens=8))
    for mode in ("infill", "suffix", "vendor"):
        messages.call(request, Dialect(fim=mode, family="qwen2.5-coder"), WHERE)  # type: ignore[arg-type]


OPENAI = b'{"choices": [{"index": 0, "text": "x", "finish_reason": "stop"}]}'
NATIVE = {
    "infill": b'{"content": "x", "stop_type": "eos"}',
    "ollama": b'{"response": "x", "done_reason": "stop"}',
}


@pytest.mark.parametrize("mode", ["suffix", "chat", "sentinel", "infill", "vendor", "ollama"])
def test_each_mode_reads_its_own_protocol_and_no_other(mode: Any) -> None:
    """Sabotage: read every reply as OpenAI's."""
    dialect = Dialect(fim=mode, family="starcoder")
    for body in (OPENAI, *NATIVE.values()):
        reply = messages.read(FIM, dialect, 200, {}, body)
        assert isinstance(reply, Completion if body == NATIVE.get(mode, OPENAI) else Failure)


def test_the_mode_that_reads_is_that_of_the_prompt() -> None:
    dialect = Dialect(fim="infill", l2r="completions")
    assert isinstance(messages.read(L2R, dialect, 200, {}, OPENAI), Completion)
    assert isinstance(messages.read(L2R, Dialect(fim="suffix", l2r="ollama"), 200, {}, NATIVE["ollama"]), Completion)


def test_a_refusal_is_classified_for_the_server() -> None:
    """TabbyAPI's 503 says nothing about the endpoint. Sabotage: drop ``server=``."""
    kinds = {name: messages.read(FIM, Dialect(server=name), 503, {}, b"") for name in ("tabby", "vllm")}
    assert [failure.kind for failure in kinds.values() if isinstance(failure, Failure)] == [
        "server_error", "overloaded",
    ]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["suffix", "infill", "ollama", "vendor", "none"]),
    st.integers(100, 599),
    st.dictionaries(st.sampled_from(["retry-after", "date"]), st.text(max_size=9), max_size=2),
    st.binary(max_size=40),
)
def test_no_reply_makes_it_raise(mode: Any, status: int, headers: dict[str, str], body: bytes) -> None:
    assert isinstance(messages.read(FIM, Dialect(fim=mode), status, headers, body), Completion | Failure)


@pytest.mark.parametrize(
    ("server", "document"),
    [
        ("vllm", {"model": "m", "prompt": "[PREFIX]", "add_special_tokens": False}),
        ("sglang", {"model": "m", "prompt": "[PREFIX]", "add_special_tokens": False}),
        ("llamacpp", {"content": "[PREFIX]", "add_special": False, "parse_special": False}),
        ("tgi", None),
    ],
)
def test_the_tokens_of_a_text(server: str, document: dict[str, Any] | None) -> None:
    """The user's text stays text. Sabotage: leave ``parse_special`` to llama.cpp's default, which is true."""
    call = messages.tokenize_call(WHERE, Dialect(server=server, model="m"), "[PREFIX]")
    assert (call and (call.url, json.loads(call.body))) == (document and ("http://pod:8000/tokenize", document))


@pytest.mark.parametrize(
    ("status", "body", "tokens"),
    [
        (200, b'{"count": 2, "max_model_len": 9, "tokens": [5, 6], "token_strs": null}', [5, 6]),
        (200, b'{"tokens": []}', []),
        (200, b'{"tokens": [{"id": 44, "piece": "<"}]}', None),
        (200, b'{"tokens": "x"}', None),
        (200, b"{}", None),
        (200, b"[]", None),
        (200, b"\xff", None),
        (404, b'{"tokens": [5]}', None),
    ],
)
def test_tokens_are_read_or_not(status: int, body: bytes, tokens: list[int] | None) -> None:
    assert messages.read_tokens(status, body) == tokens


def test_usage_of_one_choice_is_taken_for_all_where_the_server_counts_so() -> None:
    """llama.cpp counts one choice on ``/v1/completions`` and each on ``/infill``. Sabotage: scale both."""
    document = {
        "choices": [{"index": i, "text": "x", "finish_reason": "stop"} for i in range(4)],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3},
    }
    native = [{"index": i, "content": "x", "stop_type": "eos", "tokens_predicted": 3} for i in range(4)]
    one = Dialect(server="llamacpp", fim="infill", usage_of_one_choice=True)
    for prompt, dialect, reply, counted in (
        (L2r("p"), one, document, 12),
        (L2r("p"), Dialect(server="vllm"), document, 3),
        (Fim("p", "s"), one, native, 12),
    ):
        request = Request(key="00", prompt=prompt, sampling=Sampling(max_new_tokens=4, n=4))
        completion = messages.read(request, dialect, 200, {}, json.dumps(reply).encode())
        assert isinstance(completion, Completion)
        assert completion.usage.completion_tokens == counted
