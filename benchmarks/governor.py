"""Measure rules that choose how many requests are in flight, on servers that queue, in virtual time.

Run it with ``python benchmarks/governor.py [--seeds N]`` from a checkout: two minutes for five seeds. It prints a
table and, last, one line of JSON for machines.

The ceiling is the best limit that never moves, found by a sweep in the same simulator. What is told is of minutes 5 to
15: goodput as a part of the ceiling's (the worst seed), the limit's range, what waits as a part of what runs (the mean
of the worst seed), and refusals. The toy server is that of ``tests/sim/toy.py``.

The other rules are those of the libraries and papers that ``docs/explanation/concurrency.md`` names, with their numbers
of old; none of them is used.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import cache
from math import ceil, sqrt
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "tests"))  # the toy and the test's numbers are one

from card import Record
from sim.toy import Client, Toy, drive, goodput, log_normal, queue

from evoselfcode.engine.governor import Change, Governor, Limits, Seen


class Rule:
    """A rule that failed: the governor's interface, and nothing but a limit.

    Args:
        most: Highest limit.
    """

    def __init__(self, most: int) -> None:
        self.limit, self.most, self.cut = 16, most, -99.0

    def tick(self, now: float, seen: Seen) -> Change | None:
        if seen.completions and seen.peak >= 0.8 * self.limit:
            self.limit = max(1, min(self.most, round(self.aim(now, seen))))
        return None

    def aim(self, now: float, seen: Seen) -> float:
        raise NotImplementedError

    def overloaded(self, now: float) -> Change | None:
        if now - self.cut > 15:
            self.limit, self.cut = max(1, int(0.75 * self.limit)), now
        return None


class Refusals(Rule):
    """inspect_ai: doubles until refused, then a twentieth a round; only a refusal lowers it."""

    def aim(self, now: float, seen: Seen) -> float:
        return ceil(self.limit * (2 if self.cut < 0 else 1.05))


class Latency(Rule):
    """Netflix Gradient2: the long mean latency over the short one, times a tolerance, plus a small queue."""

    tolerance, per_token = 1.5, False
    long = 0.0

    def aim(self, now: float, seen: Seen) -> float:
        short = seen.seconds / (seen.tokens if self.per_token else seen.completions)
        self.long = short if not self.long else 0.95 * self.long + 0.05 * short
        gradient = max(0.5, min(1.0, self.tolerance * self.long / short))
        return 0.8 * self.limit + 0.2 * (self.limit * gradient + 4)


class TokenLatency(Latency):
    """The same with the seconds of one token, which do not depend on how long an answer is."""

    per_token = True


class Vegas(Rule):
    """Netflix Vegas: the queue is what the best latency does not explain; by the seconds of one token."""

    best = 0.0

    def aim(self, now: float, seen: Seen) -> float:
        token = seen.seconds / max(1, seen.tokens)
        self.best = min(self.best or token, token)
        waits = self.limit * (1 - self.best / token)
        return self.limit + (4 if waits < 0.1 * self.limit else -4 if waits > 0.2 * self.limit else 0)


class Little(Rule):
    """Little's law: what comes in a second times the best latency there was, and a tenth."""

    best = 0.0

    def aim(self, now: float, seen: Seen) -> float:
        token = seen.seconds / max(1, seen.tokens)
        self.best = min(self.best or token, token)
        return 1.1 * seen.tokens / 5 * self.best + 1


class Counting(Rule):
    """Hill climbing on the tokens that came in the last tick: a tenth on while they grow, else a tenth back."""

    before, way = 0.0, 1.1

    def aim(self, now: float, seen: Seen) -> float:
        if seen.tokens < self.before:
            self.way = 1 / self.way
        self.before = seen.tokens
        return self.limit * self.way + (1 if self.way > 1 else -1)


class Doubling(Rule):
    """By queue numbers, doubling every 10 s while nothing waits."""

    def aim(self, now: float, seen: Seen) -> float:
        load = seen.load
        assert load is not None
        if load.waiting > 0.1 * load.running:
            return seen.in_flight * load.running / (load.running + load.waiting) * 1.05
        return self.limit * 2 if load.waiting == 0 and now % 10 == 0 else self.limit


class Steps(Rule):
    """By queue numbers, one more while less than 5 % waits, one less above 25 % (facts §2.1)."""

    def aim(self, now: float, seen: Seen) -> float:
        load = seen.load
        assert load is not None
        waits = load.waiting / max(1.0, load.running)
        return self.limit + sqrt(self.limit) * (1 if waits < 0.05 else -1 if waits > 0.25 else 0)


