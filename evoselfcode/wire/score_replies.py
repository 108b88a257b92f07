"""The replies that carry the log-probabilities of a given text: seven shapes, one list of tokens.

This file decides where in each reply the tokens and their numbers are. It refuses to know what the text was. A number
that is none (``null``, −∞ in any spelling, NaN, vLLM's −9999) becomes ``None``; it never makes a reader raise.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import msgspec

from evoselfcode.records import Failure, Usage
from evoselfcode.wire import completions
from evoselfcode.wire.alignment import Said
from evoselfcode.wire.dialect import ScoreMode
from evoselfcode.wire.failures import UNREADABLE, shorten

LEAST = -9999.0
"""What vLLM writes for −∞."""

Tokens = tuple[tuple[Said, ...], ...]


class Scored(msgspec.Struct, frozen=True):
    """What a reply says of the text that was sent.

    Attributes:
        tokens: Each token with everything that it may be; more than was sent, where one was generated.
        mean: Mean log-probability of a token in nats, where the server tells nothing else.
        usage: What it counted.
        model: The model it names.
    """

    tokens: Tokens = ()
    mean: float | None = None
    usage: Usage = Usage()
    model: str | None = None


class _Absent(Exception):
    """What was asked for is not in the reply."""


class _Strange(Exception):
    """The reply is of no shape that is known."""


def read(mode: ScoreMode, body: bytes) -> Scored | Failure:
    """Read the body of a 200; never raises."""
    try:
        document = _decoded(body)
    except (*UNREADABLE, ValueError) as error:
        return Failure("bad_reply", f"the reply is not JSON: {shorten(str(error))}", 200)
    if isinstance(document, list) and len(document) == 1:
        document = document[0]  # native endpoints answer a list with a list
    if not isinstance(document, dict):
        return Failure("bad_reply", "the reply is no JSON object", 200)
    if document.get("error") or document.get("object") == "error":
        return completions.inner_failure(body)
    if isinstance(ending := _ending(document), Failure):
        return ending
    try:
        found = _READERS[mode](document)
    except _Absent as absent:
        return Failure("unsupported", f"the reply has no {absent}", 200)
    except _Strange as strange:
        return Failure("bad_reply", f"the reply is of an unknown shape: {strange}", 200)
    name = document.get("model")
    scored = Scored(mean=found) if isinstance(found, float) else Scored(found)
    return msgspec.structs.replace(scored, usage=_usage(document), model=name if isinstance(name, str) else None)


def _decoded(body: bytes) -> Any:
    """Decode JSON, and Python's: it writes NaN and Infinity, and half of a surrogate pair."""
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return json.loads(body.decode())


def _ending(document: dict[str, Any]) -> Failure | None:
    """Return the failure that the reply's ending stands for, if it is one: a server that aborted, inside a 200."""
    choice, meta = _first(document.get("choices")), document.get("meta_info")
    ending = choice.get("finish_reason")
    if isinstance(meta, dict):
        ending = meta.get("finish_reason")
        ending = ending.get("type") if isinstance(ending, dict) else ending
    made = completions.make_choice("", ending if isinstance(ending, str) else "stop", None)
    return made if isinstance(made, Failure) else None


def _usage(document: dict[str, Any]) -> Usage:
    for part in (document.get("usage"), document.get("meta_info")):
        if isinstance(part, dict):
            counts = [part.get(name) for name in ("prompt_tokens", "completion_tokens")]
            prompt, spent = (count if type(count) is int else None for count in counts)
            return Usage(prompt, spent)
    return Usage()


def _first(items: object) -> dict[str, Any]:
    """Return the first of a list of objects; an empty one if there is none."""
    first = items[0] if isinstance(items, list) and items else None
    return first if isinstance(first, dict) else {}


