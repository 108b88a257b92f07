"""What the library calls take and return: keyword options in, plain dictionaries out.

This file decides how a call's options are checked and turned into the package's own records. It refuses to know how
they travel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NotRequired, TypedDict
from urllib.parse import urlsplit

from evoselfcode.errors import UsageError
from evoselfcode.records import Choice, Sampling
from evoselfcode.wire.dialect import endpoint


class ChoiceDict(TypedDict):
    """One choice, as the library calls return it."""

    text: str
    finish_reason: str | None
    logprob: NotRequired[float]


class SamplingOptions(TypedDict, total=False):
    """How the library calls draw; all keys may be left out.

    Attributes:
        max_new_tokens: Most tokens of one choice (16).
        n: Choices (1); asked for one by one where the server cannot give several.
        temperature: 0 is greedy (1.0).
        top_p: Nucleus mass in (0, 1] (1.0).
        stop: A string, or strings, that end a choice and are not part of it.
        seed: Choice *i* is drawn with ``seed + i``.
        logprobs: Add each choice's log-probability in nats, where the server gives it.
    """

    max_new_tokens: int
    n: int
    temperature: float
    top_p: float
    stop: str | Sequence[str]
    seed: int
    logprobs: bool


def sampling_of(options: SamplingOptions) -> Sampling:
    """Read the options of a call.

    Raises:
        TypeError: An option that does not exist, as for any misspelt argument.
        UsageError: ``n`` or ``max_new_tokens`` below 1.
    """
    known = SamplingOptions.__annotations__
    if unknown := sorted(options.keys() - known):
        raise TypeError(f"unexpected option {', '.join(map(repr, unknown))}; there are {', '.join(known)}")
    stop = options.get("stop", ())
    sampling = Sampling(
        max_new_tokens=options.get("max_new_tokens", 16),
        n=options.get("n", 1),
        temperature=options.get("temperature", 1.0),
        top_p=options.get("top_p", 1.0),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        seed=options.get("seed"),
        logprobs=0 if options.get("logprobs") else None,
    )
    for name in ("n", "max_new_tokens"):
        if getattr(sampling, name) < 1:
            raise UsageError(f"{name} is {getattr(sampling, name)}, expected 1 or more")
    return sampling


def choice_dict(choice: Choice) -> ChoiceDict:
    """Show a choice as plain data."""
    row: ChoiceDict = {"text": choice.text, "finish_reason": choice.finish_reason}
    if choice.logprob is not None:
        row["logprob"] = choice.logprob
    return row


def checked_urls(base_url: str | Sequence[str]) -> tuple[str, ...]:
    """Return the addresses if servers of one model can be behind them.

    Raises:
        UsageError: One is no http address; there are none; one is there twice; or some are reached by TLS and others
            are not, so that the key would go out in clear to those.
    """
    if isinstance(base_url, str):
        return (checked_url(base_url),)
    urls = tuple(map(checked_url, base_url))
    if not urls:
        raise UsageError("base_url is an empty list", hint="give the addresses of the replicas, or one address")
    if "local:" in urls and len(urls) > 1:
        raise UsageError("base_url lists local: beside others", hint="the embedded model has no replicas")
    if len({url.partition(":")[0].lower() for url in urls}) > 1:
        raise UsageError("base_url mixes http:// and https://", hint="reach all replicas in one way")
    places = [endpoint(url).api.lower() for url in urls]
    if twice := [url for number, url in enumerate(urls) if places[number] in places[:number]]:
        raise UsageError(f"base_url lists {twice[0]!r} twice", hint="each replica is listed once")
    return urls


def checked_url(url: str) -> str:
    """Return `url` if a server can be behind it.

    Raises:
        UsageError: It is no http address, or carries a user name or password, which would be shown and not sent, or a
            query or fragment, which are not shown either.
    """
    if url == "local:":
        return url
    wanted = "use http://host:port, https://host/v1 or local:"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError as error:
        raise UsageError(f"base_url is not an address ({error})", hint=wanted) from None
    if parts.username or parts.password:
        raise UsageError("base_url contains a user name or password", hint="pass the key as api_key")
    if parts.query or parts.fragment:
        raise UsageError("base_url has a query or a fragment, which would swallow the path", hint=wanted)
    if not usable or any(c.isspace() or not c.isprintable() for c in url):
        raise UsageError(f"base_url is {url!r}, which is no http address", hint=wanted)
    return url


def checked_key(key: str) -> str:
    """Return `key` without the white space around it, such as the line end of the file it was read from.

    Raises:
        UsageError: It has white space or control characters inside, which no header can carry. The HTTP library
            would say so too, and show the key.
    """
    key = key.strip()
    if any(c.isspace() or not c.isprintable() for c in key):
        raise UsageError("api_key contains white space or control characters", hint="is it the right file or variable?")
    return key
