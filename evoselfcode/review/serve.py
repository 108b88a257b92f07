"""Serve the review page on the loopback address until a signal ends it.

This file decides where the page is, under which secret, and for how long. Nothing but this machine can reach it: the
address cannot be chosen. The secret is made anew at every start, and is in the printed URL and nowhere else.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from evoselfcode import listening
from evoselfcode.errors import UsageError
from evoselfcode.review.app import App, make_app
from evoselfcode.review.catalog import read_catalog, source_of
from evoselfcode.review.decisions import Decisions

HOST = "127.0.0.1"

GRACE_SECONDS = 5
"""Time that requests in flight have to end after a signal: a decision waits for the disk, and nothing for more."""


class Reviewed(NamedTuple):
    """How a review ended."""

    accepted: int
    rejected: int
    undecided: int
    path: Path


def review(folder: Path, port: int, *, on_ready: Callable[[str, int], None]) -> Reviewed:
    """Serve the names of the run in `folder` until SIGINT or SIGTERM. Call it in the main thread.

    Args:
        folder: The run's folder.
        port: Port to listen on; 0 takes a free one.
        on_ready: Told the URL when connections are accepted, and how many lines of the decisions cannot be read.

    Raises:
        UsageError: There are no names, the port cannot be used, or uvicorn is not installed.
        RunMismatch: Another process reviews this run.
        StorageError: A file cannot be read or written.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder", hint="name the folder of a run, such as data/generated/names")
    source_of(folder)  # a folder without names is left as it is
    token = secrets.token_urlsafe(24)
    with Decisions(folder) as decisions:
        catalog = read_catalog(folder, decisions.names())

        def app(taken: int) -> App:
            return make_app(
                catalog,
                decisions,
                token=token,
                authorities=(f"{HOST}:{taken}", f"localhost:{taken}"),
                title=os.fsencode(folder).decode(errors="replace"),
            )

        listening.serve(
            app,
            HOST,
            port,
            grace=GRACE_SECONDS,
            on_ready=lambda url: on_ready(f"{url}/{token}/", decisions.damaged),
        )
        accepted, rejected = decisions.counts["accept"], decisions.counts["reject"]
        return Reviewed(accepted, rejected, len(catalog.names) - accepted - rejected, decisions.path)
