"""A raw keep-alive server on loopback, in a process of its own: it costs the other side nothing but what it asks for.

``python benchmarks/loopback.py SECONDS [NAMES]`` prints its port and answers each request after that time, until its
standard input ends: with one reply of 579 bytes, or with so many replies of the stage of names in turn
(:mod:`replies`), which have log-probabilities where the request asks for them. One epoll loop.
"""

from __future__ import annotations

import json
import os
import re
import resource
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from itertools import cycle

from replies import MODELS, framed, replies

BODY = json.dumps({"model": "m", "prompt": "def ", "n": 4, "max_tokens": 16, "temperature": 1.0, "pad": ""}).encode()
BODY = BODY[:-2] + b"x" * (271 - len(BODY)) + BODY[-2:]
TEXT = json.dumps({"object": "text_completion", "choices": [{"index": i, "text": "", "finish_reason": "stop"}
                                                             for i in range(4)], "pad": ""}).encode()  # fmt: skip
TEXT = TEXT[:-2] + b"x" * (579 - len(TEXT)) + TEXT[-2:]
REPLY = framed(TEXT)

_LENGTH = re.compile(rb"(?i:content-length): *(\d+)")


def answers(names: int) -> Callable[[bytes], bytes]:
    """Return what answers a request, given its bytes."""
    if not names:
        return lambda request: REPLY
    plain, scored = (cycle(map(framed, replies(names, logprobs=logprobs))) for logprobs in (False, True))
    models = framed(MODELS)

    def answer(request: bytes) -> bytes:
        if request.startswith(b"GET"):
            return models
        return next(scored if b'"logprobs":' in request else plain)

    return answer


def serve(latency: float, answer: Callable[[bytes], bytes]) -> None:
    """Answer on a free port, which is printed, until the standard input ends."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    print(listener.getsockname()[1], flush=True)
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    poll.register(0, select.EPOLLIN)
    open_: dict[int, tuple[socket.socket, bytearray]] = {}
    due: deque[tuple[float, int, bytes]] = deque()
    while True:
        wait = max(0.0, due[0][0] - time.monotonic()) if due else None
        for fd, _ in poll.poll(wait):
            if fd == 0:
                return
            if fd == listener.fileno():
                accepted, _ = listener.accept()
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                open_[accepted.fileno()] = (accepted, bytearray())
                poll.register(accepted, select.EPOLLIN)
                continue
            connection, held = open_[fd]
            try:
                data = connection.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                poll.unregister(fd)
                del open_[fd]
                connection.close()
                continue
            if held:
                held += data
                data = bytes(held)
            if not whole(data):
                held[:] = data
                continue
            held.clear()
            if latency:
                due.append((time.monotonic() + latency, fd, answer(data)))
            else:
                connection.send(answer(data))
        while due and due[0][0] <= time.monotonic():
            _, fd, reply = due.popleft()
            if fd in open_:
                open_[fd][0].send(reply)


def whole(request: bytes) -> bool:
    """Say whether all of a request has come."""
    head = request.find(b"\r\n\r\n")
    if head < 0:
        return False
    length = _LENGTH.search(request, 0, head)
    return length is None or len(request) >= head + 4 + int(length[1])


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    serve(float(sys.argv[1]), answers(int(sys.argv[2]) if len(sys.argv) > 2 else 0))
