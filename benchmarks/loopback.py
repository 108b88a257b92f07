"""A raw keep-alive server on loopback, in a process of its own: it costs the other side nothing but what it asks for.

``python benchmarks/loopback.py SECONDS`` prints its port and answers each request after that time, until its standard
input ends. One epoll loop; no parser: every request of a connection is as long as its first.
"""

from __future__ import annotations

import json
import os
import resource
import select
import socket
import sys
import time
from collections import deque

BODY = json.dumps({"model": "m", "prompt": "def ", "n": 4, "max_tokens": 16, "temperature": 1.0, "pad": ""}).encode()
BODY = BODY[:-2] + b"x" * (271 - len(BODY)) + BODY[-2:]
TEXT = json.dumps({"object": "text_completion", "choices": [{"index": i, "text": "", "finish_reason": "stop"}
                                                             for i in range(4)], "pad": ""}).encode()  # fmt: skip
TEXT = TEXT[:-2] + b"x" * (579 - len(TEXT)) + TEXT[-2:]
REPLY = b"\r\n".join([
    b"HTTP/1.1 200 OK", b"date: Thu, 26 Nov 2026 12:00:00 GMT", b"server: uvicorn", b"content-length: 579",
    b"content-type: application/json", b"", TEXT,
])  # fmt: skip


def serve(latency: float) -> None:
    """Answer on a free port, which is printed, until the standard input ends."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    print(listener.getsockname()[1], flush=True)
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    poll.register(0, select.EPOLLIN)
    open_: dict[int, tuple[socket.socket, list[int]]] = {}
    due: deque[tuple[float, int]] = deque()
    while True:
        wait = max(0.0, due[0][0] - time.monotonic()) if due else None
        for fd, _ in poll.poll(wait):
            if fd == 0:
                return
            if fd == listener.fileno():
                accepted, _ = listener.accept()
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                open_[accepted.fileno()] = (accepted, [0, 0])
                poll.register(accepted, select.EPOLLIN)
                continue
            connection, state = open_[fd]
            try:
                data = connection.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                poll.unregister(fd)
                del open_[fd]
                connection.close()
                continue
            if not state[1]:  # every request of a connection is like its first
                state[1] = data.index(b"\r\n\r\n") + 4 + len(BODY)
            state[0] += len(data)
            if state[0] >= state[1]:
                state[0] = 0
                if latency:
                    due.append((time.monotonic() + latency, fd))
                else:
                    connection.send(REPLY)
        while due and due[0][0] <= time.monotonic():
            _, fd = due.popleft()
            if fd in open_:
                open_[fd][0].send(REPLY)


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    serve(float(sys.argv[1]))
