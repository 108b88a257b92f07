"""The door of the wire: a request and a dialect become one HTTP message; a reply becomes a record.

This file decides which endpoint serves which prompt in which dialect. The bodies are built and read by
:mod:`~evoselfcode.wire.completions`, :mod:`~evoselfcode.wire.chat`, :mod:`~evoselfcode.wire.infill` and
:mod:`~evoselfcode.wire.scoring`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

import msgspec
import orjson

from evoselfcode.errors import PromptError
from evoselfcode.records import Completion, Failure, Fim, Given, L2r, Prompt, Request, Sampling
from evoselfcode.wire import chat, completions, infill, scoring, sentinels
from evoselfcode.wire.dialect import Call, Dialect, Endpoint, FimMode, L2rMode
from evoselfcode.wire.failures import UNREADABLE, classify


def call(request: Request, dialect: Dialect, where: Endpoint, *, ids: list[int] | None = None) -> Call:
    """Build the HTTP message of one attempt.

    Args:
        request: What to ask.
        dialect: How this server wants to be asked.
        where: The server.
        ids: The prompt as token ids, for families whose sentinels cannot be written as text.

    Raises:
        PromptError: The prompt cannot be asked: it contains a sentinel, the dialect knows no FIM or no scoring, or the
            text is no Unicode text (half of a surrogate pair).
    """
    prompt = request.prompt
    if isinstance(prompt, Given):
        path, document = scoring.body(prompt, dialect)
        base = where.root if dialect.score in scoring.NATIVE else where.api
    else:
        path, document = _message(request, prompt, dialect, ids)
        base = where.api if _shape(prompt, dialect) == "openai" else where.root
    try:
        return Call("POST", base + path, orjson.dumps(document))
    except TypeError as error:
        raise PromptError(f"the request cannot be written as JSON: {error}") from None


def _mode(prompt: Prompt, dialect: Dialect) -> FimMode | L2rMode:
    if isinstance(prompt, Fim):
        return dialect.fim if prompt.order is None else "sentinel"
    return dialect.l2r


def _shape(prompt: Prompt, dialect: Dialect) -> Literal["openai", "infill", "ollama"]:
    """Name the protocol that serves this prompt; the native ones live at the server's root."""
    match _mode(prompt, dialect):
        case "infill":
            return "infill"
        case "ollama":
            return "ollama"
        case "sentinel" if dialect.l2r == "ollama":
            return "ollama"  # its /v1/completions would put the raw prompt into the chat template
    return "openai"


def _message(request: Request, prompt: Prompt, dialect: Dialect, ids: list[int] | None) -> tuple[str, dict[str, Any]]:
    mode, sampling = _mode(prompt, dialect), request.sampling
    match mode:
        case "vendor":
            return "/fim/completions", infill.vendor_body(prompt, sampling, dialect)
        case "ollama":
            return "/api/generate", infill.ollama_body(prompt, sampling, dialect)
    if not isinstance(prompt, Fim):
        if mode == "chat":
            return "/chat/completions", chat.message(prompt, sampling, dialect)
        blank = "" if dialect.blank_suffix else None
        return "/completions", _completions_body(sampling, dialect, prompt.prompt, blank)
    match mode:
        case "suffix":
            return "/completions", _completions_body(sampling, dialect, prompt.prefix, prompt.suffix)
        case "chat":
            return "/chat/completions", chat.body(prompt, sampling, dialect)
        case "infill":
            return "/infill", infill.infill_body(prompt, sampling)
        case "sentinel":
            return _raw(prompt, request, dialect, ids)
    raise PromptError("this server can do no fill-in-the-middle")


