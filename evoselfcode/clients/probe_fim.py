"""The part of the preflight that finds out how this server does fill-in-the-middle.

A status code does not tell: several servers accept ``suffix`` and ignore it, so that the FIM arm would be L2R in
disguise. So each way is judged by what comes back: the same prefix with two suffixes that force different middles.
A middle that equals the left-to-right text, or that is the same for both suffixes, was not conditioned on the
suffix.

For models whose sentinels exist as token ids alone (Mistral's tokenizers on vLLM) the server's tokenizer is asked
besides; those look-ups generate nothing and are not counted.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from evoselfcode.clients.findings import MAX_REQUESTS, PREFIX, Book, Steps, Wish, ask, canary_sampling
from evoselfcode.records import Completion, Failure, Fim
from evoselfcode.wire import sentinels
from evoselfcode.wire.dialect import Dialect, FimMode
from evoselfcode.wire.failures import shorten

SUFFIXES = ("(16)\nassert value == 4.0\n", '.join(["a", "b"])\nassert value == "a/b"\n')
"""Two continuations that force different middles after the preflight's prefix."""

FORCED = (("sqrt",), ("/", "sep"))
"""What a code model writes before each of them: a part of the expected middle."""


class _Way(msgspec.Struct, frozen=True):
    """One way of asking for FIM.

    Attributes:
        mode: How it is asked for.
        family: The sentinel family, for raw prompts.
        sure: Whether the family is known from the configuration or the model's name, not guessed.
    """

    mode: FimMode
    family: str | None = None
    sure: bool = True

    @property
    def name(self) -> str:
        return f"FIM by {self.mode}" + (f" ({self.family})" if self.family else "")


def fill_in_the_middle(wish: Wish, dialect: Dialect, baseline: str, book: Book) -> Steps[Dialect]:
    """Try the ways of FIM in turn and settle on one.

    Each way is asked with the first suffix. What that suffix forced is asked with the second, and settled on if that
    forces its middle too: a strong code model. What was merely not the left-to-right text is kept in mind; if no way
    was forced, those are asked with the second suffix, in order, until one depends on it: a weaker model.
    """
    open_ways: list[tuple[_Way, str]] = []
    for way in _ways(wish, dialect):
        if book.left == 0:
            book.add(way.name, "info", f"not tried: the preflight sends at most {MAX_REQUESTS} requests")
            continue
        text = yield from _first(way, dialect, baseline, book)
        if text is None:
            continue
        if _forced(0, text) and book.left:
            second = yield from _second(way, dialect, text, book)
            if second == "forced":
                yield from _tell(open_ways, dialect, book)
                return _settle(way, dialect, book)
        open_ways.append((way, text))
    for way, text in open_ways:
        if book.left and (yield from _second(way, dialect, text, book)) == "depends":
            return _settle(way, dialect, book)
    return _without_proof(wish, dialect, open_ways, book)


def _ways(wish: Wish, dialect: Dialect) -> list[_Way]:
    """List the ways worth trying on this server, best first."""
    named = sentinels.FAMILIES.get(dialect.family or "") or sentinels.family_of(dialect.model)
    guesses = [_Way("sentinel", name, sure=False) for name in ("qwen2.5-coder", "starcoder")]
    raw = [_Way("sentinel", named.name)] if named else guesses
    fields = [_Way("chat"), _Way("suffix")] if wish.prefer_chat else [_Way("suffix"), _Way("chat")]
    if wish.mode == "none":
        return []
    if wish.mode == "sentinel":
        return raw
    if wish.mode != "auto":
        return [_Way(wish.mode)]
    match dialect.server:
        case "ollama":
            return [_Way("ollama")]
        case "mistral":
            return [_Way("vendor")]
        case "deepseek" | "openai":
            return fields
        case "llamacpp":
            return [fields[0], _Way("infill"), *raw]
    return [fields[0], raw[0], fields[1], *raw[1:]]


