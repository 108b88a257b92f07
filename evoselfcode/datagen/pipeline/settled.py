"""Which requests of a plan are asked: not those that are settled, or of those the given-up ones alone.

This file decides what counts as settled, and what ``--retry dead`` opens again. It refuses to know where that is read
from: it is told each entry that counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from evoselfcode.records import Request
from evoselfcode.storage import DIGEST, Digests, Entry, compact

Retry = Literal["dead"]
"""Which settled requests are asked again: those that were given up."""


class Settled:
    """The requests that are settled, in half the length of their keys: a run may hold millions.

    Those that it is told of one by one take about 100 bytes each, those that it is handed packed take 17.

    Args:
        retry: Whether to open those again that were given up, and to ask for no others.

    Attributes:
        left: Requests of the plan that are not settled and not asked for, by the last :meth:`to_ask`.
    """

    def __init__(self, retry: Retry | None) -> None:
        self._retry = retry
        self._settled: set[bytes] = set()
        self._whole = Digests()
        self._parts: dict[bytes, Digests] = {}
        self._dead: set[bytes] = set()
        self.left = 0

    def add(self, entry: Entry) -> bool:
        """Count the request of an entry as settled; return whether it stays so."""
        key = compact(entry.key)
        if entry.failure is not None:
            return self.add_failed(key)
        self._settled.add(key)
        return True

    def add_failed(self, key: bytes) -> bool:
        """Count a request that was given up as settled, by its key in short; return whether it stays so."""
        if self._retry == "dead":
            self._dead.add(key[:DIGEST])
            return False
        self._settled.add(key)
        return True

    def add_packed(self, answered: Mapping[str, Digests]) -> None:
        """Count requests as settled that were answered: their digests, by what follows in their keys."""
        self._parts = {part.encode(): digests for part, digests in answered.items()}
        self._whole = self._parts.pop(b"", self._whole)

    def __contains__(self, key: str) -> bool:
        """Say whether a request is settled: by itself, or as a part of one that was asked whole.

        The second is so where an earlier server gave several choices at once and today's gives fewer.
        """
        short = compact(key)
        if short in self._settled:
            return True
        if len(short) == DIGEST:
            return short in self._whole
        digest = short[:DIGEST]
        return digest in self._settled or digest in self._whole or digest in self._parts.get(short[DIGEST:], ())

    def wants(self, request: Request) -> bool:
        """Say whether a request is asked."""
        return request.key not in self and (self._retry is None or compact(request.key)[:DIGEST] in self._dead)

    def to_ask(self, planned: Iterable[Request]) -> list[Request]:
        """Return those that are asked; those that are neither settled nor asked are counted in `left`."""
        unsettled = [request for request in planned if request.key not in self]
        wanted = unsettled if self._retry is None else [request for request in unsettled if self.wants(request)]
        self.left += len(unsettled) - len(wanted)
        return wanted
