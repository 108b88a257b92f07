"""What one seed stands for: a world, its troubles, the deaths of the process and the faults of its disk.

This file decides which scenarios there are and how likely each is. A scenario is data: it can be printed, and a test
may write one by hand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Literal

from sim.nemesis import NEMESES, Trouble, swizzle

End = Literal["step", "disk", "stop"]
"""Where a life ends early: at a step of the loop, at an operation of the disk, or because it is asked to stop."""


@dataclass(frozen=True)
class Death:
    """How one life of the process ends early.

    Attributes:
        where: ``step`` and ``disk`` are a SIGKILL, ``stop`` is a SIGTERM.
        at: The step or the operation, counted from the life's beginning; seconds for ``stop``.
        power: Whether the power goes too: what was not synced is lost.
        grace: Seconds after a ``stop`` until a SIGKILL.
    """

    where: End
    at: float
    power: bool = False
    grace: float = 30.0


@dataclass(frozen=True)
class Scenario:
    """One simulated run.

    Attributes:
        seed: Names it, and seeds whatever is left to chance.
        replicas: Servers.
        slots: Requests that each runs at once.
        tokens: Median length of a completion.
        spread: Sigma of the logarithm of the length.
        requests: Requests of each of the two arms.
        n: Choices per request.
        concurrency: Requests in flight, all replicas together; 0 has the engine find the limits out.
        troubles: What goes wrong with replicas.
        deaths: How the first lives end; later ones are left alone.
        restart: Seconds from the end of a life to the next.
        short: Share of writes that take only a part.
        full: When the disk is full, as (from, seconds).
        disk_wait: Seconds that the run waits for space.
        failing_syncs: When a sync fails, in seconds after the start.
        slow_disk: Seconds that work on the disk takes at most.
        jumps: When the wall clock jumps and by how many seconds.
        api: More keys of the section ``api``.
    """

    seed: int
    replicas: int = 1
    slots: int = 16
    tokens: float = 60.0
    spread: float = 0.8
    requests: int = 100
    n: int = 2
    concurrency: int = 16
    troubles: tuple[Trouble, ...] = ()
    deaths: tuple[Death, ...] = ()
    restart: float = 5.0
    short: float = 0.0
    full: tuple[tuple[float, float], ...] = ()
    disk_wait: float = 0.0
    failing_syncs: tuple[float, ...] = ()
    slow_disk: float = 0.02
    jumps: tuple[tuple[float, float], ...] = ()
    api: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [
            f"seed {self.seed}: {self.replicas} replicas of {self.slots} slots, {2 * self.requests} rows of "
            f"{self.n} choices, {self.concurrency or 'auto'} in flight, {self.api or 'defaults'}"
        ]
        lines += [
            f"  {trouble.what} of {', '.join(f'replica-{number}' for number in trouble.replicas)} "
            f"at {trouble.at:.1f} s for {trouble.seconds:.1f} s"
            for trouble in self.troubles
        ]
        lines += [f"  life {number} ends at {death}" for number, death in enumerate(self.deaths)]
        lines += [
            f"  disk full at {at:.1f} s for {seconds:.1f} s, waited for up to {self.disk_wait:.0f} s"
            for at, seconds in self.full
        ]
        lines += [f"  a sync fails at {at:.1f} s" for at in self.failing_syncs]
        lines += [f"  the wall clock jumps by {by:+.0f} s at {at:.1f} s" for at, by in self.jumps]
        return "\n".join(lines)


STEPS_PER_ROW = 12
"""About how many steps of the loop a row takes: kills are spread over a run by it."""


def scenario(seed: int) -> Scenario:
    """Draw the scenario of a seed."""
    random = Random(f"scenario {seed}")
    replicas = random.choice([1, 1, 2, 3, 4])
    slots = random.choice([4, 16, 64])
    requests = random.randint(20, 100)
    concurrency = random.choice([0, 0, 3, 8, 16, 32, 90])
    tokens = random.choice([30.0, 100.0, 300.0])
    ideal = 2 * requests * tokens / 90 / min(concurrency or 16 * replicas, replicas * slots)
    return Scenario(
        seed=seed,
        replicas=replicas,
        slots=slots,
        tokens=tokens,
        spread=random.choice([0.1, 0.8, 1.5]),
        requests=requests,
        n=random.choice([1, 2, 4]),
        concurrency=concurrency,
        troubles=tuple(_troubles(random, replicas, ideal)),
        deaths=tuple(_deaths(random, requests, ideal)),
        restart=random.uniform(1.0, 30.0),
        short=random.choice([0.0, 0.0, 0.3]),
        full=((random.uniform(0.0, ideal), random.uniform(1.0, 60.0)),) if random.random() < 0.15 else (),
        disk_wait=random.choice([0.0, 20.0, 3600.0]),
        failing_syncs=tuple(random.uniform(0.0, ideal) for _ in range(random.choice([0, 0, 0, 1, 3]))),
        slow_disk=random.choice([0.02, 0.02, 2.0]),
        jumps=((random.uniform(0.0, ideal), random.choice([-3600.0, 86400.0])),) if random.random() < 0.3 else (),
        api={"requests_per_second": random.choice([2.0, 20.0])} if random.random() < 0.2 else {},
    )


def _troubles(random: Random, replicas: int, ideal: float) -> list[Trouble]:
    found: list[Trouble] = []
    for _ in range(random.choice([0, 1, 1, 2, 3])):
        at, seconds = (
            random.uniform(0.1, 1.5 * ideal),
            random.choice([5.0, 30.0, 120.0, 300.0]) * random.uniform(0.5, 1),
        )
        if random.random() < 0.15:
            found += swizzle(random, replicas, at, seconds)
            continue
        struck = tuple(sorted(random.sample(range(replicas), random.randint(1, replicas))))
        found.append(Trouble(random.choice(sorted(NEMESES)), at, seconds, struck))
    return found


def _deaths(random: Random, requests: int, ideal: float) -> list[Death]:
    found: list[Death] = []
    for _ in range(random.choice([0, 1, 1, 2, 4])):
        where = random.choice(["step", "step", "disk", "stop"])
        most = {"step": 2.0 * requests * STEPS_PER_ROW, "disk": 30.0, "stop": ideal}[where]
        at = random.uniform(0.0, most) if where == "stop" else float(random.randint(1, int(most)))
        found.append(Death(where, at, power=where != "stop" and random.random() < 0.5))  # type: ignore[arg-type]
    return found


def failing(seed: int) -> Scenario:
    """Three in ten requests fail, at one server, from the beginning to the end."""
    trouble = Trouble("brownout", 1.5, 600.0, (0,))
    return Scenario(seed=seed, slots=64, tokens=20.0, requests=1500, n=1, concurrency=64, troubles=(trouble,))


def away(seed: int) -> Scenario:
    """The one server there is goes away for half a minute."""
    return Scenario(seed=seed, troubles=(Trouble("outage", 3.0, 30.0, (0,)),))


def crowd(seed: int) -> Scenario:
    """A server is away for five minutes, and a crowd within 20 seconds of its return ends it again."""
    trouble = Trouble("fragile", 20.0, 300.0, (0,))
    return Scenario(
        seed=seed, slots=256, tokens=300.0, requests=1000, concurrency=256, n=1, troubles=(trouble,)
    )  # fmt: skip
