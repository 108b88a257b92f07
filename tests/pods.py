"""Pods in virtual time: fake servers with slots, latencies and ways to be away, found by one name."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from urllib.parse import urlsplit

import anyio
from fakes import Fake, fake

from evoselfcode.clients import Findings
from evoselfcode.clients.connection import Connection
from evoselfcode.clients.replica import Replica, Watch
from evoselfcode.clients.replicas import Place, Places
from evoselfcode.clients.replies import Reply, late
from evoselfcode.records import Failure
from evoselfcode.wire.dialect import Call, Dialect, endpoint

MODEL = "Qwen/Qwen2.5-Coder-32B"


class Pod:
    """A server that works on some requests at once, each for some seconds; it is its own transport.

    Attributes:
        away: What every call fails with, at once; ``None`` if it is there.
        hangs: Whether completions are never answered, and everything else is.
        refuses: What completions fail with, at once, and nothing else; ``None`` if it takes them.
        ended: When each completion was answered.
        asked: When each completion was asked for, answered or not.
        probes: How many of those asked for one token.
    """

    def __init__(self, at: str, *, slots: int = 8, seconds: float = 1.0, numbers: bool = True) -> None:
        self.at = at
        self.server: Fake = fake("vllm-0.33", model=MODEL)
        self.away: Failure | None = None
        self.hangs = False
        self.refuses: Failure | None = None
        self.ended: list[float] = []
        self.asked: list[float] = []
        self.probes = 0
        self._slots = anyio.Semaphore(slots)
        self._size, self._seconds, self._numbers = slots, seconds, numbers
        self._open = 0
        self._gone = asyncio.Event()

    def die(self, failure: Failure) -> None:
        """Go away with all that is in flight."""
        self.away = failure
        self._gone.set()

    def revive(self) -> None:
        self.away, self._gone = None, asyncio.Event()

    def free_all(self) -> None:
        """Give back the slots of what hangs, as a restart does."""
        self._slots = anyio.Semaphore(self._size)

    async def send(self, call: Call, timeout: float) -> Reply | Failure:
        path = urlsplit(call.url).path
        if path.endswith("/completions"):
            self.asked.append(anyio.current_time())
            self.probes += b'"max_tokens":1,' in call.body
        if self.away is not None:
            return self.away
        if path == "/metrics":
            running = min(self._open, self._size)
            told = f"vllm:num_requests_running {running}\nvllm:num_requests_waiting {self._open - running}\n"
            return (200, {}, told.encode()) if self._numbers else (404, {}, b"")
        if not path.endswith("/completions"):
            return self.server.answer(call.method, path, {}, call.body)
        if self.refuses is not None:
            return self.refuses
        self._open += 1
        try:
            with anyio.move_on_after(timeout):
                return await self._answer(call, path)
            return late(timeout)
        finally:
            self._open -= 1

    async def _answer(self, call: Call, path: str) -> Reply | Failure:
        gone = self._gone
        async with self._slots:
            for _ in range(4):
                await asyncio.sleep(self._seconds / 4)
                if gone.is_set():
                    return Failure("disconnect", "the connection was closed without a reply")
            if self.hangs:
                await asyncio.sleep(1e6)
        self.ended.append(anyio.current_time())
        return self.server.answer(call.method, path, {}, call.body)

    async def aclose(self) -> None:
        """Hold nothing."""

    def answered(self, since: float, until: float) -> int:
        return sum(since <= at < until for at in self.ended)


class Pods:
    """A name that leads to pods, which come and go."""

    def __init__(self, *pods: Pod) -> None:
        self.all = {pod.at: pod for pod in pods}
        self.there = [pod.at for pod in pods]
        self.resolved: list[float] = []
        self.connection = Connection(Places(["http://pods:8000"], self._resolve), self._dial)
        self.connection.findings = Findings(Dialect(server="vllm", model=MODEL), (), 1)

    def add(self, pod: Pod) -> None:
        self.all[pod.at] = pod
        self.there.append(pod.at)

    def remove(self, pod: Pod) -> None:
        self.there.remove(pod.at)

    async def _resolve(self, host: str, port: int) -> Sequence[str]:
        self.resolved.append(anyio.current_time())
        return self.there

    def _dial(self, place: Place, watch: Watch) -> Replica:
        return Replica(place.name, self.all[place.at], endpoint(place.url), watch=watch)
