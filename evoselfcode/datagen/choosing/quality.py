"""Static quality: what is counted of a function becomes scores from 0 to 1, and never a verdict.

This file decides what a count is worth. It refuses to know how it was counted
(:mod:`evoselfcode.datagen.choosing.measuring`, ruff) and what a score leads to. Definitions and figures:
docs/explanation/choosing.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

import msgspec

from evoselfcode.datagen.choosing.measuring import Measured

Weight = Literal["error", "warning", "refactor", "convention"]

CLASSES: dict[str, Weight] = {
    "E999": "error", "PLE": "error",
    "F401": "warning", "F841": "warning", "F811": "warning", "E722": "warning", "B": "warning", "PLW": "warning",
    "RET503": "refactor", "C901": "refactor",
    "E711": "convention", "E712": "convention",
}  # fmt: skip
"""Rules of ruff by the class in which pylint has what they find (E0, W06, W0702, R1710, R1260, C0121 …). They are the
rules of :data:`evoselfcode.datagen.filters.gates.RUFF_SCORE`, whose findings fail more often; rules of taste cost
nothing."""

COSTS: dict[Weight, int] = {"error": 5, "warning": 1, "refactor": 1, "convention": 1}
"""What a finding costs, as in pylint's score: ``10 - 10 * (5 * E + W + R + C) / statements``."""


class Band(NamedTuple):
    """Where a count is as it should be: 1 from `low` to `high`, falling to 0 at `least` and `most`."""

    least: float
    low: float
    high: float
    most: float


SIZE = Band(0, 2, 16, 32)
"""Statements of a function. 159 of HumanEval's 164 solutions have 2 to 16, the median is 6 and the most 29."""

COMPLEXITY = Band(0, 2, 15, 30)
"""Cyclomatic complexity. HumanEval's solutions have 1 to 15, 18 of them 1: a function without a decision is worth a
half, not nothing."""


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """The static quality of a function; a number is ``None`` where it could not be found out.

    Attributes:
        lint: Ruff's findings against the number of statements, 0 to 1.
        docstring: How complete the docstring is, 0 to 1.
        typing: Share of the parameters and the result that are annotated, 0 to 1.
        size: Whether the number of statements is an ordinary one, 0 to 1.
        band: Whether the cyclomatic complexity is an ordinary one, 0 to 1.
        statements: Statements without docstrings.
        complexity: Cyclomatic complexity, as lizard counts it.
        cognitive: Cognitive complexity, as complexipy counts it.
    """

    lint: float | None
    docstring: float | None
    typing: float
    size: float | None
    band: float | None
    statements: int | None
    complexity: int | None
    cognitive: int | None


def quality_of(rules: Iterable[str], measured: Measured, annotated: float) -> Quality:
    """Make scores of what was counted.

    Args:
        rules: Rule of every finding of ruff; a rule that is found twice is there twice.
        measured: What its tree says.
        annotated: Share of the parameters and the result that are annotated.
    """
    statements, complexity = measured.statements, measured.complexity
    return Quality(
        lint=None if statements is None else lint_score(rules, statements),
        docstring=_rounded(measured.docstring),
        typing=annotated,
        size=None if statements is None else trapezoid(statements, SIZE),
        band=None if complexity is None else trapezoid(complexity, COMPLEXITY),
        statements=statements,
        complexity=complexity,
        cognitive=measured.cognitive,
    )


def lint_score(rules: Iterable[str], statements: int) -> float:
    """Return pylint's score of findings, from 0 to 1. A rule that is in no class costs nothing."""
    cost = sum(COSTS[found] for rule in rules if (found := class_of(rule)))
    return round(max(0.0, 10 - 10 * cost / max(1, statements)) / 10, 4)


def class_of(rule: str) -> Weight | None:
    """Return the class of a rule, by the longest beginning of it that has one."""
    ends = (rule[:length] for length in range(len(rule), 0, -1))
    return next((CLASSES[end] for end in ends if end in CLASSES), None)


def trapezoid(count: float, band: Band) -> float:
    """Return how well a count lies in a band, from 0 to 1."""
    if count < band.low:
        return round(max(0.0, (count - band.least) / (band.low - band.least)), 4)
    return round(min(1.0, max(0.0, (band.most - count) / (band.most - band.high))), 4)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
