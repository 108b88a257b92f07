"""The wire bodies of the embedded model: the shapes of vLLM 0.12's OpenAI server, field by field."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import Any

import orjson
import pytest

from evoselfcode import __version__
from evoselfcode.local.answer import answer
from evoselfcode.local.model import EmbeddedModel
from evoselfcode.local.protocol import FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX

HEAD = "This is an algorithm function.\n\ndef "


def post(path: str, suffix: Any = "honour", /, **body: Any) -> tuple[int, dict[str, Any]]:
    status, headers, content = answer("POST", path, orjson.dumps(body), suffix=suffix)
    assert headers == {"content-type": "application/json"}
    return status, orjson.loads(content)


def complete(policy: Any = "honour", /, **body: Any) -> dict[str, Any]:
    status, reply = post("/v1/completions", policy, **{"prompt": HEAD, "seed": 1, "stop": ["(", " "]} | body)
    assert status == 200, reply
    return reply


def texts(reply: dict[str, Any]) -> list[str]:
    return [choice["text"] for choice in reply["choices"]]


def test_a_completion_has_vllms_fields() -> None:
    reply = complete(n=2)
    assert list(reply) == ["id", "created", "model", "object", "choices", "usage"]
    assert (reply["object"], reply["model"]) == ("text_completion", "evoselfcode-ngram")
    assert reply["id"].startswith("cmpl-")
    for index, choice in enumerate(reply["choices"]):
        assert choice | {"text": ""} == {
            "index": index, "text": "", "logprobs": None, "finish_reason": "stop", "stop_reason": "("
        }  # fmt: skip
    usage = reply["usage"]
    assert usage["prompt_tokens"] == len(EmbeddedModel.load().tokenize(HEAD))
    assert usage["completion_tokens"] >= 2 * 2  # a name and the stop, in each choice
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_the_same_bytes_get_the_same_bytes() -> None:
    """Sabotage: stamp the reply with the time."""
    body = orjson.dumps({"prompt": HEAD, "suffix": "():\n", "n": 4, "seed": 3, "logprobs": 2})
    assert answer("POST", "/v1/completions", body) == answer("POST", "/v1/completions?x=1", body)


def test_choices_are_prompt_major() -> None:
    """Sabotage: count the index anew for each prompt."""
    reply = complete(prompt=[HEAD, "class A:\n    ", "import "], n=2)
    assert [choice["index"] for choice in reply["choices"]] == list(range(6))
    alone = [texts(complete(prompt=prompt, n=2)) for prompt in (HEAD, "class A:\n    ", "import ")]
    assert texts(reply) == [text for pair in alone for text in pair]
    counts = [complete(prompt=prompt)["usage"]["prompt_tokens"] for prompt in (HEAD, "class A:\n    ", "import ")]
    assert reply["usage"]["prompt_tokens"] == sum(counts)  # once per prompt, not per choice


def test_logprobs_come_as_four_arrays() -> None:
    """Sabotage: report offsets in tokens."""
    reply = complete(logprobs=3, n=8)
    for choice in reply["choices"]:
        got = choice["logprobs"]
        assert list(got) == ["tokens", "token_logprobs", "top_logprobs", "text_offset"]
        assert "".join(got["tokens"]) == choice["text"]
        assert got["text_offset"] == [0, *accumulate(map(len, got["tokens"]))][:-1]
        for token, logprob, top in zip(got["tokens"], got["token_logprobs"], got["top_logprobs"], strict=True):
            assert top[token] == logprob
            assert 3 <= len(top) <= 4
            assert max(top.values()) >= logprob
            assert sum(map(math.exp, top.values())) <= 1 + 1e-9
    zero = complete(logprobs=0)["choices"][0]["logprobs"]
    assert all(list(top) == [token] for token, top in zip(zero["tokens"], zero["top_logprobs"], strict=True))


def test_echo_scores_a_given_text() -> None:
    """``echo``, ``logprobs`` and ``max_tokens: 0``: how vLLM is asked for a perplexity.

    The first token has a price here: the model knows how texts begin.
    """
    text = HEAD + "zzqx(a):\n    return a\n"
    choice = complete(prompt=text, echo=True, logprobs=0, max_tokens=0)["choices"][0]
    assert (choice["text"], choice["finish_reason"]) == (text, "length")
    scored = EmbeddedModel.load().score(text)
    assert choice["logprobs"]["tokens"] == [token for token, _ in scored]
    assert choice["logprobs"]["token_logprobs"] == pytest.approx([logprob for _, logprob in scored])
    more = complete(prompt=HEAD, echo=True, logprobs=0, max_tokens=2, stop=[])["choices"][0]
    assert more["text"].startswith(HEAD)
    assert more["logprobs"]["text_offset"][-2] == len(HEAD)
    assert complete(prompt=text, echo=True)["choices"][0]["logprobs"] is None


def test_a_suffix_is_honoured_refused_or_ignored() -> None:
    """vLLM refuses ``""`` too, and takes ``null``; sabotage: refuse only a suffix that holds something."""
    plain = texts(complete(n=4))
    assert texts(complete("honour", suffix="():\n", n=4)) != plain
    assert texts(complete("ignore", suffix="():\n", n=4)) == plain
    assert texts(complete("honour", suffix="", n=4)) == texts(complete("refuse", suffix=None, n=4)) == plain
    for suffix in ("():\n", ""):
        status, reply = post("/v1/completions", "refuse", prompt=HEAD, suffix=suffix)
        assert status == 400
        assert reply["error"]["message"] == "suffix is not currently supported"
        assert (reply["error"]["type"], reply["error"]["code"]) == ("BadRequestError", 400)


@pytest.mark.parametrize("policy", ["honour", "refuse", "ignore"])
def test_raw_sentinels_are_the_suffix_field_by_another_name(policy: str) -> None:
    """Sabotage: read the sentinels in the order suffix, prefix, middle."""
    raw = FIM_PREFIX + HEAD + FIM_SUFFIX + "():\n" + FIM_MIDDLE
    field, sentinels = complete(suffix="():\n", n=4, logprobs=1), complete(policy, prompt=raw, n=4, logprobs=1)
    assert sentinels["choices"] == field["choices"]
    begun = texts(complete(prompt=raw + "get_", n=2))
    assert begun == texts(complete(prompt=HEAD + "get_", suffix="():\n", n=2))
    for broken in (raw.removesuffix(FIM_MIDDLE), raw.replace(FIM_SUFFIX, ""), " " + raw):
        assert texts(complete(prompt=broken, n=4)) != texts(field)  # plain text to a model without these tokens


def test_a_chat_completes_its_last_user_message_and_fills_nothing_in() -> None:
    """Fields beside the messages are ignored in silence, as vLLM ignores them."""
    messages = [{"role": "system", "content": "x"}, {"role": "user", "content": HEAD}, {"role": "assistant"}]
    status, reply = post(
        "/v1/chat/completions", messages=messages, n=2, seed=1, stop="(", prefix=HEAD, suffix="():\n",
        logprobs=True, top_logprobs=2, max_completion_tokens=9, max_tokens=1,
    )  # fmt: skip
    assert (status, reply["object"]) == (200, "chat.completion")
    plain = complete(n=2, stop="(", max_tokens=9, logprobs=2)
    assert [choice["message"]["content"] for choice in reply["choices"]] == texts(plain)
    for choice, other in zip(reply["choices"], plain["choices"], strict=True):
        assert choice["message"]["role"] == "assistant"
        assert choice["finish_reason"] == other["finish_reason"]
        content = choice["logprobs"]["content"]
        assert [entry["logprob"] for entry in content] == other["logprobs"]["token_logprobs"]
        assert all(bytes(entry["bytes"]).decode() == entry["token"] for entry in content)
        assert all(len(entry["top_logprobs"]) == 2 for entry in content)
    parts = [{"role": "user", "content": [{"type": "text", "text": HEAD[:9]}, {"type": "text", "text": HEAD[9:]}]}]
    assert (
        post("/v1/chat/completions", messages=parts, seed=1, stop="(", max_tokens=9)[1]["choices"][0]["message"][
            "content"
        ]
        == texts(complete(stop="(", max_tokens=9))[0]
    )


def test_tokenize_counts_a_sentinel_as_one_token_and_nothing_else_as_it() -> None:
    status, reply = post("/tokenize", prompt=f"def f(){FIM_MIDDLE}<|fim_pad|>", add_special_tokens=True)
    assert (status, reply["count"], reply["max_model_len"]) == (200, len(reply["tokens"]), 8192)
    ones = [post("/tokenize", prompt=sentinel)[1]["tokens"] for sentinel in (FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE)]
    assert all(len(tokens) == 1 for tokens in ones)
    assert len({tokens[0] for tokens in ones}) == 3
    assert ones[2][0] in reply["tokens"]
    assert not {tokens[0] for tokens in ones} & set(EmbeddedModel.load().tokenize(HEAD + "<|fim_pad|> ü 1 ''"))


def test_the_looks_that_cost_nothing() -> None:
    assert answer("GET", "/health", b"") == (200, {}, b"")
    assert orjson.loads(answer("GET", "/version", b"")[2]) == {"version": __version__}
    status, _, body = answer("GET", "/v1/models?limit=3", b"")
    listed = orjson.loads(body)
    assert (status, listed["object"]) == (200, "list")
    assert [(card["id"], card["max_model_len"]) for card in listed["data"]] == [("evoselfcode-ngram", 8192)]
