"""One connection, without sockets and without an event loop's clock: what a reply is does not depend on its pieces."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from loop_clock import Clock
from scripted_server import reply

from evoselfcode.clients.lane.deadlines import Deadlines
from evoselfcode.clients.lane.protocol import LATE, Heard, Lane
from evoselfcode.records import Failure

OK = b"HTTP/1.1 200 OK\r\n"


class Wire(asyncio.Transport):
    """The other end, which notes what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.unsent = 0
        self.aborted = False

    def write(self, data: Any) -> None:
        self.sent.append(data)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def abort(self) -> None:
        self.aborted = True


class Talk:
    """A connection and what became of it."""

    def __init__(self) -> None:
        self.clock, self.wire = Clock(), Wire()
        self.freed = self.gone = 0
        self.lane = Lane(Deadlines(self.clock), self._free, self._lost)
        self.lane.connection_made(self.wire)

    def _free(self, lane: Lane) -> None:
        self.freed += 1

    def _lost(self, lane: Lane) -> None:
        self.gone += 1

    def ask(self, *pieces: bytes, then_eof: bool = False) -> Heard | Failure | None:
        asked = self.lane.ask(b"?", 10, self.clock.now)
        for piece in pieces:
            if not self.wire.aborted:
                self.lane.data_received(piece)
        if then_eof and not self.wire.aborted:
            self.lane.eof_received()
            self.lane.connection_lost(None)
        return asked.result() if asked.done() else None


def cut(data: bytes, at: Iterable[int]) -> list[bytes]:
    places = [0, *sorted(place % (len(data) + 1) for place in at), len(data)]
    return [data[left:right] for left, right in pairwise(places)]


REPLIES = [
    reply(b"body", "200 OK", "x: y", "x: z"),
    b"HTTP/1.1 100 Continue\r\n\r\n" + reply(b"body"),
    OK + b"transfer-encoding: chunked\r\n\r\n2\r\nbo\r\n2;ext=1\r\ndy\r\n0\r\ntrailer: t\r\n\r\n",
    OK + b"\r\nbody",
    b"HTTP/1.0 200 OK\r\ncontent-length: 4\r\n\r\nbody",
    reply(b"body") + reply(b"poison"),
    reply(b"body") + b"more",
    OK + b"content-length: 99\r\n\r\nbody",
    OK + b"content-length: 4\r\ncontent-length: 5\r\n\r\nbody",
    b"SSH-2.0-OpenSSH\r\n",
]


@given(st.sampled_from(REPLIES), st.lists(st.integers(0, 500), max_size=12))
def test_the_pieces_in_which_a_reply_comes_do_not_matter(data: bytes, at: list[int]) -> None:
    """Only what comes behind a reply is seen or not: it may come when the reply has been handed over.

    Sabotage: clear ``_body`` in ``on_body`` before a part is added.
    """
    whole, parts = Talk(), Talk()
    expected, found = whole.ask(data, then_eof=True), parts.ask(*cut(data, at), then_eof=True)
    if isinstance(expected, Failure) and expected.kind == "bad_reply":
        assert found == expected or (isinstance(found, tuple) and found[2] == b"body" and parts.wire.aborted)
    elif isinstance(expected, Failure):
        assert isinstance(found, Failure)
        assert found.kind == expected.kind
    else:
        assert found == expected
        assert parts.freed == whole.freed


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5), st.booleans())
def test_no_bytes_raise_and_the_end_settles(data: bytes, at: list[int], headed: bool) -> None:
    """Sabotage: catch ``HttpParserInvalidStatusError`` alone."""
    talk = Talk()
    found = talk.ask(*cut((OK if headed else b"") + data, at), then_eof=True)
    assert talk.wire.aborted or found is not None
    assert len(talk.clock.timers) <= 1


def test_a_cancellation_in_the_moment_of_the_reply_closes_no_connection() -> None:
    """Whoever asked is cancelled before hearing of the reply; the connection may be another's by then.

    Sabotage: call ``_settle`` in ``forsake`` whoever asked.
    """
    talk = Talk()
    first = talk.lane.ask(b"?", 10, 0.0)
    talk.lane.data_received(reply(b"one"))
    second = talk.lane.ask(b"?", 10, 0.0)
    talk.lane.forsake(first)
    assert not talk.wire.aborted
    assert not second.done()
    talk.lane.forsake(second)
    assert talk.wire.aborted


def test_a_reply_to_one_who_is_gone_is_dropped() -> None:
    """Sabotage: set the result without looking whether the future is done."""
    talk = Talk()
    asked = talk.lane.ask(b"?", 10, 0.0)
    asked.cancel()
    talk.lane.data_received(reply(b"one"))
    talk.lane.forsake(asked)
    assert (talk.freed, talk.wire.aborted) == (1, False)


def test_a_deadline_is_kept_to_the_moment_and_by_one_timer() -> None:
    """Sabotage: ``when >= now`` in ``_fire``."""
    talk = Talk()
    asked = talk.lane.ask(b"?", 10, 0.0)
    talk.clock.move_to(9.999)
    assert not asked.done()
    talk.clock.move_to(10.0)
    assert asked.result() is LATE
    assert talk.wire.aborted


def test_a_connection_whose_request_is_not_out_is_not_used_again() -> None:
    """Sabotage: do not look at ``get_write_buffer_size``."""
    talk = Talk()
    talk.wire.unsent = 1
    assert isinstance(talk.ask(reply(b"early")), tuple)
    assert (talk.freed, talk.wire.aborted) == (0, True)


def test_nobody_asked_and_something_comes() -> None:
    """A 408 for a connection that was idle, or has never been used. Sabotage: feed the parser all the same."""
    new = Talk()
    new.lane.data_received(reply(b"", "408 Request Timeout"))
    assert new.wire.aborted
    talk = Talk()
    assert isinstance(talk.ask(reply(b"one")), tuple)
    talk.lane.data_received(reply(b"", "408 Request Timeout"))
    assert talk.lane.closed
    assert talk.wire.aborted
