"""Status, headers and body of a refusal → one :class:`Failure` with its class.

This file decides what a refusal means, by status and by the fields of the error document. Servers that put the
meaning into prose alone (vLLM answers 400 ``BadRequestError`` to a suffix, to ``n`` and to a long prompt alike) are
read by the documented phrases of :data:`PHRASES`; a phrase can only refine a 400, never make a failure of a success.
Sources: the servers' own code, versions in ``docs/reference/dialects.md``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from evoselfcode.records import Failure, FailureKind

MAX_WAIT = 300.0
"""Longest wait that a server is granted, in seconds; more is not obeyed blindly."""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for a body that is no JSON of the expected shape, is no UTF-8, or is nested too deeply."""

_STATUS: dict[int, FailureKind] = {
    401: "auth",
    402: "payment",
    403: "auth",
    404: "no_route",
    405: "no_route",
    407: "auth",
    408: "timeout",
    409: "server_error",
    412: "payment",  # Fireworks: account suspended
    415: "server_error",  # vLLM under load (vllm#14333)
    424: "server_error",  # TGI: generation error
    425: "server_error",
    429: "rate_limited",
    499: "server_error",  # Ollama: cancelled
    501: "unsupported",  # llama.cpp: no infill; never retried, though it is a 5xx
    502: "connect",  # a gateway reaches no server: an outage like a refused connection, not the row's failure
    503: "overloaded",
    504: "timeout",
    521: "connect",  # Cloudflare: the origin refuses, does not answer, has no route
    522: "connect",
    523: "connect",
    524: "timeout",
    529: "overloaded",
}

_CODES: dict[str, FailureKind] = {
    "context_length_exceeded": "too_long",
    "exceed_context_size_error": "too_long",
    "insufficient_quota": "payment",
    "model_not_found": "no_model",
    "not_supported_error": "unsupported",
    "notimplementederror": "unsupported",
    "suffix not supported": "unsupported",
    "authentication_error": "auth",
}
"""``code``, ``type`` or ``error_type`` fields that say more than the status."""

_CODED = (400, 402, 404, 422, 429, 501)
"""Statuses that a code may overrule."""

PHRASES: tuple[tuple[str, FailureKind], ...] = (
    (r"maximum context length|context (size|length|window)|max_model_len|too long", "too_long"),
    (r"max_(num_tokens|seq_len|input_len)|`inputs` (tokens|must have less)", "too_long"),  # TRT-LLM, TGI
    (r"'max_tokens' or 'max_completion_tokens' is too large", "too_long"),
    (r"\bsuffix\b|does not support insert|infill is not supported", "unsupported"),
    (r"\bn must be 1\b|field 'n'|\bn\b.*greater than 1|\bn (currently )?only|only.*\bn\b ?= ?1", "unsupported"),
    (r"best_of|logprobs?\b.*(not|un)\s?(supported|available)|max_logprobs|logprobs of \d+", "unsupported"),
)
"""What a 400 or 422 says in prose where it has no field for it."""

CRASHES: tuple[tuple[str, FailureKind], ...] = (
    (r"^unsupported param|^only (one|no) ", "unsupported"),  # llama.cpp until 2025: suffix, n, echo
    (r"\[json\.exception\.", "bad_request"),  # llama.cpp: a field it cannot read
    (r"EngineDeadError|EngineCore encountered an issue", "connect"),  # vLLM: the process is about to end
)
"""What a 500 says where it is no passing fault. That two 500s say the same is no sign: passing faults do, too."""

_OTHERWISE: tuple[tuple[int, str, FailureKind], ...] = (
    (402, r"in_flight_budget_exhausted", "rate_limited"),  # OpenRouter: too much at once; read anywhere in the body
    (403, r"\bmoderat|\bflagged\b", "bad_request"),  # OpenRouter: this prompt is refused, the key is good
    (404, r"\bmodel\b", "no_model"),
    (503, r"\bloading\b", "loading"),
)
"""(status, words in the document, what it is then)."""

_TABBY: dict[int, tuple[str, FailureKind]] = {503: ("", "server_error"), 422: (r"cancell?ed", "server_error")}
"""TabbyAPI answers 503 to any generation that fails, and 422 to one that was cancelled."""


def classify(status: int, headers: Mapping[str, str], body: bytes, *, server: str = "unknown") -> Failure:
    """Make a failure of a reply whose status is not 2xx; never raises.

    Args:
        status: HTTP status.
        headers: Names in lower case.
        body: The whole body.
        server: Whose reply it is; see :class:`evoselfcode.wire.dialect.Dialect`.
    """
    code, message = read_error(body)
    location = shorten(headers.get("location", "")) if 300 <= status < 400 else ""
    shown = f"redirects to {location}" if location else message or _plain(body) or f"HTTP {status}"
    kind = _kind(status, code, _plain(body) if status == 402 else shown, server)
    match headers.get("x-should-retry", "").strip().lower():
        case "true" if kind == "bad_request":
            kind = "server_error"
        case "false" if kind == "server_error":
            kind = "bad_request"
    return Failure(kind, shown, status, _hint(status, headers, body))


