"""``/v1/completions``: left-to-right, ``suffix``, raw sentinel prompts as text or ids; and the reply's shapes.

This file decides the body that each server takes and reads the OpenAI-like reply in all its shapes. Vendors' FIM
endpoints and chat answer in the same envelope with ``message.content`` for ``text``, so they are read here too.
"""

from __future__ import annotations

import json
import re
from operator import attrgetter
from typing import Any, TypeVar

import msgspec

from evoselfcode.records import Choice, Completion, Failure, FailureKind, Sampling, Usage
from evoselfcode.wire import alternatives as others
from evoselfcode.wire.dialect import Dialect
from evoselfcode.wire.failures import UNREADABLE, classify, shorten

T = TypeVar("T")

GGML_NEUTRAL: dict[str, float] = {"top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0}
"""What switches llama.cpp's own defaults off (top_k 40, min_p 0.05), also where Ollama or Python runs it."""

_EXPLICIT: dict[str, dict[str, float]] = {
    # Servers fill what is left out from the model's generation_config.json or from defaults of their own, so that
    # data would carry settings that nobody chose.
    # -1 switches it off in every vLLM; 0 is refused by those up to 0.8 ("top_k must be -1 (disable), or at least 1").
    "vllm": {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0},
    "sglang": {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0},
    "llamacpp": GGML_NEUTRAL,
    "llama-cpp-python": GGML_NEUTRAL,
}
"""Sampling fields that are sent although nobody configures them; unknown servers may refuse unknown fields."""

_STOP_IDS = ("vllm", "sglang", "trtllm")
"""Servers that take ``stop_token_ids``."""

_HIDES_SPECIAL = ("vllm", "sglang")
"""Servers that leave special tokens out of the text, before they look for stop strings, unless told not to."""

_MOST_STOPS = {"vllm": 64, "sglang": 32, "llamacpp": 64, "evoselfcode": 64, "deepseek": 16}
"""Stop strings that a server takes; others are given OpenAI's documented 4."""

_SEEDLESS = ("deepseek",)
"""Servers that refuse or ignore ``seed`` and ``n``."""

_FAILED_ENDINGS: dict[str, FailureKind] = {
    "abort": "server_error",  # vLLM, SGLang, LMDeploy: aborted on the server's side inside a 200
    "error": "server_error",  # Mistral
    "insufficient_system_resource": "overloaded",  # DeepSeek
    "load": "bad_request",  # Ollama: an empty prompt only loads the model, however often it is sent
    "unload": "bad_request",
}
"""``finish_reason`` values of a 200 that is no completion."""

_ENDINGS = {
    "stop_sequence": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "word": "stop",
    "model_length": "length",
    "limit": "length",
}
"""``finish_reason`` and ``stop_type`` values that say the same in other words."""


def body(
    sampling: Sampling,
    dialect: Dialect,
    prompt: str | list[int],
    *,
    suffix: str | None = None,
    stops: tuple[str, ...] = (),
    stop_ids: tuple[int, ...] = (),
    show_special: bool = False,
) -> dict[str, Any]:
    """Build the body of one request.

    Args:
        sampling: How to draw.
        dialect: The server.
        prompt: Text, or token ids.
        suffix: Sent only if not ``None``: even ``""`` makes vLLM refuse.
        stops: The family's stop strings, added behind the user's as far as the server takes them.
        stop_ids: The family's stop ids, sent where the server takes them.
        show_special: Have special tokens in the text, so that stop strings find them and leaks can be seen.
    """
    document: dict[str, Any] = {"model": dialect.model} if dialect.model else {}
    document |= {"prompt": prompt, "max_tokens": sampling.max_new_tokens, "temperature": sampling.temperature}
    if not (dialect.server == "tgi" and sampling.top_p >= 1.0):
        document["top_p"] = sampling.top_p
    if suffix is not None:
        document["suffix"] = suffix
    if dialect.server not in _SEEDLESS:
        if sampling.n > 1:
            document["n"] = sampling.n
        if sampling.seed is not None:
            document["seed"] = sampling.seed
    if stop := stop_strings(sampling, dialect, stops):
        document["stop"] = stop
    if sampling.logprobs is not None and dialect.logprobs:
        document["logprobs"] = max(1, sampling.logprobs)  # 0 means "none" to SGLang and llama.cpp
    if stop_ids and dialect.server in _STOP_IDS:
        document["stop_token_ids"] = stop_ids
    if show_special and dialect.server in _HIDES_SPECIAL:
        document["skip_special_tokens"] = False
    return document | _EXPLICIT.get(dialect.server, {})


def stop_strings(sampling: Sampling, dialect: Dialect, stops: tuple[str, ...]) -> list[str]:
    """Join the user's stop strings and the family's, no more than the server takes; the user's are never cut."""
    most = max(len(sampling.stop), _MOST_STOPS.get(dialect.server, 4))
    return list(dict.fromkeys((*sampling.stop, *stops)))[:most]


class _Token(msgspec.Struct):
    token: str = ""
    logprob: float | None = None


class _Logprobs(msgspec.Struct):
    tokens: tuple[str, ...] | None = None
    token_logprobs: tuple[float | None, ...] | None = None
    content: list[_Token] | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    # What a model thinks before it answers; vLLM calls it one or the other, by version. Where that takes all tokens
    # there is no content, and still a reply that is paid for.
    reasoning_content: Any = None
    reasoning: Any = None

    def said(self) -> str | None:
        return "" if self.content is None and (self.reasoning_content or self.reasoning) else self.content


class _Said(msgspec.Struct):
    index: int = 0
    text: str | None = None
    message: _Message | None = None
    finish_reason: str | None = None


class _PlainChoice(_Said):
    logprobs: _Logprobs | None = None


class _Choice(_Said):
    logprobs: msgspec.Raw = msgspec.Raw()


class _Envelope(msgspec.Struct):
    model: str | None = None
    object: str | None = None
    error: Any = None


class _PlainReply(_Envelope):
    choices: list[_PlainChoice] | None = None
    usage: Usage | None = None


class _Reply(_Envelope):
    choices: list[_Choice] | None = None
    usage: msgspec.Raw = msgspec.Raw()


_plain = msgspec.json.Decoder(_PlainReply)
# A completion is not lost for an odd shape of what only accompanies it: a reply that is not plain is read in parts.
_decoder = msgspec.json.Decoder(_Reply)
_logprobs = msgspec.json.Decoder(_Logprobs | None)
_usage = msgspec.json.Decoder(Usage | None)
_index = attrgetter("index")


def read(body: bytes, *, alternatives: bool = False) -> Completion | Failure:
    """Read the body of a 200; a 200 is not a success until the body says so. Never raises.

    Args:
        body: The whole body.
        alternatives: Whether to read what else was held possible in the place of each token.
    """
    reply: _PlainReply | _Reply
    try:
        reply = decode(_decoder, body) if alternatives else _read_plain(body)
    except UNREADABLE as error:
        return Failure("bad_reply", f"the reply is not a completion: {shorten(str(error))}", 200)
    if reply.error or reply.object == "error":
        return inner_failure(body)
    if not reply.choices:
        return Failure("bad_reply", "the reply has no choices", 200)
    choices = []
    said: list[_PlainChoice | _Choice] = [*reply.choices]
    said.sort(key=_index)
    for raw in said:
        text = raw.message.said() if raw.text is None and raw.message else raw.text
        choice = make_choice(text, raw.finish_reason, _tokens(raw.logprobs))
        if isinstance(choice, Failure):
            return choice
        if alternatives and choice.tokens and isinstance(raw.logprobs, msgspec.Raw):
            choice = msgspec.structs.replace(choice, alternatives=others.of_choice(raw.logprobs, len(choice.tokens)))
        choices.append(choice)
    return Completion(tuple(choices), _counted(reply.usage), reply.model)


def _read_plain(body: bytes) -> _PlainReply | _Reply:
    """Read a reply at once, as nearly all can be, or in parts; what is no JSON of the expected shape is raised."""
    try:
        return _plain.decode(body)
    except UNREADABLE:
        return decode(_decoder, body)


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode a reply. Half of a surrogate pair in a text becomes U+FFFD: the text is paid for, strict JSON or not.

    Raises:
        msgspec.DecodeError: It is no JSON of the expected shape.
    """
    try:
        return decoder.decode(body)
    except msgspec.DecodeError:
        if b"\\ud" not in body.lower():
            raise
        try:
            lenient = json.dumps(json.loads(body), ensure_ascii=False)
        except (ValueError, RecursionError):
            lenient = ""
        if not lenient:
            raise
        return decoder.decode(lenient.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def make_choice(
    text: str | None, ending: str | None, tokens: tuple[tuple[str, ...], tuple[float | None, ...]] | None
) -> Choice | Failure:
    """Make a choice, or the failure that its ending stands for.

    Args:
        text: The text; ``None`` is no completion, ``""`` is one.
        ending: Why it ended, in the server's words.
        tokens: Token strings and their log-probabilities, if given.
    """
    if text is None:
        return Failure("bad_reply", "a choice has no text", 200)
    if ending is None:
        return Failure("bad_reply", "a choice has no finish_reason", 200)
    if ending in _FAILED_ENDINGS:
        return Failure(_FAILED_ENDINGS[ending], f"the server ended a choice with {ending!r}", 200)
    strings, logprobs = tokens or (None, None)
    return Choice(text, _ENDINGS.get(ending, ending), strings, logprobs)


def inner_failure(body: bytes) -> Failure:
    """Classify an error document that came with a 200 by the status it names inside."""
    try:
        document = msgspec.json.decode(body)
    except UNREADABLE:
        return Failure("bad_reply", "the reply is an error that cannot be read", 200)
    if not isinstance(document, dict):
        return Failure("server_error", f"the reply is a list with an error in it: {shorten(str(document))}", 200)
    error = document.get("error")
    code = str(error.get("code") if isinstance(error, dict) else document.get("code"))
    status = int(code) if re.fullmatch("[45][0-9][0-9]", code) else 500
    return classify(status, {}, body)


def _counted(raw: Usage | msgspec.Raw | None) -> Usage:
    try:
        found: Usage | None = _usage.decode(raw) if isinstance(raw, msgspec.Raw) else raw
    except UNREADABLE:  # absent, or of another shape
        return Usage()
    return found or Usage()


def _tokens(raw: _Logprobs | msgspec.Raw | None) -> tuple[tuple[str, ...], tuple[float | None, ...]] | None:
    """Read token log-probabilities in either shape: parallel arrays, or ``content[]`` as llama.cpp has it."""
    try:
        found: _Logprobs | None = _logprobs.decode(raw) if isinstance(raw, msgspec.Raw) else raw
    except UNREADABLE:  # absent, or of another shape
        return None
    if found is None:
        return None
    if found.content:
        return pairs([(token.token, token.logprob) for token in found.content])
    tokens, logprobs = found.tokens, found.token_logprobs
    if not tokens or not logprobs:
        return None
    shortest = min(len(tokens), len(logprobs))
    return tokens[:shortest], logprobs[:shortest]


def pairs(found: list[tuple[str, float | None]]) -> tuple[tuple[str, ...], tuple[float | None, ...]] | None:
    """Turn (token, log-probability) pairs into two tuples; ``None`` if there are none."""
    if not found:
        return None
    return tuple(token for token, _ in found), tuple(logprob for _, logprob in found)
