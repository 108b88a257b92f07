"""How probable the model thought the names that were accepted, where the server says so.

This file decides what a name's probability is: that of its most probable draw, so that a name counts once however
often it was drawn. Log-probabilities of two models, or of two tokenizers, are not comparable.
"""

from __future__ import annotations

import statistics
from typing import Any

from evoselfcode.report.draws import Draws
from evoselfcode.stats.compare import mann_whitney_effect


def quartiles(draws: Draws) -> dict[str, Any] | None:
    """Return the quartiles of the names' log-probabilities in nats, or ``None`` where none is known."""
    values = list(draws.logprobs.values())
    if not values:
        return None
    cuts = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return {"names": len(values), "low": cuts[0], "median": cuts[1], "high": cuts[2]}


def more_probable(a: Draws, b: Draws) -> float | None:
    """Return the chance that a name of the first arm is more probable than one of the second.

    ``None`` where one of them does not know how probable its names are.
    """
    if not (a.logprobs and b.logprobs):
        return None
    return mann_whitney_effect(list(a.logprobs.values()), list(b.logprobs.values()))
