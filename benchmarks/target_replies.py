"""What the load target says: a reply for each shape that is asked for, made once where it can be.

This file decides which bytes answer a request. It refuses to know when they are sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count, cycle, islice
from typing import Any, NamedTuple

from replies import REPLY, TOKENS, document, framed, replies, streamed, texts

GENERATIONS = (b"POST /v1/completions ", b"POST /v1/chat/completions ")
"""How a request begins that wants text."""

MOST = 1024
"""Most choices of a reply; a request for more gets so many."""


class Asked(NamedTuple):
    """The shape that a request asks for."""

    n: int
    logprobs: bool = False
    chat: bool = False
    stream: bool = False
    usage: bool = False


def asked(request: bytes) -> Asked:
    """Read what of a request shapes its reply; a quote within a JSON text is escaped, so no text is taken for a key."""
    n = value(request, b'"n":')
    return Asked(
        min(MOST, max(1, int(n))) if n.isdigit() else 1,
        value(request, b'"logprobs":') not in (b"", b"null", b"false"),
        request.startswith(GENERATIONS[1]),
        value(request, b'"stream":') == b"true",
        value(request, b'"include_usage":') == b"true",
    )


def value(request: bytes, key: bytes) -> bytes:
    """Return the number or word behind a key of the body, or nothing."""
    at = request.find(key)
    if at < 0:
        return b""
    at += len(key)
    return request[at : at + 24].partition(b",")[0].partition(b"}")[0].strip()


class Replies:
    """Replies without headers' cost: each is framed once and sent often.

    Args:
        names: So many replies of names in turn; 0 for one reply whose texts are empty.

        ready: Whether those of four choices are made now, so that no request waits for them.

    Attributes:
        tokens: Tokens that the replies given out have told so far.
    """

    def __init__(self, names: int, *, ready: bool = True) -> None:
        self.tokens = 0
        self._each = TOKENS if names else 0
        self._texts = texts(4 * names) if names else [""]
        self._numbers = count()
        self._drawn = cycle(self._texts)
        self._turns: dict[Asked, Iterator[bytes]] = {}
        self._known: dict[tuple[bytes, ...], Iterator[bytes]] = {}
        for shape in (Asked(4), Asked(4, logprobs=True)) if ready else ():
            bodies = replies(names, logprobs=shape.logprobs)
            self._turns[shape] = cycle(map(framed, bodies)) if names else cycle([REPLY])

    def __call__(self, request: bytes) -> bytes:
        """Return the next reply of the shape that a request asks for, with its headers."""
        spelled = (
            request[10:11],  # the o of completions, or the h of chat
            request[(at := request.find(b'"n":') + 4) : at + 5],  # what stands behind a key, or where there is none,
            request[(at := request.find(b'"logprobs":') + 11) : at + 5],  # a piece of the path
            request[(at := request.find(b'"stream":') + 9) : at + 5],
            request[(at := request.find(b'"include_usage":') + 16) : at + 5],
        )
        turn = self._known.get(spelled)
        if turn is None:
            shape = asked(request)
            turn = self._turns.get(shape) or self._turns.setdefault(shape, cycle(self._made(shape)))
            self._known[spelled] = turn
        self.tokens += self._each
        return next(turn)

    def told(self, request: bytes, tokens: int) -> bytes:
        """Return a reply that tells so many tokens; it is made for this request."""
        self.tokens += tokens
        return written(asked(request), next(self._numbers), self._drawn, tokens)

    def _made(self, shape: Asked) -> Iterator[bytes]:
        """Make replies of a shape, of the same texts, as they are asked for: later turns take them as they are."""
        drawn = cycle(self._texts)
        for number in range(max(1, len(self._texts) // 4)):
            yield written(shape, number, drawn, self._each)


def written(shape: Asked, number: int, texts: Iterator[str], tokens: int) -> bytes:
    """Write a reply with its headers."""
    told = document(number, list(islice(texts, shape.n)), logprobs=shape.logprobs, chat=shape.chat, tokens=tokens)
    if shape.stream:
        return framed(streamed(told, usage=shape.usage), "text/event-stream; charset=utf-8")
    return framed(encoded(told))


def encoded(told: dict[str, Any]) -> bytes:
    return json.dumps(told).encode()
