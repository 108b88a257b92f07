"""Run model-written Python behind walls, and say what came of it.

Example:
    >>> from evoselfcode.datagen.sandbox import Check, Job, probe, run
    >>> program = "def double(x):\\n    return 2 * x\\n"
    >>> result = run(Job(program=program, checks=(Check(kind="assert", text="assert double(2) == 4"),)), probe())
    >>> result.checks[0].status
    'pass'
"""

from __future__ import annotations

from evoselfcode.datagen.sandbox.jobs import STATUSES, Check, Job, Level, Limits, Outcome, Result, Wall
from evoselfcode.datagen.sandbox.running import Sandbox, run
from evoselfcode.datagen.sandbox.walls import probe

__all__ = ["STATUSES", "Check", "Job", "Level", "Limits", "Outcome", "Result", "Sandbox", "Wall", "probe", "run"]
