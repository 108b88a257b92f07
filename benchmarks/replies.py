"""Replies as vLLM gives them to the stage of names: many, each with other names, all of one length.

Filters and duplicates have real work only where replies differ. Of what is drawn here nearly half repeats a name, one
in twelve is dropped for another reason: a keyword, a builtin, a test, a weak name, no name at all.
"""

from __future__ import annotations

import json
from itertools import accumulate
from random import Random

VERBS = ("find", "merge", "count", "sort", "build", "parse", "check", "split", "reverse", "compute", "remove",
         "insert", "search", "rotate", "encode", "decode", "flatten", "group", "rank", "sum", "max", "min", "is",
         "has")  # fmt: skip
NOUNS = ("array", "list", "tree", "graph", "matrix", "string", "prime", "path", "node", "word", "cycle", "queue",
         "stack", "heap", "interval", "digit", "subset", "range", "palindrome", "edge", "bit", "substring", "triangle",
         "pairs", "factors", "roots", "anagram", "island", "row", "column", "window", "prefix", "suffix")  # fmt: skip
BETWEEN = ("", "of_", "in_", "by_", "with_")
OTHERS = ("for", "print", "test_it", "main", "solution", "", "1st", "__init__", "not a name", "x" * 4 + "<|endoftext|>")

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
    choices = [
        {"index": index, "text": name, "logprobs": shown(name) if logprobs else None, "finish_reason": "stop",
         "stop_reason": "("}
        for index, name in enumerate(names)
    ]  # fmt: skip
    document = {"id": "", "object": "text_completion", "created": 1_795_000_000 + number, "model": "m",
                "choices": choices,
                "usage": {"prompt_tokens": 10, "total_tokens": 30, "completion_tokens": 20}}  # fmt: skip
    short = BODY_BYTES[logprobs] - len(json.dumps(document))
    document["id"] = f"cmpl-{number:0{short - 5}d}"
    written = json.dumps(document).encode()
    assert len(written) == BODY_BYTES[logprobs]
    return written


def shown(name: str) -> dict[str, list[object]]:
    tokens = [part if not place else "_" + part for place, part in enumerate(name.split("_"))]
    numbers = [-0.125 - len(token) / 64 for token in tokens]
    top = [{token: number} for token, number in zip(tokens, numbers, strict=True)]
    return {"text_offset": [30 + 5 * place for place in range(len(tokens))], "token_logprobs": [*numbers],
            "tokens": [*tokens], "top_logprobs": [*top]}  # fmt: skip


MODELS = json.dumps({"object": "list", "data": [{"id": "m", "object": "model", "owned_by": "vllm",
                                                  "max_model_len": 32768}]}).encode()  # fmt: skip
"""What is listed, so that the server is taken for vLLM."""


def framed(body: bytes) -> bytes:
    """Put a body behind the headers that uvicorn sends."""
    head = ("HTTP/1.1 200 OK", "date: Thu, 26 Nov 2026 12:00:00 GMT", "server: uvicorn",
            f"content-length: {len(body)}", "content-type: application/json", "", "")  # fmt: skip
    return "\r\n".join(head).encode() + body
