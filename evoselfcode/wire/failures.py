"""Status, headers and body of a refusal → one :class:`Failure` with its class.

This file decides what a refusal means, by status and by the fields of the error document. Servers that put the
meaning into prose alone (vLLM answers 400 ``BadRequestError`` to a suffix, to ``n`` and to a long prompt alike) are
read by the documented phrases of :data:`PHRASES`; a phrase can only refine a 400, never make a failure of a success.
Sources: the servers' own code, versions in ``docs/reference/dialects.md``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from evoselfcode.records import Failure, FailureKind

MAX_WAIT = 300.0
"""Longest wait that a server is granted, in seconds; more is not obeyed blindly."""

_STATUS: dict[int, FailureKind] = {
    401: "auth",
    402: "payment",
    403: "auth",
    404: "no_route",
    405: "no_route",
    408: "timeout",
    409: "server_error",
    412: "payment",  # Fireworks: account suspended
    415: "server_error",  # vLLM under load (vllm#14333)
    424: "server_error",  # TGI: generation error
    425: "server_error",
    429: "rate_limited",
    499: "server_error",  # Ollama: cancelled
    501: "unsupported",  # llama.cpp: no infill; never retried, though it is a 5xx
    503: "overloaded",
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

PHRASES: tuple[tuple[str, FailureKind], ...] = (
    (r"maximum context length|context (size|length|window)|max_model_len|too long", "too_long"),
    (r"'max_tokens' or 'max_completion_tokens' is too large", "too_long"),
    (r"\bsuffix\b|does not support insert|infill is not supported", "unsupported"),
    (r"\bn must be 1\b|field 'n'|\bn\b.*greater than 1|only.*\bn\b ?= ?1|best_of", "unsupported"),
    (r"logprobs?\b.*(not|un)\s?(supported|available)|max_logprobs", "unsupported"),
)
"""What a 400 or 422 says in prose where it has no field for it."""

_LOADING = re.compile(r"\bloading\b", re.IGNORECASE)
_MODEL = re.compile(r"\bmodel\b", re.IGNORECASE)


def classify(status: int, headers: Mapping[str, str], body: bytes) -> Failure:
    """Make a failure of a reply whose status is not 2xx; never raises."""
    kind = _STATUS.get(status) or _by_class(status)
    code, message = read_error(body)
    told = _CODES.get(code.lower())
    if told and (status in (400, 404, 422, 501) or (told == "payment" and status == 429)):
        kind = told
    elif status in (400, 422):
        kind = _refine(message, kind)
    elif status == 404 and _MODEL.search(message):
        kind = "no_model"
    elif status == 503 and _LOADING.search(message):
        kind = "loading"
    return Failure(kind, message or _plain(body) or f"HTTP {status}", status, retry_after(headers))


def _refine(message: str, kind: FailureKind) -> FailureKind:
    for phrase, refined in PHRASES:
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
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
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
    for read in (_number, _duration):
        seconds = read(value)
        if seconds is not None:
            return _bounded(seconds)
    return _bounded(_until(value, headers.get("date")))


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
