"""What a bench asks: the requests of the names stage, to the client's endpoints, by the engine of a run.

This file decides which arms are asked and what a bench changes of a run's settings: a request that fails is not asked
again on its own account, and an endpoint that is away is waited for half a minute. It refuses to know what is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial

import anyio
import msgspec

from evoselfcode.bench.levels import Level
from evoselfcode.bench.measuring import Book, Climb, Wish
from evoselfcode.bench.watching import Watch
from evoselfcode.clients import Findings, OpenAICompletionClient
from evoselfcode.config import RunConfig
from evoselfcode.config.check import SEEDS
from evoselfcode.datagen.pipeline.namegen import NAMES
from evoselfcode.datagen.pipeline.stage import chosen_arms, judged, requests
from evoselfcode.datagen.pipeline.stopping import unless_stopped
from evoselfcode.engine import Fleet, Stop
from evoselfcode.errors import FimUnavailable, UsageError

AWAY = 30.0
"""Seconds that an endpoint is waited for that goes away in the middle."""


class Asked(Book):
    """What is known so far, and of what.

    Attributes:
        findings: What the preflight found.
        arms: The arms whose requests are sent, in turn.
        left_out: Why each of the others cannot be asked there.
        replicas: Names of the endpoints.
    """

    def __init__(self) -> None:
        super().__init__()
        self.findings = Findings.unknown()
        self.arms: tuple[str, ...] = ()
        self.left_out: dict[str, str] = {}
        self.replicas: tuple[str, ...] = ()


def endless(config: RunConfig) -> RunConfig:
    """Return the settings of a run that has as many requests as there are seeds, and asks for each once."""
    return msgspec.structs.replace(
        config,
        api=msgspec.structs.replace(config.api, max_attempts=1, outage_limit=min(AWAY, config.api.outage_limit)),
        namegen=msgspec.structs.replace(config.namegen, num_requests=SEEDS // config.namegen.n),
    )


async def bench(
    client: OpenAICompletionClient,
    config: RunConfig,
    wish: Wish,
    asked: Asked,
    stop: Stop,
    *,
    arms: Sequence[str] = (),
    ready: Callable[[Asked], None] = lambda asked: None,
    told: Callable[[Level], None] = lambda level: None,
) -> None:
    """Climb at the client's endpoints, and write what is found into `asked`.

    Cancelled: attempts in flight are abandoned; what was measured before is there.

    Args:
        client: Reaches the endpoints.
        config: What a run would ask, and how; its concurrency is not looked at, its rates are kept.
        wish: How long, how high.
        asked: Where to write.
        stop: Ends it early.
        arms: The arms to ask; all that the endpoint can serve if there is none.
        ready: Told when the preflight is over and the climb begins.
        told: Told each level when it is measured.

    Raises:
        EndpointDown: Nothing answers the preflight.
        EndpointRefused: The endpoint will refuse every request.
        FimUnavailable: No arm can be asked there.
        Interrupted: `stop` came before the climb.
        UsageError: There are more replicas than requests that may be in flight.
    """
    config = endless(config)
    async with AsyncExitStack() as stack:
        opened = client.connect(n=config.namegen.n)
        connection = await unless_stopped(stop, partial(stack.enter_async_context, opened))
        asked.findings = connection.findings
        asked.arms, asked.left_out = _served(config, connection.findings, chosen_arms(NAMES.arms(config), arms or None))
        replicas = tuple(sorted(replica.name for replica in await connection.members()))
        if wish.most < len(replicas):
            raise UsageError(
                f"{len(replicas)} replicas have one request in flight each, more than {wish.most}",
                hint=f"set --max-concurrency to {len(replicas)} or more, or name fewer replicas",
            )
        asked.replicas = replicas
        ready(asked)
        enough = Stop()
        watch = Watch(connection.members, anyio.current_time, most=wish.max_requests, spent=enough.set)
        fleet = _fleet(config, watch)
        dialect = connection.dialect
        plan = requests(NAMES, config, dialect.model, dialect.max_n, asked.arms)
        judges = {arm: NAMES.judge(config) for arm in asked.arms}
        climb = Climb(fleet, watch, wish, first=len(asked.replicas), told=told)
        await climb.run(judged(NAMES, config, fleet, plan, judges, stop=enough), asked, stop)


def _served(config: RunConfig, findings: Findings, arms: Sequence[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the arms that can be asked, and why each of the others cannot.

    Raises:
        FimUnavailable: None can.
    """
    errors: dict[str, FimUnavailable] = {}
    for arm in arms:
        try:
            NAMES.require(config, arm, findings)
        except FimUnavailable as error:
            errors[arm] = error
    served = tuple(arm for arm in arms if arm not in errors)
    if not served:
        raise next(iter(errors.values()))
    return served, {arm: error.message.partition("\n")[0] for arm, error in errors.items()}


def _fleet(config: RunConfig, watch: Watch) -> Fleet:
    """Make a fleet that begins with one request at each endpoint; the climb moves the limits from there."""
    api = config.api
    return Fleet(
        watch.members,
        most=1,
        requests_per_second=api.requests_per_second,
        tokens_per_minute=api.tokens_per_minute,
        outage_limit=api.outage_limit,
        seed=config.namegen.seed,
    )
