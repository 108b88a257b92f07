"""The embedded model behind an ``httpx.AsyncClient`` without a socket, with a place for faults and a list of calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import orjson

from evoselfcode import OpenAICompletionClient, RunConfig
from evoselfcode.clients.findings import canary_sampling
from evoselfcode.config import cells
from evoselfcode.local.answer import answer

CANARY = canary_sampling(1, logprobs=False)


class Embedded:
    """A server that answers by the embedded model.

    Args:
        instead: Given the number of a generation (from 1; 0 for the preflight's) and its body; may return a
            response or raise in the model's place.
        options: How the embedded model treats a ``suffix``.
    """

    def __init__(
        self, instead: Callable[[int, dict[str, Any]], httpx.Response | None] | None = None, **options: Any
    ) -> None:
        self.bodies: list[dict[str, Any]] = []  # of generations, those of the preflight left out
        self.messages = 0
        self._instead = instead
        self._options = options

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.messages += 1
        if request.method == "POST" and request.url.path.startswith("/v1/"):
            body = orjson.loads(request.content)
            number = 0
            if body["temperature"] != CANARY.temperature:
                self.bodies.append(body)
                number = len(self.bodies)
            reply = self._instead(number, body) if self._instead else None
            if reply is not None:
                return reply
        status, headers, content = answer(request.method, request.url.path, request.content, **self._options)
        return httpx.Response(status, headers=headers, content=content)

    def client(self, config: RunConfig | None = None) -> OpenAICompletionClient:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self.handle))
        api = config.api if config else RunConfig().api
        orders = {cell.order for cell in cells(config).values() if cell.order} if config else set()
        return OpenAICompletionClient(
            "http://embedded:8000",
            "evoselfcode-ngram",
            fim_orders=sorted(orders),
            http_client=http,
            max_attempts=api.max_attempts,
        )
