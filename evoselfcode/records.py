"""The nouns: frozen records that one room hands to the next.

This file decides what a request, a completion, a failure, an outcome, a candidate and a verdict *are*.
It refuses to know how any of them is made, sent, judged or stored.

```
Request ──▶ Completion | Failure ──▶ Outcome ──▶ Candidate ──▶ Verdict
        (one attempt)            (all attempts)  (one choice)  (kept or a reason)
```
"""

from __future__ import annotations

from typing import Literal, Self

import msgspec

from evoselfcode.spans import Span

Order = Literal["PSM", "SPM"]
"""The order of a raw fill-in-the-middle prompt: prefix, suffix, middle; or suffix, prefix, middle."""

FailureKind = Literal[
    "auth",  # 401, 403: the key is wrong; ends the run
    "payment",  # 402, quota exhausted: money, not load; ends the run
    "no_model",  # 404 naming the model, or a model the server does not have; ends the run
    "no_route",  # 404, 405 without a model in it: the URL is wrong; ends the run
    "bad_request",  # 400, 422 of another sort: the same body will be refused again
    "unsupported",  # a capability this server lacks (suffix, n, logprobs, infill): refused, loudly
    "too_long",  # prompt (and completion) do not fit the context: only this row is lost
    "sentinel_in_prompt",  # the user's text contains a FIM sentinel; never sent
    "rate_limited",  # 429: slow down
    "overloaded",  # 503, 529 busy or queue full: slow down
    "loading",  # 503 while the model loads: wait
    "server_error",  # 5xx
    "connect",  # refused, no route, DNS: nothing was sent
    "disconnect",  # the connection broke after the request was (partly) sent
    "timeout",  # the attempt's deadline passed
    "bad_reply",  # a 200 whose body is not a completion
    "too_large",  # the reply passed the byte cap
    "unaligned",  # the tokens of a reply are not the text that was to be scored, or where it begins is not sure
]
"""What went wrong with one attempt, in one word; :mod:`evoselfcode.wire.retry` says what each word leads to."""


class Fim(msgspec.Struct, frozen=True, tag_field="mode", tag="FIM", omit_defaults=True):
    """Ask for the text between `prefix` and `suffix` (fill-in-the-middle).

    Attributes:
        prefix: Text before the middle.
        suffix: Text after it.
        order: Ask by a raw prompt with the family's sentinels in this order; ``None`` leaves the way to the dialect.
    """

    prefix: str
    suffix: str
    order: Order | None = None


class L2r(msgspec.Struct, frozen=True, tag_field="mode", tag="L2R"):
    """Ask for the text that follows `prompt` (left-to-right)."""

    prompt: str


class Given(msgspec.Struct, frozen=True, tag_field="mode", tag="GIVEN", omit_defaults=True):
    """Ask how probable `text` is after `before`, token by token; nothing is drawn.

    The completion has one choice whose text is `text`, cut into the server's tokens: joined, they are `text` again. A
    piece without a log-probability belongs to no token that begins in `text`, or is the first of all, which no server
    has a number for.

    Attributes:
        text: What is scored.
        before: Text before it; `text` begins the document if it is empty.
        suffix: Text after it: `text` is then the middle of a fill-in-the-middle prompt; ``None`` for left-to-right.
    """

    text: str
    before: str = ""
    suffix: str | None = None


Prompt = Fim | L2r
"""What something is drawn for."""


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """How choices are drawn. A field that is ``None`` is not sent.

    Attributes:
        max_new_tokens: Most tokens of one choice.
        n: Choices per request.
        temperature: 0 is greedy.
        top_p: Nucleus mass in (0, 1].
        stop: Strings that end a choice; they are not part of its text.
        seed: Servers draw choice *i* with ``seed + i``: requests whose seeds are closer than ``n`` repeat draws.
        logprobs: How many alternatives to report per token; 0 reports only the drawn token.
    """

    max_new_tokens: int
    n: int = 1
    temperature: float = 1.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int | None = None
    logprobs: int | None = None