def number(value: object) -> float | None:
    """Read a log-probability; ``None`` for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        read = float(value)
    except (ValueError, OverflowError):
        return None
    return read if math.isfinite(read) and read > LEAST else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _prompt_logprobs(document: dict[str, Any]) -> Tokens:
    """vLLM: a list with a hole at its head, then one object per token, by token id.

    With ``prompt_logprobs: 0`` it holds the token itself; a server that adds the likeliest ones does so in no order
    that tells which it is. Its id does, where the server gives the ids; else the text that was sent must.
    """
    choice = _first(document.get("choices"))
    listed, ids = choice.get("prompt_logprobs"), choice.get("prompt_token_ids")
    if listed is None:
        raise _Absent("prompt_logprobs")
    if not isinstance(listed, list):
        raise _Strange("prompt_logprobs is no list")
    known = ids if isinstance(ids, list) and len(ids) == len(listed) else [None] * len(listed)
    tokens: list[tuple[Said, ...]] = []
    for entries, own in zip(listed, known, strict=True):
        if not isinstance(entries, dict) or not entries:
            tokens.append((Said(None, None),))
            continue
        chosen = [entries[str(own)]] if str(own) in entries else list(entries.values())
        tokens.append(tuple(dict.fromkeys(_entry(entry) for entry in chosen)))
    return tuple(tokens)


def _entry(entry: object) -> Said:
    if not isinstance(entry, dict):  # the first servers of this shape gave the number alone
        return Said(None, number(entry))
    return Said(_text(entry.get("decoded_token")), number(entry.get("logprob")))


def _arrays(logprobs: object) -> Tokens:
    """Read parallel arrays, or ``content[]`` as chat replies have it."""
    if not isinstance(logprobs, dict):
        raise _Absent("log-probabilities")
    content = logprobs.get("content")
    if isinstance(content, list):
        return tuple((_content(token),) for token in content)
    strings, numbers = logprobs.get("tokens"), logprobs.get("token_logprobs")
    if strings is None or numbers is None:
        raise _Absent("tokens, or none of their log-probabilities")
    if not isinstance(strings, list) or not isinstance(numbers, list) or len(strings) != len(numbers):
        raise _Strange("tokens and token_logprobs do not belong together")
    return tuple((Said(_text(one), number(value)),) for one, value in zip(strings, numbers, strict=True))


def _content(token: object) -> Said:
    if not isinstance(token, dict):
        raise _Strange("content[] holds no objects")
    return Said(_text(token.get("token")), number(token.get("logprob")))


def _echo(document: dict[str, Any]) -> Tokens:
    return _arrays(_first(document.get("choices")).get("logprobs"))


def _together(document: dict[str, Any]) -> Tokens:
    """Together: the prompt's numbers are in a list of their own, beside the choices."""
    return _arrays(_first(document.get("prompt")).get("logprobs"))


def _generate(document: dict[str, Any]) -> Tokens:
    """SGLang: ``[log-probability, id, text]`` for each token."""
    meta = document.get("meta_info")
    listed = meta.get("input_token_logprobs") if isinstance(meta, dict) else None
    if not listed:
        raise _Absent("input_token_logprobs")
    if not isinstance(listed, list) or not all(isinstance(one, list) and len(one) >= 2 for one in listed):
        raise _Strange("input_token_logprobs is no list of lists")
    return tuple((Said(_text(one[2]) if len(one) > 2 else None, number(one[0])),) for one in listed)


def _prefill(document: dict[str, Any]) -> Tokens:
    """TGI: ``details.prefill``; empty unless the server was started to compute it."""
    details = document.get("details")
    listed = details.get("prefill") if isinstance(details, dict) else None
    if not listed:
        raise _Absent("details.prefill: start the server with --enable-prefill-logprobs")
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise _Strange("details.prefill is no list of objects")
    return tuple((Said(_text(one.get("text")), number(one.get("logprob"))),) for one in listed)


def _get_ppl(document: dict[str, Any]) -> float:
    """LMDeploy: ``ppl`` is the mean cross-entropy, not its exponential."""
    value = document.get("ppl")
    loss = number(value[0] if isinstance(value, list) and len(value) == 1 else value)
    if loss is None:
        raise _Absent("ppl")
    return -loss


_READERS: dict[ScoreMode, Callable[[dict[str, Any]], Tokens | float]] = {
    "prompt_logprobs": _prompt_logprobs,
    "echo": _echo,
    "echo_one": _echo,
    "generate": _generate,
    "prefill": _prefill,
    "together": _together,
    "get_ppl": _get_ppl,
}
