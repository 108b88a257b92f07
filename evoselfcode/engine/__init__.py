"""The only owner of tasks, limits and waiting: plan in, outcomes out."""

from evoselfcode.engine.durations import COMMIT_BOUNDS, Durations
from evoselfcode.engine.endpoints import Endpoint, Event, Members
from evoselfcode.engine.fleet import Fleet
from evoselfcode.engine.meter import Meter
from evoselfcode.engine.pool import AtOnce, Finish, outcomes
from evoselfcode.engine.readings import EndpointStatistics, FleetStatistics
from evoselfcode.engine.stop import Stop, unless

__all__ = [
    "COMMIT_BOUNDS",
    "AtOnce",
    "Durations",
    "Endpoint",
    "EndpointStatistics",
    "Event",
    "Finish",
    "Fleet",
    "FleetStatistics",
    "Members",
    "Meter",
    "Stop",
    "outcomes",
    "unless",
]
