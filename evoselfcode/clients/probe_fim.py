"""The part of the preflight that finds out how this server does fill-in-the-middle.

A status code does not tell: several servers accept ``suffix`` and ignore it, so that the FIM arm would be L2R in
disguise. So each way is judged by what comes back: the same prefix with two suffixes that force different middles.
A middle that is the same for both suffixes, or that equals the left-to-right text, was not conditioned on the suffix.

The server's tokenizer is not asked whether each sentinel is one token (vLLM, SGLang and llama.cpp would say): a model
may have the tokens and not be trained to use them (OpenCoder, Llama 3), while one that writes both forced middles has
shown both. Only for models whose sentinels exist as token ids alone (Mistral's tokenizers on vLLM) is the tokenizer
asked, to write the prompt; those look-ups generate nothing and are not counted.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from evoselfcode.clients.findings import (
    MAX_REQUESTS,
    NO_FIM_HINT,
    PREFIX,
    Book,
    Steps,
    Wish,
    ask,
    canary_sampling,
    reads_like_chat,
)
from evoselfcode.records import Failure, Fim
from evoselfcode.wire import sentinels
from evoselfcode.wire.dialect import Dialect, FimMode
from evoselfcode.wire.failures import shorten

SUFFIXES = ("(16)\nassert value == 4.0\n", '.join(["a", "b"])\nassert value == "a/b"\n')
"""Two continuations that force different middles after the preflight's prefix."""

FORCED = (("sqrt",), ('"/"', "'/'", "sep"))
"""How a middle ends that joins each of them: what runs on beyond (``math.sqrt(16)``) is left-to-right text."""


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

    @property
    def likely(self) -> bool:
        """Whether an answer is worth a second question: not for chat fields, often ignored, nor for a guess."""
        return self.sure and self.mode != "chat"

    @property
    def made_for_fim(self) -> bool:
        """Whether nothing but FIM can be meant by it: an endpoint of its own, or sentinels the model is known for."""
        return self.sure and self.mode not in ("suffix", "chat")


class _Trial(msgspec.Struct):
    """What is known of one way.

    Attributes:
        way: The way.
        middles: Its middles, for as many suffixes as were asked.
        leak: A special token that showed in one of them, or ``""``.
        verdict: ``forced`` (both middles are), ``depends`` (on the suffix, but are not both forced), ``ignored`` (the
            suffix, or no fill-in-the-middle at all), ``refused``, or ``open``: one middle is not enough to tell.
    """

    way: _Way
    middles: list[str] = []
    leak: str = ""
    verdict: Literal["forced", "depends", "ignored", "refused", "open"] = "open"

    @property
    def shown(self) -> str:
        return f"({', '.join(repr(shorten(middle.strip())) for middle in self.middles)})"

    @property
    def half(self) -> bool:
        """Whether the first suffix forced its middle and nothing speaks against the way."""
        return self.verdict in ("open", "depends") and forced(0, self.middles[0])


def fill_in_the_middle(wish: Wish, dialect: Dialect, baseline: str, book: Book) -> Steps[Dialect]:
    """Try the ways of FIM in turn and settle on one.

    Each way is asked with the first suffix. What that suffix forced is asked with the second, and settled on if that
    forces its middle too: a strong code model. If no way was forced, one that was forced by half is taken; then the
    others are asked with the second suffix, in order, until one depends on it: a weaker model.
    """
    trials: list[_Trial] = []
    for way in _ways(wish, dialect):
        # One request tells half of a way: the last is better spent on the second half of a likely one.
        reserved = book.left == 1 and any(trial.verdict == "open" and trial.way.likely for trial in trials)
        if reserved or not book.left:
            book.add(way.name, "info", f"not tried: the preflight sends at most {MAX_REQUESTS} requests")
            continue
        trial = _Trial(way)
        yield from _ask(trial, dialect, baseline, book)
        if trial.half and book.left:
            yield from _ask(trial, dialect, baseline, book)
        if trial.verdict == "forced":
            yield from _tell(trials, dialect, baseline, book)
            return _settle(trial, dialect, book)
        trials.append(trial)
    for trial in [*(trial for trial in trials if trial.half), *trials]:
        if trial.verdict == "open" and book.left:
            yield from _ask(trial, dialect, baseline, book)
        if trial.verdict == "depends" or trial.half:
            return _settle(trial, dialect, book)
    return _without_proof(wish, dialect, trials, book)


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
            return [_Way("ollama"), *raw]
        case "mistral":
            return [_Way("vendor")]
        case "deepseek" | "openai":
            return fields
        case "llamacpp":
            return [fields[0], _Way("infill"), *raw]
        case "llama-cpp-python":  # its suffix puts token 0 where sentinels belong: text that depends, and is garbage
            return [*raw, _Way("chat")]
    return [fields[0], *raw, fields[1]]


