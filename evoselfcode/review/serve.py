"""Serve the review page on the loopback address until a signal ends it.

This file decides where the page is, under which secret, and for how long. Nothing but this machine can reach it: the
address cannot be chosen. The secret is made anew at every start, and is in the printed URL and nowhere else.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from evoselfcode.errors import UsageError
from evoselfcode.review.app import make_app
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
    try:
        import uvicorn
    except ImportError as error:
        raise UsageError(f"the review needs {error.name}", hint='pip install "evoselfcode[serve]"') from error
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder", hint="name the folder of a run, such as data/generated/names")
    source_of(folder)  # a folder without names is left as it is
    token = secrets.token_urlsafe(24)
    with Decisions(folder) as decisions:
        catalog = read_catalog(folder, decisions.names())
        with _until_signalled(), _listen(port) as listener:
            port = listener.getsockname()[1]
            app = make_app(
                catalog,
                decisions,
                token=token,
                authorities=(f"{HOST}:{port}", f"localhost:{port}"),
                title=os.fsencode(folder).decode(errors="replace"),
            )

            class Server(uvicorn.Server):
                """Say when connections are accepted."""

                async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                    await super().startup(sockets)
                    on_ready(f"http://{HOST}:{port}/{token}/", decisions.damaged)

            config = uvicorn.Config(
                app,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
            Server(config).run([listener])
        accepted, rejected = decisions.counts["accept"], decisions.counts["reject"]
        return Reviewed(accepted, rejected, len(catalog.names) - accepted - rejected, decisions.path)


@contextmanager
def _until_signalled() -> Iterator[None]:
    """End at SIGTERM as at Ctrl-C, without an error: uvicorn raises what it was sent once more when it has finished."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except (OSError, OverflowError) as error:
        raise UsageError(f"cannot listen on {HOST} port {port}: {error}", hint="--port 0 takes a free port") from error
