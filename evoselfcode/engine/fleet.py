"""What a run's endpoints look like at a moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from evoselfcode.engine.gate import GateStatistics
from evoselfcode.engine.meter import Meter

State = Literal["up", "paused", "parked", "returning"]


class EndpointStatistics(msgspec.Struct, frozen=True):
    """One reading of an endpoint."""

    name: str
    state: State
    in_flight: int
    limit: int
    attempts: Mapping[str, int]


class FleetStatistics(msgspec.Struct, frozen=True):
    """One reading of all endpoints."""

    endpoints: tuple[EndpointStatistics, ...]
    waiting: int = 0
    peak: int = 0
    budget: float = 0.0
    lag: float = 0.0
    client_bound: bool = False

    @property
    def in_flight(self) -> int:
        """Attempts that hold a slot."""
        return sum(it.in_flight for it in self.endpoints)

    @property
    def slots(self) -> int:
        """Attempts that may hold one."""
        return sum(it.limit for it in self.endpoints)


def of_gate(gate: GateStatistics, meter: Meter) -> FleetStatistics:
    """Stand in for the fleet."""
    attempts = dict(meter.failures) | {"ok": meter.fresh - meter.dead}
    one = EndpointStatistics("http://one", "up", gate.in_flight, gate.slots, attempts)
    return FleetStatistics((one,), gate.waiting, gate.peak)
