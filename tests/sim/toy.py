"""A server of slots and a first-come queue, and a client whose limit a governor moves, as events in virtual time.

The server of facts §2.1: it decodes ``peak · b / (b + half)`` tokens a second when `b` sequences run, shared evenly.
`half` is 90 of 256 slots, so that the knee lies at the slots whatever their number. Nothing sleeps: a heap of events.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from evoselfcode.engine.governor import TICK, Change, Governor, Seen
from evoselfcode.wire.load import Load

Lengths = Callable[[Random], float]
"""Draws the tokens of one sequence."""


def log_normal(mean: float = 680.0, sigma: float = 1.0, most: float = 4096.0) -> Lengths:
    """Draw lengths as in facts §2.1: mean about 680 tokens, 4,096 at the most."""
    middle = math.log(mean) - sigma * sigma / 2
    return lambda random: min(most, max(1.0, random.lognormvariate(middle, sigma)))


@dataclass(order=True)
class _Sequence:
    ends: float  # reading of the server's token clock at which it is done
    number: int
    request: Request = field(compare=False)


@dataclass
class Request:
    """One request under way."""

    client: Client
    began: float
    tokens: float = 0.0
    left: int = 0


class Toy:
    """The server.

    Args:
        slots: Most sequences at once.
        admission: Most sequences running and queued; a request beyond them is refused. ``None``: no limit.
        overhead: Seconds of each request that it holds no slot of the server in, such as the network.
        speed: Factor of all rates, as a function of the time.
        open_slots: Slots at a time, where they change.
    """

    def __init__(
        self,
        slots: int,
        *,
        admission: int | None = None,
        overhead: float = 0.0,
        speed: Callable[[float], float] = lambda now: 1.0,
        open_slots: Callable[[float], int] | None = None,
    ) -> None:
        self.slots = slots
        self.peak = 9000.0 * slots / 256
        self.half = 90.0 * slots / 256
        self.admission = admission
        self.overhead = overhead
        self.speed = speed
        self.open_slots = open_slots
        self.now = 0.0
        self.read = 0.0  # the token clock: tokens that a sequence has got that ran all the time
        self.running: list[_Sequence] = []
        self.queue: deque[tuple[Request, float]] = deque()
        self.numbers = 0
        self.replies: list[tuple[float, int, Request]] = []  # on their way back

    def rate(self) -> float:
        """Return the tokens a second of each running sequence."""
        return self.speed(self.now) * self.peak / (len(self.running) + self.half)

    def load(self) -> Load:
        """Say how busy the server is."""
        return Load(running=len(self.running), waiting=len(self.queue))

    def offer(self, request: Request, lengths: list[float]) -> bool:
        """Take a request, or refuse it."""
        if self.admission is not None and len(self.running) + len(self.queue) + len(lengths) > self.admission:
            return False
        request.left = len(lengths)
        request.tokens = sum(lengths)
        self.queue.extend((request, length) for length in lengths)
        self._fill()
        return True

    def next_end(self) -> float:
        """Return when the next sequence ends, or a reply arrives, if nothing changes before."""
        arrives = self.replies[0][0] if self.replies else math.inf
        if not self.running:
            return arrives
        return min(arrives, self.now + max(0.0, self.running[0].ends - self.read) / self.rate())

    def advance(self, now: float) -> list[Request]:
        """Go on to `now`, which is not behind the next end; return the requests whose replies have arrived."""
        if self.running:
            self.read += (now - self.now) * self.rate()
        self.now = now
        while self.running and self.running[0].ends <= self.read + 1e-6:
            ended = heapq.heappop(self.running)
            ended.request.left -= 1
            if ended.request.left == 0:
                heapq.heappush(self.replies, (now + self.overhead, ended.number, ended.request))
        self._fill()
        arrived = []
        while self.replies and self.replies[0][0] <= now:
            arrived.append(heapq.heappop(self.replies)[2])
        return arrived

    def _fill(self) -> None:
        slots = self.slots if self.open_slots is None else self.open_slots(self.now)
        while self.queue and len(self.running) < slots:
            request, length = self.queue.popleft()
            self.numbers += 1
            heapq.heappush(self.running, _Sequence(self.read + length, self.numbers, request))


class Client:
    """A client that has always something to send, and keeps as many requests in flight as its governor allows.

    Args:
        governor: Decides the limit.
        numbers: Whether it is shown the server's queue.
        n: Sequences of a request.
        lengths: Draws the tokens of each, at a time.
        begins: When it begins, in seconds.
        retry_after: Seconds that it pauses after a refusal; ``None``: 2 s and twice as long each time, up to 60 s.
        age: Seconds by which the numbers that it is shown are old: 0, or a tick.
        seed: Of lengths and pauses.
    """

    def __init__(
        self,
        governor: Governor,
        *,
        numbers: bool,
        n: int = 1,
        lengths: Callable[[float], Lengths] = lambda now: log_normal(),
        begins: float = 0.0,
        retry_after: float | None = None,
        age: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.governor = governor
        self.numbers = numbers
        self.n = n
        self.lengths = lengths
        self.begins = begins
        self.retry_after = retry_after
        self.age = age
        self.random = Random(seed)
        self.in_flight = self.peak = self.completions = 0
        self.tokens = self.seconds = 0.0
        self.resumes, self.trial, self.refusals = begins, False, 0
        self.history: list[tuple[float, Change]] = []
        self.goodput: list[tuple[float, float]] = []  # when a request was done, and its tokens
        self.limits: list[tuple[float, int, Load]] = []
        self.refused = 0
        self._old = Load(0, 0)

    def fill(self, toy: Toy) -> None:
        """Send as much as the limit allows."""
        if toy.now < self.resumes:
            return
        most = 1 if self.trial else self.governor.limit
        while self.in_flight < most:
            lengths = [self.lengths(toy.now)(self.random) for _ in range(self.n)]
            if not toy.offer(Request(self, toy.now), lengths):
                self._refused(toy)
                return
            self.in_flight += 1
            self.peak = max(self.peak, self.in_flight)

    def _refused(self, toy: Toy) -> None:
        self.refused += 1
        self.note(toy.now, self.governor.overloaded(toy.now))
        self.refusals += 1
        pause = min(60.0, 2.0 * 2**self.refusals) * self.random.random()
        self.resumes = toy.now + (pause if self.retry_after is None else self.retry_after)
        self.trial = True

    def done(self, request: Request, toy: Toy) -> None:
        """Count a request that is done."""
        self.in_flight -= 1
        self.completions += 1
        self.tokens += request.tokens
        self.seconds += toy.now - request.began
        self.trial, self.refusals = False, 0
        self.goodput.append((toy.now, request.tokens))

    def tick(self, toy: Toy) -> None:
        """Let the governor look, with numbers that are as old as the server shows them."""
        load = toy.load()
        shown = self._old if self.age else load
        self._old = load
        seen = Seen(
            load=shown if self.numbers else None,
            in_flight=self.in_flight,
            peak=self.peak,
            completions=self.completions,
            tokens=round(self.tokens),
            seconds=self.seconds,
        )
        self.peak, self.completions, self.tokens, self.seconds = self.in_flight, 0, 0.0, 0.0
        self.limits.append((toy.now, self.governor.limit, load))
        self.note(toy.now, self.governor.tick(toy.now, seen))

    def note(self, now: float, change: Change | None) -> None:
        """Keep a change of the limit."""
        if change is not None:
            self.history.append((now, change))


def drive(toy: Toy, clients: list[Client], until: float) -> None:
    """Let the clients use the server until a time, in seconds."""
    tick = TICK
    for client in clients:
        client.fill(toy)
    while True:
        wakes = [client.resumes for client in clients if client.resumes > toy.now]
        at = min(toy.next_end(), tick, *wakes, until)
        for request in toy.advance(at):
            request.client.done(request, toy)
        if at >= until:
            return
        if at >= tick:
            tick += TICK
            for client in clients:
                if toy.now >= client.begins:
                    client.tick(toy)
        for client in clients:
            client.fill(toy)


def goodput(client: Client, since: float = 300.0, until: float = 900.0) -> float:
    """Return the tokens a second of what was done in a stretch of time, by default minutes 5 to 15."""
    return sum(tokens for at, tokens in client.goodput if since <= at < until) / (until - since)


def queue(client: Client, since: float = 300.0) -> float:
    """Return what waited at the server as a part of what ran, over the ticks from `since` on."""
    loads = [load for at, _, load in client.limits if at >= since]
    return sum(load.waiting for load in loads) / max(1.0, sum(load.running for load in loads))
