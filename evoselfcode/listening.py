"""Serving on a port until a signal ends it, for the two servers that run here: the embedded model's and the reviews'.

This file decides how a server takes its port, when it says that it is ready, and how it ends. It refuses to know what
is served. The server is uvicorn, which prints and logs nothing here.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from evoselfcode.errors import UsageError


def serve(
    app_on: Callable[[int], Any],
    host: str,
    port: int,
    *,
    grace: int,
    on_ready: Callable[[str], None],
    protocol: Any = "auto",
) -> None:
    """Serve until SIGINT or SIGTERM, answer what is in flight, and return. Call it in the main thread.

    The second signal, whichever it is, ends it at once.

    Args:
        app_on: Makes the ASGI application, given the port that was taken.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        grace: Seconds that requests in flight have to end after the first signal.
        on_ready: Told the server's URL, without a path, when connections are accepted.
        protocol: uvicorn's HTTP protocol, or a class of one's own.

    Raises:
        UsageError: The address cannot be used, or uvicorn is not installed.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise missing(error) from error

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if self.should_exit:
                self.force_exit = True
                for connection in list(self.server_state.connections):  # from 3.12 on, a closed server waits for each
                    connection.loop.call_soon_threadsafe(connection.transport.abort)
            super().handle_exit(sig, frame)

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            on_ready(f"http://{f'[{host}]' if ':' in host else host}:{taken}")

    with _until_signalled(), _listen(host, port) as listener:
        taken = listener.getsockname()[1]
        config = uvicorn.Config(
            app_on(taken),
            http=protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=grace,
        )
        Server(config).run([listener])


def missing(error: ImportError) -> UsageError:
    """Make the error of a server whose library is not installed."""
    library = (error.name or "").partition(".")[0]
    return UsageError(f"the server needs {library}", hint='pip install "evoselfcode[serve]"')


@contextmanager
def _until_signalled() -> Iterator[None]:
    """End at SIGTERM as at Ctrl-C, without an error.

    While it serves, uvicorn handles both itself, and raises what it was sent once more when it has finished: by its
    default SIGTERM would then kill a process that did as it was told.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        raise UsageError(f"cannot listen on {host} port {port}: {error}", hint="--port 0 takes a free port") from error
