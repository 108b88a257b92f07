"""The part of the preflight that finds out how the server tells the log-probabilities of a text that it is given.

A status code does not tell: llama.cpp takes ``echo``, ignores it and answers with numbers of what it generated
(llama.cpp#27174); others give zeros, or each token the number of its neighbour. So each way is asked for two texts
with a known answer: lines of a program, and the same words scrambled, which every language model holds for less
probable. Only what names every token of the text, and prefers the program, is used.

A server that cannot is told so without being asked. Middles of raw fill-in-the-middle prompts are looked at last: the
suffix must make the middle that it forces more probable than the one that another suffix forces.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from evoselfcode.clients.findings import MIDDLE_SCORES, PREFIX, SCORES, Book, Steps, ask
from evoselfcode.clients.probe_fim import SUFFIXES
from evoselfcode.errors import EndpointDown
from evoselfcode.records import Completion, Failure, Given, Sampling
from evoselfcode.wire import sentinels
from evoselfcode.wire.dialect import Dialect, ScoreMode

BEFORE = "def add_up(values):\n    total = 0\n"
ORDINARY = "    for value in values:\n        total = total + value\n    return total\n"
SCRAMBLED = "    value total values: for\n        + return total in =\n    value total\n"
"""The words of :data:`ORDINARY` in an order that means nothing. Measured: the embedded model, which knows no more than
counts of eight tokens, tells the two apart by 3 nats per token."""

MARGIN = 0.5
"""By how much the program must be more probable, in nats per token."""

LEAST = -12.0
"""Least mean log-probability of the program, in nats per token: about that of a token drawn from a vocabulary of
160,000 with equal chances. Numbers that belong to the neighbouring tokens are below."""

MIDDLES = ("math.sqrt", '"/"')
"""What each suffix of the preflight forces."""

HINT = (
    "serve the model with vLLM or SGLang to have texts scored, or use the log-probabilities that were given when they "
    "were drawn"
)

_CANNOT = {
    "llamacpp": "llama.cpp ignores echo and gives the numbers of what it generates (llama.cpp#27174)",
    "ollama": "Ollama gives log-probabilities of what it generates alone",
    "mistral": "this service gives no log-probabilities",
    "tabby": "TabbyAPI ignores echo",
    "triton": "Triton's OpenAI frontend gives log-probabilities of what it generates alone",
    "trtllm": "TensorRT-LLM gives log-probabilities of what it generates alone, and refuses the fields of vLLM",
    "openai": "OpenAI refuses echo with log-probabilities",
    "openrouter": "OpenRouter does not say which provider would answer, nor what it passes on",
}
"""Servers that are known to be unable, and why."""

_WAYS: dict[str, tuple[ScoreMode, ...]] = {
    "evoselfcode": ("prompt_logprobs",),
    "vllm": ("prompt_logprobs", "echo"),
    "sglang": ("generate", "echo_one"),
    "tgi": ("prefill",),
    "lmdeploy": ("get_ppl",),
    "llama-cpp-python": ("echo_one",),  # with max_tokens 0 it generates until its context is full
    "fireworks": ("echo", "echo_one"),
    "together": ("together",),
    "deepseek": ("echo_one",),
}
_UNKNOWN: tuple[ScoreMode, ...] = ("prompt_logprobs", "echo", "echo_one")


def given_texts(dialect: Dialect, named: str | None, book: Book) -> Steps[Dialect]:
    """Try the ways that this server may know, and settle on the first whose numbers are right.

    Args:
        dialect: What is known of the server by now.
        named: The sentinel family that the configuration or the server's weights tell, or ``None``.
        book: What the preflight has found.

    Raises (into the caller that drives it):
        EndpointDown: The server broke.
    """
    cannot = _CANNOT.get(dialect.server)
    if cannot and not (dialect.server == "openai" and "instruct" not in dialect.model):
        book.add(SCORES, "problem", f"not possible on this server: {cannot}", HINT)
        return dialect
    for mode in _WAYS.get(dialect.server, _UNKNOWN):
        tried = msgspec.structs.replace(dialect, score=mode)
        wrong, shown = yield from _numbers(tried, book)
        book.add(f"{SCORES} by {mode}", "info" if wrong else "ok", wrong or f"works: {shown}")
        if not wrong:
            book.add(SCORES, "ok", f"asked by {mode}")
            return (yield from _middles(tried, named, book))
    book.add(SCORES, "problem", "this server gives no log-probabilities of a given text that can be believed", HINT)
    return dialect


def _numbers(dialect: Dialect, book: Book) -> Steps[tuple[str, str]]:
    """Return what is wrong with the numbers of one way, or nothing, and what they are."""
    means = []
    for text in (ORDINARY, SCRAMBLED):
        # Of a mean over a whole text no part can be had.
        prompt = Given(BEFORE + text) if dialect.score == "get_ppl" else Given(text, BEFORE)
        numbers = yield from _score(dialect, prompt, book)
        if isinstance(numbers, Failure):
            return _refused(numbers), ""
        if not numbers:
            return "the reply holds no number for any token of the text", ""
        if len(numbers) > 1 and min(numbers) == max(numbers):
            return f"every token has the same number ({numbers[0]:.4g}): nothing was computed", ""
        means.append(sum(numbers) / len(numbers))
    ordinary, scrambled = means
    shown = f"{ordinary:.2f} nats per token of a program, {scrambled:.2f} with its words scrambled"
    if ordinary < LEAST:
        return f"{shown}: so improbable is no program; the numbers may be those of the neighbouring tokens", ""
    if ordinary < scrambled + MARGIN:
        return f"{shown}: no language model's numbers", ""
    return "", shown


def _middles(dialect: Dialect, named: str | None, book: Book) -> Steps[Dialect]:
    """Find out whether middles can be scored by raw prompts in the family's own order."""
    family = sentinels.FAMILIES.get(dialect.family or named or "") or sentinels.family_of(dialect.model)
    why = ""
    if dialect.score == "get_ppl":
        why = "one mean for a whole text tells nothing of its middle"
    elif family is None:
        why = "the model's sentinels are not known: name them by api.fim.family"
    elif family.ids is not None:
        why = f"{family.name} prompts are token ids, which cannot be laid on a text"
    if why or family is None:
        book.add(MIDDLE_SCORES, "info", f"not possible: {why}")
        return dialect
    tried, gain = msgspec.structs.replace(dialect, score_family=family.name), 0.0
    for i, text in enumerate(MIDDLES):
        for j, suffix in enumerate(SUFFIXES):
            numbers = yield from _score(tried, Given(text, PREFIX, suffix), book)
            if isinstance(numbers, Failure):
                book.add(MIDDLE_SCORES, "info", f"not possible by raw {family.name} prompts: {_refused(numbers)}")
                return dialect
            gain += sum(numbers) * (1 if i == j else -1)
    shown = f"the suffixes make the middles that they force more probable by {gain:.2f} nats"
    if gain <= 0:
        book.add(MIDDLE_SCORES, "info", f"not possible by raw {family.name} prompts: {shown}")
        return dialect
    book.add(MIDDLE_SCORES, "ok", f"by raw {family.name} prompts: {shown}")
    return tried


def _score(dialect: Dialect, prompt: Given, book: Book) -> Steps[Sequence[float] | Failure]:
    """Ask for the numbers of one text.

    Raises:
        EndpointDown: The server broke, or does not answer any more.
    """
    try:
        reply = yield from ask(book, dialect, prompt, Sampling(max_new_tokens=1, temperature=0.0))
    except EndpointDown as down:
        told = f"{down.message}, when it was asked for the log-probabilities of a short text by {dialect.score}"
        raise EndpointDown(told, hint="look at the server's log: scoring may take more memory than it has") from None
    if isinstance(reply, Failure):
        return reply
    return _known(reply)


def _known(reply: Completion) -> list[float]:
    choice = reply.choices[0]
    if choice.mean_logprob is not None:
        return [choice.mean_logprob]
    return [value for value in choice.logprobs or () if value is not None]


def _refused(failure: Failure) -> str:
    return failure.message if failure.status == 200 else f"refused{failure.http}: {failure.message}"
