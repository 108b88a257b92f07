"""How many attempts may be in flight, and how many may start in a second.

This file decides who waits before an attempt. It refuses to know what is sent and why the limit was chosen.
"""

from __future__ import annotations

from types import TracebackType

import anyio
import msgspec
from aiolimiter import AsyncLimiter

BURST_SECONDS = 0.02
"""Part of a second's starts that may come at once, so that a fast rate does not suffer from late wake-ups."""


class GateStatistics(msgspec.Struct, frozen=True):
    """One reading of a gate.

    Attributes:
        in_flight: Attempts holding a slot now.
        slots: The limit.
        waiting: Attempts waiting for a slot.
        peak: Most attempts that ever held a slot at once.
    """

    in_flight: int
    slots: int
    waiting: int
    peak: int


class Gate:
    """Slots for attempts in flight, and optionally a rate of starts: ``async with gate:`` around one attempt.

    The slot is taken before the rate is waited for, so that a start granted by the rate happens at once and the
    rate holds at the wire.

    Args:
        slots: Most attempts in flight.
        requests_per_second: Most starts in one second, or ``None`` for no limit. They are spread over the second:
            a bucket that held all of it would be granted at once, and twice the rate would start in the first.
    """

    def __init__(self, slots: int, requests_per_second: float | None = None) -> None:
        self._limiter = anyio.CapacityLimiter(slots)
        self._rate = _rate_limiter(requests_per_second)
        self._peak = 0

    async def __aenter__(self) -> None:
        """Wait for a slot, then for the rate. Cancelled: no slot is held; a granted start may be used up."""
        await self._limiter.acquire()
        self._peak = max(self._peak, int(self._limiter.borrowed_tokens))
        if self._rate is not None:
            try:
                await self._rate.acquire()
            except BaseException:
                self._limiter.release()
                raise

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give the slot back; never waits."""
        self._limiter.release()

    def statistics(self) -> GateStatistics:
        """Read the gate."""
        seen = self._limiter.statistics()
        return GateStatistics(
            in_flight=int(seen.borrowed_tokens),
            slots=int(seen.total_tokens),
            waiting=seen.tasks_waiting,
            peak=self._peak,
        )


def _rate_limiter(requests_per_second: float | None) -> AsyncLimiter | None:
    if requests_per_second is None:
        return None
    bucket = max(1.0, requests_per_second * BURST_SECONDS)
    return AsyncLimiter(bucket, bucket / requests_per_second)
