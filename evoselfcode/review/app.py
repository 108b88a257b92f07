"""The review page as an ASGI application: who may ask, what can be asked, what is answered.

This file decides that every request has to know the token, whatever it asks for; that it names this server and no
other (a page elsewhere whose name was pointed at the loopback address does not, which is DNS rebinding); and what the
page can ask. It opens no socket (:mod:`evoselfcode.review.serve`) and writes no file
(:mod:`evoselfcode.review.decisions`).

| request | answer |
| --- | --- |
| ``GET /TOKEN/`` | the page |
| ``GET /TOKEN/api/names`` | a window of the names that match a filter, and the totals |
| ``POST /TOKEN/api/decisions`` | decide about one name: answered when the disk has it |
| ``POST /TOKEN/api/undo`` | undo the last decision |
"""

from __future__ import annotations

import hmac
from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Collection, MutableMapping, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

import anyio
import anyio.to_thread
import msgspec

from evoselfcode.errors import StorageError
from evoselfcode.review.catalog import Catalog, Name
from evoselfcode.review.decisions import Choice, Decisions
from evoselfcode.review.page import load

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
"""An ASGI application (spec 2.3)."""

MAX_BODY = 16_384
"""Bytes of a request; a name has 255 letters at most and its tags a few hundred."""

LEAD = 8
"""Names before the first undecided one in the first window, so that the page can show what led up to it."""

STATUSES: dict[str, tuple[Choice, ...]] = {
    "all": ("accept", "reject", "undo"),
    "undecided": ("undo",),
    "accepted": ("accept",),
    "rejected": ("reject",),
}

Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=40, pattern=r"^[^\s\x00-\x1f\x7f](?:.*[^\s])?\Z")]


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the page sends to decide; what it leaves out stays as it is."""

    func_name: Annotated[str, msgspec.Meta(min_length=1)]
    decision: Choice | None = None
    tags: Annotated[tuple[Tag, ...], msgspec.Meta(max_length=20)] | None = None


class Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which names the page asks for.

    Attributes:
        status: A key of :data:`STATUSES`.
        text: Part of the name.
        arm: See :meth:`evoselfcode.review.catalog.Catalog.matching`.
        tag: A tag that the name has.
        start: Where the window begins: ``undecided`` near the first undecided name, ``after`` or ``before`` a position.
        position: The position that ``start`` speaks of; the first name has 0.
        limit: Names at most.
    """

    status: Literal["all", "undecided", "accepted", "rejected"] = "all"
    text: Annotated[str, msgspec.Meta(max_length=255)] = ""
    arm: Annotated[str, msgspec.Meta(max_length=255)] = ""
    tag: Annotated[str, msgspec.Meta(max_length=255)] = ""
    start: Literal["undecided", "after", "before"] = "after"
    position: Annotated[int, msgspec.Meta(ge=-1, le=2**53)] = -1
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 60


