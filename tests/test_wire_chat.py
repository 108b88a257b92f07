"""The chat body with prefix and suffix as extra fields (option 2 of the usage guide)."""

from __future__ import annotations

from evoselfcode.records import Fim, Sampling
from evoselfcode.wire import chat
from evoselfcode.wire.dialect import Dialect

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
