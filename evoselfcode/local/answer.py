"""Answer HTTP requests without HTTP: method, path and body in, status, headers and body out.

This file decides the routes and the shape of every reply. It refuses to know where the bytes come from: a socket
(:mod:`evoselfcode.local.serve`) or the same process. The same request with a seed gets the same bytes, which is why
``created`` is 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any, Literal

import orjson

from evoselfcode import __version__
from evoselfcode.errors import UsageError
from evoselfcode.local.model import MODEL_ID, EmbeddedModel
from evoselfcode.local.protocol import (
    FIM_MIDDLE,
    FIM_PREFIX,
    FIM_SUFFIX,
    MAX_MODEL_LEN,
    ChatBody,
    CompletionBody,
    Refused,
    TokenizeBody,
    as_prompt,
    check_length,
    parse,
)
from evoselfcode.local.sampler import Draft
from evoselfcode.records import Fim, Prompt, Sampling

SuffixPolicy = Literal["honour", "refuse", "ignore"]
"""What to do with the ``suffix`` field: fill in the middle; answer 400 as vLLM does; act as if it were not there."""

Reply = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""

_SENTINELS = {FIM_PREFIX: 24, FIM_SUFFIX: 25, FIM_MIDDLE: 26}  # numbers that no token of the model has
_SPLIT = re.compile("(" + "|".join(map(re.escape, _SENTINELS)) + ")")
_JSON = {"content-type": "application/json"}

_Scored = tuple[str, float, str]


def answer(method: str, path: str, body: bytes, *, suffix: SuffixPolicy = "honour") -> Reply:
    """Answer one request as a vLLM server with this model would.

    Args:
        method: ``GET`` or ``POST``.
        path: Path without the host; a query string is ignored.
        body: Request body.
        suffix: What to do with the ``suffix`` field of ``/v1/completions``.

    Returns:
        Status, headers and body. Whatever the body holds, no exception leaves this function.
    """
    try:
        return _routed(method, path.partition("?")[0], body, suffix)
    except Refused as refused:
        return refused.status, _JSON, error_body(refused.status, refused.message, refused.type, refused.param)
    except UsageError as error:  # no sources to learn from: the hint must reach whoever reads the reply
        return 500, _JSON, error_body(500, ", ".join(filter(None, (error.message, error.hint))), "InternalServerError")


def error_body(status: int, message: str, type_: str, param: str | None = None) -> bytes:
    """Write vLLM's error envelope (0.10.2 and later)."""
    shown = message.encode("utf-8", "replace").decode()
    return orjson.dumps({"error": {"message": shown, "type": type_, "param": param, "code": status}})


def _models() -> dict[str, Any]:
    card = {
        "id": MODEL_ID,
        "object": "model",
        "created": 0,
        "owned_by": "evoselfcode",
        "root": f"{MODEL_ID}@{EmbeddedModel.load().digest[:12]}",
        "parent": None,
        "max_model_len": MAX_MODEL_LEN,
    }
    return {"object": "list", "data": [card]}


def _version() -> dict[str, Any]:
    return {"version": __version__}


_GET: dict[str, Callable[[], dict[str, Any]]] = {"/v1/models": _models, "/version": _version}
_METHODS = dict.fromkeys([*_GET, "/health"], "GET") | dict.fromkeys(
    ["/v1/completions", "/v1/chat/completions", "/tokenize"], "POST"
)


def _routed(method: str, path: str, body: bytes, suffix: SuffixPolicy) -> Reply:
    if path not in _METHODS:
        raise Refused("Not Found", status=404, type_="Not Found")
    if _METHODS[path] != method:
        raise Refused("Method Not Allowed", status=405, type_="Method Not Allowed")
    if path == "/health":
        return 200, {}, b""
    return 200, _JSON, orjson.dumps(_GET[path]() if method == "GET" else _post(path, body, suffix))


def _post(path: str, body: bytes, suffix: SuffixPolicy) -> dict[str, Any]:
    if path == "/tokenize":
        return _tokenize(parse(body, TokenizeBody))
    reply = (
        _completions(parse(body, CompletionBody), suffix) if path == "/v1/completions" else _chat(parse(body, ChatBody))
    )
    return {"id": f"cmpl-{blake2b(body, digest_size=12).hexdigest()}", "created": 0, "model": MODEL_ID, **reply}


