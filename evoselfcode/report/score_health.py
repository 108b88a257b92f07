"""What ratings' own checks say of them, as ``rating/metrics.json`` has it.

This file decides what of it is shown. It refuses to check anything itself, and every part may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from evoselfcode.report.score_metrics import metric_of

MOST_REASONS = 10


class _Retest(msgspec.Struct):
    pairs: int = 0
    kappa: float | None = None
    alpha: float | None = None


class _Drop(msgspec.Struct):
    value: float | None = None


class _Mutants(msgspec.Struct):
    pairs: int = 0
    drop: _Drop | None = None
    unmoved: float | None = None


class Health(msgspec.Struct):
    """What is known of one dimension.

    Attributes:
        informative: Whether it tells good functions from others.
        why: Why not, where it does not.
        not_checked: Checks that had too little to go by.
        rated: Functions that were rated.
        unparsed: Replies that could not be read.
        at_best: Share of the ratings that are 5.
        retest: What a second rating of the same functions gave.
        mutants: What a bug takes off.
    """

    informative: bool | None = None
    why: tuple[str, ...] | str | None = None
    not_checked: tuple[str, ...] = ()
    rated: int | None = None
    unparsed: int | None = None
    at_best: float | None = None
    retest: _Retest = msgspec.field(default_factory=_Retest)
    mutants: _Mutants = msgspec.field(default_factory=_Mutants)

    @property
    def reason(self) -> str:
        """Why it tells nothing, in a sentence without an end."""
        return self.why if isinstance(self.why, str) else "; ".join((self.why or ())[:MOST_REASONS])


class _Document(msgspec.Struct):
    dimensions: dict[str, Health] = {}


def health_in(text: bytes) -> dict[str, Health]:
    """Read ``metrics.json`` of a run that rated.

    Raises:
        msgspec.DecodeError: It is not that.
    """
    return msgspec.json.decode(text, type=_Document).dimensions


def checks_of(health: Mapping[str, Health]) -> list[dict[str, Any]]:
    """Tell the checks of each dimension."""
    return [
        {
            "dimension": metric_of("rating", name).title,
            "informative": found.informative,
            "why": found.reason,
            "not_checked": list(found.not_checked[:MOST_REASONS]),
            "rated": found.rated,
            "unparsed": found.unparsed,
            "at_best": found.at_best,
            "kappa": found.retest.kappa,
            "alpha": found.retest.alpha,
            "drop": found.mutants.drop.value if found.mutants.drop else None,
            "unmoved": found.mutants.unmoved,
        }
        for name, found in [*health.items()][:MOST_REASONS]
    ]
