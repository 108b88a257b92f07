"""The shapes of replies: choices, log-probabilities, usage, error envelopes, lists of models.

Each function writes one recorded shape; the rows of :mod:`fakes.rows` say which server uses which.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .brain import logprob

JSON = {"content-type": "application/json"}
Reply = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Text:
    """One drawn text: its tokens, why it ended, and which stop string ended it."""

    pieces: tuple[str, ...]
    text: str
    ending: str
    stopped_by: str | None = None


def reply(status: int, document: object, headers: dict[str, str] | None = None) -> Reply:
    """Write a document as a reply."""
    return status, {**JSON, **(headers or {})}, json.dumps(document, ensure_ascii=False).encode()


def error(envelope: str, status: int, message: str, **more: Any) -> Reply:
    """Write an error in one of the envelopes: nested, flat, string, tgi, detail, llamacpp."""
    kind = more.get("type", "BadRequestError" if status == 400 else "NotFoundError" if status == 404 else "error")
    param, code = more.get("param"), more.get("code", status)
    match envelope:
        case "nested":
            return reply(status, {"error": {"message": message, "type": kind, "param": param, "code": code}})
        case "flat":
            flat = {"object": "error", "message": message, "type": kind, "param": param, "code": code}
            return reply(status, flat)
        case "string":
            return reply(status, {"error": message})
        case "tgi":
            return reply(status, {"error": message, "error_type": more.get("type", "validation")})
        case "detail":
            return reply(status, {"detail": message})
        case "llamacpp":
            kinds = {404: "not_found_error", 500: "server_error", 501: "not_supported_error"}
            inner = {"code": status, "message": message, "type": kinds.get(status, "invalid_request_error")}
            return reply(status, {"error": inner})
    raise AssertionError(envelope)


def logprobs_of(shape: str, drawn: Text, top: int) -> Any:
    """Write a choice's log-probabilities: legacy arrays (with or without offsets), ``content[]``, or null."""
    pairs = [(piece, logprob(piece)) for piece in drawn.pieces]
    match shape:
        case "legacy" | "sglang":
            offsets = [-1] * len(pairs)
            if shape == "legacy":
                offsets = [sum(len(piece) for piece, _ in pairs[:i]) for i in range(len(pairs))]
            # k + 1 entries where the drawn token is not among the k most likely.
            extra = {f"<alt{i}>": -9.5 - i for i in range(top)}
            return {
                "tokens": [piece for piece, _ in pairs],
                "token_logprobs": [value for _, value in pairs],
                "top_logprobs": [{piece: value, **extra} for piece, value in pairs],
                "text_offset": offsets,
            }
        case "together":
            return {
                "tokens": [piece for piece, _ in pairs],
                "token_logprobs": [value for _, value in pairs],
                "token_ids": list(range(len(pairs))),
            }
        case "content":
            content = [
                {"id": i, "token": piece, "bytes": list(piece.encode()), "logprob": value, "top_logprobs": []}
                for i, (piece, value) in enumerate(pairs)
            ]
            return {"content": content}
    return None


def usage(rule: str, prompt_tokens: int, texts: list[Text]) -> dict[str, Any]:
    """Count tokens: of all choices, of one only (llama.cpp), or zeros (LocalAI)."""
    spent = [len(drawn.pieces) for drawn in texts]
    prompt, completion = prompt_tokens, sum(spent)
    if rule == "one":
        completion = spent[0] if spent else 0
    if rule == "zero":
        prompt = completion = 0
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def completion_document(row: Any, texts: list[Text], prompt_tokens: int, top: int | None) -> dict[str, Any]:
    """Write a ``/v1/completions`` reply."""
    choices = []
    for index, drawn in enumerate(texts):
        choice: dict[str, Any] = {"index": index, "text": drawn.text, "finish_reason": row.ending(drawn)}
        if row.logprobs != "absent":
            choice["logprobs"] = logprobs_of(row.logprobs, drawn, top) if top is not None else None
        choices.append(choice | row.choice_extras)
    return {
        "id": "cmpl-0123456789abcdef",
        "object": row.object_name,
        "created": 1795350342,
        "model": row.model,
        "choices": choices,
        "usage": usage(row.usage, prompt_tokens, texts),
    }


def chat_document(row: Any, texts: list[Text], prompt_tokens: int) -> dict[str, Any]:
    """Write a chat-shaped reply: chat endpoints, and Mistral's FIM endpoint."""
    choices = [
        {"index": i, "message": {"role": "assistant", "content": drawn.text}, "finish_reason": row.ending(drawn)}
        for i, drawn in enumerate(texts)
    ]
    return {
        "id": "chatcmpl-0123456789abcdef",
        "object": "chat.completion",
        "created": 1795350342,
        "model": row.model,
        "choices": choices,
        "usage": usage(row.usage, prompt_tokens, texts),
    }


def infill_document(row: Any, index: int, drawn: Text, prompt_tokens: int, top: int) -> dict[str, Any]:
    """Write one result of llama.cpp's native dialect."""
    stop_type = {"length": "limit", "stop": "word" if drawn.stopped_by else "eos"}[drawn.ending]
    document = {
        "index": index,
        "content": drawn.text,
        "tokens": [],
        "id_slot": index,
        "stop": True,
        "model": row.model,
        "tokens_predicted": len(drawn.pieces),
        "tokens_evaluated": prompt_tokens,
        "generation_settings": {"n_predict": 16},
        "prompt": "",
        "truncated": False,
        "stop_type": stop_type,
        "stopping_word": drawn.stopped_by or "",
    }
    if top:
        document["completion_probabilities"] = logprobs_of("content", drawn, top)["content"]
    return document


def ollama_document(row: Any, drawn: Text, prompt_tokens: int, *, logprobs: bool) -> dict[str, Any]:
    """Write Ollama's native reply."""
    document: dict[str, Any] = {
        "model": row.model,
        "created_at": "2026-11-23T18:00:00.000000Z",
        "response": drawn.text,
        "done": True,
        "done_reason": drawn.ending,
        "total_duration": 5043500667,
        "prompt_eval_count": prompt_tokens,
        "eval_count": len(drawn.pieces),
    }
    if logprobs:
        document["logprobs"] = logprobs_of("content", drawn, 0)["content"]
    return document


def models_document(row: Any) -> object:
    """Write the reply to ``GET /v1/models``."""
    card: dict[str, Any] = {"id": row.model, "object": "model", "created": row.created}
    if row.owned_by is not None:
        card["owned_by"] = row.owned_by
    if row.owned_by in ("vllm", "sglang"):
        card["root"] = row.model
    card |= row.card_extras
    return [card] if row.bare_model_list else {"object": "list", "data": [card], **row.list_extras}
