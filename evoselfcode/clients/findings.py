"""What a preflight asks and finds: the records that the steps of the preflight share.

This file decides how a finding is written down and when a preflight must end at once. It refuses to know which
questions are asked: that is :mod:`evoselfcode.clients.probe` and :mod:`evoselfcode.clients.probe_fim`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Literal, TypeVar

import msgspec

from evoselfcode.errors import EndpointDown, EndpointRefused, FimUnavailable, ScoresUnavailable
from evoselfcode.records import Completion, Failure, Fim, Given, L2r, Order, Request, Sampling
from evoselfcode.wire.dialect import Dialect, FimMode
from evoselfcode.wire.failures import shorten
from evoselfcode.wire.retry import HINTS
from evoselfcode.wire.servers import Models

MAX_REQUESTS = 6
"""Most requests of one preflight, so that it may run at the start of every job; two more for each order of raw prompts
that an arm prescribes, and some more where scores are asked for (:mod:`evoselfcode.clients.probe_scores`)."""

PREFIX = "import math\nimport os\n\nvalue = "
"""What every question of the preflight begins with."""

CHATTY = ("```", "Sure", "Here", "Hello", "I ", "The ", "It ", "To ", "This ")
"""How a chat model begins when a completion was asked for and the server put the prompt into a chat template."""

DOWN_HINT = "check api.base_url and that the server has finished loading; nothing was written"
TLS_HINT = "the server speaks no TLS there, or its certificate is not trusted: try http:// in api.base_url"
MODEL_HINT = "set model to a name it lists"
NO_FIM_HINT = "run the L2R arm alone with --arm L2R, serve a FIM-trained model, or name its api.fim.family"

Level = Literal["ok", "info", "warning", "problem"]


class Check(msgspec.Struct, frozen=True):
    """One thing that the preflight looked at.

    Attributes:
        name: What was looked at.
        level: ``ok``, ``info``, ``warning`` or ``problem``.
        found: What was found and why it matters, one sentence.
        hint: What to do about it, or ``""``.
    """

    name: str
    level: Level
    found: str
    hint: str = ""


class Findings(msgspec.Struct, frozen=True):
    """What a preflight came to.

    Attributes:
        dialect: How to talk to this server.
        checks: What was looked at, in order.
        requests: Requests that were sent.
    """

    dialect: Dialect
    checks: tuple[Check, ...]
    requests: int

    @classmethod
    def unknown(cls) -> Findings:
        """Return the findings before any preflight: no requests, no checks."""
        return cls(Dialect(), (), 0)

    def require_fim(self, order: Order | None = None) -> None:
        """Refuse to go on if no way of FIM was found.

        Args:
            order: The order of the raw prompts that are to be asked with; ``None`` if any way will do.

        Raises:
            FimUnavailable: With what was found for each way that was tried.
        """
        if order is not None:
            self._require_order(order)
            return
        if self.dialect.fim != "none":
            return
        tried = [f"\n  {check.name}: {check.found}" for check in self.checks if check.name.startswith("FIM by")]
        if not tried:
            raise FimUnavailable("api.fim.mode is none", hint="set it to auto, or run the L2R arm alone with --arm L2R")
        verdict = [check for check in self.checks if check.name == "FIM"]
        told = (
            verdict[-1] if verdict else Check("FIM", "problem", "no way of fill-in-the-middle was found", NO_FIM_HINT)
        )
        raise FimUnavailable(told.found + "".join(tried), hint=told.hint)

    def _require_order(self, order: Order) -> None:
        if order in self.dialect.orders:
            return
        for check in self.checks:
            if check.name == raw_check(order):
                raise FimUnavailable(f"{check.name}: {check.found}", hint=check.hint)
        raise FimUnavailable(
            f"raw prompts in {order} order were not tried on this server",
            hint=f'build the client from the configuration, or with fim_orders=("{order}",)',
        )

    @property
    def looked_at_scores(self) -> bool:
        """Whether it was found out how a given text is scored, or that it cannot be."""
        return self.dialect.score != "none" or any(check.name == SCORES for check in self.checks)

    def require_scores(self, *, fim: bool = False) -> None:
        """Refuse to go on if the server gives no log-probabilities of a given text.

        Args:
            fim: Whether middles of fill-in-the-middle prompts are to be scored too.

        Raises:
            ScoresUnavailable: With what was tried, and what to do.
        """
        if self.dialect.score != "none" and (self.dialect.score_family is not None or not fim):
            return
        told = {check.name: check for check in self.checks}
        verdict = told.get(MIDDLE_SCORES if self.dialect.score != "none" else SCORES)
        if verdict is None:
            hint = "open the connection with connect(scores=True)"
            raise ScoresUnavailable("the server was not asked for the log-probabilities of a given text", hint=hint)
        tried = [f"\n  {name}: {check.found}" for name, check in told.items() if name.startswith(f"{SCORES} by")]
        whole = verdict.found + ("" if verdict.name == MIDDLE_SCORES else "".join(tried))
        raise ScoresUnavailable(whole, hint=verdict.hint or None)


SCORES = "scores"
"""The check that says how a given text is scored."""

MIDDLE_SCORES = "scores of middles"
"""The check that says whether the middle of a fill-in-the-middle prompt is."""


def raw_check(order: Order) -> str:
    """Name the check of raw prompts in one order."""
    return f"raw FIM in {order} order"


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What the user configured; see ``api`` in ``docs/reference/config.md``.

    Attributes:
        base_url: As configured.
        model: As configured; ``""`` takes the server's only model.
        mode: ``auto``, or the one way of FIM to use.
        prefer_chat: Try the chat fields before ``suffix``.
        family: Sentinel family, or ``None`` to read it from the model's name.
        prefix_key: Chat field of the prefix.
        suffix_key: Chat field of the suffix.
        orders: Orders of raw prompts that arms prescribe; each is tried by itself.
        n: Choices per request that the run will ask for.
        scores: Whether given texts are to be scored.
        chat: Whether left-to-right prompts are messages of a user, for a chat model to answer.
    """

    base_url: str
    model: str = ""
    mode: FimMode | Literal["auto"] = "auto"
    prefer_chat: bool = False
    family: str | None = None
    prefix_key: str = "prefix"
    suffix_key: str = "suffix"
    orders: tuple[Order, ...] = ()
    n: int = 4
    scores: bool = False
    chat: bool = False


