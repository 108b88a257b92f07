"""The best of several functions for one name: first which of them agree, then which of those.

Of functions that one model wrote, none need be right. Those that do the same are right more often than the one that
passes most self-written asserts (CodeT, arXiv 2207.10397); where nothing was run, those whose trees are the same stand
in for them. So a *group* is chosen first, and one of its members then: by its fused rank, where ranks are given, then
by how near its length is to the group's median, by lint, by mean log-probability. A remaining tie is broken by the
id, so that the order in which functions come decides nothing.

This file decides which group wins and which member is first. It refuses to know where ranks come from
(:mod:`evoselfcode.stats.ranking`) and how code was run.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from random import Random
from statistics import median
from typing import Literal, NamedTuple

import msgspec

from evoselfcode.stats.agreement import dual_agreement

Group = Literal["agreement", "copies"]
"""What holds the winning group together: its members pass the same asserts, or have the most copies."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A function for a name.

    Attributes:
        id: What no other candidate is called.
        alpha: Its alpha hash; ``None`` if it has none, which makes it nobody's copy.
        length: Letters of its code.
        copies: Draws that it stands for: itself, and those that were dropped as the same function.
        passed: For each assert of the name, whether it passes; ``None`` if it was not run.
        fused: Its fused rank among others, the higher the better; the same number for all decides nothing.
        lint: Its lint score, the higher the better.
        logprob: The mean log-probability of its tokens or bytes in nats.
    """

    id: str
    alpha: str | None
    length: int
    copies: int = 1
    passed: tuple[bool, ...] | None = None
    fused: float = 0.0
    lint: float | None = None
    logprob: float | None = None


class Chosen(NamedTuple):
    """What was chosen of a name's candidates.

    Attributes:
        first: The best candidate.
        group: Why its group won.
        members: The group, best first.
    """

    first: Candidate
    group: Group
    members: tuple[Candidate, ...]


def best_of(candidates: Iterable[Candidate], *, vacuous: bool = False) -> Chosen:
    """Return the best candidate of one name: that of the group that agrees, else that with the most copies.

    Args:
        candidates: One or more, in any order.
        vacuous: Whether the asserts notice next to nothing; agreement on them then counts as none.

    Raises:
        ValueError: There is no candidate, or two were not run against the same asserts.
    """
    every = list(candidates)
    if not every:
        raise ValueError("there is no candidate to choose from")
    agreed = () if vacuous else agreeing(every)
    members = in_order(agreed or most_copied(every))
    return Chosen(members[0], "agreement" if agreed else "copies", tuple(members))


def agreeing(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the largest group for what it passes; none if nothing was run or nothing passed.

    Raises:
        ValueError: Two were not run against the same asserts.
    """
    ran = sorted((candidate for candidate in candidates if candidate.passed is not None), key=lambda one: one.id)
    # A candidate that stands for several draws has as many votes.
    votes = [(candidate, candidate.passed or ()) for candidate in ran for _ in range(candidate.copies)]
    chosen = dual_agreement([passed for _, passed in votes]).chosen
    return list({votes[number][0].id: votes[number][0] for number in chosen}.values())


def most_copied(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates of the alpha hash that most draws have; of several such hashes, those of all."""
    copies: Counter[str] = Counter()
    for candidate in candidates:
        copies[candidate.alpha or f"none: {candidate.id}"] += candidate.copies
    most = max(copies.values(), default=0)
    return [candidate for candidate in candidates if copies[candidate.alpha or f"none: {candidate.id}"] == most]


def in_order(members: Sequence[Candidate]) -> list[Candidate]:
    """Return the members of a group, best first. A number that is not known comes after all that are."""
    middle = median(candidate.length for candidate in members) if members else 0.0
    return sorted(
        members,
        key=lambda one: (-one.fused, abs(one.length - middle), -_known(one.lint), -_known(one.logprob), one.id),
    )


def _known(value: float | None) -> float:
    return -math.inf if value is None or math.isnan(value) else value


def most_asserts_passed(candidates: Iterable[Candidate]) -> Candidate:
    """Return the candidate that passes most asserts, which is no better than chance (docs/explanation/choosing.md).

    Raises:
        ValueError: There is no candidate.
    """
    return min(candidates, key=lambda one: (-sum(one.passed or ()), one.id))


def most_frequent(candidates: Iterable[Candidate]) -> Candidate:
    """Return the best candidate of those with the most copies, whatever was run.

    Raises:
        ValueError: There is no candidate.
    """
    every = list(candidates)
    if not every:
        raise ValueError("there is no candidate to choose from")
    return in_order(most_copied(every))[0]


def any_one(candidates: Iterable[Candidate], random: Random) -> Candidate:
    """Return one candidate at random, what every other way is held against.

    Raises:
        IndexError: There is no candidate.
    """
    return random.choice(sorted(candidates, key=lambda candidate: candidate.id))