class Task(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The function that a request of Stage B is about.

    Attributes:
        func_name: Its name.
        description: What it is said to do, as it stands in the prompt.
        signature: Its parameters and what it returns, such as ``(values: list[int]) -> int``; ``""`` if left open.
        head: What the prompt wrote of the function, up to the cursor.
        context: Python that stands before it in the prompt and that it may use: imports, helper functions.
    """

    func_name: str
    description: str = ""
    signature: str = ""
    head: str = ""
    context: str = ""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One logical question with a stable key; sending it once is an *attempt*.

    Attributes:
        key: Hash of what is asked (stage, arm, prompt, sampling, number, model); never a position in a file.
        prompt: What to ask.
        sampling: How to draw.
        stage: The stage that asks, such as ``names``.
        arm: The arm of the comparison, or ``""`` where there is none.
        number: Position in the plan, counted from 0; only for reading and sorting.
        topic: What it asks about, where the arm has topics.
        task: The function it is about, in Stage B.
        row: What the journal calls the row of a file that it is about, in stages that look at written code.
    """

    key: str
    prompt: Prompt | Given
    sampling: Sampling
    stage: str = ""
    arm: str = ""
    number: int = 0
    topic: str | None = None
    task: Task | None = None
    row: str | None = None

    @property
    def before(self) -> str:
        """The text before the cursor."""
        prompt = self.prompt
        if isinstance(prompt, Fim):
            return prompt.prefix
        return prompt.prompt if isinstance(prompt, L2r) else prompt.before


class Choice(msgspec.Struct, frozen=True):
    """One of the ``n`` texts of a completion.

    Attributes:
        text: The text, without stop strings and without leaked sentinels as far as the server hides them.
        finish_reason: ``stop``, ``length``, or what else the server says; ``None`` if it says nothing.
        tokens: The token strings, where the server reports them.
        logprobs: Natural-log probability of each token; ``None`` where the server gives none for it.
        mean_logprob: Of a text that was given: the mean over its tokens in nats, where a server tells nothing else.
        alternatives: In the place of each token the likeliest tokens and their log-probabilities, where asked for.
    """

    text: str
    finish_reason: str | None = None
    tokens: tuple[str, ...] | None = None
    logprobs: tuple[float | None, ...] | None = None
    mean_logprob: float | None = None
    alternatives: tuple[dict[str, float], ...] | None = None

    @property
    def logprob(self) -> float | None:
        """Sum of the token log-probabilities in nats; ``None`` if any is missing."""
        if not self.logprobs:
            return None
        known = [value for value in self.logprobs if value is not None]
        return sum(known) if len(known) == len(self.logprobs) else None


class Usage(msgspec.Struct, frozen=True):
    """Tokens that the server says it counted; ``None`` where it does not say.

    Attributes:
        prompt_tokens: Tokens of the prompt, counted once whatever ``n``.
        completion_tokens: Tokens of all choices together; an estimate where the server counts one choice only.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Completion(msgspec.Struct, frozen=True):
    """What one successful attempt gave."""

    choices: tuple[Choice, ...]
    usage: Usage = Usage()
    model: str | None = None


class Failure(msgspec.Struct, frozen=True):
    """What one failed attempt gave.

    Attributes:
        kind: The class of the failure.
        message: The server's or the system's own words, shortened; for people, never parsed.
        status: HTTP status, or ``None`` when no reply arrived.
        retry_after: Seconds the server asks to wait, or ``None``.
    """

    kind: FailureKind
    message: str = ""
    status: int | None = None
    retry_after: float | None = None

    @property
    def http(self) -> str:
        """The status as it is shown behind a word, such as `` (HTTP 404)``; ``""`` when no reply arrived."""
        return "" if self.status is None else f" (HTTP {self.status})"


class Outcome(msgspec.Struct, frozen=True):
    """What a request finally came to.

    Attributes:
        request: The request.
        result: The completion, or the failure of the last attempt.
        attempts: Attempts made; the first is 1. 0 if the request was never sent.
        seconds: Wall time from the first attempt to the end, waiting included.
        failures: Kinds of the attempts that failed on the way, in order.
    """

    request: Request
    result: Completion | Failure
    attempts: int
    seconds: float
    failures: tuple[FailureKind, ...] = ()


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed choice, not yet judged.

    Attributes:
        arm: The arm it came from.
        number: Number of its request in the plan.
        index: Which of the request's choices, from 0.
        text: What the parser made of it (for names: the identifier, possibly empty).
        raw_text: The choice's text, untouched.
        finish_reason: Why the choice ended.
        logprob: Sum of its token log-probabilities in nats, where the server gives them.
        begun: How much of `text` the prompt had written before the choice began.
        parts: Of a text that was scored: the numbers of its parts, by name.
    """

    arm: str
    number: int
    index: int
    text: str
    raw_text: str
    finish_reason: str | None
    logprob: float | None = None
    begun: str = ""
    parts: dict[str, Span] | None = None

    @classmethod
    def of(cls, request: Request, index: int, choice: Choice, text: str, begun: str = "") -> Self:
        """Make the candidate of a request's choice, given what the parser made of its text."""
        return cls(
            arm=request.arm,
            number=request.number,
            index=index,
            text=text,
            raw_text=choice.text,
            finish_reason=choice.finish_reason,
            logprob=choice.logprob,
            begun=begun,
        )


class Verdict(msgspec.Struct, frozen=True):
    """Keep it or not: ``reason`` is ``None`` when kept, else ONE machine-readable word."""

    reason: str | None = None

    @property
    def kept(self) -> bool:
        """Say whether the candidate was kept."""
        return self.reason is None
