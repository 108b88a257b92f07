"""One endpoint of a fleet: its slots, and what is known of it.

This file decides what an attempt that ended means for its endpoint: for its health, its limit and its counts. It
refuses to know who waits for a slot (:mod:`evoselfcode.engine.fleet`) and how anything is waited for.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random
from types import MappingProxyType

from evoselfcode.engine.endpoints import Endpoint, EventKind
from evoselfcode.engine.governor import Change, Governor, Limits, Seen
from evoselfcode.engine.health import Health
from evoselfcode.engine.readings import EndpointStatistics
from evoselfcode.records import Completion, Failure
from evoselfcode.wire import retry
from evoselfcode.wire.load import Load

Tell = Callable[[EventKind, str, str, int | None], None]
"""Notes an event: its kind, the endpoint's name, the reason, the new limit."""


class Member:
    """An endpoint and its slots.

    Args:
        endpoint: The endpoint.
        limits: Bounds of its limit.
        now: The time, in seconds of the loop's clock.
        random: Draws its jitter.
        tell: Notes what happens.
        reopened: Called when it may have more attempts in flight, or fewer.

    Attributes:
        open: Attempts that may be in flight now: its limit, or less while it is not well.
        in_flight: Attempts that are, and those that have a slot and wait for their start.
        held: The latter.
        health: Whether it is asked.
        load: The queue's numbers, as it gave them last.
        peak: Most of `in_flight` since the last tick.
        ok: Attempts that gave a completion.
        failures: Attempts that failed, by kind.
        news: Set when its state changed, for whoever tends it.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        limits: Limits,
        now: float,
        random: Random,
        tell: Tell,
        reopened: Callable[[], None],
    ) -> None:
        self.endpoint = endpoint
        self.send = endpoint.send
        self.name = endpoint.name
        self.health = Health(random)
        self.load: Load | None = None
        self.news = asyncio.Event()
        self.in_flight = self.held = 0
        self.ok = 0
        self.failures: Counter[str] = Counter()
        self._tell = tell
        self._reopened = reopened
        self._here, self._away = True, False
        self.open = 0
        self.peak = self._completions = self._tokens = 0
        self._seconds = 0.0
        self.share(limits, now)

    @property
    def limit(self) -> int:
        """Attempts that it may have in flight when it is well."""
        return self._governor.limit

    def allows(self) -> bool:
        """Say whether what has a slot may be sent: no more have one than may be in flight."""
        return self.in_flight <= self.open

    def share(self, limits: Limits, now: float) -> None:
        """Go on within other bounds: another replica came or went."""
        self._governor = Governor(limits, now)
        self._reopen()

    def leave(self) -> None:
        """Give no slot any more; what is in flight may end."""
        self._here = False
        self._reopen()

    def answered(self, completion: Completion, seconds: float, now: float) -> None:
        """Take an attempt that gave a completion."""
        self.ok += 1
        self._completions += 1
        self._tokens += completion.usage.completion_tokens or 0
        self._seconds += seconds
        if self.health.answered(now):
            self._returned("it answers as before")

    def failed(self, failure: Failure, now: float) -> bool:
        """Take an attempt that failed; say whether that counts, or its request just waits for another slot."""
        self.failures[failure.kind] += 1
        changed = self.health.failed(now, failure)
        if failure.kind in ("rate_limited", "overloaded"):
            self._change(self._governor.overloaded(now))
        if changed:
            self._went(now)
        if not self._here or self.health.state == "parked":
            return False
        return self.open > 0 or retry.policy(failure.kind) != "wait"  # what leads to no wait may be the row's own

    def resume(self, now: float) -> None:
        """End a pause whose time is over."""
        if self.health.resumed(now):
            self._reopen()

    def probed(self, failure: Failure | None, now: float) -> None:
        """Take what a probe gave."""
        before = self.health.last
        if self.health.probed(now, failure):
            self._change(self._governor.returned(now))
            self._returned("it answers a request for one token")
        elif failure is not None and retry.policy(failure.kind) == "stop_run":
            changed = before is None or before.kind != failure.kind
            if changed and self.health.state == "parked":  # somebody is there, and not who was there before
                self._went(now)

    def tick(self, load: Load | None, now: float) -> None:
        """Look at what happened since the last tick, and move the limit."""
        self.load = load
        sent, peak = self.in_flight - self.held, self.peak - self.held  # a slot that waits for the rate is not used
        seen = Seen(load, sent, peak, self._completions, self._tokens, self._seconds)
        self.peak = self.in_flight
        self._completions = self._tokens = 0
        self._seconds = 0.0
        self._change(self._governor.tick(now, seen))

    def statistics(self) -> EndpointStatistics:
        """Read it."""
        return EndpointStatistics(
            name=self.name,
            state=self.health.state,
            in_flight=self.in_flight,
            limit=self.open,
            attempts=MappingProxyType({"ok": self.ok, **self.failures}),
        )

    def _went(self, now: float) -> None:
        """Tell that it is out of use, or back."""
        state, last = self.health.state, self.health.last
        if state in ("parked", "paused") and last is not None:
            why = f"{last.kind}{last.http}: {last.message}" if last.message else f"{last.kind}{last.http}"
            wait = f"; asked again in {max(0.0, self.health.until - now):.1f} s"
            self._away = True
            self._tell(state, self.name, why + wait, None)
            self._reopen()
        else:
            self._returned("it answers as before")

    def _returned(self, why: str) -> None:
        if self._away:
            self._away = False
            self._tell("returned", self.name, why, self.limit)
        self._reopen()

    def _change(self, change: Change | None) -> None:
        if change is not None:
            self._tell("limit", self.name, change.reason, change.limit)
            self._reopen()

    def _reopen(self) -> None:
        self.open = self.health.slots(self.limit) if self._here else 0
        self.news.set()
        self._reopened()