Make = Callable[[int], Any]
OURS: Make = lambda most: Governor(Limits(most=most), 0.0)  # noqa: E731
BLIND: dict[str, Make] = {
    "governor": OURS,
    "refusals only": Refusals,
    "latency gradient": Latency,
    "token latency gradient": TokenLatency,
    "Vegas by token": Vegas,
    "Little's law": Little,
    "counted tokens": Counting,
}
SEEING: dict[str, Make] = {"governor": OURS, "doubling": Doubling, "steps": Steps}

SERVERS: dict[str, dict[str, Any]] = {
    "32 slots": {"slots": 32},
    "32 slots, n = 4": {"slots": 32, "n": 4},
    "64 slots": {"slots": 64},
    "256 slots": {"slots": 256},
    "1,024 slots": {"slots": 1024},
    "1,024 slots, cap 4,096": {"slots": 1024, "most": 4096},
    "256 slots, n = 4": {"slots": 256, "n": 4},
    "256 slots, 60 s a request": {"slots": 256, "mean": 1500.0},
    "32 slots, 16 tokens, 20 ms of network": {"slots": 32, "mean": 16.0, "overhead": 0.02, "until": 600.0},
    "64 slots, refuses above 64": {"slots": 64, "admission": 64},
    "256 slots, refuses above 320": {"slots": 256, "admission": 320},
    "256 slots, numbers 5 s old": {"slots": 256, "age": 5.0},
}


def played(make: Make, numbers: bool, seed: int, *, slots: int, most: int, **how: Any) -> Client:
    """Return a client that was driven to the end."""
    mean, until = how.get("mean", 680.0), how.get("until", 900.0)
    toy = Toy(slots, admission=how.get("admission"), overhead=how.get("overhead", 0.0))
    client = Client(
        make(most),
        numbers=numbers,
        n=how.get("n", 1),
        lengths=lambda now: log_normal(mean),
        age=how.get("age", 0.0),
        seed=seed,
    )
    drive(toy, [client], until)
    return client


@cache
def ceiling(server: str, most: int) -> float:
    """Return the goodput of the best limit that never moves."""
    how = {"most": most} | SERVERS[server]
    each = 1.0 if how.get("n", 1) == 1 else 2.0 / how["n"]
    limits = {min(most, max(1, round(how["slots"] * part * each))) for part in (0.7, 0.85, 1.0, 1.1, 1.25)}
    until = how.get("until", 900.0)
    return max(
        goodput(played(lambda _, at=limit: Governor(Limits(fixed=at), 0.0), False, 0, **how), until=until)  # type: ignore[misc]
        for limit in limits
    )


def row(server: str, rule: str, make: Make, numbers: bool, seeds: int) -> dict[str, Any]:
    how = {"most": 4096 if numbers else 256} | SERVERS[server]
    runs = [played(make, numbers, seed, **how) for seed in range(seeds)]
    limits = [limit for run in runs for at, limit, _ in run.limits if at >= 300]
    until = how.get("until", 900.0)
    return {
        "server": server,
        "numbers": numbers,
        "rule": rule,
        "goodput": min(goodput(run, until=until) for run in runs) / ceiling(server, how["most"]),
        "limit": [min(limits), max(limits)],
        "highest": max(limit for run in runs for _, limit, _ in run.limits),
        "waiting": max(queue(run) for run in runs),
        "refused": max(run.refused for run in runs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--server", default="", help="only servers whose description has this")
    asked = parser.parse_args()
    record = Record("governor", {"seeds": asked.seeds, "server": asked.server})
    rows = []
    for server in SERVERS:
        if asked.server not in server:
            continue
        print(f"\n{server}")
        for numbers, rules in ((True, SEEING), (False, BLIND)):
            for rule, make in rules.items():
                if "age" in SERVERS[server] and not numbers:
                    continue
                rows.append(found := row(server, rule, make, numbers, asked.seeds))
                low, high = found["limit"]
                print(
                    f"  {'numbers' if numbers else 'none':8}{rule:24}{found['goodput']:7.1%} of the best"
                    f"   limit {low:5,} to {high:5,} (highest {found['highest']:5,})"
                    f"   waiting {found['waiting']:6.1%}   refused {found['refused']}",
                    flush=True,
                )
    record.keep(rows)


if __name__ == "__main__":
    main()
