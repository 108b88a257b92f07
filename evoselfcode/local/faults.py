"""Scripted trouble: how slow a server is, and what goes wrong with which request.

This file decides the words of ``--latency`` and ``--fault`` and draws from them. It refuses to know sockets and clocks:
:mod:`evoselfcode.local.serve` acts out what is drawn. Every draw depends on the seed and the request's number alone,
so a rehearsal can be repeated.
"""

from __future__ import annotations

import math
import re
from http import HTTPStatus
from random import Random
from typing import Literal

import msgspec

from evoselfcode.errors import ConfigError

FaultKind = Literal["status", "drop", "stall", "drip", "html", "truncate"]
"""An error status; the connection closed without a reply; no reply ever; a reply byte by byte; an HTML page with
status 200; a reply cut in the middle."""

_TIME = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s)", re.ASCII)
_WIDEST = 10  # sigma: e**10 is already 22,000 times the median; far beyond, the exponential overflows
_SHARE = re.compile(r"([a-z]+|\d{3}):(\d*\.?\d+)", re.ASCII)
_RANGE = re.compile(r"([a-z]+|\d{3})@(\d{1,9})(?:\.\.(\d{1,9}))?", re.ASCII)
_WORDS: dict[str, FaultKind] = {
    "drop": "drop",
    "stall": "stall",
    "drip": "drip",
    "html": "html",
    "truncate": "truncate",
}


class Latency(msgspec.Struct, frozen=True):
    """Time added to each reply.

    Attributes:
        low: Shortest time, or the median of the log-normal one, in seconds.
        high: Longest time in seconds.
        sigma: Standard deviation of the logarithm; 0 for a uniform time.
    """

    low: float = 0.0
    high: float = 0.0
    sigma: float = 0.0

    def draw(self, random: Random) -> float:
        """Return one time in seconds."""
        if self.sigma > 0:
            return random.lognormvariate(math.log(self.low), self.sigma)
        return random.uniform(self.low, self.high)


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that goes wrong, with a share of the requests or with a range of them.

    Attributes:
        kind: What happens.
        status: HTTP status, for ``status``.
        share: Probability per request, in [0, 1].
        first: Number of the first request it happens to, counted from 1; 0 if it goes by share.
        last: Number of the last such request.
        retry_after: Seconds to announce in ``Retry-After``, for ``status``.
    """

    kind: FaultKind
    status: int = 200
    share: float = 0.0
    first: int = 0
    last: int = 0
    retry_after: float | None = None


def draw_fault(faults: tuple[Fault, ...], number: int, seed: int) -> Fault | None:
    """Return the first fault that strikes request `number` (counted from 1)."""
    random = Random(f"{seed}/{number}")
    for fault in faults:
        struck = random.random() < fault.share
        if struck or fault.first <= number <= fault.last:
            return fault
    return None


def parse_latency(text: str) -> Latency:
    """Read ``50ms``, ``0.2s``, ``50ms..200ms`` (uniform) or ``lognormal:80ms,0.5`` (median, sigma).

    Raises:
        ConfigError: It is none of these.
    """
    name, _, rest = text.partition(":")
    if name == "lognormal":
        median, _, sigma = rest.partition(",")
        low, spread = _seconds(median), _number(sigma)
        if not low or not spread or spread > _WIDEST:
            raise _wrong("latency", text, f"lognormal:80ms,0.5 (median above 0, sigma above 0 and at most {_WIDEST})")
        return Latency(low, low, spread)
    first, dots, last = text.partition("..")
    low, high = _seconds(first), _seconds(last if dots else first)
    if low is None or high is None or high < low:
        raise _wrong("latency", text, "a time such as 50ms, 0.2s, 50ms..200ms or lognormal:80ms,0.5")
    return Latency(low, high)


def parse_fault(text: str) -> Fault:
    """Read ``KIND:SHARE`` or ``KIND@FIRST..LAST``, with ``,retry-after=SECONDS`` for a status.

    KIND is an error status (``429``) or one of drop, stall, drip, html, truncate. Requests are counted from 1.

    Raises:
        ConfigError: It is none of these.
    """
    rule, comma, modifier = text.partition(",")
    by_share, by_range = _SHARE.fullmatch(rule), _RANGE.fullmatch(rule)
    found = by_share or by_range
    status = int(found[1]) if found and found[1].isdecimal() else 0
    kind = "status" if 400 <= status <= 599 else _WORDS.get(found[1]) if found else None
    if kind is None:
        raise _wrong("fault", text, "KIND:SHARE or KIND@FIRST..LAST; KIND is 400..599, " + ", ".join(_WORDS))
    wait = _retry_after(text, modifier, kind) if comma else None
    if by_share:
        share = float(by_share[2])
        if share > 1:
            raise _wrong("fault", text, "a share between 0 and 1")
        return Fault(kind=kind, status=status or 200, share=share, retry_after=wait)
    assert by_range is not None
    first, last = int(by_range[2]), int(by_range[3] or by_range[2])
    if not 1 <= first <= last:
        raise _wrong("fault", text, "a range of requests counted from 1, such as 503@10..20")
    return Fault(kind=kind, status=status or 200, first=first, last=last, retry_after=wait)


def reason(status: int) -> str:
    """Return the standard phrase of a status, or ``Error``."""
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"


def _retry_after(text: str, modifier: str, kind: FaultKind) -> float:
    name, _, value = modifier.partition("=")
    seconds = _number(value)
    if name != "retry-after" or seconds is None or kind != "status":
        raise _wrong("fault", text, "after the comma only retry-after=SECONDS, and only for a status")
    return seconds


def _seconds(text: str) -> float | None:
    found = _TIME.fullmatch(text)
    return float(found[1]) / (1000 if found[2] == "ms" else 1) if found else None


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d{0,9}\.?\d{1,9}", text, re.ASCII) else None


def _wrong(what: str, text: str, expected: str) -> ConfigError:
    return ConfigError([f"--{what}: got {text!r}, expected {expected}"])
