"""The two ways to reach a fake: a client without sockets, and a real HTTP server on the loopback address."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from .server import Fake


def client_for(fake: Fake) -> httpx.AsyncClient:
    """Return a client that reaches `fake` and nothing else, without a socket."""

    def handle(request: httpx.Request) -> httpx.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        status, more, body = fake.answer(request.method, request.url.path, headers, request.content)
        return httpx.Response(status, headers=more, content=body)

    return httpx.AsyncClient(transport=httpx.MockTransport(handle))


@contextmanager
def serving(fake: Fake, base: str = "/v1") -> Iterator[str]:
    """Serve `fake` over HTTP/1.1 with keep-alive on a free port of the loopback address; yield the base URL.

    Args:
        fake: The fake.
        base: Path of the yielded URL. Where it is not ``""``, it stands for the path of the fake's own base URL.
    """
    with _Server(fake, base) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, name="fake")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}{base}"
        finally:
            server.shutdown()
            thread.join()
            server.hang_up()


class _Server(ThreadingHTTPServer):
    """Keeps its connections, to be able to end them: handlers wait for the next request on an idle one."""

    daemon_threads = False
    request_queue_size = 256  # of the usual 5 waiting connections, clients lose some and wait a second

    def __init__(self, fake: Fake, base: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fake, self.base = fake, base
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        with self._lock:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: a client that went away is no event of the test."""

    def hang_up(self) -> None:
        """End every connection; the handlers' threads end by it and are joined by ``server_close``."""
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:  # the client closed it first
                    continue


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one segment: no waiting for an acknowledgement between them
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        fake, base, path = self.server.fake, self.server.base, self.path.partition("?")[0]
        if base and path.startswith(base):
            path = fake.api + path.removeprefix(base)
        status, more, content = fake.answer(self.command, path, headers, body)
        self.send_response(status)
        for name, value in more.items():
            if name not in ("server", "keep-alive"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def version_string(self) -> str:
        return self.server.fake.row.headers.get("server", "fake")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Stay silent."""
