"""What retries may add to the load of endpoints that fail. Pure: the clock is handed in."""

from __future__ import annotations


class RetryBudget:
    """What retries may add to the load: a tenth of the requests of the last minute, and one a second per endpoint.

    Without it, rows that fail multiply the load of a server that fails because of its load. Who finds it empty waits.
    The shape is Finagle's ``RetryBudget``: requests put in, retries take out, and both are forgotten after
    :data:`SPAN` seconds. No clock: times are handed in, of any clock that does not go back.

    Attributes:
        endpoints: How many endpoints there are.
    """

    SPAN = 60
    """Seconds after which a request and a retry are forgotten."""

    SHARE = 10
    """Requests that pay for one retry."""

    FLOOR = 1
    """Retries of one second and endpoint that need no request."""

    def __init__(self) -> None:
        self.endpoints = 1
        self._cells = [0] * self.SPAN  # one for each second, in tenths of a retry
        self._sum = 0
        self._second = 0

    def requested(self, now: float) -> None:
        """Put in one request; its retries put in nothing."""
        if now >= self._second:
            self._turn(now)
        self._cells[self._second % self.SPAN] += 1
        self._sum += 1

    def take(self, now: float) -> bool:
        """Take one retry out, if there is one."""
        if self.left(now) < 1.0:
            return False
        self._cells[self._second % self.SPAN] -= self.SHARE
        self._sum -= self.SHARE
        return True

    def left(self, now: float) -> float:
        """Return how many retries may be made now."""
        if now >= self._second:
            self._turn(now)
        left = self._sum / self.SHARE + self.FLOOR * self.SPAN * self.endpoints
        return max(0.0, left)  # what was put in may be forgotten before what it paid for

    def _turn(self, now: float) -> None:
        """Forget the seconds that are too old."""
        second = int(now) + 1
        for passed in range(max(self._second, second - self.SPAN) + 1, second + 1):
            self._sum -= self._cells[passed % self.SPAN]
            self._cells[passed % self.SPAN] = 0
        self._second = second
