"""The only owner of tasks, limits and waiting: plan in, outcomes out."""

from evoselfcode.engine.gate import Gate, GateStatistics
from evoselfcode.engine.meter import Meter
from evoselfcode.engine.pool import Stop, outcomes

__all__ = ["Gate", "GateStatistics", "Meter", "Stop", "outcomes"]