def _completions_body(sampling: Sampling, dialect: Dialect, prompt: str, suffix: str | None) -> dict[str, Any]:
    """Build the body of a completion; all but texts and seed is built once for an arm, which is 1 µs a request."""
    it, seeded, bounded = sampling, sampling.seed is not None, suffix is not None
    document = _same(
        it.max_new_tokens, it.n, it.temperature, it.top_p, it.stop, it.logprobs, dialect, seeded=seeded, bounded=bounded
    ).copy()
    document["prompt"] = prompt
    if bounded:
        document["suffix"] = suffix
    if "seed" in document:
        document["seed"] = sampling.seed
    return document


@lru_cache(maxsize=64, typed=True)
def _same(
    most: int, n: int, temperature: float, top_p: float, stop: tuple[str, ...], logprobs: int | None,
    dialect: Dialect, *, seeded: bool, bounded: bool,
) -> dict[str, Any]:  # fmt: skip
    """Build a body with a place for its texts and its seed."""
    sampling = Sampling(
        max_new_tokens=most, n=n, temperature=temperature, top_p=top_p, stop=stop, seed=0 if seeded else None,
        logprobs=logprobs,
    )  # fmt: skip
    return completions.body(sampling, dialect, "", suffix="" if bounded else None)


def _raw(prompt: Fim, request: Request, dialect: Dialect, ids: list[int] | None) -> tuple[str, dict[str, Any]]:
    """Write a prompt that carries the family's sentinels, as text or as ids."""
    family = sentinels.FAMILIES.get(dialect.family or "")
    if family is None:
        raise PromptError(f"no family of sentinels is called {dialect.family!r}", hint="set api.fim.family")
    raw = ids if ids is not None else sentinels.render(family, prompt)
    if dialect.l2r == "ollama" and isinstance(raw, str):
        return "/api/generate", infill.ollama_body(L2r(raw), request.sampling, dialect, family.endings)
    # Ids are those of the family's own vocabulary: for a model that merely spells its sentinels alike (CodeGemma as
    # Qwen does) they are words, and the middle would end at one of them.
    known = sentinels.family_of(dialect.model) is family
    blank = "" if dialect.blank_suffix else None
    return "/completions", completions.body(
        request.sampling,
        dialect,
        raw,
        suffix=blank,
        stops=family.endings,
        stop_ids=family.stop_ids if known else (),
        show_special=family.ids is None,  # vLLM refuses it for Mistral's tokenizers
    )


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
        return classify(status, headers, body, server=dialect.server)
    if isinstance(request.prompt, Given):
        return scoring.read(request.prompt, dialect, body)
    alternatives = bool(request.sampling.logprobs)
    match _shape(request.prompt, dialect):
        case "infill":
            return infill.read_infill(body, alternatives=alternatives)
        case "ollama":
            return infill.read_ollama(body, alternatives=alternatives)
    completion = completions.read(body, alternatives=alternatives)
    if dialect.usage_of_one_choice and isinstance(completion, Completion):
        return _all_counted(completion)
    return completion


def _all_counted(completion: Completion) -> Completion:
    """Take a count of one choice's tokens for all of them: an estimate, of the right size."""
    one = completion.usage.completion_tokens
    total = None if one is None else one * len(completion.choices)
    usage = msgspec.structs.replace(completion.usage, completion_tokens=total)
    return msgspec.structs.replace(completion, usage=usage)


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
        # Both ends are in the key: parts of another size, of a server with another limit, are other questions.
        last = first + sampling.n - 1
        name = str(first) if first == last else f"{first}-{last}"
        found.append(msgspec.structs.replace(request, key=f"{request.key}.{name}", sampling=sampling))
    return tuple(found)


def tokenize_call(where: Endpoint, dialect: Dialect, text: str) -> Call | None:
    """Build the message that asks for the tokens of `text`, without special ones; ``None`` if none is known."""
    match dialect.server:
        case "vllm" | "sglang":
            document = {"model": dialect.model, "prompt": text, "add_special_tokens": False}
        case "llamacpp":
            document = {"content": text, "add_special": False, "parse_special": False}
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
    except (*UNREADABLE, KeyError, TypeError):
        return None
