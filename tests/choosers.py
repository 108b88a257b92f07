"""What ways of choosing one of a hundred functions get right, by what was stored of running them against asserts.

``tests/data/best_of_n.json.gz`` has, for each source of asserts, the asserts of every task and which of the programs
pass them; ``benchmarks/best_of_n.py --again`` writes it. Whether a function is right by HumanEval's own tests is used
to count, and never to choose.
"""

from __future__ import annotations

import gzip
import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha256
from random import Random
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
from code_corpus import DATA, drawn

from evoselfcode.datagen.choosing.best_of import Candidate, best_of
from evoselfcode.datagen.filters.gates import Examined, examine
from evoselfcode.datagen.sandbox.mutants import VACUOUS_BELOW
from evoselfcode.stats.agreement import dual_agreement
from evoselfcode.stats.intervals import Interval

STORED = DATA / "best_of_n.json.gz"
DRAWS = 100
"""Completions of each task."""

FEWER = (4, 10, 25)
"""Draws of a task that a run may have, besides the hundred."""

TIMES = 20
"""Times that so few are taken at random of the hundred."""

RESAMPLES = 10_000
"""Times that the tasks are drawn anew for an interval."""

Pool = Literal["parsed", "kept"]
"""Among which draws of a task is chosen: those that are Python, or those that no gate drops."""


class Source(msgspec.Struct, frozen=True):
    """Asserts of one origin, and what came of them.

    Attributes:
        about: Where they are from.
        asserts: By task; an example of a docstring is ``>>> call`` and, on the next line, what it prints.
        passed: By task, for each distinct program the number whose bit k says whether assert k passes, in hexadecimal.
        noticed: By pool and task, the share of small bugs in the program that agreement chooses which its asserts
            notice; ``None`` if there was nothing to tell it by.
    """

    about: str
    asserts: dict[str, tuple[str, ...]]
    passed: dict[str, tuple[str, ...]]
    noticed: dict[Pool, dict[str, float | None]] = {}


class Stored(msgspec.Struct, frozen=True):
    """The file.

    Attributes:
        about: With what it was made.
        programs: By task, the hash of its distinct programs; outcomes of others are worth nothing.
        sources: By name.
    """

    about: dict[str, Any]
    programs: dict[str, str]
    sources: dict[str, Source]


class Task(NamedTuple):
    """The draws of one task: their distinct programs, and of each draw the program's number and what is known of it."""

    name: str
    programs: tuple[str, ...]
    numbers: tuple[int | None, ...]
    examined: tuple[Examined, ...]
    passed: tuple[bool, ...]
    lengths: tuple[int, ...]

    @property
    def digest(self) -> str:
        """Return what its programs are known by."""
        return sha256("\0".join(self.programs).encode()).hexdigest()[:16]


@cache
def tasks() -> tuple[Task, ...]:
    """Return the 82 tasks, in the order of the file."""
    found = []
    draws = drawn()
    for begin in range(0, len(draws), DRAWS):
        some = draws[begin : begin + DRAWS]
        examined = tuple(examine(one.ours) for one in some)
        programs: dict[str, int] = {}
        numbers = tuple(
            programs.setdefault(one.ours.program, len(programs)) if seen.syntax_valid else None
            for one, seen in zip(some, examined, strict=True)
        )
        found.append(Task(some[0].task, tuple(programs), numbers, examined, tuple(one.passed for one in some),
                          tuple(len(one.ours.code) for one in some)))  # fmt: skip
    return tuple(found)


@cache
def stored() -> Stored:
    return msgspec.json.decode(gzip.decompress(STORED.read_bytes()), type=Stored)


class Choice(NamedTuple):
    """What can be chosen among: draws of one task, each with the asserts that it passes."""

    task: Task
    draws: tuple[int, ...]
    vectors: tuple[tuple[bool, ...], ...]
    vacuous: bool = False


def choice(task: Task, source: Source, pool: Pool, among: Sequence[int] = range(DRAWS)) -> Choice:
    """Return the draws of a pool; all of them, where the pool is empty."""
    inside = [draw for draw in among if (task.numbers[draw] is not None if pool == "parsed" else
                                         not task.examined[draw].reasons)] or list(among)  # fmt: skip
    count, outcomes = len(source.asserts.get(task.name, ())), source.passed.get(task.name)
    vectors = []
    for draw in inside:
        number = task.numbers[draw]
        bits = int(outcomes[number], 16) if outcomes is not None and number is not None else 0
        vectors.append(tuple(bool(bits >> test & 1) for test in range(count)))
    noticed = source.noticed.get(pool, {}).get(task.name)
    return Choice(task, tuple(inside), tuple(vectors), noticed is not None and noticed < VACUOUS_BELOW)


def best(keys: Sequence[Hashable], worth: Callable[[Hashable], float]) -> list[int]:
    """Return the places of the keys that are worth most; of equals all."""
    found = {key: worth(key) for key in set(keys)}
    most = max(found.values()) - 1e-9
    return [place for place, key in enumerate(keys) if found[key] >= most]


def by_asserts(given: Choice) -> list[int]:
    return best(given.vectors, lambda vector: sum(vector))  # type: ignore[call-overload]


