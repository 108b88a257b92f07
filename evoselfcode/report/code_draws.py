"""What a filter of code has written of every draw, counted in one pass.

This file decides how draws of the code stage are counted. It refuses to know what follows from the counts
(:mod:`evoselfcode.report.code_document`). Rows are read one by one: what stays of one is counts, a few functions that
are shown, and for each name five numbers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

import msgspec

from evoselfcode.report.excerpts import DROPPED, KEPT, Chosen, digest_of, lines_of
from evoselfcode.storage import Damage, Entry

REPEATS = frozenset({"duplicate", "near_duplicate"})

BEHIND_THE_GATES = REPEATS | {"failed", "quarantined"}
"""Reasons that are found when the gates have been passed: by running it, by the other draws, by its name alone."""


class _Hashes(msgspec.Struct):
    alpha: str


class _Asserts(msgspec.Struct):
    of: int = 0


class _Execution(msgspec.Struct):
    status: str
    level: str
    asserts: _Asserts = msgspec.field(default_factory=_Asserts)


class _Agreement(msgspec.Struct):
    chosen: bool
    vacuous: bool


class CodeDraw(msgspec.Struct, kw_only=True):
    """What a report reads of a row of ``raw.jsonl``."""

    func_name: str
    source: str
    code: str
    syntax_valid: bool
    verdict: str
    reason: str | None
    reasons: tuple[str, ...]
    key: str
    of: str | None = None
    hashes: _Hashes | None = None
    execution: _Execution | None = None
    agreement: _Agreement | None = None


class Name:
    """What the draws for one name came to.

    Attributes:
        draws: Draws.
        parsed: Those that Python parses.
        accepted: Those that nothing is against but that they repeat another.
        kept: Those that are kept.
    """

    __slots__ = ("accepted", "draws", "kept", "parsed")

    def __init__(self) -> None:
        self.draws = self.parsed = self.accepted = self.kept = 0


class CodeArm:
    """The draws of one arm.

    Attributes:
        draws: Draws.
        parsed: Those that Python parses.
        passed: Those that no gate objects to.
        held: Those of these that did not fail when they were run, or were not run.
        fresh: Those of these that repeat no other.
        kept: Those of these that are kept: none named like a benchmark's task.
        quarantined: Those that are set aside for their name alone.
        reasons: How many draws each reason dropped, as the first that is against them.
        objections: How many draws each reason is against.
        statuses: What came of the functions that were run.
        levels: Behind which walls they ran.
        lines: How many kept functions have so many lines.
        functions: Kept functions, chosen by their hashes.
        examples: Dropped functions of each reason, chosen by their hashes.
        names: What each name came to.
    """

    def __init__(self) -> None:
        self.draws = self.parsed = self.passed = self.held = self.fresh = self.kept = self.quarantined = 0
        self.reasons: Counter[str] = Counter()
        self.objections: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.levels: Counter[str] = Counter()
        self.lines: Counter[int] = Counter()
        self.functions = Chosen(KEPT)
        self.examples: dict[str, Chosen] = {}
        self.names: dict[str, Name] = {}

    def add(self, row: CodeDraw) -> None:
        """Count a draw."""
        against = frozenset(row.reasons)
        kept, accepted = row.verdict == "kept", not against - REPEATS
        passed = not against - BEHIND_THE_GATES
        held = passed and "failed" not in against
        self.draws += 1
        self.parsed += row.syntax_valid
        self.passed += passed
        self.held += held
        self.fresh += held and not against & REPEATS
        self.kept += kept
        self.quarantined += row.verdict == "quarantined"
        self.objections.update(row.reasons)
        name = self.names.setdefault(row.func_name, Name())
        name.draws += 1
        name.parsed += row.syntax_valid
        name.accepted += accepted
        name.kept += kept
        if row.execution is not None:
            self.statuses[row.execution.status] += 1
            self.levels[row.execution.level] += 1
        self._show(row, kept=kept)

    def _show(self, row: CodeDraw, *, kept: bool) -> None:
        if kept:
            self.lines[lines_of(row.code)] += 1
            self.functions.offer(row.hashes.alpha if row.hashes else digest_of(row.code), row.func_name, row.code)
        elif row.reason is not None:
            self.reasons[row.reason] += 1
            chosen = self.examples.setdefault(row.reason, Chosen(DROPPED))
            chosen.offer(digest_of(row.code), row.func_name, row.code, row.of)


class CodeDraws:
    """The draws of all arms.

    Attributes:
        arms: The draws of each arm, by name.
        kept_by_key: How many draws of each request are kept; none of a request is no key.
        damaged: Lines that are no row.
        asserted: Names of which a function was run against asserts.
        agreed: Those of these with functions that pass the same asserts, and the most of them.
        vacuous: Those of these whose asserts notice few bugs.
    """

    def __init__(self, rows: Iterable[CodeDraw | Damage]) -> None:
        arms: defaultdict[str, CodeArm] = defaultdict(CodeArm)
        self.kept_by_key: Counter[str] = Counter()
        self.damaged = 0
        self.asserted: set[str] = set()
        self.agreed: set[str] = set()
        self.vacuous: set[str] = set()
        for row in rows:
            if isinstance(row, Damage):
                self.damaged += 1
                continue
            arms[row.source].add(row)
            if row.verdict == "kept":
                self.kept_by_key[row.key] += 1
            self._agree(row)
        self.arms = dict(sorted(arms.items()))

    def _agree(self, row: CodeDraw) -> None:
        if row.execution is not None and row.execution.asserts.of:
            self.asserted.add(row.func_name)
        if row.agreement is not None and row.agreement.chosen:
            self.agreed.add(row.func_name)
            if row.agreement.vacuous:
                self.vacuous.add(row.func_name)


class Cost:
    """What the requests of one arm took.

    Attributes:
        requests: Settled requests.
        dead: Those of these that were given up.
        attempts: Attempts made.
        seconds: Time of all requests together, waiting included.
        prompt_tokens: Tokens of prompts, as the server counts them.
        completion_tokens: Tokens of completions.
        failures: Attempts that failed, by kind.
    """

    def __init__(self) -> None:
        self.requests = self.dead = self.attempts = self.prompt_tokens = self.completion_tokens = 0
        self.seconds = 0.0
        self.failures: Counter[str] = Counter()

    def add(self, entry: Entry) -> None:
        """Count a settled request."""
        self.requests += 1
        self.dead += entry.failure is not None
        self.attempts += entry.attempts
        self.seconds += entry.seconds
        self.prompt_tokens += entry.usage.prompt_tokens or 0
        self.completion_tokens += entry.usage.completion_tokens or 0
        self.failures.update(entry.failures)


def counted(entries: Iterable[Entry], costs: dict[str, Cost]) -> Iterator[Entry]:
    """Count each entry in the costs of its arm, and hand it on."""
    for entry in entries:
        costs.setdefault(entry.arm, Cost()).add(entry)
        yield entry
