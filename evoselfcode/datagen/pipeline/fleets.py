"""Of a connection and a configuration, the fleet of a run: who is asked, and how hard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from evoselfcode.clients import Connection
from evoselfcode.config import RunConfig
from evoselfcode.datagen.pipeline.refusing import as_broken
from evoselfcode.engine import Event, Fleet


class Asks(Protocol):
    """What a stage says of how its endpoints are asked: see :class:`evoselfcode.datagen.pipeline.stage.Stage`."""

    @property
    def concurrency(self) -> Callable[[RunConfig], int | None]:
        """Requests in flight at once, of all endpoints together; ``None`` has the engine find it out."""

    @property
    def seed(self) -> Callable[[RunConfig], int]:
        """Seeds what is drawn, such as the jitter of probes."""

    @property
    def fragile(self) -> bool:
        """Whether what it asks can break a server."""


def fleet_of(
    stage: Asks, config: RunConfig, connection: Connection, on_event: Callable[[Event], None] = lambda event: None
) -> Fleet:
    """Make the fleet of a run: the connection's endpoints, and how hard they may be asked. Events go to `on_event`."""
    api = config.api
    return Fleet(
        as_broken(connection.members) if stage.fragile else connection.members,
        concurrency=stage.concurrency(config),
        most=api.max_concurrency,
        requests_per_second=api.requests_per_second,
        tokens_per_minute=api.tokens_per_minute,
        outage_limit=api.outage_limit,
        seed=stage.seed(config),
        on_event=on_event,
    )
