"""What a run has come to, as it is shown while it lasts and when it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from evoselfcode.clients import Findings
from evoselfcode.datagen.pipeline.reading import SHOWN, place_of
from evoselfcode.datagen.pipeline.sharding import Shard
from evoselfcode.engine import COMMIT_BOUNDS, Durations, FleetStatistics, Meter
from evoselfcode.storage import Damage


@dataclass
class Commits:
    """What was made durable.

    Attributes:
        durations: How long the commits took.
        pending: Requests that are settled and not yet durable.
        last: When the last commit ended, in Unix seconds; 0 before it.
    """

    durations: Durations = field(default_factory=lambda: Durations(COMMIT_BOUNDS))
    pending: int = 0
    last: float = 0.0

    def add(self, seconds: float, at: float) -> None:
        """Count a commit that took `seconds` and ended at the Unix time `at`."""
        self.durations.add(seconds)
        self.pending, self.last = 0, at


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
        damages: Where the first of them are.
        commits: What was made durable.
        arms: The arms that are asked.
        shard: Which shard of the plan this is; ``None`` if all of it.
        merged: How many shards the run was merged from; ``None`` if it was asked by itself.
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
    damages: list[str] = field(default_factory=list)
    commits: Commits = field(default_factory=Commits)
    arms: tuple[str, ...] = ()
    shard: Shard | None = None
    merged: int | None = None

    def damage(self, found: Damage | None) -> None:
        """Count a line of the journal that is of no use, and say where the first ones are."""
        self.damaged += 1
        if found is not None and len(self.damages) < SHOWN:
            self.damages.append(place_of(found))


Report = Callable[[Summary, FleetStatistics], None]
"""Shows progress: called about once a second and at each news; must not block."""
