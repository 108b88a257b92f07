"""How busy a server says it is: the numbers of its own queue."""

from __future__ import annotations

import msgspec


class Load(msgspec.Struct, frozen=True):
    """What a server said of its queue at one time, of all its clients together.

    Attributes:
        running: Sequences being generated; a request for n choices is n of them.
        waiting: Sequences queued in the server.
        slots: Most sequences that it runs at once, where it says so.
    """

    running: float
    waiting: float
    slots: int | None = None
