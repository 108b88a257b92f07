"""Every way in which calls can travel over sockets, for tests that all of them must pass."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from evoselfcode.clients import DirectTransport
from evoselfcode.clients.lane.direct import DirectLanes
from evoselfcode.clients.replies import Transport
from evoselfcode.clients.transport import HttpxLanes, InjectedClient

OWN = ("direct", "httpx")
"""Transports that open connections of their own."""

ALL = (*OWN, "injected", "mounted", "seam")
"""The same, and what a user handed in: a client with httpx's own pool, one with ours mounted in it, ours alone."""


def own_lanes(kind: str, headers: Mapping[str, str], **options: float) -> DirectLanes | HttpxLanes:
    return DirectLanes(headers, **options) if kind == "direct" else HttpxLanes(headers, **options)


@asynccontextmanager
async def carrying(kind: str, headers: Mapping[str, str]) -> AsyncIterator[Transport]:
    """Open a transport of that kind, and close it."""
    if kind in OWN:
        lanes = own_lanes(kind, headers)
        yield lanes
        await lanes.aclose()
        return
    if kind == "seam":
        async with DirectTransport() as alone:
            yield InjectedClient(alone, headers)
        return
    async with httpx.AsyncClient(transport=DirectTransport() if kind == "mounted" else None) as client:
        yield InjectedClient(client, headers)


def sockets() -> int:
    """Count the sockets that this process has open."""
    return sum(
        str(link.readlink()).startswith("socket:") for link in Path("/proc/self/fd").iterdir() if link.is_symlink()
    )
