"""What the journal holds of one arm, gathered in one pass.

This file decides how draws are counted. It refuses to know what follows from the counts
(:mod:`evoselfcode.report.document`) and which stage wrote them: what a reason means and when two names are the same
name are handed in.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from math import isfinite
from typing import NamedTuple

from evoselfcode.storage import Entry


class _Settled(NamedTuple):
    """A request's place in the plan, its accepted names, and why each draw was dropped."""

    number: int
    seed: int
    names: tuple[str | None, ...]
    reasons: tuple[str | None, ...]


class Topic:
    """What one topic gave.

    Attributes:
        draws: Draws that asked about it.
        accepted: Those that no gate objects to.
        names: The different names among these.
    """

    def __init__(self) -> None:
        self.draws = self.accepted = 0
        self.names: set[str] = set()

    def add(self, names: Iterable[str | None]) -> None:
        """Count the draws of one request."""
        for name in names:
            self.draws += 1
            if name is not None:
                self.accepted += 1
                self.names.add(name)


class Draws:
    """The draws of one arm.

    Args:
        canonical: Maps a name to what it is compared by.

    Attributes:
        requests: Settled requests.
        dead: Requests of these that were given up.
        draws: Draws judged.
        kept: Draws kept: no gate objects to them, and they are the first of their name.
        reasons: How many draws each reason dropped.
        texts: How often each reason dropped each text, as the server sent it.
        names: How often each canonical name was accepted.
        logprobs: Log-probability in nats of the most probable draw of each canonical name, where it is known.
        prompt_tokens: Tokens of prompts, as the server counts them.
        completion_tokens: Tokens of completions.
        seconds: Time of all requests together, waiting included, as if one after the other.
        attempts: Attempts made.
        failures: Attempts that failed, by kind.
        topics: What each topic gave, in an arm that has topics.
    """

    def __init__(self, canonical: Callable[[str], str]) -> None:
        self._canonical = canonical
        self._order: list[_Settled] = []
        self._spellings: dict[str, Counter[str]] = defaultdict(Counter)
        self.requests = self.dead = self.draws = self.kept = 0
        self.reasons: Counter[str] = Counter()
        self.texts: dict[str, Counter[str]] = defaultdict(Counter)
        self.names: Counter[str] = Counter()
        self.logprobs: dict[str, float] = {}
        self.prompt_tokens = self.completion_tokens = self.attempts = 0
        self.seconds = 0.0
        self.failures: Counter[str] = Counter()
        self.topics: dict[str, Topic] = {}

    def add(self, entry: Entry) -> None:
        """Count one settled request."""
        self.requests += 1
        self.dead += entry.failure is not None
        self.draws += len(entry.draws)
        self.prompt_tokens += entry.usage.prompt_tokens or 0
        self.completion_tokens += entry.usage.completion_tokens or 0
        self.attempts += entry.attempts
        self.seconds += entry.seconds
        self.failures.update(entry.failures)
        accepted: list[str | None] = []
        for draw in entry.draws:
            if draw.reason is None:
                self.kept += 1
            else:
                self.reasons[draw.reason] += 1
                self.texts[draw.reason][draw.raw_text] += 1
            name = self._canonical(draw.text) if draw.accepted else None
            accepted.append(name)
            if name is not None:
                self.names[name] += 1
                self._spellings[name][draw.text] += 1
                if draw.logprob is not None and isfinite(draw.logprob):
                    self.logprobs[name] = max(draw.logprob, self.logprobs.get(name, draw.logprob))
        if entry.topic is not None:
            self.topics.setdefault(entry.topic, Topic()).add(accepted)
        reasons = tuple(draw.reason for draw in entry.draws)
        self._order.append(_Settled(entry.number, entry.seed or 0, tuple(accepted), reasons))

    def in_plan_order(self) -> tuple[tuple[str | None, ...], ...]:
        """Return, for each request in the order of the plan, its accepted canonical names; ``None`` for the others.

        The order over the network is not that of the plan, and a comparison must not depend on it.
        """
        return tuple(settled.names for settled in sorted(self._order, key=lambda settled: settled[:2]))

    def accepted_by_number(self) -> dict[int, float]:
        """Return, for each number of the plan with draws, the share of them that every gate accepts."""
        draws: Counter[int] = Counter()
        accepted: Counter[int] = Counter()
        for settled in self._order:
            draws[settled.number] += len(settled.names)
            accepted[settled.number] += sum(name is not None for name in settled.names)
        return {number: accepted[number] / count for number, count in draws.items() if count}

    def which(self, counts: Callable[[str | None], bool]) -> Iterator[list[bool]]:
        """Yield, for each request, whether each of its draws counts, given the reason it was dropped for."""
        return ([counts(reason) for reason in settled.reasons] for settled in self._order)

    def spelling(self, name: str) -> str:
        """Return the spelling in which a canonical name was drawn most often."""
        return min(self._spellings[name].items(), key=lambda item: (-item[1], item[0]))[0]


def gather(entries: Iterable[Entry], canonical: Callable[[str], str]) -> dict[str, Draws]:
    """Count the draws of every arm, in the order of the arms' names."""
    arms: dict[str, Draws] = {}
    for entry in sorted(entries, key=lambda entry: (entry.arm, entry.number, entry.seed or 0, entry.key)):
        if entry.arm not in arms:
            arms[entry.arm] = Draws(canonical)
        arms[entry.arm].add(entry)
    return dict(sorted(arms.items()))
