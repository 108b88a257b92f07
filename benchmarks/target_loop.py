"""Sockets and timers of the load target: one epoll loop, keep-alive, requests with a content-length.

This file decides when a request has come as a whole, and sends what is due. It refuses to know what is answered.
"""

from __future__ import annotations

import heapq
import math
import re
import select
import socket
import time
from collections.abc import Callable
from typing import NamedTuple

_LENGTH = re.compile(rb"(?i:\ncontent-length): *(\d+)")
_IN, _OUT = select.EPOLLIN, select.EPOLLOUT
_POST = ord("P")  # what is looked at and not generated is not in flight


class Line:
    """One connection: what has come of a request, what is still to be sent, and whether a reply is awaited."""

    __slots__ = ("asked", "head", "held", "open", "size", "socket", "unsent")

    def __init__(self, accepted: socket.socket) -> None:
        self.socket = accepted
        self.held, self.unsent = b"", b""
        self.head, self.size = b"", 0
        self.open, self.asked = True, False


class Due(NamedTuple):
    """Bytes to be sent at a time; ``None`` closes the connection."""

    at: float
    number: int
    line: Line
    data: bytes | None


class Loop:
    """Listens on a free port of the loopback address.

    Args:
        take: Is given each request; returns its reply, or ``None`` if it is not due yet.
        gone: Is told of a connection that the client closed while it waited for a reply.

    Attributes:
        tick: Is called with the time after each look at the sockets.
        wake: Returns the time at which `tick` has something to do, on the monotonic clock.
    """

    def __init__(self, take: Callable[[Line, bytes], bytes | None], gone: Callable[[Line], None]) -> None:
        self.take, self.gone = take, gone
        self.tick: Callable[[float], None] | None = None
        self.wake: Callable[[], float] = lambda: math.inf
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.listener.setblocking(False)
        self.port: int = self.listener.getsockname()[1]
        self.poll = select.epoll()
        self.lines: dict[int, Line] = {}
        self.due: list[Due] = []
        self.numbers = self.connections = self.most_lines = self.waiting = self.most = 0

    def counters(self) -> dict[str, int]:
        """Return what was seen of connections, and the most requests that had come and had no reply yet."""
        return {"connections": self.connections, "most_connections": self.most_lines, "most_in_flight": self.most}

    def run(self) -> None:
        """Serve until the standard input ends."""
        poll, lines = self.poll, self.lines
        poll.register(self.listener, _IN)
        poll.register(0, _IN)
        while True:
            wait = min(self.due[0].at if self.due else math.inf, self.wake())
            at_once = 0
            for fd, event in poll.poll(None if wait == math.inf else max(0.0, wait - time.monotonic())):
                line = lines.get(fd)
                if line is not None:
                    if event & _OUT:
                        self.flush(line)
                    at_once += self.read(line)
                elif fd == 0:
                    return
                elif fd == self.listener.fileno():
                    self.accept()
            if self.waiting + at_once > self.most:
                self.most = self.waiting + at_once
            if self.tick is not None:
                self.tick(time.monotonic())
            while self.due and self.due[0].at <= time.monotonic():
                _, _, line, data = heapq.heappop(self.due)
                if data is None:
                    self.close(line)
                else:
                    self.send(line, data)

    def read(self, line: Line) -> int:
        """Read what has come, and answer what is due at once; return how many requests that were."""
        try:
            data = line.socket.recv(65536)
        except BlockingIOError:
            return 0
        except ConnectionError:
            data = b""
        if not data:
            asked = line.asked
            self.close(line)
            if asked:
                self.gone(line)
            return 0
        if line.held:
            data = line.held + data
        at_once = 0
        while data and (end := whole(line, data)):
            request, data = (data, b"") if end == len(data) else (data[:end], data[end:])
            reply = self.take(line, request)
            if reply is not None:
                at_once += request[0] == _POST
                self.send(line, reply)
            else:
                line.asked = True
                self.waiting += 1
        line.held = data
        return at_once

    def later(self, seconds: float, line: Line, data: bytes | None) -> None:
        """Send `data` after some seconds, in the order of the calls where they fall together; ``None`` closes."""
        self.numbers += 1
        heapq.heappush(self.due, Due(time.monotonic() + seconds, self.numbers, line, data))

    def send(self, line: Line, data: bytes) -> None:
        """Send now, or as soon as the client takes it; nothing if it has gone."""
        if line.asked:
            line.asked = False
            self.waiting -= 1
        if line.unsent or not line.open:
            line.unsent += data
            return
        try:
            sent = line.socket.send(data)
        except BlockingIOError:
            sent = 0
        except ConnectionError:
            return  # the socket becomes readable, and is closed there
        if sent < len(data):
            line.unsent = data[sent:]
            self.poll.modify(line.socket, _IN | _OUT)

    def flush(self, line: Line) -> None:
        """Send what the client would not take before."""
        data, line.unsent = line.unsent, b""
        self.poll.modify(line.socket, _IN)
        self.send(line, data)

    def accept(self) -> None:
        try:
            accepted, _ = self.listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.lines[accepted.fileno()] = Line(accepted)
        self.poll.register(accepted, _IN)
        self.connections += 1
        self.most_lines = max(self.most_lines, len(self.lines))

    def close(self, line: Line) -> None:
        """Close a connection, once."""
        if not line.open:
            return
        self.waiting -= line.asked
        line.open = line.asked = False
        del self.lines[line.socket.fileno()]
        self.poll.unregister(line.socket)
        line.socket.close()


def whole(line: Line, data: bytes) -> int:
    """Return where the first request ends, or 0 if it has not all come; a head like the last one is not read again."""
    end = data.find(b"\r\n\r\n") + 4
    if end < 4:
        return 0
    head = data[:end]
    if head != line.head:
        length = _LENGTH.search(head)
        line.head, line.size = head, end + (int(length[1]) if length else 0)
    return line.size if line.size <= len(data) else 0
