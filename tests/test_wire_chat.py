"""The chat body: prefix and suffix as extra fields (option 2 of the usage guide), or a prompt as one message."""

from __future__ import annotations

import pytest

from evoselfcode.records import Fim, L2r, Request, Sampling
from evoselfcode.wire import chat, messages
from evoselfcode.wire.dialect import Dialect, endpoint

PROMPT = Fim("def ", "():\n")


def test_the_whole_body() -> None:
    """SiliconFlow's documented shape. Sabotage: leave ``prompt`` in; send the prefix as the message."""
    sampling = Sampling(max_new_tokens=16, n=2, temperature=0.8, top_p=0.95, stop=("(",), seed=7)
    assert chat.body(PROMPT, sampling, Dialect(server="siliconflow", model="m")) == {
        "model": "m",
        "messages": [{"role": "user", "content": ""}],
        "prefix": "def ",
        "suffix": "():\n",
        "max_tokens": 16,
        "temperature": 0.8,
        "top_p": 0.95,
        "n": 2,
        "seed": 7,
        "stop": ["("],
    }


def test_the_keys_are_the_users() -> None:
    """Sabotage: write ``"prefix"`` for ``dialect.prefix_key``. ``prompt`` may be one of them."""
    dialect = Dialect(prefix_key="prompt", suffix_key="after")
    document = chat.body(PROMPT, Sampling(max_new_tokens=1), dialect)
    assert (document["prompt"], document["after"]) == ("def ", "():\n")
    assert not {"prefix", "suffix"} & set(document)


def test_log_probabilities_are_a_switch_in_chat() -> None:
    """``/v1/chat/completions`` takes true or false, and the number apart. Sabotage: send the number."""
    for asked, sent in ((0, {"logprobs": True}), (3, {"logprobs": True, "top_logprobs": 3})):
        document = chat.body(PROMPT, Sampling(max_new_tokens=1, logprobs=asked), Dialect())
        assert {name: document[name] for name in document if "logprobs" in name} == sent
        assert document["logprobs"] is True


SAMPLING = Sampling(max_new_tokens=80, temperature=0.0, seed=7, logprobs=5)


def test_a_prompt_is_one_message_of_the_user() -> None:
    """For a chat model to answer. Sabotage: send the prompt as ``prompt``, or prefix and suffix beside it."""
    assert chat.message(L2r("Rate it."), SAMPLING, Dialect(server="unknown", model="m", l2r="chat")) == {
        "model": "m",
        "messages": [{"role": "user", "content": "Rate it."}],
        "max_tokens": 80,
        "temperature": 0.0,
        "top_p": 1.0,
        "seed": 7,
        "logprobs": True,
        "top_logprobs": 5,
    }


def test_services_that_call_a_field_something_else() -> None:
    """Sabotage: send OpenAI ``max_tokens``, or Mistral ``seed``."""
    openai = chat.message(L2r("x"), SAMPLING, Dialect(server="openai", model="m"))
    assert (openai["max_completion_tokens"], openai.get("max_tokens"), openai["seed"]) == (80, None, 7)
    mistral = chat.message(L2r("x"), SAMPLING, Dialect(server="mistral", model="m"))
    assert (mistral["random_seed"], mistral.get("seed"), mistral["max_tokens"]) == (7, None, 80)


@pytest.mark.parametrize("server", ["unknown", "ollama", "mistral", "vllm"])
def test_a_chat_dialect_goes_to_the_chat_endpoint(server: str) -> None:
    """Also where the server's own way would be another. Sabotage: let Ollama's native endpoint have it."""
    request = Request(key="k", prompt=L2r("Rate it."), sampling=SAMPLING)
    call = messages.call(request, Dialect(server=server, model="m", l2r="chat"), endpoint("http://a:1/v1"))
    assert call.url == "http://a:1/v1/chat/completions"
