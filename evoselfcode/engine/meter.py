"""What a run has come to so far: an accumulator that is fed numbers and read at any time.

This file decides how settled requests and judged choices are counted. It has no clock: times are handed in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from evoselfcode.engine.durations import REQUEST_BOUNDS, Durations


class Meter:
    """Counts of one run, those of earlier processes included.

    Args:
        planned: Requests in the plan.

    Attributes:
        settled: Requests settled, dead ones included.
        resumed: Requests of these that were settled before this process began.
        dead: Requests of these that were given up.
        requests: Requests settled, by arm.
        draws: Choices judged, by arm.
        kept: Choices kept, by arm.
        reasons: Dropped choices, by (arm, reason).
        failures: Failed attempts of this process, by kind; counted when they fail, not when their request settles.
        prompt_tokens: Tokens of prompts, as counted by the server.
        completion_tokens: Tokens of completions, as counted by the server.
        new_tokens: Tokens of both sorts that this process was served.
        new_prompt_tokens: Tokens of these that were of prompts.
        rows: Requests that this process settled, by what they came to: ``ok``, ``filtered`` (no choice was kept),
            ``dead``.
        durations: How long these took, their waits included.
    """

    def __init__(self, planned: int = 0) -> None:
        self.planned = planned
        self.settled = 0
        self.resumed = 0
        self.dead = 0
        self.requests: Counter[str] = Counter()
        self.draws: Counter[str] = Counter()
        self.kept: Counter[str] = Counter()
        self.reasons: Counter[tuple[str, str]] = Counter()
        self.failures: Counter[str] = Counter()
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.new_tokens = 0
        self.new_prompt_tokens = 0
        self.rows: Counter[str] = Counter()
        self.durations = Durations(REQUEST_BOUNDS)

    def add(
        self,
        arm: str,
        verdicts: Iterable[str | None],
        *,
        dead: bool = False,
        prompt_tokens: int = 0,
        completion_tokens: int = 0,
        seconds: float = 0.0,
        resumed: bool = False,
    ) -> None:
        """Count one settled request.

        Args:
            arm: Its arm.
            verdicts: For each choice ``None`` if it was kept, else the reason.
            dead: Whether the request was given up.
            prompt_tokens: Tokens of its prompt.
            completion_tokens: Tokens of all its choices together.
            seconds: From its first attempt to its end.
            resumed: Whether an earlier process settled it.
        """
        self.settled += 1
        self.requests[arm] += 1
        self.resumed += resumed
        self.dead += dead
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += completion_tokens
        judged = tuple(verdicts)
        dropped = [reason for reason in judged if reason is not None]
        if judged:
            self.draws[arm] += len(judged)
        if kept := len(judged) - len(dropped):
            self.kept[arm] += kept
        for reason in dropped:
            self.reasons[arm, reason] += 1
        if not resumed:
            self.new_tokens += prompt_tokens + completion_tokens
            self.new_prompt_tokens += prompt_tokens
            self.durations.add(seconds)
            self.rows["dead" if dead else "ok" if kept else "filtered"] += 1

    def add_answered(
        self,
        arm: str,
        requests: int,
        draws: int,
        reasons: Mapping[str, int],
        prompt_tokens: int,
        completion_tokens: int,
    ) -> None:
        """Count many requests that an earlier process settled, none of them given up.

        Args:
            arm: Their arm.
            requests: How many there are.
            draws: Their choices.
            reasons: How many of these were dropped, by reason.
            prompt_tokens: Tokens of their prompts.
            completion_tokens: Tokens of their choices.
        """
        if not requests:
            return
        self.settled += requests
        self.requests[arm] += requests
        self.resumed += requests
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += completion_tokens
        if draws:
            self.draws[arm] += draws
        if kept := draws - sum(reasons.values()):
            self.kept[arm] += kept
        for reason, dropped in reasons.items():
            self.reasons[arm, reason] += dropped

    def fail(self, kind: str) -> None:
        """Count one failed attempt."""
        self.failures[kind] += 1

    @property
    def fresh(self) -> int:
        """Requests that this process settled."""
        return self.settled - self.resumed

    @property
    def remaining(self) -> int:
        """Requests of the plan that are not settled yet."""
        return max(0, self.planned - self.settled)

    def counts(self) -> dict[str, int]:
        """Return the totals under one name each, such as ``FIM.dropped.duplicate``."""
        counts = {"planned": self.planned, "settled": self.settled, "dead": self.dead}
        for arm, draws in sorted(self.draws.items()):
            counts |= {f"{arm}.draws": draws, f"{arm}.kept": self.kept[arm]}
        counts |= {f"{arm}.dropped.{reason}": count for (arm, reason), count in sorted(self.reasons.items())}
        return counts | {"prompt_tokens": self.prompt_tokens, "completion_tokens": self.completion_tokens}
