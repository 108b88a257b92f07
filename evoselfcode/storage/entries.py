"""Entries of the journal: what was asked and what came of it, one for each settled request.

This file decides what is remembered of a request. Every draw is in it, kept or dropped and why; so is every request
that was given up. What cannot stand in a file (half of a surrogate pair, a number that is none) is made harmless here.
It refuses to judge anything itself, and to know where entries are kept.
"""

from __future__ import annotations

from math import isfinite

import msgspec

from evoselfcode.records import Candidate, Failure, FailureKind, Outcome, Task, Usage, Verdict
from evoselfcode.spans import Span

DUPLICATE = "duplicate"
"""Reason of a draw that every gate accepts and that repeats one that was kept."""


class Draw(msgspec.Struct, frozen=True, omit_defaults=True):
    """One choice and what was made of it.

    Attributes:
        raw_text: The text as the server sent it.
        text: What the parser made of it.
        reason: ``None`` if it was kept, else why it was dropped.
        finish_reason: Why it ended.
        logprob: Sum of its token log-probabilities in nats.
        parts: Of a text that was scored: the numbers of its parts, by name.
    """

    raw_text: str
    text: str
    reason: str | None = None
    finish_reason: str | None = None
    logprob: float | None = None
    parts: dict[str, Span] | None = None

    @property
    def accepted(self) -> bool:
        """Whether no gate objects: the draw is the first of its text, or repeats it."""
        return self.reason in (None, DUPLICATE)


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What one request finally came to: ``draws``, or the ``failure`` it died of.

    Attributes:
        key: The request's key; of several entries with one key the last counts.
        stage: The stage that asked.
        arm: The arm of the A/B test.
        number: The request's position in the plan.
        seed: The seed that was sent.
        attempts: Attempts made.
        seconds: Wall time from the first attempt to the end.
        failures: Kinds of the attempts that failed on the way.
        usage: Tokens as counted by the server.
        model: The model as named by the server.
        topic: What it asked about, where its arm has topics.
        task: The function it was about, in Stage B.
        row: What the journal calls the row of a file that it was about, in stages that look at written code.
        draws: The choices, in the server's order.
        failure: Why the request was given up.
        at: When it settled: Unix time in seconds, to the millisecond; ``None`` in journals that did not note it.
    """

    key: str
    stage: str
    arm: str
    number: int
    seed: int | None = None
    attempts: int
    seconds: float
    failures: tuple[FailureKind, ...] = ()
    usage: Usage = Usage()
    model: str | None = None
    topic: str | None = None
    task: Task | None = None
    row: str | None = None
    draws: tuple[Draw, ...] = ()
    failure: Failure | None = None
    at: float | None = None


def make_entry(outcome: Outcome, draws: tuple[Draw, ...], at: float | None = None) -> Entry:
    """Write down an outcome, its draws and when it settled (Unix time in seconds) as one entry."""
    request, result = outcome.request, outcome.result
    if isinstance(result, Failure):
        failure, usage, model = _harmless(result), Usage(), None
    else:
        failure, usage, model = None, result.usage, result.model
    return Entry(
        key=request.key,
        stage=request.stage,
        arm=request.arm,
        number=request.number,
        seed=request.sampling.seed,
        attempts=outcome.attempts,
        seconds=round(outcome.seconds, 6),
        failures=outcome.failures,
        usage=usage,
        model=model if model is None or model.isascii() else _utf8(model),
        topic=request.topic,
        task=request.task,
        row=request.row,
        draws=draws,
        failure=failure,
        at=None if at is None else round(at, 3),
    )


def draw_of(candidate: Candidate, verdict: Verdict) -> Draw:
    """Write down a candidate and its verdict."""
    raw_text, text, finish_reason, logprob = (
        candidate.raw_text, candidate.text, candidate.finish_reason, candidate.logprob,
    )  # fmt: skip
    return Draw(
        raw_text if raw_text.isascii() else _utf8(raw_text),
        text if text.isascii() else _utf8(text),
        verdict.reason,
        finish_reason if finish_reason is None or finish_reason.isascii() else _utf8(finish_reason),
        logprob if logprob is None or isfinite(logprob) else None,
        candidate.parts,
    )


def _harmless(failure: Failure) -> Failure:
    if failure.message.isascii() and (failure.retry_after is None or isfinite(failure.retry_after)):
        return failure
    finite = failure.retry_after is not None and isfinite(failure.retry_after)
    return msgspec.structs.replace(
        failure, message=_utf8(failure.message), retry_after=failure.retry_after if finite else None
    )


def _utf8(text: str) -> str:
    """Replace lone surrogates, which no UTF-8 file can hold, by U+FFFD."""
    try:
        text.encode()  # a tenth of the time of what follows: the event loop waits for it
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
