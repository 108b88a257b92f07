"""A server of names that is fast and costs little, in a process of its own: it outlives the clients that are killed.

Run it as a program: it prints its port, and then a letter for each generation that it is asked for.
"""

from __future__ import annotations

import asyncio
import os
import sys

import orjson

LETTERS = "abcdefghij"
LATENCY = 0.01
"""Seconds from a request to its reply."""


def reply(body: bytes) -> dict[str, object]:
    """Answer a completion: a name for its seed. The preflight asks for other lengths, and is not counted."""
    asked = orjson.loads(body)
    seed, n = asked.get("seed") or 0, asked.get("n") or 1
    if asked["max_tokens"] == 16:
        os.write(1, b"g")
    texts = ["get_" + "".join(LETTERS[int(digit)] for digit in str((seed + i) % 7919)) for i in range(n)]
    choices = [{"index": i, "text": text, "finish_reason": "stop"} for i, text in enumerate(texts)]
    usage = {"prompt_tokens": 9, "completion_tokens": 3 * n}
    return {"object": "text_completion", "model": "names", "choices": choices, "usage": usage}


class Answering(asyncio.Protocol):
    """One connection: HTTP/1.1 with bodies of a known length, one request at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._waiting = b""

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        head, found, rest = self._waiting.partition(b"\r\n\r\n")
        if not found:
            return
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        length = int(fields.get(b"content-length", b"0"))
        if len(rest) < length:
            return
        self._waiting = rest[length:]
        if head.startswith(b"POST") and b"/completions" in head.partition(b"\r\n")[0]:
            status, document = b"200 OK", reply(rest[:length])
        elif head.startswith(b"GET /v1/models"):
            status, document = b"200 OK", {"object": "list", "data": [{"id": "names", "object": "model"}]}
        else:
            status, document = b"404 Not Found", {"error": {"message": "no such route"}}
        content = orjson.dumps(document)
        message = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
        sent = message % (status, len(content), content)
        asyncio.get_running_loop().call_later(LATENCY, self._send, sent)

    def _send(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)


async def serve() -> None:
    """Answer until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    sys.exit(asyncio.run(serve()))
