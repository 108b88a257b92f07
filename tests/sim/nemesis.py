"""What goes wrong with the replicas, and when: each nemesis is one function that ends what it began.

This file decides how each trouble of `docs/explanation/simulation.md` looks from outside. It refuses to know how the
program copes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from sim.replica import Replica
from sim.world import World


@dataclass(frozen=True)
class Trouble:
    """One thing that goes wrong.

    Attributes:
        what: A name of :data:`NEMESES`.
        at: When it begins, in seconds after the run's first start.
        seconds: How long it lasts.
        replicas: Whom it befalls, by number.
    """

    what: str
    at: float
    seconds: float
    replicas: tuple[int, ...]


Nemesis = Callable[[World, Replica, float, Random], None]
"""Begins a trouble at a replica and sees to its end."""


def _set(world: World, replica: Replica, seconds: float, what: str, **state: object) -> None:
    """Change a replica for some seconds. Several troubles at once add up."""
    now = world.loop.time()
    trouble = {"why": what, **state}
    replica.states.append(trouble)
    replica.suffer()
    world.history.ill(replica.name, what, now, now + seconds)

    def end() -> None:
        replica.states = [other for other in replica.states if other is not trouble]
        replica.suffer()
        world.history.note(world.loop.time(), f"{replica.name} {what} is over")

    world.loop.call_later(seconds, end)


def outage(world: World, replica: Replica, seconds: float, random: Random) -> None:
    """The server ends: what is in flight breaks, new connections are refused."""
    _set(world, replica, seconds, "outage", down=True)
    replica.break_all()


def vanished(world: World, replica: Replica, seconds: float, random: Random) -> None:
    """The host is gone from the network: connections are not even refused, and what is in flight never ends."""
    _set(world, replica, seconds, "vanished", lost=True)
    replica.break_all()


def brownout(world: World, replica: Replica, seconds: float, random: Random) -> None:
    """A third of the requests fail, and the rest takes four times as long."""
    _set(world, replica, seconds, "brownout", broken=0.3, factor=4.0)


def storm(world: World, replica: Replica, seconds: float, random: Random) -> None:
    """Every request is refused with 429, with a hint or without."""
    _set(world, replica, seconds, "storm", busy=(429, random.choice([None, 2.0, 30.0])))


def unavailable(world: World, replica: Replica, seconds: float, random: Random) -> None:
    """Every request is refused with 503, with a hint or without."""
    _set(world, replica, seconds, "unavailable", busy=(503, random.choice([None, 30.0])))


def busy_for_30_s(world: World, replica: Replica, seconds: float, random: Random) -> None:
    """Every request is refused with 503 and the hint to come back in 30 s."""
    _set(world, replica, seconds, "busy for 30 s", busy=(503, 30.0))


def slow(world: World, replica: Replica, seconds: float, random: Random) -> None:
    """It takes four times as long."""
    _set(world, replica, seconds, "slow", factor=4.0)


def wedged(world: World, replica: Replica, seconds: float, random: Random) -> None:
    """It takes requests, answers none, and is restarted in the end, which breaks them."""
    _set(world, replica, seconds, "wedged", wedged=True)
    world.loop.call_later(seconds, replica.break_all)


def clogged(world: World, replica: Replica, seconds: float, random: Random) -> None:
    """Its replies are late until the network is mended, then come all at once."""
    _set(world, replica, seconds, "clogged", clogged=True)
    world.loop.call_later(seconds, replica.unclog)


def lies(world: World, replica: Replica, seconds: float, random: Random) -> None:
    """One 200 in ten is none."""
    _set(world, replica, seconds, "lies", lying=0.1)


def drop(world: World, replica: Replica, seconds: float, random: Random) -> None:
    """Everything in flight breaks at once, and nothing else happens."""
    _set(world, replica, 0.0, "drop")
    replica.break_all()


def flapping(world: World, replica: Replica, seconds: float, random: Random) -> None:
    """It goes away and comes back every few seconds."""
    now, end = 0.0, seconds
    while now < end:
        away = random.uniform(1.0, 6.0)
        world.loop.call_later(now, outage, world, replica, away, random)
        now += away + random.uniform(1.0, 10.0)


def fragile(world: World, replica: Replica, seconds: float, random: Random) -> None:
    """An outage after which more than 64 requests at once, in the first 20 s, end the server again."""

    life = world.history.life

    def dies(replica: Replica) -> None:
        if world.history.life == life:  # a new process that is told a number of requests in flight begins with it
            told = f"(C7) {replica.name} was killed again by {replica.house} requests after its return"
            world.history.broken.append(told)
        replica.dies = lambda replica: None
        outage(world, replica, 20.0, random)

    replica.dies = dies
    replica.fragile_until = world.loop.time() + seconds + 20.0
    outage(world, replica, seconds, random)


NEMESES: dict[str, Nemesis] = {
    "outage": outage,
    "vanished": vanished,
    "brownout": brownout,
    "storm": storm,
    "unavailable": unavailable,
    "busy for 30 s": busy_for_30_s,
    "slow": slow,
    "wedged": wedged,
    "clogged": clogged,
    "lies": lies,
    "drop": drop,
    "flapping": flapping,
    "fragile": fragile,
}


def swizzle(random: Random, count: int, at: float, seconds: float) -> list[Trouble]:
    """Stop a random subset of the replicas one by one and let them go on in another order (FoundationDB)."""
    chosen = random.sample(range(count), random.randint(1, count))
    starts = {number: at + index * seconds / (4 * count) for index, number in enumerate(chosen)}
    random.shuffle(chosen)
    ends = {number: at + seconds / 2 + index * seconds / (2 * count) for index, number in enumerate(chosen)}
    what = random.choice(["outage", "clogged"])
    return [Trouble(what, starts[number], ends[number] - starts[number], (number,)) for number in sorted(starts)]


def let_loose(world: World, troubles: Sequence[Trouble], random: Random) -> None:
    """Arm the troubles."""
    for trouble in troubles:
        for number in trouble.replicas:
            replica = world.replicas[number]
            world.loop.call_later(trouble.at, NEMESES[trouble.what], world, replica, trouble.seconds, random)
