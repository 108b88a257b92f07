"""Endpoints made for FIM: llama.cpp ``/infill``, Mistral ``/fim/completions``, Ollama ``/api/generate``.

This file decides their bodies and reads the two native replies; Mistral answers in the OpenAI-like envelope, which
:func:`evoselfcode.wire.completions.read` reads.
"""

from __future__ import annotations

from typing import Any

import msgspec

from evoselfcode.records import Completion, Failure, Fim, Prompt, Sampling, Usage
from evoselfcode.wire import alternatives as others
from evoselfcode.wire import completions
from evoselfcode.wire.dialect import Dialect
from evoselfcode.wire.failures import UNREADABLE, shorten


def infill_body(prompt: Fim, sampling: Sampling) -> dict[str, Any]:
    """Build the body of llama.cpp ``/infill``.

    The server keeps the last 3/4 and the first 1/4 of its batch size (2,048 tokens by default) of prefix and
    suffix, silently.
    """
    document: dict[str, Any] = {
        "input_prefix": prompt.prefix,
        "input_suffix": prompt.suffix,
        "n_predict": sampling.max_new_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        **completions.GGML_NEUTRAL,
        "stop": list(sampling.stop),
    }
    if sampling.n > 1:
        document["n_cmpl"] = sampling.n
    if sampling.seed is not None:
        document["seed"] = sampling.seed
    if sampling.logprobs is not None:
        document["n_probs"] = max(1, sampling.logprobs)
    return document


def vendor_body(prompt: Prompt, sampling: Sampling, dialect: Dialect) -> dict[str, Any]:
    """Build the body of Mistral's FIM endpoint; left-to-right is FIM without suffix. Unknown fields are refused."""
    document: dict[str, Any] = {
        "model": dialect.model,
        "prompt": prompt.prefix if isinstance(prompt, Fim) else prompt.prompt,
        "max_tokens": sampling.max_new_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
    }
    if isinstance(prompt, Fim):
        document["suffix"] = prompt.suffix
    if sampling.stop:
        document["stop"] = list(sampling.stop)
    if sampling.seed is not None:
        document["random_seed"] = sampling.seed
    return document


def ollama_body(prompt: Prompt, sampling: Sampling, dialect: Dialect, stops: tuple[str, ...] = ()) -> dict[str, Any]:
    """Build the body of Ollama ``/api/generate``.

    Without ``raw`` a left-to-right prompt would become a user message in the model's chat template; with ``raw`` a
    suffix would be dropped. A prompt that does not fit is refused, not cut at its beginning; a thinking model does
    not think.

    Args:
        prompt: Fill-in-the-middle by the model's own template, or raw text.
        sampling: How to draw.
        dialect: The server.
        stops: A family's stop strings, for raw text that carries its sentinels.
    """
    options: dict[str, Any] = {
        "num_predict": sampling.max_new_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        **completions.GGML_NEUTRAL,
        "stop": list(dict.fromkeys((*sampling.stop, *stops))),
    }
    if sampling.seed is not None:
        options["seed"] = sampling.seed
    document: dict[str, Any] = {"model": dialect.model, "stream": False, "options": options}
    document |= {"truncate": False, "shift": False, "think": False}
    if isinstance(prompt, Fim):
        document |= {"prompt": prompt.prefix, "suffix": prompt.suffix}
    else:
        document |= {"prompt": prompt.prompt, "raw": True}
    if sampling.logprobs is not None and dialect.logprobs:
        document["logprobs"] = True
        if sampling.logprobs:
            document["top_logprobs"] = sampling.logprobs
    return document


class _Probability(msgspec.Struct):
    token: str = ""
    logprob: float | None = None


class _Infill(msgspec.Struct):
    content: str | None = None
    stop_type: str | None = None
    index: int = 0
    tokens_predicted: int | None = None
    tokens_evaluated: int | None = None
    completion_probabilities: list[_Probability] | None = None
    model: str | None = None
    error: Any = None


_infill = msgspec.json.Decoder(_Infill | list[_Infill])


def read_infill(body: bytes, *, alternatives: bool = False) -> Completion | Failure:
    """Read llama.cpp's native reply: one object, or a list when several choices were asked for.

    Args:
        body: The whole body.
        alternatives: Whether to read what else was held possible in the place of each token.
    """
    try:
        decoded = completions.decode(_infill, body)
    except UNREADABLE as error:
        return Failure("bad_reply", f"the reply is not an infill result: {shorten(str(error))}", 200)
    results = decoded if isinstance(decoded, list) else [decoded]
    if any(result.error for result in results):
        return completions.inner_failure(body)
    if not results:
        return Failure("bad_reply", "the reply has no results", 200)
    choices = []
    for result in sorted(results, key=lambda item: item.index):
        probabilities = result.completion_probabilities or []
        tokens = completions.pairs([(item.token, item.logprob) for item in probabilities])
        choice = completions.make_choice(result.content, result.stop_type, tokens)
        if isinstance(choice, Failure):
            return choice
        choices.append(choice)
    if alternatives:
        told = others.of_infill(body, [len(choice.tokens or ()) for choice in choices])
        choices = [msgspec.structs.replace(choice, alternatives=it) for choice, it in zip(choices, told, strict=True)]
    spent = [result.tokens_predicted for result in results if result.tokens_predicted is not None]
    usage = Usage(results[0].tokens_evaluated, sum(spent) if spent else None)
    return Completion(tuple(choices), usage, results[0].model)


class _Ollama(msgspec.Struct):
    response: str | None = None
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    logprobs: list[_Probability] | None = None
    model: str | None = None
    error: Any = None


_ollama = msgspec.json.Decoder(_Ollama)


def read_ollama(body: bytes, *, alternatives: bool = False) -> Completion | Failure:
    """Read Ollama's native reply.

    Args:
        body: The whole body.
        alternatives: Whether to read what else was held possible in the place of each token.
    """
    try:
        reply = completions.decode(_ollama, body)
    except UNREADABLE as error:
        return Failure("bad_reply", f"the reply is not a generate result: {shorten(str(error))}", 200)
    if reply.error:
        return completions.inner_failure(body)
    tokens = completions.pairs([(item.token, item.logprob) for item in reply.logprobs or []])
    choice = completions.make_choice(reply.response, reply.done_reason, tokens)
    if isinstance(choice, Failure):
        return choice
    if alternatives and choice.tokens:
        choice = msgspec.structs.replace(choice, alternatives=others.of_ollama(body, len(choice.tokens)))
    return Completion((choice,), Usage(reply.prompt_eval_count, reply.eval_count), reply.model)
