"""The runner: the one page where client, engine, filters and storage meet.

A stage is a value (:class:`Stage`); this file interprets it in memory, :mod:`evoselfcode.datagen.pipeline.run` does
so into a folder. Both go through :func:`judged`, so there is one loop.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from hashlib import blake2b
from itertools import zip_longest
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from evoselfcode.clients import Findings, OpenAICompletionClient
from evoselfcode.config import RunConfig, SaturationRules
from evoselfcode.datagen.pipeline.fleets import fleet_of
from evoselfcode.datagen.pipeline.sharding import Shard, part_of
from evoselfcode.engine import AtOnce, Finish, Fleet, Stop, outcomes
from evoselfcode.errors import UsageError
from evoselfcode.records import (
    Candidate,
    Choice,
    Completion,
    FailureKind,
    Given,
    Outcome,
    Prompt,
    Request,
    Sampling,
    Task,
    Verdict,
)
from evoselfcode.storage import Draw, Entry, draw_of
from evoselfcode.wire import messages

Row = TypeVar("Row")
FRAGILE_ATTEMPTS = 2
"""Attempts of a request that may have broken the server: a connection may have been closed for being idle."""


class Judge(Protocol):
    """Keeps candidates or drops each with one reason, and can be told what was kept before.

    It may wait, and then holds up its own request's worker alone; what takes longer than a millisecond leaves the loop.
    """

    async def __call__(self, request: Request, candidates: Sequence[Candidate], /) -> Sequence[Verdict]:
        """Judge the candidates of one request."""

    def remember(self, text: str, /) -> None:
        """Count `text` as kept."""

    async def aclose(self) -> None:
        """Give back what it holds."""


class Remembering(Protocol):
    """Judges one candidate at once."""

    def __call__(self, candidate: Candidate, /) -> Verdict:
        """Judge one candidate."""

    def remember(self, text: str, /) -> None:
        """Count `text` as kept."""


class OneByOne:
    """A judge that asks another one about each candidate in turn.

    Args:
        judge: Judges one candidate, in microseconds.
    """

    def __init__(self, judge: Remembering) -> None:
        self._judge = judge
        self.remember = judge.remember

    async def __call__(self, request: Request, candidates: Sequence[Candidate]) -> list[Verdict]:
        """Judge the candidates of one request."""
        return self.at_once(candidates)

    def at_once(self, candidates: Sequence[Candidate]) -> list[Verdict]:
        """Do the same without waiting."""
        return [self._judge(candidate) for candidate in candidates]

    async def aclose(self) -> None:
        """Let go of what the judge remembers: a million names, perhaps, and the views are still to be made."""
        del self._judge, self.remember


@dataclass(frozen=True, kw_only=True)
class Stage(Generic[Row]):
    """One stage, as data.

    Attributes:
        name: Its name; the folder of its files below ``output.dir``.
        arms: The names of its arms.
        n: Choices per request.
        plan: Yields the requests of an arm for a model, lazily.
        fingerprint: Returns every setting that shapes results, and what identifies the content of files that do.
        seed: The seed of the stage, for the jitter of its waits.
        rules: When an arm ends early; ``None`` where that is not for this stage.
        warnings: Remarks on settings of this stage that are allowed and probably not meant.
        require: Refuses an arm that a server cannot serve, as a preflight found it.
        parse: Makes a candidate of a choice, given its request and index.
        judge: Builds the judge of one arm.
        name_of: Returns what a draw counts as when names are counted, or ``None`` if a gate dropped it.
        row: Shows a kept draw, given its arm and the function that it is about.
        views: Makes the rows of each file from the configuration and the journal's entries.
        documents: Makes what is to be said of the rows, file by file, from the folder that they were written into.
        together: Yields the requests of several arms for a model in an order of its own; ``None`` lets them take turns.
        left_out: Says why a server cannot serve an arm that the run goes on without, or ``None`` if it can.
        scores: Whether given texts are to be scored.
        remembers: Whether its judges must be told what was kept before, which is short: a name, not a function.
        fragile: Whether what it asks can break a server: then such a request is tried once more, a few end the run.
        concurrency: Requests in flight at once, of all endpoints together; ``None`` has the engine find it out.
        shard: Which part of the plan is asked; ``None`` for all of it.
    """

    name: str
    arms: Callable[[RunConfig], tuple[str, ...]]
    n: Callable[[RunConfig], int]
    plan: Callable[[RunConfig, str, str], Iterator[Request]]
    fingerprint: Callable[[RunConfig], dict[str, Any]]
    seed: Callable[[RunConfig], int]
    rules: Callable[[RunConfig], SaturationRules | None]
    warnings: Callable[[RunConfig], list[str]]
    require: Callable[[RunConfig, str, Findings], None]
    parse: Callable[[Request, int, Choice], Candidate]
    judge: Callable[[RunConfig], Judge]
    name_of: Callable[[Draw], str | None]
    row: Callable[[str, Task | None, Draw], Row]
    views: Callable[[RunConfig, Iterable[Entry]], Mapping[str, Iterable[Row]]]
    documents: Callable[[RunConfig, Path], Mapping[str, Mapping[str, Any]]] = lambda config, folder: {}
    together: Callable[[RunConfig, str, Sequence[str]], Iterator[Request]] | None = None
    left_out: Callable[[RunConfig, str, Findings], str | None] = lambda config, arm, findings: None
    scores: bool = False
    remembers: bool = True
    fragile: bool = False
    concurrency: Callable[[RunConfig], int | None] = lambda config: config.api.fixed_concurrency
    shard: Shard | None = None

    def served(
        self, config: RunConfig, arms: Sequence[str], findings: Findings
    ) -> tuple[tuple[str, ...], dict[str, str]]:
        """Return the arms that a server can serve, and why each of the others is left out.

        Raises:
            UsageError: It cannot serve one that the run needs, or none at all.
        """
        why = {arm: self.left_out(config, arm, findings) for arm in arms}
        kept = tuple(arm for arm in arms if why[arm] is None)
        for arm in kept or arms:
            self.require(config, arm, findings)
        return kept, {arm: told for arm, told in why.items() if told is not None}


class Judged(msgspec.Struct, frozen=True):
    """A settled request and what became of each of its choices."""

    outcome: Outcome
    draws: tuple[Draw, ...]


_encode = msgspec.json.Encoder(order="deterministic").encode


def request_key(
    stage: str, arm: str, prompt: Prompt | Given, sampling: Sampling, number: int, model: str, row: str | None = None
) -> str:
    """Hash what is asked: 128 bits of BLAKE2b over canonical JSON, in hexadecimal.

    Never a position in a file and never an output: inserting, reordering or lengthening a plan asks nothing twice.
    Where what is asked is about a `row` of a file, it is asked for each such row.
    """
    about = (stage, arm, prompt, sampling, number, model)
    return blake2b(_encode(about if row is None else (*about, row)), digest_size=16).hexdigest()


def chosen_arms(known: tuple[str, ...], wanted: Iterable[str] | None) -> tuple[str, ...]:
    """Return the arms to run, each once: the requests of an arm that is named twice have the same keys.

    Raises:
        UsageError: There is no such arm.
    """
    folded = {name.lower(): name for name in known}
    unknown = [name for name in wanted or () if name.lower() not in folded]
    if unknown:
        raise UsageError(f"there is no arm {unknown[0]}", hint=f"the configuration has {', '.join(known)}")
    return tuple(dict.fromkeys(folded[name.lower()] for name in wanted or known))


def requests(
    stage: Stage[Row], config: RunConfig, connection_model: str, max_n: int | None, arms: Iterable[str]
) -> Iterator[Request]:
    """Yield the requests of all arms in turn, split where the server gives fewer choices than ``n``.

    Args:
        stage: The stage.
        config: The configuration.
        connection_model: The model's name as sent.
        max_n: Most choices per request that the server gives.
        arms: The arms; they take turns, so that a run that ends early has asked each as often, until all are done.
    """
    if stage.together is not None:
        whole: Iterable[Request] = stage.together(config, connection_model, tuple(arms))
    else:
        plans = [stage.plan(config, connection_model, arm) for arm in arms]
        whole = (request for turn in zip_longest(*plans) for request in turn if request is not None)
    for request in part_of(whole, stage.shard):
        yield from messages.parts(request, max_n)


async def judged(
    stage: Stage[Row],
    config: RunConfig,
    fleet: Fleet,
    plan: Iterable[Request | None],
    judges: dict[str, Judge],
    *,
    stop: Stop | None = None,
    on_failure: Callable[[FailureKind], None] = lambda kind: None,
) -> AsyncGenerator[list[Judged], None]:
    """Ask, parse and judge; yield lists, empty ones when a second brought no news.

    `on_failure` is told each failed attempt when it fails. May be left at any time: see
    :func:`evoselfcode.engine.pool.outcomes`.
    """

    settled = outcomes(
        plan,
        fleet,
        finish=_finishing(stage, judges),
        seed=stage.seed(config),
        max_attempts=min(config.api.max_attempts, FRAGILE_ATTEMPTS) if stage.fragile else config.api.max_attempts,
        timeout=config.api.timeout,
        stop=stop,
        on_failure=on_failure,
    )
    async with aclosing(settled):
        async for batch in settled:
            yield batch


def _finishing(stage: Stage[Row], judges: Mapping[str, Judge]) -> Finish[Judged] | AtOnce[Judged]:
    """Return what parses and judges the choices of an outcome; at once where every judge can."""
    parse = stage.parse

    def candidates_of(outcome: Outcome) -> list[Candidate]:
        if not isinstance(outcome.result, Completion):
            return []
        return [parse(outcome.request, index, choice) for index, choice in enumerate(outcome.result.choices)]

    quick = {arm: judge.at_once for arm, judge in judges.items() if isinstance(judge, OneByOne)}
    if len(quick) == len(judges):

        def make(outcome: Outcome) -> Judged:
            candidates = candidates_of(outcome)
            return Judged(outcome, tuple(map(draw_of, candidates, quick[outcome.request.arm](candidates))))

        return AtOnce(make)

    async def finish(outcome: Outcome) -> Judged:
        candidates = candidates_of(outcome)
        verdicts = await judges[outcome.request.arm](outcome.request, candidates) if candidates else ()
        return Judged(outcome, tuple(map(draw_of, candidates, verdicts)))

    return finish


async def in_memory(
    stage: Stage[Row], client: OpenAICompletionClient, config: RunConfig, arm: str
) -> AsyncGenerator[list[Judged], None]:
    """Run one arm without a folder: connect, ask, judge, yield. May be left at any time."""
    async with client.connect(n=stage.n(config), scores=stage.scores) as connection:
        stage.require(config, arm, connection.findings)
        dialect = connection.dialect
        plan = requests(stage, config, dialect.model, dialect.max_n, [arm])
        judge = stage.judge(config)
        batches = judged(stage, config, fleet_of(stage, config, connection), plan, {arm: judge})
        async with aclosing(judge), aclosing(batches):
            async for batch in batches:
                yield batch


async def stream(
    stage: Stage[Row], client: OpenAICompletionClient, config: RunConfig, arm: str
) -> AsyncGenerator[Row, None]:
    """Yield the kept rows of one arm as they come. May be left at any time."""
    async with aclosing(in_memory(stage, client, config, arm)) as batches:
        async for batch in batches:
            for settled in batch:
                for draw in settled.draws:
                    if draw.reason is None:
                        yield stage.row(arm, settled.outcome.request.task, draw)