def by_copies(given: Choice) -> list[int]:
    hashes = [
        (seen.hashes.alpha if seen.hashes else draw) for draw in given.draws if (seen := given.task.examined[draw])
    ]
    return best(hashes, Counter(hashes).__getitem__)


def by_behaviour(given: Choice) -> list[int]:
    return best(given.vectors, Counter(given.vectors).__getitem__)


def by_agreement(given: Choice) -> list[int]:
    """Return the members of the groups with the best score: of several, where they tie, of all."""
    clusters = dual_agreement(given.vectors).clusters
    return [member for cluster in clusters if cluster.score >= clusters[0].score - 1e-9 for member in cluster.members]


def by_best_of(given: Choice) -> list[int]:
    """Return the one that a run chooses, of functions of which no other score is known."""
    every = [
        Candidate(id=f"{place:03}", alpha=seen.hashes.alpha if seen.hashes else None, length=given.task.lengths[draw],
                  passed=vector)
        for place, (draw, vector) in enumerate(zip(given.draws, given.vectors, strict=True))
        if (seen := given.task.examined[draw])
    ]  # fmt: skip
    return [int(best_of(every, vacuous=given.vacuous).first.id)]


WAYS: Mapping[str, Callable[[Choice], list[int]]] = {
    "any": lambda given: list(range(len(given.draws))),
    "most asserts": by_asserts,
    "most copies": by_copies,
    "same behaviour": by_behaviour,
    "agreement": by_agreement,
    "best-of-n": by_best_of,
}
"""Each returns the places of the draws that it holds for the best; which of them is taken is chance."""

Right = dict[str, list[float]]
"""By way, for each task the chance that what it chooses is right."""


def right(source: Source, pool: Pool, *, n: int = DRAWS, times: int = 1) -> Right:
    """Let each way choose for every task, `times` times among `n` of the draws."""
    found: Right = {name: [] for name in WAYS}
    for task in tasks():
        random = Random(task.name)
        chances: dict[str, list[float]] = {name: [] for name in WAYS}
        for _ in range(times):
            given = choice(task, source, pool, sorted(random.sample(range(DRAWS), n)))
            for name, way in WAYS.items():
                places = way(given)
                chances[name].append(math.fsum(task.passed[given.draws[place]] for place in places) / len(places))
        for name, values in chances.items():
            found[name].append(math.fsum(values) / times)
    return found


def any_draw() -> list[float]:
    """Return for each task the share of its draws that are right, of those that are no Python too."""
    return [sum(task.passed) / DRAWS for task in tasks()]


def interval(values: Sequence[float]) -> Interval:
    """Return a mean over tasks, and 95 % of the means of as many tasks drawn anew."""
    array = np.asarray(values)
    means = array[np.random.default_rng(0).integers(0, len(array), (RESAMPLES, len(array)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(array.mean()), float(low), float(high))


def gap(found: Right, only: Sequence[bool] | None = None) -> Interval:
    """Return by how much agreement is right more often than the most asserts passed, task by task."""
    pairs: Iterator[tuple[float, float]] = zip(found["agreement"], found["most asserts"], strict=True)
    every = [one - other for one, other in pairs]
    return interval(every if only is None else [value for value, is_in in zip(every, only, strict=True) if is_in])


def first(source: Source, count: int) -> Source:
    """Return a source with no more than its first asserts of each task."""
    return Source(source.about, {name: of[:count] for name, of in source.asserts.items()}, source.passed)


class Truth(NamedTuple):
    """What asserts are worth, of the tasks that a draw is right of.

    Attributes:
        tasks: How many such tasks have asserts.
        misled: Of these, how many have a wrong draw that passes more asserts than every right one.
        hold: Share of the asserts that more than half of the right draws pass.
        mislead: Share that does not hold, and that a wrong draw passes.
        trivial: Share that holds, and that more than nine in ten of the wrong draws pass.
    """

    tasks: int
    misled: int
    hold: float
    mislead: float
    trivial: float


def truth(source: Source, pool: Pool) -> Truth:
    """Hold asserts against what is known of the draws."""
    misled, told = [], []
    for task in tasks():
        given = choice(task, source, pool)
        passing: tuple[list[tuple[bool, ...]], ...] = ([], [])  # of wrong draws, of right ones
        for draw, vector in zip(given.draws, given.vectors, strict=True):
            passing[task.passed[draw]].append(vector)
        wrong, good = passing
        if not good or task.name not in source.asserts:
            continue
        misled.append(max(map(sum, wrong), default=0) > max(map(sum, good)))
        for test in range(len(good[0])):
            holds = 2 * sum(vector[test] for vector in good) > len(good)
            by_wrong = sum(vector[test] for vector in wrong)
            told.append((holds, not holds and by_wrong > 0, holds and by_wrong > 0.9 * len(wrong)))
    return Truth(len(misled), sum(misled), *(sum(column) / len(told) for column in zip(*told, strict=True)))


def ranged(found: Interval) -> str:
    """Show a mean and its limits."""
    return f"{found.estimate:.3f} [{found.low:.3f}, {found.high:.3f}]"
