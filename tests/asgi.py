"""A client of an ASGI application without a socket: it sees every message and leaves when the test says so."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import anyio
import orjson

from evoselfcode.local.serve import App

Message = MutableMapping[str, Any]
BODY = orjson.dumps({"prompt": "def ", "max_tokens": 2, "seed": 1})


class Exchange:
    """One request and what came back.

    Args:
        app: The application.
        body: Request body.
        path: Path of the URL.
        method: HTTP method.
        extensions: For ``scope["extensions"]``.
    """

    def __init__(
        self,
        app: App,
        body: bytes = BODY,
        *,
        path: str = "/v1/completions",
        method: str = "POST",
        extensions: dict[str, Any] | None = None,
    ) -> None:
        self.sent: list[Message] = []
        self._app = app
        self._scope = {"type": "http", "method": method, "path": path, "extensions": extensions or {}}
        self._parts = [body[:9], body[9:]]
        self._over = anyio.Event()

    async def run(self) -> Exchange:
        """Play the request to its end."""
        await self._app(self._scope, self._receive, self._send)
        return self

    def leave(self) -> None:
        """Close the connection."""
        self._over.set()

    @property
    def status(self) -> int | None:
        return self.sent[0]["status"] if self.sent else None

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])

    @property
    def complete(self) -> bool:
        """Whether the reply was ended as the protocol has it."""
        return len(self.sent) > 1 and not self.sent[-1].get("more_body", False)

    async def _receive(self) -> Message:
        if self._parts:
            part = self._parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(self._parts)}
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._over.set()