class AskModels(msgspec.Struct, frozen=True):
    """Yielded by :func:`preflight`: list the models; wants ``Models`` or a failure back."""


class Ask(msgspec.Struct, frozen=True):
    """Yielded by :func:`preflight`: send `request` in `dialect`; wants a completion or a failure back."""

    request: Request
    dialect: Dialect


T = TypeVar("T")
Steps = Generator[AskModels | Ask, Models | Completion | Failure, T]
"""A part of a preflight: yields questions, is sent answers, returns what it learnt."""


class Book:
    """The checks written so far, the requests spent, and how a question is asked.

    Attributes:
        checks: What was found, in order.
        requests: Requests spent.
        model_hint: What to do if the server does not have the model.
    """

    def __init__(self) -> None:
        self.checks: list[Check] = []
        self.requests = 0
        self.model_hint = MODEL_HINT

    def add(self, name: str, level: Level, found: str, hint: str = "") -> None:
        """Write a check down, on one line: what was found may quote the server and the model."""
        self.checks.append(Check(name, level, shorten(found), hint))

    @property
    def left(self) -> int:
        """Requests that may still be sent."""
        return MAX_REQUESTS - self.requests


def ask(book: Book, dialect: Dialect, prompt: Fim | L2r | Given, sampling: Sampling) -> Steps[Completion | Failure]:
    """Send one request; end the preflight where no other request can do better.

    Raises:
        EndpointDown: Nothing answers, or not now.
        EndpointRefused: The key or the model is refused.
    """
    reply = yield Ask(Request(key="preflight", prompt=prompt, sampling=sampling), dialect)
    book.requests += 1
    if isinstance(reply, Models):
        raise TypeError("a completion was asked for")
    if isinstance(reply, Failure):
        end_if_hopeless(reply, book.model_hint)
    return reply


def end_if_hopeless(failure: Failure, model_hint: str = MODEL_HINT) -> None:
    """Raise for failures after which no other question makes sense.

    Args:
        failure: What came back.
        model_hint: What to do if the server does not have the model.

    Raises:
        EndpointDown: Nothing answers, or not now.
        EndpointRefused: The key or the model is refused, or the account cannot pay.
    """
    told = failure.message if failure.status is None else f"HTTP {failure.status}: {failure.message}"
    if failure.kind in ("connect", "timeout", "disconnect", "loading", "overloaded", "rate_limited"):
        tls = failure.kind == "connect" and "SSL" in failure.message
        raise EndpointDown(
            f"the endpoint does not serve requests now ({failure.kind}): {told}", hint=TLS_HINT if tls else DOWN_HINT
        )
    if failure.kind in ("auth", "payment"):
        what = "the key" if failure.kind == "auth" else "to work unpaid"
        raise EndpointRefused(f"the endpoint refuses {what}: {told}", hint=HINTS[failure.kind])
    if failure.kind == "no_model":
        raise EndpointRefused(f"the endpoint does not have this model: {told}", hint=model_hint)


def reads_like_chat(text: str) -> bool:
    """Say whether a canary's text reads like a chat model's answer: no program goes on after its prefix like that."""
    return text.lstrip().startswith(CHATTY)


def canary_sampling(n: int, *, logprobs: bool) -> Sampling:
    """Return how the preflight draws: the likeliest tokens, a short text, one line."""
    # Not quite greedy: vLLM refuses n > 1 at temperature 0, and 0.01 draws the likeliest token all the same.
    return Sampling(
        max_new_tokens=16, n=n, temperature=0.01, top_p=0.95, stop=("\n",), seed=1, logprobs=0 if logprobs else None
    )
