"""Who is the limit: the server, this process, something that is configured, or nobody yet. Pure.

This file decides the verdict, its reason in figures, and what to do about it. It refuses to know how levels are chosen
and measured. A queue at the server outweighs a busy client: what waits there cannot be answered sooner by anybody.
"""

from __future__ import annotations

from math import ceil
from typing import Literal

import msgspec

from evoselfcode.bench import HIGHEST
from evoselfcode.bench.ladder import Ladder
from evoselfcode.bench.levels import REFUSALS, Level

Limit = Literal["server", "client", "configuration", "neither", "unknown"]
"""Who: the server; this process; a rate that is configured; nobody up to the highest level; it cannot be said, for it
ended too early or an endpoint was away."""

Cut = Literal["time", "requests", "stopped", "endpoint"]
"""What ended it early: the time or the requests that were allowed, a signal, an endpoint that went away."""

UNTIL = {
    "time": "the time that was allowed is over (--max-time)",
    "requests": "the requests that were allowed are sent (--max-requests)",
    "stopped": "it was stopped",
    "endpoint": "the endpoint went away",
}


class Verdict(msgspec.Struct, frozen=True):
    """Who is the limit.

    Attributes:
        limit: Who.
        why: The reason in figures, for people.
        advice: What to do about it.
    """

    limit: Limit
    why: str
    advice: str


def verdict(ladder: Ladder, cut: Cut | None, *, fast_loop: bool, rated: bool) -> Verdict:
    """Say who is the limit.

    Args:
        ladder: The levels that were measured.
        cut: What ended the bench early; ``None`` if nothing did.
        fast_loop: Whether uvloop carries the event loop already.
        rated: Whether a rate is configured.
    """
    knee, good = ladder.knee, ladder.good
    if ladder.over is None:
        why = f"it ended on the way up: {UNTIL[cut or 'time']}"
        if good:
            why += f"; goodput still rose at {good[-1].limit:,} in flight"
        return Verdict("unknown", why, "allow more and run it again")
    if knee is None:
        bad = max(ladder.levels.values(), key=lambda level: level.limit)
        return Verdict("server", f"{_failed(bad)} at {bad.limit:,} in flight, the lowest level", _mend(bad))
    top = good[-1]
    if (
        (ladder.over in ("flat", "most") or (ladder.over == "unused" and not rated))
        and top.strained
        and not top.crowded
    ):
        return _client(knee, top, fast_loop=fast_loop)
    if ladder.over == "trouble":
        bad = min((it for it in ladder.levels.values() if it.in_trouble and it.limit > knee.limit), key=_limit)
        return Verdict(
            "server", f"{_failed(bad)} at {bad.limit:,} in flight, none of note at {top.limit:,}", _mend(bad)
        )
    if ladder.over == "unused" and not rated:
        return Verdict(
            "unknown",
            f"only {top.in_flight:,.0f} of {top.limit:,} were in flight: an endpoint was away or paused"
            + (f"; {_failed(top)}" if top.failures else ""),
            "look at the server's log, and run it again when all replicas are well",
        )
    if ladder.over == "unused":
        return Verdict(
            "configuration",
            f"only {top.in_flight:,.0f} of {top.limit:,} were in flight: requests wait for their start",
            "raise or leave out api.requests_per_second and api.tokens_per_minute, if the endpoint allows more",
        )
    if knee.limit == top.limit:
        return Verdict(
            "neither",
            f"goodput still rises at {top.limit:,} in flight, the highest level; {_spare(top)}",
            _higher(top.limit),
        )
    return _server(knee, top)


def remarks(ladder: Ladder, cut: Cut | None, seconds: float) -> list[str]:
    """Say what else is to be known of the figures.

    Args:
        ladder: The levels that were measured.
        cut: What ended the bench early.
        seconds: Seconds of one level.
    """
    told = []
    if cut is not None and ladder.over is not None:
        told.append(f"the knee may lie a little lower: {UNTIL[cut]}")
    knee = ladder.found
    if knee is not None and knee.latency_s.p50 > seconds / 3:
        told.append(
            f"answers take {_seconds(knee.latency_s.p50)} at the knee: where they wait, the figures of levels of "
            f"{seconds:g} s are rough; give --seconds {ceil(30 * knee.latency_s.p50) / 10:g}"
        )
    return told


def _client(knee: Level, top: Level, *, fast_loop: bool) -> Verdict:
    used = f"this process used {top.client.core:.0%} of a processor core"
    if top.client.kept_waiting > 0.05:
        used += f" and waited for one {top.client.kept_waiting:.0%} of the time"
    queue = f", while {top.server.waiting:,.0f} waited at the server" if top.server else ""
    why = f"{used}, and its event loop came up to {1000 * top.client.late_s:,.0f} ms late{queue}; {_flat(knee, top)}"
    advice = "divide the run into shards, one process each (--shard)"
    if top.client.kept_waiting > 0.05:
        advice = f"give this process a core of its own, or {advice}"
    elif not fast_loop:
        advice = f"install uvloop (the extra fast), or {advice}"
    return Verdict("client", why, advice)


def _server(knee: Level, top: Level) -> Verdict:
    slower = f"the median answer took {_seconds(top.latency_s.p50)} instead of {_seconds(knee.latency_s.p50)}"
    queue = ""
    if top.server:
        queue = f", {top.server.waiting:,.0f} waited at the server and {top.server.running:,.0f} ran"
    advice = f"keep about {knee.limit:,} in flight; more throughput needs more of the server, or another replica"
    return Verdict("server", f"{_flat(knee, top)}; {slower}{queue}; {_spare(top)}", advice)


def _flat(knee: Level, top: Level) -> str:
    if top.limit == knee.limit:
        return f"goodput was {_rate(knee)} at {knee.limit:,} in flight"
    return f"goodput was {_rate(knee)} at {knee.limit:,} in flight and {_rate(top)} at {top.limit:,}"


def _higher(limit: int) -> str:
    if limit >= HIGHEST:
        return "no more is tried by one process; divide the run into shards (--shard) to ask for more"
    more = min(HIGHEST, 4 * limit)
    return f"raise --max-concurrency to {more:,}, and the limit on open files if that is too low"


def _spare(level: Level) -> str:
    return f"this process used {level.client.core:.0%} of a core"


def _failed(level: Level) -> str:
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in level.failures.items())
    return f"of {level.attempts:,} attempts {sum(level.failures.values()):,} failed ({kinds or 'none was answered'})"


def _mend(level: Level) -> str:
    if any(kind in REFUSALS for kind in level.failures):
        return "stay below; if the server is yours, raise what it admits, or add a replica"
    return "look at the server's log"


def _limit(level: Level) -> int:
    return level.limit


def _rate(level: Level) -> str:
    unit = "requests/s" if level.completion_tokens_per_second is None else "tokens/s"
    return f"{level.goodput:,.0f} {unit}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:,.0f} ms"
