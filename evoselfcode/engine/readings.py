"""What can be read off the engine at any time: frozen records for progress lines, metrics and tests."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from evoselfcode.engine.health import State


class EndpointStatistics(msgspec.Struct, frozen=True):
    """One reading of an endpoint.

    Attributes:
        name: Its name.
        state: Whether it is asked.
        in_flight: Attempts holding a slot of it now.
        limit: Attempts that may be in flight now.
        attempts: Attempts that ended, by outcome: ``ok``, or the kind of the failure.
    """

    name: str
    state: State
    in_flight: int
    limit: int
    attempts: Mapping[str, int]


class FleetStatistics(msgspec.Struct, frozen=True):
    """One reading of a fleet.

    Attributes:
        endpoints: Its endpoints.
        waiting: Requests waiting for a slot.
        budget: Retries that may be made now.
        lag: Longest time of the last 10 s that the event loop kept something waiting, in seconds.
        client_bound: Whether this process is what limits the run.
    """

    endpoints: tuple[EndpointStatistics, ...] = ()
    waiting: int = 0
    budget: float = 0.0
    lag: float = 0.0
    client_bound: bool = False

    @property
    def in_flight(self) -> int:
        """Attempts holding a slot now."""
        return sum(endpoint.in_flight for endpoint in self.endpoints)

    @property
    def slots(self) -> int:
        """Attempts that may be in flight now."""
        return sum(endpoint.limit for endpoint in self.endpoints)
