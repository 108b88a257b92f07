"""Replies as vLLM gives them to the stage of names: many, each with other names, all of one length.

Filters and duplicates have real work only where replies differ. Of what is drawn here nearly half repeats a name, one
in twelve is dropped for another reason: a keyword, a builtin, a test, a weak name, no name at all.
"""

from __future__ import annotations

import json
from itertools import accumulate
from random import Random
from typing import Any

VERBS = ("find", "merge", "count", "sort", "build", "parse", "check", "split", "reverse", "compute", "remove",
         "insert", "search", "rotate", "encode", "decode", "flatten", "group", "rank", "sum", "max", "min", "is",
         "has")  # fmt: skip
NOUNS = ("array", "list", "tree", "graph", "matrix", "string", "prime", "path", "node", "word", "cycle", "queue",
         "stack", "heap", "interval", "digit", "subset", "range", "palindrome", "edge", "bit", "substring", "triangle",
         "pairs", "factors", "roots", "anagram", "island", "row", "column", "window", "prefix", "suffix")  # fmt: skip
BETWEEN = ("", "of_", "in_", "by_", "with_")
OTHERS = ("for", "print", "test_it", "main", "solution", "", "1st", "__init__", "not a name", "x" * 4 + "<|endoftext|>")

TOKENS = 20
"""Tokens that a reply tells where nothing else is said."""

BODY_BYTES = {False: 720, True: 1800}
"""Length of a reply without and with log-probabilities."""


def texts(count: int, seed: int = 0) -> list[str]:
    """Draw what a model might write where a name is due: some names often, most seldom."""
    random = Random(seed)
    names = [
        f"{verb}_{first}_{word}{second}" for verb in VERBS for first in NOUNS for word in BETWEEN for second in NOUNS
    ]
    random.shuffle(names)
    weights = list(accumulate(1 / (place + 2000) for place in range(len(names))))
    drawn = random.choices(names, cum_weights=weights, k=count)
    return [random.choice(OTHERS) if random.random() < 0.08 else name for name in drawn]


def replies(count: int, n: int = 4, *, logprobs: bool = False) -> list[bytes]:
    """Write `count` bodies with `n` choices each."""
    drawn = iter(texts(count * n))
    return [body(number, [next(drawn) for _ in range(n)], logprobs=logprobs) for number in range(count)]


def body(number: int, names: list[str], *, logprobs: bool) -> bytes:
    written = document(number, names, logprobs=logprobs)
    written["id"] = ""
    short = BODY_BYTES[logprobs] - len(json.dumps(written))
    written["id"] = f"cmpl-{number:0{short - 5}d}"
    told = json.dumps(written).encode()
    assert len(told) == BODY_BYTES[logprobs]
    return told


def document(
    number: int, names: list[str], *, logprobs: bool = False, chat: bool = False, tokens: int = TOKENS
) -> dict[str, Any]:
    """Return a reply with a choice for each name, as a completion or as a chat completion.

    Args:
        number: What its id and its time are made of.
        names: A text for each choice.
        logprobs: Whether it has log-probabilities.
        chat: Whether it is a chat completion.
        tokens: Tokens of all choices, which it tells.
    """
    return {"id": f"{'chatcmpl' if chat else 'cmpl'}-{number}",
            "object": "chat.completion" if chat else "text_completion",
            "created": 1_795_000_000 + number, "model": "m",
            "choices": [_choice(index, name, logprobs, chat) for index, name in enumerate(names)],
            "usage": {"prompt_tokens": 10, "total_tokens": 10 + tokens, "completion_tokens": tokens}}  # fmt: skip


def _choice(index: int, name: str, logprobs: bool, chat: bool) -> dict[str, Any]:
    if not chat:
        return {"index": index, "text": name, "logprobs": shown(name) if logprobs else None, "finish_reason": "stop",
                "stop_reason": "("}  # fmt: skip
    said = {"role": "assistant", "content": name}
    return {"index": index, "message": said, "logprobs": shown_in_chat(name) if logprobs else None,
            "finish_reason": "stop", "stop_reason": "("}  # fmt: skip


def streamed(document: dict[str, Any], *, usage: bool) -> bytes:
    """Write a reply as server-sent events: two for each choice, one for the usage where it is asked for."""
    chat = document["object"] == "chat.completion"
    head = {key: document[key] for key in ("id", "created", "model")}
    head["object"] = "chat.completion.chunk" if chat else "text_completion"
    events = [
        head | {"choices": [{"index": choice["index"], "logprobs": choice["logprobs"] if told else None,
                             "finish_reason": None if told else "stop"}
                            | ({"delta": choice["message"] if told else {}} if chat else
                               {"text": choice["text"] if told else ""})]}
        for choice in document["choices"] for told in (True, False)
    ]  # fmt: skip
    if usage:
        events.append(head | {"choices": [], "usage": document["usage"]})
    lines = [*(json.dumps(event) for event in events), "[DONE]"]
    return "".join(f"data: {line}\n\n" for line in lines).encode()


def shown(name: str) -> dict[str, list[object]]:
    tokens = [part if not place else "_" + part for place, part in enumerate(name.split("_"))]
    numbers = [-0.125 - len(token) / 64 for token in tokens]
    top = [{token: number} for token, number in zip(tokens, numbers, strict=True)]
    return {"text_offset": [30 + 5 * place for place in range(len(tokens))], "token_logprobs": [*numbers],
            "tokens": [*tokens], "top_logprobs": [*top]}  # fmt: skip


def shown_in_chat(name: str) -> dict[str, list[object]]:
    told = shown(name)
    each = [{"token": token, "logprob": number, "bytes": [*str(token).encode()]}
            for token, number in zip(told["tokens"], told["token_logprobs"], strict=True)]  # fmt: skip
    return {"content": [token | {"top_logprobs": [token]} for token in each]}


MODELS = json.dumps({"object": "list", "data": [{"id": "m", "object": "model", "owned_by": "vllm",
                                                  "max_model_len": 32768}]}).encode()  # fmt: skip
"""What is listed, so that the server is taken for vLLM."""


def framed(body: bytes, kind: str = "application/json", status: str = "200 OK", more: str = "") -> bytes:
    """Put a body behind the headers that uvicorn sends; `more` are further headers, each line with its end."""
    head = (f"HTTP/1.1 {status}", "date: Thu, 26 Nov 2026 12:00:00 GMT", "server: uvicorn",
            f"content-length: {len(body)}", f"content-type: {kind}", more, "")  # fmt: skip
    return "\r\n".join(head).encode() + body


BODY = json.dumps({"model": "m", "prompt": "def ", "n": 4, "max_tokens": 16, "temperature": 1.0, "pad": ""}).encode()
BODY = BODY[:-2] + b"x" * (271 - len(BODY)) + BODY[-2:]
"""A request of 271 bytes, for which the one reply below is the answer."""

_TEXT = json.dumps({"object": "text_completion", "choices": [{"index": i, "text": "", "finish_reason": "stop"}
                                                              for i in range(4)], "pad": ""}).encode()  # fmt: skip
REPLY = framed(_TEXT[:-2] + b"x" * (579 - len(_TEXT)) + _TEXT[-2:])
"""The one reply: 579 bytes of JSON with four empty choices."""