def _ask(trial: _Trial, dialect: Dialect, baseline: str, book: Book) -> Steps[None]:
    """Ask with the next suffix and judge what is known by then."""
    way, number = trial.way, len(trial.middles)
    asked = msgspec.structs.replace(dialect, fim=way.mode, family=way.family)
    reply = yield from ask(book, asked, Fim(PREFIX, SUFFIXES[number]), canary_sampling(1, logprobs=False))
    if isinstance(reply, Failure):
        _give_up(trial, f"refused{reply.http}: {reply.message}", book, "refused")
        return
    text = reply.choices[0].text
    middle, leaked = sentinels.cut_leak(text)
    if leaked:
        trial.leak = text[len(middle) :].partition(">")[0] + ">"
    trial.middles.append(middle)
    if reads_like_chat(middle):
        _give_up(trial, f"answered as in a chat ({shorten(middle)!r})", book)
    elif number == 0 and text and text == baseline and way.mode in ("suffix", "vendor", "ollama"):
        _give_up(trial, "silently ignored: the answer is the left-to-right text, suffix or not", book)
    elif number == 1:
        _judge(trial, book)


def _judge(trial: _Trial, book: Book) -> None:
    """Judge two middles together."""
    first, second = trial.middles
    if first == second:
        told = f"silently ignored: two suffixes that force different middles gave the same text {first!r:.60}"
        _give_up(trial, told, book)
    elif forced(0, first) and forced(1, second):
        trial.verdict = "forced"
    elif trial.way.mode == "sentinel" and not trial.way.sure:
        # Any model's text depends on its prompt: for a guessed family that is no sign of fill-in-the-middle.
        _give_up(trial, f"does not work: the suffixes do not force their middles {trial.shown}", book)
    else:
        trial.verdict = "depends"


def _give_up(trial: _Trial, why: str, book: Book, verdict: Literal["ignored", "refused"] = "ignored") -> None:
    trial.verdict = verdict
    book.add(trial.way.name, "info", why)


def _tell(trials: list[_Trial], dialect: Dialect, baseline: str, book: Book) -> Steps[None]:
    """Say of each way that lost what was wrong with it, as far as requests are left."""
    for trial in trials:
        if trial.verdict == "open" and book.left:
            yield from _ask(trial, dialect, baseline, book)
        if trial.verdict in ("open", "depends"):
            book.add(trial.way.name, "info", f"the middle is not what the suffix forces {trial.shown}")


def forced(number: int, text: str) -> bool:
    """Say whether a middle is the one that the suffix forces: it ends so that the suffix joins."""
    line = text.partition("\n")[0]  # the stop string, cut here for servers that ignore it
    return line.strip().endswith(FORCED[number])


def _settle(trial: _Trial, dialect: Dialect, book: Book) -> Dialect:
    """Write down what a way showed, and use it."""
    way = trial.way
    match trial.verdict:
        case "forced":
            book.add(way.name, "ok", f"works: each suffix forces its middle {trial.shown}")
        case "depends":
            told = f"the middle depends on the suffix, though not as a strong code model's would {trial.shown}"
            book.add(way.name, "ok", told)
        case _:
            told = f"one suffix forces its middle {trial.shown}; no request was left for a second"
            book.add(way.name, "warning", told, f"set api.fim.mode to {way.mode} to have it looked at alone")
    if trial.leak:
        book.add(
            "sentinel leakage",
            "warning",
            f"{trial.leak!r} shows at the end of middles; texts with a special token are dropped",
            "add it to the stop strings",
        )
    else:
        book.add("sentinel leakage", "ok", "no special token shows in the middles")
    book.add("FIM", "ok", f"asked by {way.name.removeprefix('FIM by ')}")
    return msgspec.structs.replace(dialect, fim=way.mode, family=way.family)


def _without_proof(wish: Wish, dialect: Dialect, trials: list[_Trial], book: Book) -> Dialect:
    """Settle without proof on what is pinned or what the model is known for, or on nothing."""
    for trial in trials:
        way = trial.way
        if trial.verdict == "open":
            book.add(way.name, "info", f"not looked at further: the suffix does not force its middle {trial.shown}")
        pinned = wish.mode != "auto" and trial.verdict != "refused"
        known = trial.verdict == "open" and way.made_for_fim
        if way.sure and (pinned or known):
            why = "api.fim.mode pins it" if pinned else "the model is known for it"
            hint = (
                "set api.fim.mode to auto" if pinned else f"set api.fim.mode to {way.mode} to have it looked at alone"
            )
            book.add("FIM", "warning", f"{way.mode} is used because {why}; no proof that it works", hint)
            return msgspec.structs.replace(dialect, fim=way.mode, family=way.family)
    if wish.mode == "none":
        book.add("FIM", "info", "none, because api.fim.mode says so")
    elif wish.mode == "auto":
        told = "no way of fill-in-the-middle works on this server with this model"
        book.add("FIM", "problem", told, NO_FIM_HINT)
    else:
        told = f"api.fim.mode pins {wish.mode}, which does not work on this server with this model"
        book.add("FIM", "problem", told, "set api.fim.mode to auto, or name the model's api.fim.family")
    return dialect