def _completions(body: CompletionBody, policy: SuffixPolicy) -> dict[str, Any]:
    if body.suffix is not None and policy == "refuse":
        raise Refused("suffix is not currently supported")
    if policy == "ignore":
        body.suffix = None
    sampling, texts = body.sampling(), body.prompts()
    prompts = [as_prompt(text, body.suffix) for text in texts]
    for field, wanted in (("echo", body.echo), ("prompt_logprobs", body.prompt_logprobs is not None)):
        if wanted and any(isinstance(prompt, Fim) for prompt in prompts):
            told = "the embedded model has no number for one token of a middle"
            raise Refused(f"{field} is not supported with fill-in-the-middle: {told}", param=field)
    model = EmbeddedModel.load()
    for prompt in prompts:
        check_length(model, prompt, sampling.max_new_tokens)
    choices: list[dict[str, Any]] = []
    drawn = 0
    for text, prompt in zip(texts, prompts, strict=True):
        said = model.charged(text) if body.echo and sampling.logprobs is not None else []
        for draft in model.drafts(prompt, sampling):
            scored = [*said, *_scored(draft)]
            choices.append({
                "index": len(choices),
                "text": text + draft.text if body.echo else draft.text,
                "logprobs": _legacy(model, scored, sampling.logprobs),
                "finish_reason": draft.finish,
                "stop_reason": draft.stop,
                **_prompt_logprobs(model, text, body.prompt_logprobs),
            })  # fmt: skip
            drawn += draft.drawn
    return {"object": "text_completion", "choices": choices, "usage": _usage(model, prompts, drawn)}


def _chat(body: ChatBody) -> dict[str, Any]:
    sampling, prompt = body.sampling(), body.prompt()
    model = EmbeddedModel.load()
    check_length(model, prompt, sampling.max_new_tokens)
    drafts = model.drafts(prompt, sampling)
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": draft.text},
            "logprobs": _content(model, draft, sampling),
            "finish_reason": draft.finish,
            "stop_reason": draft.stop,
        }
        for index, draft in enumerate(drafts)
    ]
    usage = _usage(model, [prompt], sum(draft.drawn for draft in drafts))
    return {"object": "chat.completion", "choices": choices, "usage": usage}


def _tokenize(body: TokenizeBody) -> dict[str, Any]:
    model = EmbeddedModel.load()
    tokens = [
        number
        for part in _SPLIT.split(body.prompt)
        for number in ([_SENTINELS[part]] if part in _SENTINELS else model.tokenize(part))
    ]
    return {"count": len(tokens), "max_model_len": MAX_MODEL_LEN, "tokens": tokens, "token_strs": None}


def _usage(model: EmbeddedModel, prompts: list[Prompt], drawn: int) -> dict[str, int]:
    asked = sum(model.count_prompt(prompt) for prompt in prompts)
    return {"prompt_tokens": asked, "completion_tokens": drawn, "total_tokens": asked + drawn}


def _scored(draft: Draft) -> Iterator[_Scored]:
    return zip(draft.tokens, draft.logprobs, draft.contexts, strict=False)


def _legacy(model: EmbeddedModel, scored: list[_Scored], count: int | None) -> dict[str, Any] | None:
    """Write log-probabilities as four arrays; the alternatives hold the token itself too, so `count` + 1 at most.

    The first token of a text has a number here, where vLLM may have ``null``: this model knows how texts begin, as
    a model with a begin-of-text token does.
    """
    if count is None:
        return None
    offsets = [0]
    for token, _, _ in scored:
        offsets.append(offsets[-1] + len(token))
    return {
        "tokens": [token for token, _, _ in scored],
        "token_logprobs": [logprob for _, logprob, _ in scored],
        "top_logprobs": [{**_alternatives(model, context, count), token: lp} for token, lp, context in scored],
        "text_offset": offsets[:-1],
    }


def _prompt_logprobs(model: EmbeddedModel, text: str, count: int | None) -> dict[str, Any]:
    """Write the prompt's log-probabilities as vLLM does: nothing for the first token, then one object for each, by id.

    With a `count` the likeliest tokens stand beside the token itself, which is the last there, unless it is one of
    them. Only these have a rank; all unknown words of a kind share an id, and at most one of them is in an object.
    """
    if count is None:
        return {}
    listed: list[dict[str, Any] | None] = []
    for token, logprob, context in model.charged(text):
        likely = list(_alternatives(model, context, count).items())
        ranks = {name: rank for rank, (name, _) in enumerate(likely, 1)}
        entries = {**dict(likely), token: logprob}
        ids = [model.number(context, name) for name in entries]
        listed.append({
            str(number): {"logprob": value, "rank": ranks.get(name), "decoded_token": name}
            for number, (name, value) in zip(ids, entries.items(), strict=True)
        })  # fmt: skip
    return {"prompt_logprobs": [None, *listed[1:]]}


def _content(model: EmbeddedModel, draft: Draft, sampling: Sampling) -> dict[str, Any] | None:
    """Write log-probabilities as a list, as chat replies do."""
    count = sampling.logprobs
    if count is None:
        return None
    return {
        "content": [
            {
                **_entry(token, logprob),
                "top_logprobs": [_entry(*item) for item in _alternatives(model, context, count).items()],
            }
            for token, logprob, context in _scored(draft)
        ]
    }


def _entry(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}


def _alternatives(model: EmbeddedModel, context: str, count: int) -> dict[str, float]:
    return {token: math.log(p) for token, p in model.likeliest(context, count).items()}
