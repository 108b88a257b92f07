"""How many connections this process may have open at once: the system's limit, raised as far as it goes.

This file decides whether the requests in flight that a configuration allows can all have a connection. Without, one
that this system refuses looks like an endpoint that is away. It refuses to know who opens them: the direct lane has no
limit of its own, so nothing ever waits for a connection.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from evoselfcode.errors import UsageError
from evoselfcode.terminal import say

if TYPE_CHECKING:
    from evoselfcode.config import RunConfig

SPARE_FILES = 64
"""Open files of a run besides its connections."""

SPARE_CONNECTIONS = 8
"""Connections of a replica besides those of its requests in flight: probes, its queue's numbers, its models."""

PODS = 16
"""Replicas of a headless name for which there is to be room; how many come is not known at the start."""


def with_room(config: RunConfig, fixed: int | None) -> RunConfig:
    """Raise the limit on open files to what a run may need; return the configuration, fitted to what there is.

    Args:
        config: The configuration.
        fixed: Requests in flight at once, of all replicas together; ``None`` where the run finds that out.

    Raises:
        UsageError: The requests in flight that were asked for do not fit.
    """
    from evoselfcode.engine.governor import MOST_SEEN, MOST_UNSEEN

    api = config.api
    if not api.is_server:
        return config
    replicas = len(api.addresses) * (PODS if api.headless else 1)
    beside = SPARE_FILES + SPARE_CONNECTIONS * len(api.addresses)
    if fixed is not None:
        files = _raised(fixed + beside)
        if files < fixed + beside:
            raise UsageError(
                f"{files} files may be open at once (ulimit -n), too few for {fixed} requests in flight, which need "
                f"{fixed + beside}",
                hint=f"set api.concurrency to {max(1, files - beside)} or less, or raise the limit",
            )
        return config
    files = _raised((api.max_concurrency or MOST_SEEN) * replicas + beside)
    fits = max(1, (files - beside) // replicas)
    if fits >= (api.max_concurrency or MOST_SEEN):
        return config
    each = f" to each of {replicas} replicas" if replicas > 1 else ""
    say(f"warning: {files} files may be open at once (ulimit -n): room for {fits} requests in flight{each}")
    if fits >= MOST_UNSEEN and api.max_concurrency is None:
        say(f"hint: raise the limit, or set api.max_concurrency to {fits} if the servers can take as many")
        return config
    return msgspec.structs.replace(config, api=msgspec.structs.replace(api, max_concurrency=fits))


def _raised(needed: int) -> int:
    """Raise the limit to `needed` files, or as far as it goes; return what it is then."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return needed
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    with suppress(OSError, ValueError):  # a sandbox may refuse what its own limit allows (seccomp), and macOS does
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return soft
