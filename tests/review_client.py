"""The review application of a run, asked in process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from evoselfcode.review.app import App, make_app
from evoselfcode.review.catalog import read_catalog
from evoselfcode.review.decisions import Decisions

TOKEN = "s3cret-token"
HOST = "127.0.0.1:8123"


class Reviewer:
    """What the page does, without a browser."""

    def __init__(self, app: App, decisions: Decisions) -> None:
        self.app = app
        self.decisions = decisions
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{HOST}/{TOKEN}/")

    async def window(self, **query: Any) -> dict[str, Any]:
        """Ask for names."""
        reply = await self.http.get("api/names", params=query)
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    async def shown(self, **query: Any) -> list[str]:
        """Return the names of a window."""
        return [name["func_name"] for name in (await self.window(**query))["names"]]

    async def decide(self, func_name: str, decision: str | None = None, **more: Any) -> dict[str, Any]:
        """Decide, and return what the server says."""
        wish = {"func_name": func_name} | ({"decision": decision} if decision else {}) | more
        reply = await self.http.post("api/decisions", json=wish)
        assert reply.status_code == 200, reply.text
        return dict(reply.json())


@asynccontextmanager
async def reviewing(folder: Path) -> AsyncIterator[Reviewer]:
    """Review the run in `folder`, from the start of a server to its end."""
    with Decisions(folder) as decisions:
        catalog = read_catalog(folder, decisions.names())
        app = make_app(catalog, decisions, token=TOKEN, authorities=(HOST, "localhost:8123"), title="run")
        reviewer = Reviewer(app, decisions)
        async with reviewer.http:
            yield reviewer
