"""What a type cannot say about one value: addresses, keys, patterns, paths.

Each rule takes a value of the right type and returns what is wrong with it in words, or ``None``. No rule shows a
secret: not the key, and not a password or a query in an address.
"""

from __future__ import annotations

import ipaddress
import re
import time
import warnings
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from evoselfcode.config.addresses import each_address
from evoselfcode.config.plain_yaml import Path_, short

WANTED_URL = "expected http://host:port, https://host/v1 or local:"

_HOST = re.compile(r"[\w.-]+|[0-9A-Fa-f:.]+(%\w+)?")

_ENDPOINTS = ("/chat/completions", "/fim/completions", "/completions", "/models", "/infill", "/api/generate")
"""Paths that are appended to the address, and are now and then pasted with it, longer ones first."""


def base_url(url: str) -> str | None:
    """Check a server's address."""
    if url == "local:":
        return None
    shown = short(re.sub(r"//[^/?#]*@", "//***@", re.sub(r"(?s)([?#]).*", r"\1***", url)))
    if any(c.isspace() or not c.isprintable() for c in url):
        return f"{shown} contains white space; {WANTED_URL}"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return f"{shown} is not an address; {WANTED_URL}"
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return f"{shown} is not an http address; {_guess(url, shown)}"
    if parts.username is not None or parts.password is not None:
        return "the address contains a user name or password; put the key into api.api_key"
    if parts.query or parts.fragment:
        return f"{shown} has a query or fragment; {WANTED_URL}"
    if not _HOST.fullmatch(host):
        return f"{shown} names no host; {WANTED_URL}"
    path = parts.path.rstrip("/")
    for end in _ENDPOINTS:
        if path.endswith(end):
            return f"{shown} is one endpoint; did you mean {parts.scheme}://{parts.netloc}{path.removesuffix(end)}?"
    if _is_link_local(host):
        return f"{host} is a link-local address (cloud metadata); {WANTED_URL}"
    return None


def _guess(url: str, shown: str) -> str:
    if url in ("local", "local:/", "local://", "Local:", "LOCAL:"):
        return "did you mean local:?"
    host = url.partition("/")[0].partition(":")[0]
    plain = "//" not in url and shown == repr(url) and host not in ("", "http", "https") and _HOST.fullmatch(host)
    return f"did you mean http://{url}?" if plain else WANTED_URL


def _is_link_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_link_local
    except ValueError:
        return False


def api_key(key: str) -> str | None:
    """Check that a header can carry a key: a key read from a file often ends in a newline."""
    if all("!" <= c <= "~" for c in key):
        return None
    return "contains white space or a character that is not ASCII, which no key does; check its end for a newline"


def folder(path: str) -> str | None:
    """Check the path of a folder."""
    if path.startswith("~"):
        return f"{short(path)} would be a folder named ~; write ${{HOME}} for it"
    return f"{short(path)} contains a NUL" if "\0" in path else None


def holds(*placeholders: str) -> Callable[[str], str | None]:
    """Make a rule for a text that something is filled into: one of the placeholders must be there."""
    missing = f"has no {' or '.join(placeholders)}"
    return lambda text: None if any(placeholder in text for placeholder in placeholders) else missing


def each_holds(*placeholders: str) -> Callable[[tuple[str, ...]], str | None]:
    """Make a rule for a list of such texts."""
    rule = holds(*placeholders)
    return lambda texts: next((f"{short(text)} {trouble}" for text in texts if (trouble := rule(text))), None)


def arm_name(name: str) -> str | None:
    """Check the name of an arm."""
    if not _ARM.fullmatch(name):
        return "names an arm; expected at most 24 letters, digits, _, + or -, the first a letter or digit"
    return f"{name} is taken: reports say it of two arms" if name.lower() in _TAKEN else None


_ARM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+-]{0,23}")
_TAKEN = ("both", "equivalent", "undecided")


def regex(pattern: str) -> str | None:
    """Check that a pattern compiles and that matching names with it ends."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Python warns of patterns whose meaning is to change
            compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError, Warning) as error:
        return f"{short(pattern)} is not a regular expression: {error}"
    text = _slow_text(compiled)
    return text and f"{short(pattern)} takes exponential time, on {text} for one: put no repeat into a repeat"


_PUMPS = ("a", "_", "a_", "a0", "aB", "A")
_ENDS = ("A", "_", "0", "")
_SLOW_SECONDS = 0.05
"""Processor time of one match of at most 65 characters; a few microseconds are usual."""


def _slow_text(pattern: re.Pattern[str]) -> str | None:
    """Return a name-like text that the pattern takes exponential time for, if one of the usual shapes is.

    ``^([a-z]+_?)+$`` looks harmless and takes years for forty letters followed by a capital one. Texts grow step by
    step, so that exponential time is noticed when it is a twentieth of a second.
    """
    for pump in _PUMPS:
        for end in _ENDS:
            for length in range(1, 64 // len(pump) + 1):
                text = pump * length + end
                before = time.thread_time()
                pattern.search(text)
                if time.thread_time() - before > _SLOW_SECONDS:
                    return text
    return None


def rising(numbers: tuple[int, ...]) -> str | None:
    """Check that each number is larger than the one before."""
    return None if list(numbers) == sorted(set(numbers)) else f"{list(numbers)} does not rise, expected e.g. [2, 5, 8]"


RULES: dict[Path_, Callable[[Any], str | None]] = {
    ("api", "base_url"): each_address(base_url),
    ("api", "api_key"): api_key,
    ("rating", "api", "base_url"): each_address(base_url),
    ("rating", "api", "api_key"): api_key,
    ("choose", "strata", "bands"): rising,
    ("export", "phrases"): each_holds("{func_name}", "{description}", "{skeleton}"),
    ("filters", "name_regex"): regex,
    ("output", "dir"): folder,
    ("prompts", "codegen", "template"): holds("{func_name}", "{skeleton}"),
    ("prompts", "describe", "template"): holds("{func_name}"),
    ("prompts", "skeleton", "template"): holds("{func_name}"),
    ("prompts", "asserts", "template"): holds("{func_name}"),
    ("prompts", "topic_prefix"): holds("{topic}"),
    ("prompts", "used_name"): holds("{func_name}"),
}
"""The rule of each key that has one."""
