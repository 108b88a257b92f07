"""One address of a server or several, and what is wrong with a list of them.

What may be an address is :mod:`evoselfcode.config.rules`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from evoselfcode.config.plain_yaml import short


def addresses(given: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return the addresses of a setting: a text may hold several, with commas between.

    So ``${NAME}`` can be a list, which an environment variable cannot be otherwise.
    """
    texts = (given,) if isinstance(given, str) else given
    return tuple(part for text in texts for part in (re.split(" *, *", text.strip(" ")) if "," in text else (text,)))


def each_address(rule: Callable[[str], str | None]) -> Callable[[str | tuple[str, ...]], str | None]:
    """Make a rule for a setting of addresses, given the rule for one address."""

    def check(given: str | tuple[str, ...]) -> str | None:
        urls = addresses(given)
        if not urls:
            return "is an empty list; expected the addresses of the replicas, or one address"
        if len(urls) > 1 and "" in urls:
            return "has an empty address: a comma, or an entry, too many"
        return next((trouble for url in urls if (trouble := rule(url))), None) or _together(urls)

    return check


def _together(urls: tuple[str, ...]) -> str | None:
    """Find addresses that are right alone and no replicas of one model together."""
    if "local:" in urls and len(urls) > 1:
        return "lists local: beside others; the embedded model has no replicas"
    schemes = {urlsplit(url).scheme for url in urls}
    if len(schemes) > 1:
        return "mixes http:// and https://; reach all replicas in one way, or the key goes out in clear to some"
    places = [_place(url) for url in urls]
    twice = next((url for number, url in enumerate(urls) if places[number] in places[:number]), None)
    return twice and f"lists {short(twice)} twice; each replica is listed once"


def _place(url: str) -> tuple[str | None, int | None, str]:
    """Return what two ways of writing one address have in common."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.hostname, port, re.sub(r"/*(/v1)?/*$", "", parts.path)
