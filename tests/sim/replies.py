"""What a simulated replica says: the bytes of a vLLM server's replies, good and bad.

The real wire code reads them. This file decides their text alone; when each is said is :mod:`sim.replica`'s.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import msgspec

from evoselfcode.clients.replies import Reply

MODEL = "simulated-coder"
JSON = {"content-type": "application/json"}

CANARIES = {"(16)": "math.sqrt", ".join": '"/"'}
"""How a suffix of the preflight begins, and the middle that it forces."""

LIES = ("an error document", "a cut body", "a page", "no choices", "no ending")
"""A 200 that is none."""

_encode = msgspec.json.encode


def models() -> Reply:
    card = {"id": MODEL, "object": "model", "owned_by": "vllm", "root": "weights/base", "max_model_len": 32768}
    return 200, JSON, _encode({"object": "list", "data": [card]})


def metrics(running: int, waiting: int) -> Reply:
    text = (
        "# TYPE vllm:num_requests_running gauge\n"
        f'vllm:num_requests_running{{engine="0",model_name="{MODEL}"}} {running:.1f}\n'
        "# TYPE vllm:num_requests_waiting gauge\n"
        f'vllm:num_requests_waiting{{engine="0",model_name="{MODEL}"}} {waiting:.1f}\n'
    )
    return 200, {"content-type": "text/plain; version=0.0.4; charset=utf-8"}, text.encode()


def refusal(status: int, message: str, retry_after: float | None = None) -> Reply:
    """Refuse as vLLM does."""
    headers = JSON if retry_after is None else {**JSON, "retry-after": f"{retry_after:g}"}
    return status, headers, _encode({"error": {"message": message, "type": "error", "param": None, "code": status}})


def name_of(seed: int) -> str:
    """Return the name that a draw with this seed gives: mostly a good one, some that gates drop, some twice."""
    number = int.from_bytes(blake2b(seed.to_bytes(8), digest_size=4).digest())
    match number % 10:
        case 0:
            return "main"
        case 1:
            return "9lives"
        case 2:
            return f"common_name_{number % 7}"
        case _:
            return f"compute_{number:x}_total"


def completion(asked: dict[str, Any]) -> Reply:
    """Answer a completion request: choice *i* is drawn with ``seed + i``, so that the same request gets the same."""
    count, seed = asked.get("n", 1), asked.get("seed") or 0
    suffix = asked.get("suffix") or ""
    forced = next((middle for begins, middle in CANARIES.items() if begins in suffix), None)
    choices = []
    for index in range(count):
        text = forced or name_of(seed + index)
        logprobs = {"tokens": [text], "token_logprobs": [-0.5]} if asked.get("logprobs") is not None else None
        choices.append({"index": index, "text": text, "finish_reason": "stop", "logprobs": logprobs})
    usage = {"prompt_tokens": 20, "completion_tokens": 4 * count, "total_tokens": 20 + 4 * count}
    return 200, JSON, _encode({"object": "text_completion", "model": MODEL, "choices": choices, "usage": usage})


def lie(which: str, asked: dict[str, Any]) -> Reply:
    """Say 200 and give no completion."""
    match which:
        case "an error document":
            return 200, JSON, _encode({"error": {"message": "CUDA error", "type": "InternalServerError", "code": 500}})
        case "a cut body":
            status, headers, body = completion(asked)
            return status, headers, body[: len(body) * 2 // 3]
        case "a page":
            return 200, {"content-type": "text/html"}, b"<!DOCTYPE html><title>Welcome</title>"
        case "no choices":
            return 200, JSON, _encode({"object": "text_completion", "model": MODEL, "choices": []})
        case _:
            return 200, JSON, _encode({"choices": [{"index": 0, "text": "half_a_", "finish_reason": None}]})
