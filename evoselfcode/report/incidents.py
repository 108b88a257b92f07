"""What happened to the endpoints of a run: limits as steps, and episodes with a beginning, an end and a reason.

This file decides which events belong together. It is fed the lines of ``events.jsonl`` as plain data, in the order in
which they were written, and refuses to know where they come from and what the run did meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

Limits = list[tuple[float, float]]
"""Steps of Unix time in seconds and the most attempts in flight from then on."""

ENDS = {
    "parked": ("returned", "left"),
    "paused": ("returned", "parked", "left"),
    "outage": ("returned", "joined"),
    "client_bound": ("client_bound",),
    "joined": (),
    "left": (),
}
"""Kinds of events that begin an episode, and those that end it; the last two are moments."""

OF_THE_RUN = ("outage", "client_bound")
"""Episodes that are of no endpoint alone: whatever ends them may be of any."""


class Episode(NamedTuple):
    """Something that began and, perhaps, ended.

    Attributes:
        at: When it began, in Unix seconds.
        kind: What it was.
        endpoint: Of which endpoint; ``""`` for the whole run.
        reason: Why, for people.
        until: When it ended; ``None`` if it did not while the run lasted, or was a moment.
    """

    at: float
    kind: str
    endpoint: str
    reason: str
    until: float | None


def limits_by_endpoint(events: Iterable[Mapping[str, Any]]) -> dict[str, Limits]:
    """Return the limit of each endpoint over time: 0 while it is away."""
    found: dict[str, Limits] = {}
    for event in events:
        limit = 0 if event["kind"] in ("parked", "left") else event.get("limit")
        if limit is not None and event["endpoint"]:
            found.setdefault(event["endpoint"], []).append((event["at"], limit))
    return found


def total(limits: Mapping[str, Limits]) -> Limits:
    """Return the limit of all endpoints together over time."""
    now: dict[str, float] = {}
    steps = []
    for at, endpoint, limit in sorted((at, name, limit) for name, steps in limits.items() for at, limit in steps):
        now[endpoint] = limit
        steps.append((at, sum(now.values())))
    return steps


def episodes(events: Iterable[Mapping[str, Any]]) -> list[Episode]:
    """Return what happened to the endpoints and the run, in the order of its beginning."""
    begun: dict[tuple[str, str], int] = {}
    found: list[Episode] = []
    for event in events:
        kind, endpoint = event["kind"], event["endpoint"]
        ended = [key for key in begun if kind in ENDS[key[0]] and (key[1] == endpoint or key[0] in OF_THE_RUN)]
        for key in ended:
            at = begun.pop(key)
            found[at] = found[at]._replace(until=event["at"])
        if kind not in ENDS or (kind, endpoint) in begun or (kind == "client_bound" and ended):
            continue
        if ENDS[kind]:
            begun[kind, endpoint] = len(found)
        found.append(Episode(event["at"], kind, endpoint, event["reason"], None))
    return found