class _Refusal(Exception):
    """A request that is not granted: a status and what to tell the page."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def make_app(
    catalog: Catalog, decisions: Decisions, *, token: str, authorities: Collection[str], title: str = ""
) -> App:
    """Build the application.

    Args:
        catalog: The names.
        decisions: Entered already.
        token: What the first part of every path must be.
        authorities: What ``Host`` may say, such as ``127.0.0.1:8123``.
        title: What is reviewed, for people.
    """
    return _Review(catalog, decisions, token, frozenset(authorities), title)


class _Review:
    def __init__(
        self, catalog: Catalog, decisions: Decisions, token: str, authorities: frozenset[str], title: str
    ) -> None:
        self._catalog = catalog
        self._decisions = decisions
        self._token = token.encode()
        self._authorities = authorities
        self._title = title
        self._writer = anyio.CapacityLimiter(1)  # decisions are written one after the other, off the loop

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request. Cancelled: a decision that is being written is written to its end."""
        if scope["type"] != "http":
            return
        try:
            status, kind, body = 200, *await self._answer(scope, receive)
        except _Refusal as refusal:
            status, kind, body = refusal.status, "application/json", msgspec.json.encode({"error": refusal.message})
        except StorageError as error:
            status, kind, body = 507, "application/json", msgspec.json.encode({"error": str(error)})
        headers = {
            "content-type": f"{kind}; charset=utf-8",
            "content-length": str(len(body)),
            "content-security-policy": load().policy if kind == "text/html" else "default-src 'none'",
            "cache-control": "no-store",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
        }
        fields = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Message, receive: Receive) -> tuple[str, bytes]:
        """Return the content type and the body of a granted request.

        Raises:
            _Refusal: It is not granted.
            StorageError: The decision is not safe.
        """
        headers = _headers(scope)
        token, _, path = scope["path"].removeprefix("/").partition("/")
        if not hmac.compare_digest(token.encode(errors="replace"), self._token):
            raise _Refusal(403, "this address is not the one that review-names printed")
        if headers.get("host") not in self._authorities:
            raise _Refusal(421, "this server does not go by that name")
        match scope["method"], path:
            case "GET", "":
                return "text/html", load().body
            case "GET", "api/names":
                return "application/json", msgspec.json.encode(self._window(_query(scope)))
            case "POST", "api/decisions" | "api/undo":
                if headers.get("origin", "http://" + headers["host"]) != "http://" + headers["host"]:
                    raise _Refusal(403, "this page may not decide")
                if headers.get("content-type") != "application/json":
                    raise _Refusal(415, "expected application/json")
                body = await _body(receive)
                return "application/json", msgspec.json.encode(await self._write(path, body))
            case _, "" | "api/names" | "api/decisions" | "api/undo":
                raise _Refusal(405, "this cannot be done here")
        raise _Refusal(404, "there is nothing here")

    async def _write(self, path: str, body: bytes) -> dict[str, Any]:
        if path == "api/undo":
            undone = await anyio.to_thread.run_sync(self._decisions.undo, limiter=self._writer)
            if undone is None:
                raise _Refusal(409, "there is nothing to undo")
            name = self._catalog.find(undone)
        else:
            wish = _read(Wish, body)
            name = self._catalog.find(wish.func_name)
            if name is None:
                raise _Refusal(404, "there is no such name in this run")
            tags = None if wish.tags is None else tuple(dict.fromkeys(wish.tags))
            await anyio.to_thread.run_sync(
                self._decisions.decide, name.func_name, wish.decision, tags, limiter=self._writer
            )
        return {"name": self._shown(name) if name else None, "totals": self._totals()}

    def _window(self, query: Query) -> dict[str, Any]:
        """Return the names that a query asks for. Positions are the catalog's, so that no decision moves a window."""
        matches = self._matches(query)
        begin = 0
        match query.start:
            case "after":
                begin = bisect_right(matches, query.position)
            case "before":
                end = bisect_left(matches, query.position)
                begin = max(0, end - query.limit)
                matches = matches[:end]
            case "undecided":
                first = next((i for i, position in enumerate(matches) if self._is_open(position)), None)
                begin = max(0, (first or 0) - LEAD)
        window = matches[begin : begin + query.limit]
        names = [self._shown(self._catalog.names[position]) for position in window]
        return {"names": names, "matching": len(matches), "totals": self._totals()}

    def _matches(self, query: Query) -> Sequence[int]:
        if (query.status, query.text, query.arm, query.tag) == ("all", "", "", ""):
            return range(len(self._catalog.names))
        wanted, state = STATUSES[query.status], self._decisions.state

        def keep(name: Name) -> bool:
            found = state(name.func_name)
            return found.decision in wanted and (not query.tag or query.tag in found.tags)

        return self._catalog.matching(query.text, query.arm, keep)

    def _is_open(self, position: int) -> bool:
        return self._decisions.state(self._catalog.names[position].func_name).decision == "undo"

    def _shown(self, name: Name) -> dict[str, Any]:
        return msgspec.structs.asdict(name) | self._decisions.state(name.func_name)._asdict()

    def _totals(self) -> dict[str, Any]:
        counts = self._decisions.counts
        return {
            "title": self._title,
            "source": self._catalog.source,
            "arms": self._catalog.arms,
            "names": len(self._catalog.names),
            "accepted": counts["accept"],
            "rejected": counts["reject"],
            "tags": [tag for tag, count in self._decisions.tags.most_common() if count > 0],
            "revision": self._decisions.revision,
        }


def _headers(scope: Message) -> dict[str, str]:
    """Return the headers; one that is there twice is no valid one."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        found[key] = "" if key in found else value.decode("latin-1")
    return found


def _query(scope: Message) -> Query:
    try:
        fields = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=16))
        return msgspec.convert(fields, Query, strict=False)
    except (ValueError, msgspec.ValidationError) as error:
        raise _Refusal(400, str(error)) from None


def _read(kind: type[Wish], body: bytes) -> Wish:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _Refusal(400, str(error)) from None


async def _body(receive: Receive) -> bytes:
    """Collect the request body.

    Raises:
        _Refusal: It is too large, or the client has gone away.
    """
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Refusal(400, "the request ended early")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_BODY:
            raise _Refusal(413, f"expected {MAX_BODY} bytes at most")
    return bytes(body)
