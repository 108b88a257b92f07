"""Fake servers: one for each server and service whose dialect the package speaks, after their recorded behaviour.

``fake(name)`` makes one; :func:`client_for` reaches it without a socket, :func:`serving` over real HTTP.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from .loopback import client_for, serving
from .row import Row
from .rows import ROWS
from .server import Fake
from .shapes import Reply

__all__ = ["FAKES", "Fake", "Reply", "Row", "client_for", "fake", "serving"]

FAKES: dict[str, Fake] = {row.name: Fake(row) for row in ROWS}
"""One of each, by row name. They remember their calls: take :func:`fake` for one of your own."""


def fake(name: str, faults: Iterable[Reply | None] = (), **changes: Any) -> Fake:
    """Make a fresh fake of the row `name`, with `changes` to that row."""
    return Fake(replace(FAKES[name].row, **changes), faults)
