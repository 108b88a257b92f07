"""The only owner of tasks, limits and waiting: plan in, outcomes out."""

from evoselfcode.engine.durations import COMMIT_BOUNDS, Durations
from evoselfcode.engine.fleet import EndpointStatistics, FleetStatistics
from evoselfcode.engine.gate import Gate, GateStatistics
from evoselfcode.engine.meter import Meter
from evoselfcode.engine.pool import Stop, outcomes

__all__ = [
    "COMMIT_BOUNDS",
    "Durations",
    "EndpointStatistics",
    "FleetStatistics",
    "Gate",
    "GateStatistics",
    "Meter",
    "Stop",
    "outcomes",
]
