"""Which requests of a plan are asked: not those that are settled, or of those the given-up ones alone.

This file decides what counts as settled, and what ``--retry dead`` opens again. It refuses to know where that is read
from: it is told each entry that counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from evoselfcode.records import Request
from evoselfcode.storage import Entry, compact

Retry = Literal["dead"]
"""Which settled requests are asked again: those that were given up."""

_DIGEST = 16
"""Bytes of the digest in a key; what follows names a part."""


class Settled:
    """The requests that are settled, in half the length of their keys: a run may hold millions.

    Args:
        retry: Whether to open those again that were given up, and to ask for no others.

    Attributes:
        left: Requests of the plan that are not settled and not asked for, by the last :meth:`to_ask`.
    """

    def __init__(self, retry: Retry | None) -> None:
        self._retry = retry
        self._settled: set[bytes] = set()
        self._dead: set[bytes] = set()
        self.left = 0

    def add(self, entry: Entry) -> bool:
        """Count the request of an entry as settled; return whether it stays so."""
        key = compact(entry.key)
        if self._retry == "dead" and entry.failure is not None:
            self._dead.add(key[:_DIGEST])
            return False
        self._settled.add(key)
        return True

    def __contains__(self, key: str) -> bool:
        """Say whether a request is settled: by itself, or as a part of one that was asked whole.

        The second is so where an earlier server gave several choices at once and today's gives fewer.
        """
        if not self._settled:
            return False
        short = compact(key)
        return short in self._settled or short[:_DIGEST] in self._settled

    def wants(self, request: Request) -> bool:
        """Say whether a request is asked."""
        return request.key not in self and (self._retry is None or compact(request.key)[:_DIGEST] in self._dead)

    def to_ask(self, planned: Iterable[Request]) -> list[Request]:
        """Return those that are asked; those that are neither settled nor asked are counted in `left`."""
        unsettled = [request for request in planned if request.key not in self]
        wanted = unsettled if self._retry is None else [request for request in unsettled if self.wants(request)]
        self.left += len(unsettled) - len(wanted)
        return wanted
