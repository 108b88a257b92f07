"""Readings of a fleet as tests want them."""

from __future__ import annotations

from evoselfcode.engine import EndpointStatistics, FleetStatistics


def fleet(*states: str, in_flight: int = 3, limit: int = 64, **settings: object) -> FleetStatistics:
    """Make a reading of one endpoint that is up, or of one in each of the given states."""
    names = ("http://a:8000",) if len(states) < 2 else tuple(f"http://{letter}:8000" for letter in "abcdefgh")
    made = tuple(
        EndpointStatistics(name, state, in_flight, limit, {"ok": 2})  # type: ignore[arg-type]
        for name, state in zip(names, states or ("up",), strict=False)
    )
    filled = {"waiting": 0, "budget": 10.0, "lag": 0.0, "client_bound": False} | settings
    return FleetStatistics(endpoints=made, **filled)  # type: ignore[arg-type]
