"""What a run has come to, as it is shown while it lasts and when it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from evoselfcode.clients import Findings
from evoselfcode.engine import FleetStatistics, Meter


@dataclass
class Summary:
    """What a run came to.

    Attributes:
        stage: The stage's name.
        folder: Where its files are.
        findings: What the preflight found, or an earlier one had found.
        meter: The counts.
        fim: Whether an arm asks for middles in the way that the preflight settled on.
        sent: Whether anything was asked by this process.
        seconds: Wall time of this process.
        files: Rows of each view.
        saturated: For each arm that ended early, why, and what twice its draws would give.
        left_out: For each arm that the server cannot serve, and that the run went on without, why.
        damaged: Damaged lines of the journal; their requests were asked again.
    """

    stage: str
    folder: Path
    findings: Findings
    meter: Meter
    fim: bool = False
    sent: bool = False
    seconds: float = 0.0
    files: dict[str, int] = field(default_factory=dict)
    saturated: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    damaged: int = 0


Report = Callable[[Summary, FleetStatistics], None]
"""Shows progress: called about once a second and at each news; must not block."""