def _ask(way: _Way, dialect: Dialect, number: int, book: Book) -> Steps[Completion | Failure]:
    trial = msgspec.structs.replace(dialect, fim=way.mode, family=way.family)
    return (yield from ask(book, trial, Fim(PREFIX, SUFFIXES[number]), canary_sampling(1, logprobs=False)))


def _first(way: _Way, dialect: Dialect, baseline: str, book: Book) -> Steps[str | None]:
    """Ask with the first suffix; return the middle, or ``None`` if this way is refused or ignored."""
    reply = yield from _ask(way, dialect, 0, book)
    if isinstance(reply, Failure):
        book.add(way.name, "info", f"refused (HTTP {reply.status}): {reply.message}")
        return None
    text = reply.choices[0].text
    if text == baseline and way.mode != "chat":
        book.add(way.name, "info", "silently ignored: the answer is the left-to-right text, suffix or not")
        return None
    return text


def _second(way: _Way, dialect: Dialect, first: str, book: Book) -> Steps[Literal["forced", "depends", "ignored"]]:
    """Ask with the second suffix and judge both middles together."""
    reply = yield from _ask(way, dialect, 1, book)
    if isinstance(reply, Failure):
        book.add(way.name, "info", f"refused at the second request (HTTP {reply.status}): {reply.message}")
        return "ignored"
    second = reply.choices[0].text
    if first == second:
        book.add(way.name, "info", "silently ignored: two suffixes that force different middles gave the same text")
        return "ignored"
    shown = f"({shorten(first.strip())!r}, {shorten(second.strip())!r})"
    if _forced(0, first) and _forced(1, second):
        book.add(way.name, "ok", f"works: each suffix forces its middle {shown}")
        return "forced"
    if way.mode == "sentinel" and not way.sure:
        # Any model's text depends on its prompt: for a guessed family that is no sign of fill-in-the-middle.
        book.add(way.name, "info", f"does not work: the suffixes do not force their middles {shown}")
        return "ignored"
    book.add(way.name, "ok", f"the middle depends on the suffix, though not as a strong code model's would {shown}")
    return "depends"


def _tell(open_ways: list[tuple[_Way, str]], dialect: Dialect, book: Book) -> Steps[None]:
    """Say of each way that lost what was wrong with it, as far as requests are left."""
    for way, text in open_ways:
        if book.left:
            yield from _second(way, dialect, text, book)
        else:
            book.add(way.name, "info", f"did not force the middle ({shorten(text.strip())!r}); not asked further")


def _forced(number: int, text: str) -> bool:
    return any(part in text for part in FORCED[number])


def _settle(way: _Way, dialect: Dialect, book: Book) -> Dialect:
    book.add("FIM", "ok", f"asked by {way.name.removeprefix('FIM by ')}")
    return msgspec.structs.replace(dialect, fim=way.mode, family=way.family)


def _without_proof(wish: Wish, dialect: Dialect, open_ways: list[tuple[_Way, str]], book: Book) -> Dialect:
    """Settle without proof on what is pinned or what the model is known for, or on nothing."""
    for way in [*(_ways(wish, dialect) if wish.mode != "auto" else []), *(way for way, _ in open_ways)]:
        known = way.sure and way.mode in ("sentinel", "infill")
        if wish.mode == way.mode or (known and book.left == 0):
            why = "api.fim.mode pins it" if wish.mode == way.mode else "the model is known for it"
            book.add("FIM", "warning", f"{way.mode} is used because {why}; no proof that it works", "try mode: auto")
            return msgspec.structs.replace(dialect, fim=way.mode, family=way.family)
    if wish.mode != "none":
        book.add(
            "FIM",
            "problem",
            "no way of fill-in-the-middle works on this server with this model",
            "run the L2R arm alone with --arm L2R, serve a FIM-trained model, or name its api.fim.family",
        )
    return dialect
