"""The door of the wire: a request and a dialect become one HTTP message; a reply becomes a record.

This file decides which endpoint serves which prompt in which dialect. The bodies are built and read by
:mod:`~evoselfcode.wire.completions`, :mod:`~evoselfcode.wire.chat` and :mod:`~evoselfcode.wire.infill`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from evoselfcode.errors import PromptError
from evoselfcode.records import Completion, Failure, Fim, Request
from evoselfcode.wire import chat, completions, infill, sentinels
from evoselfcode.wire.dialect import Call, Dialect, Endpoint
from evoselfcode.wire.failures import classify


def call(request: Request, dialect: Dialect, where: Endpoint, *, ids: list[int] | None = None) -> Call:
    """Build the HTTP message of one attempt.

    Args:
        request: What to ask.
        dialect: How this server wants to be asked.
        where: The server.
        ids: The prompt as token ids, for families whose sentinels cannot be written as text.

    Raises:
        PromptError: The prompt cannot be asked: it contains a sentinel, or the dialect knows no FIM.
    """
    mode = dialect.fim if isinstance(request.prompt, Fim) else dialect.l2r
    path, document = _message(request, dialect, mode, ids)
    base = where.root if mode in ("infill", "ollama") else where.api
    return Call("POST", base + path, orjson.dumps(document))


def _message(request: Request, dialect: Dialect, mode: str, ids: list[int] | None) -> tuple[str, dict[str, Any]]:
    prompt, sampling = request.prompt, request.sampling
    match mode:
        case "vendor":
            return "/fim/completions", infill.vendor_body(prompt, sampling, dialect)
        case "ollama":
            return "/api/generate", infill.ollama_body(prompt, sampling, dialect)
    if not isinstance(prompt, Fim):
        blank = "" if dialect.blank_suffix else None
        return "/completions", completions.body(sampling, dialect, prompt.prompt, suffix=blank)
    match mode:
        case "suffix":
            return "/completions", completions.body(sampling, dialect, prompt.prefix, suffix=prompt.suffix)
        case "chat":
            return "/chat/completions", chat.body(prompt, sampling, dialect)
        case "infill":
            return "/infill", infill.infill_body(prompt, sampling)
        case "sentinel":
            family = sentinels.FAMILIES[dialect.family or ""]
            raw = ids if ids is not None else sentinels.render(family, prompt)
            blank = "" if dialect.blank_suffix else None
            return "/completions", completions.body(
                sampling, dialect, raw, suffix=blank, stops=family.stops, stop_ids=family.stop_ids
            )
    raise PromptError("this server can do no fill-in-the-middle")


def read(
    request: Request, dialect: Dialect, status: int, headers: Mapping[str, str], body: bytes
) -> Completion | Failure:
    """Read the reply to one attempt; never raises.

    Args:
        request: What was asked.
        dialect: How it was asked.
        status: HTTP status.
        headers: Names in lower case.
        body: The whole body, decompressed.
    """
    if not 200 <= status < 300:
        return classify(status, headers, body)
    mode = dialect.fim if isinstance(request.prompt, Fim) else dialect.l2r
    match mode:
        case "infill":
            return infill.read_infill(body)
        case "ollama":
            return infill.read_ollama(body)
    return completions.read(body)


def parts(request: Request, max_n: int | None) -> tuple[Request, ...]:
    """Split a request that asks for more choices than the server gives at once.

    Choice *i* of the whole is drawn with ``seed + i`` in the parts too, so the parts repeat nothing and give what
    the whole would have given.
    """
    n = request.sampling.n
    if max_n is None or n <= max_n:
        return (request,)
    found = []
    for first in range(0, n, max_n):
        seed = request.sampling.seed
        sampling = msgspec.structs.replace(
            request.sampling, n=min(max_n, n - first), seed=None if seed is None else seed + first
        )
        found.append(msgspec.structs.replace(request, key=f"{request.key}.{first}", sampling=sampling))
    return tuple(found)


def tokenize_call(where: Endpoint, dialect: Dialect, text: str) -> Call | None:
    """Build the message that asks for the tokens of `text`, without special ones; ``None`` if none is known."""
    match dialect.server:
        case "vllm" | "sglang":
            document = {"model": dialect.model, "prompt": text, "add_special_tokens": False}
        case "llamacpp":
            document = {"content": text, "add_special": False}
        case _:
            return None
    return Call("POST", where.root + "/tokenize", orjson.dumps(document))


def read_tokens(status: int, body: bytes) -> list[int] | None:
    """Read the tokens, or return ``None``; never raises."""
    if status != 200:
        return None
    try:
        document = msgspec.json.decode(body)
        return msgspec.convert(document["tokens"], list[int])
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError, KeyError, TypeError):
        return None