def _kind(status: int, code: str, message: str, server: str) -> FailureKind:
    kind = _STATUS.get(status) or _by_class(status)
    if server == "tabby" and status in _TABBY:
        phrase, told = _TABBY[status]
        return told if re.search(phrase, message, re.IGNORECASE) else _refine(PHRASES, message, kind)
    if status in _CODED and code.lower() in _CODES:
        return _CODES[code.lower()]
    if status in (400, 422):
        return _refine(PHRASES, message, kind)
    if status == 500:
        return _refine(CRASHES, message, kind)
    return _refine(tuple((words, told) for at, words, told in _OTHERWISE if at == status), message, kind)


def _refine(phrases: Iterable[tuple[str, FailureKind]], message: str, kind: FailureKind) -> FailureKind:
    for phrase, refined in phrases:
        if re.search(phrase, message, re.IGNORECASE):
            return refined
    return kind


def _by_class(status: int) -> FailureKind:
    if 300 <= status < 400:
        return "no_route"
    if 400 <= status < 500:
        return "bad_request"
    return "server_error" if status >= 500 else "bad_reply"


def read_error(body: bytes) -> tuple[str, str]:
    """Read (code, message) off an error document of any server; empty strings where it has none.

    Nested ``{"error": {…}}``, flat ``{"object": "error", …}``, ``{"error": "…"}``, ``{"detail": …}``.
    """
    try:
        document = msgspec.json.decode(body)
    except UNREADABLE:
        return "", ""
    if not isinstance(document, dict):
        return "", ""
    error = document.get("error")
    if isinstance(error, str):
        return str(document.get("error_type") or ""), shorten(error)
    inner: dict[str, Any] = error if isinstance(error, dict) else document
    message = inner.get("message", inner.get("detail", ""))
    if not isinstance(message, str):
        message = msgspec.json.encode(message).decode(errors="replace") if message else ""
    fields = [inner.get(name) for name in ("code", "type", "error_type")]
    known = [field for field in fields if isinstance(field, str) and field.lower() in _CODES]
    return (known[0] if known else ""), shorten(message)


def shorten(text: str) -> str:
    """Cut `text` to 300 characters and replace control characters by spaces."""
    clean = "".join(c if c.isprintable() else " " for c in text[:1000]).strip()
    return clean if len(clean) <= 300 else clean[:299] + "…"


def _plain(body: bytes) -> str:
    return shorten(body[:1000].decode("utf-8", "replace"))


_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")


def _hint(status: int, headers: Mapping[str, str], body: bytes) -> float | None:
    """Return how long to wait, from the headers made for it, or from what else the server tells."""
    if "retry-after" in headers or "retry-after-ms" in headers:
        return retry_after(headers)
    if status == 429:
        return _reset(headers)
    if status == 503 and b'"estimated_time"' in body:  # Hugging Face, while the model loads
        found = re.search(rb'"estimated_time"\s*:\s*([0-9.]+)', body)
        return _bounded(_number(found[1].decode())) if found else None
    return None


def _reset(headers: Mapping[str, str]) -> float | None:
    """Return the seconds until the exhausted limit is reset: OpenAI's durations, Together's and Mistral's seconds."""
    kinds = ("", "-requests", "-tokens")
    exhausted = [kind for kind in kinds if headers.get(f"x-ratelimit-remaining{kind}", "").strip() == "0"]
    names = ["ratelimitbysize-reset", *(f"x-ratelimit-reset{kind}" for kind in exhausted)]
    waits = [_seconds(headers.get(name)) for name in names]
    # Some services give a point in time instead: far too large for a wait.
    return max((wait for wait in waits if wait is not None and 0 < wait <= MAX_WAIT), default=None)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how long the server asks to wait, in seconds from 0 to :data:`MAX_WAIT`, or ``None``; never raises.

    ``retry-after-ms``, then ``retry-after`` as seconds, as a duration (``1m30s``) or as a date. A date is compared
    with the reply's own ``date`` header: no clock is read, and a clock that is wrong does not matter.

    Args:
        headers: Names in lower case.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return _bounded(milliseconds / 1000)
    value = headers.get("retry-after")
    if value is None:
        return None
    seconds = _seconds(value)
    return _bounded(_until(value, headers.get("date")) if seconds is None else seconds)


def _seconds(text: object) -> float | None:
    number = _number(text)
    return _duration(text) if number is None else number


def _bounded(seconds: float | None) -> float | None:
    if seconds is None or seconds < 0:
        return None
    return min(seconds, MAX_WAIT)


def _number(text: object) -> float | None:
    try:
        value = float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _duration(text: object) -> float | None:
    found = _DURATION.fullmatch(text.strip()) if isinstance(text, str) and text.strip() else None
    if found is None:
        return None
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def _until(text: object, date: object) -> float | None:
    try:
        then = parsedate_to_datetime(str(text))
        now = parsedate_to_datetime(str(date))
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    then, now = (moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in (then, now))
    return max(0.0, (then - now).total_seconds())
