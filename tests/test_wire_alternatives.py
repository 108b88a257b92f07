"""What else was held possible in the place of each token, in the shapes that servers tell it in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_server import LlamaServer

from evoselfcode import OpenAICompletionClient
from evoselfcode.local.answer import answer
from evoselfcode.records import Choice, Completion, L2r, Request, Sampling
from evoselfcode.wire import alternatives, completions, infill, messages
from evoselfcode.wire.dialect import Dialect, endpoint

LISTED = [
    {"id": 1, "token": " 4", "logprob": -0.5, "bytes": [32], "top_logprobs": [
        {"id": 1, "token": " 4", "logprob": -0.5}, {"id": 2, "token": " 5", "logprob": -1.5},
        {"token": " 3", "logprob": None}]},
    {"token": "\n", "logprob": -0.1, "top_logprobs": []},
]  # fmt: skip
LEGACY = {
    "tokens": [" 4", "\n"], "token_logprobs": [-0.5, -9999.0], "text_offset": [0, 2],
    "top_logprobs": [{" 4": -0.5, " 5": -1.5}, None],
}  # fmt: skip
WANTED = ({" 4": -0.5, " 5": -1.5}, {})


def _choice(logprobs: Any, **more: Any) -> bytes:
    return json.dumps({"choices": [{"text": " 4\n", "finish_reason": "stop", "logprobs": logprobs, **more}]}).encode()


def _only(reply: object) -> Choice:
    assert isinstance(reply, Completion), reply
    (choice,) = reply.choices
    return choice


OPENAI = {
    "vllm, sglang, fireworks": _choice(LEGACY),
    "llama.cpp on /v1/completions": _choice({"content": LISTED}),
    "chat": _choice({"content": LISTED, "refusal": None}, text=None, message={"content": " 4\n"}),
}


@pytest.mark.parametrize("name", OPENAI)
def test_both_openai_shapes(name: str) -> None:
    """Sabotage: leave out what the place of a token does not tell."""
    choice = _only(completions.read(OPENAI[name], alternatives=True))
    assert choice.alternatives == WANTED
    assert choice.tokens == (" 4", "\n")
    assert _only(completions.read(OPENAI[name])).alternatives is None  # nobody asked


def test_native_shapes() -> None:
    """Sabotage: leave out sorting by index: then a choice has its neighbour's."""
    first = {"content": "4", "index": 0, "stop_type": "word", "completion_probabilities": LISTED}
    other = first | {"index": 1, "completion_probabilities": LISTED[::-1]}
    found = infill.read_infill(json.dumps([other, first]).encode(), alternatives=True)
    assert isinstance(found, Completion)
    assert [choice.alternatives for choice in found.choices] == [WANTED, WANTED[::-1]]
    ollama = json.dumps({"response": " 4\n", "done_reason": "stop", "logprobs": LISTED}).encode()
    assert _only(infill.read_ollama(ollama, alternatives=True)).alternatives == WANTED
    assert _only(infill.read_ollama(ollama)).alternatives is None


ODD: list[Any] = [
    None, 3, [1], {"top_logprobs": 3}, {"top_logprobs": [[1]]}, {"top_logprobs": [{"a": "b"}]}, {"content": [1]},
    LEGACY | {"top_logprobs": None}, LEGACY | {"top_logprobs": [{}]}, LEGACY | {"top_logprobs": {}},
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_shape_loses_no_text(odd: Any) -> None:
    """Sabotage: let ``of_choice`` raise, or hand on fewer places than there are tokens."""
    choice = _only(completions.read(_choice(odd), alternatives=True))
    assert (choice.text, choice.alternatives) == (" 4\n", None)


@given(st.binary(max_size=40) | st.recursive(st.none() | st.floats() | st.text(), lambda it: st.lists(it)).map(repr))
def test_nothing_raises(body: bytes | str) -> None:
    data = body.encode("utf-8", "replace") if isinstance(body, str) else body
    assert alternatives.of_choice(data, 2) is None
    assert alternatives.of_ollama(data, 2) is None
    assert alternatives.of_infill(data, [1, 2]) == [None, None]


def _asked(dialect: Dialect, logprobs: int) -> dict[str, Any]:
    sampling = Sampling(max_new_tokens=4, temperature=0.0, logprobs=logprobs)
    request = Request(key="k", prompt=L2r("correctness:"), sampling=sampling)
    return dict(json.loads(messages.call(request, dialect, endpoint("http://a:1/v1")).body))


def test_they_are_asked_for() -> None:
    """Sabotage: ask Ollama for ``logprobs`` alone."""
    ollama = Dialect(server="ollama", l2r="ollama")
    assert "top_logprobs" not in _asked(ollama, 0)
    assert (_asked(ollama, 5)["logprobs"], _asked(ollama, 5)["top_logprobs"]) == (True, 5)
    assert _asked(Dialect(server="vllm"), 5)["logprobs"] == 5
    chat = _asked(Dialect(server="vllm", l2r="chat"), 5)
    assert (chat["logprobs"], chat["top_logprobs"]) == (True, 5)


@pytest.mark.parametrize("chat", [False, True])
def test_the_embedded_model_gives_them(chat: bool) -> None:
    """Both endpoints. Sabotage: read them from ``token_logprobs``."""
    request = Request(key="k", prompt=L2r("def add(a, b):"), sampling=Sampling(max_new_tokens=3, seed=1, logprobs=3))
    dialect = Dialect(server="evoselfcode", l2r="chat" if chat else "completions")
    call = messages.call(request, dialect, endpoint("http://a:1/v1"))
    choice = _only(messages.read(request, dialect, *answer("POST", call.url[len("http://a:1") :], call.body)))
    assert choice.tokens
    assert choice.alternatives
    for token, logprob, others in zip(choice.tokens, choice.logprobs or (), choice.alternatives, strict=True):
        assert len(others) >= 3
        assert logprob is not None
        assert others.get(token, logprob) == pytest.approx(logprob)


@pytest.mark.parametrize("chat", [False, True])
async def test_a_real_llamacpp_server_gives_them(llama: LlamaServer, chat: bool) -> None:
    """Sabotage: read the legacy shape alone."""
    client = OpenAICompletionClient(llama.url, "evo-tiny", fim_mode="none", chat=chat)
    sampling = Sampling(max_new_tokens=4, temperature=0.0, logprobs=5)
    async with client.connect(n=1) as connection:
        assert connection.dialect.l2r == ("chat" if chat else "completions")
        choice = _only(await connection.send(Request(key="k", prompt=L2r("x = "), sampling=sampling)))
    assert choice.alternatives
    assert all(len(others) == 5 for others in choice.alternatives)
