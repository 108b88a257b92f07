"""The part of the preflight that finds out how this server does fill-in-the-middle.

A status code does not tell: several servers accept ``suffix`` and ignore it, so that the FIM arm would be L2R in
disguise. So each way is judged by what comes back: the same prefix with two suffixes that force different middles.
A middle that equals the left-to-right text, or that is the same for both suffixes, was not conditioned on the
suffix.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from evoselfcode.clients.findings import MAX_REQUESTS, PREFIX, Book, Steps, Wish, ask, canary_sampling
from evoselfcode.records import Failure, Fim
from evoselfcode.wire import sentinels
from evoselfcode.wire.dialect import Dialect, FimMode

SUFFIXES = ('(16)\nassert value == 4.0\n', '("data")\nassert value in (True, False)\n')
"""Two continuations that force different middles after the preflight's prefix."""

FORCED = (("sqrt",), ("os.", "exists", "isfile", "isdir", "bool"))
"""What a code model writes before each of them: a part of the expected middle."""


def _ways(wish: Wish, dialect: Dialect) -> list[tuple[FimMode, str | None]]:
    """List the ways of FIM worth trying on this server, best first, each with its sentinel family."""
    named = dialect.family
    family = sentinels.family_of(dialect.model)
    families = [named] if named else [family.name] if family else ["qwen2.5-coder", "starcoder"]
    raw: list[tuple[FimMode, str | None]] = [("sentinel", name) for name in families]
    if wish.mode == "none":
        return []
    if wish.mode == "sentinel":
        return raw
    if wish.mode != "auto":
        return [(wish.mode, None)]
    fields: list[tuple[FimMode, str | None]] = [("chat" if wish.prefer_chat else "suffix", None)]
    match dialect.server:
        case "ollama":
            return [("ollama", None)]
        case "mistral":
            return [("vendor", None)]
        case "deepseek" | "openai":
            return fields
        case "llamacpp":
            return [*fields, ("infill", None), *raw]
        case _:
            return [*fields, *raw]


def fill_in_the_middle(
    wish: Wish, dialect: Dialect, baseline: str | None, book: Book
) -> Steps[Dialect]:
    """Try the ways of FIM in turn; take the first that is forced by the suffix, else the first that depends on it."""
    depends: Dialect | None = None
    for mode, family in _ways(wish, dialect):
        name = f"FIM by {mode}" + (f" ({family})" if family else "")
        if book.left < 2:
            book.add(name, "info", f"not tried: the preflight sends at most {MAX_REQUESTS} requests")
            continue
        trial = msgspec.structs.replace(dialect, fim=mode, family=family)
        evidence, why = yield from _try(trial, baseline, book)
        book.add(name, "ok" if evidence in ("forced", "depends") else "info", why)
        if evidence == "forced":
            return _settled(trial, book)
        if evidence == "depends" and depends is None:
            depends = trial
        if wish.mode == mode and evidence == "ignored":
            book.add("FIM", "warning", f"api.fim.mode pins {mode}, so it is used", "use api.fim.mode: auto")
            return trial
    if depends is not None:
        return _settled(depends, book)
    if wish.mode != "none":
        book.add(
            "FIM",
            "problem",
            "no way of fill-in-the-middle works on this server with this model",
            "run the L2R arm alone with --arm L2R, serve a FIM-trained model, or name its api.fim.family",
        )
    return dialect


def _settled(dialect: Dialect, book: Book) -> Dialect:
    way = f"{dialect.fim} ({dialect.family})" if dialect.family else dialect.fim
    book.add("FIM", "ok", f"{way} is used")
    return dialect


Evidence = Literal["forced", "depends", "ignored", "refused"]


def _try(
    dialect: Dialect, baseline: str | None, book: Book
) -> Steps[tuple[Evidence, str]]:
    """Ask for the middle before two different suffixes and judge what comes back."""
    middles: list[str] = []
    for suffix in SUFFIXES:
        reply = yield from ask(book, dialect, Fim(PREFIX, suffix), canary_sampling(1, logprobs=False))
        if isinstance(reply, Failure):
            return "refused", f"refused (HTTP {reply.status}): {reply.message}"
        middles.append(reply.choices[0].text)
        if dialect.fim != "chat" and middles[0] == baseline:
            return "ignored", "silently ignored: the answer is the left-to-right text, suffix or not"
    if middles[0] == middles[1]:
        return "ignored", "silently ignored: two suffixes that force different middles gave the same text"
    forced = all(
        any(part in text for part in parts) for text, parts in zip(middles, FORCED, strict=True)
    )
    if forced:
        return "forced", f"works: the suffix forces the middle ({middles[0].strip()!r}, {middles[1].strip()!r})"
    return "depends", "works: the middle depends on the suffix, though not in the way a strong code model's would"
