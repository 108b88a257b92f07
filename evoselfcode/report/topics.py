"""What each topic gave, in an arm that has topics: where the model has most to say, and where least."""

from __future__ import annotations

from typing import Any

from evoselfcode.report.draws import Draws

TOPICS_SHOWN = 12
"""Topics shown of those that gave the most names, and of those that gave the fewest."""


def topics_of(draws: Draws) -> dict[str, Any] | None:
    """Return the topics that gave the most and the fewest different names a draw, or ``None`` for an arm without."""
    if not draws.topics:
        return None
    rows: list[dict[str, Any]] = [
        {"topic": topic, "draws": found.draws, "accepted": found.accepted, "names": len(found.names)}
        for topic, found in draws.topics.items()
        if found.draws
    ]
    rows.sort(key=lambda row: (-row["names"] / row["draws"], -row["draws"], row["topic"]))
    return {
        "asked": len(rows),
        "most": rows[:TOPICS_SHOWN],
        "fewest": rows[TOPICS_SHOWN:][::-1][:TOPICS_SHOWN],
    }
