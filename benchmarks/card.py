"""What every benchmark says of itself: versions, machine, commit, settings and their digest; and where it is kept.

A benchmark makes a :class:`Record` when it begins and keeps it when it ends: one line of JSON is printed, and the same
document is written to ``benchmarks/results/NAME-DAY-COMMIT-SETTINGS.json``. A plus sign behind the commit says that
files differed from it; a trial with other settings is another file. The figures of README and docs are written from
these files (``scripts/write_performance.py``).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from statistics import median
from typing import Any, Literal

from evoselfcode.bench.machine import machine, versions

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"

Judged = dict[str, Any]
"""A figure and the limit that it must keep, as :func:`judge` makes it."""


class Record:
    """One run of one benchmark.

    Args:
        benchmark: Its name, which is the file's without ``.py``.
        settings: What was asked of it; its digest tells runs apart that cannot be compared.
        packages: Distributions that take part; one that is not installed is recorded as such.
        results: The folder that it is kept in.
    """

    def __init__(
        self, benchmark: str, settings: Mapping[str, Any], packages: Sequence[str] = (), results: Path = RESULTS
    ) -> None:
        self._results = results
        self._began, self._load = time.time(), os.getloadavg()[0]
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._began))
        digest = blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=8).hexdigest()
        self._about = {"benchmark": benchmark, "day": at[:10], "at": at, "commit": commit(),
                       "versions": versions("evoselfcode", *packages), "settings": dict(settings),
                       "settings_hash": digest}  # fmt: skip

    @property
    def versions(self) -> dict[str, str | None]:
        """The versions of what takes part; ``None`` for what is not installed."""
        return self._about["versions"]

    def keep(self, figures: Any, *, goals: Sequence[Judged] = (), others: Iterable[float] = ()) -> Path:
        """Print the line for machines, write the file, and return where.

        Args:
            figures: What was measured; must be JSON.
            goals: What :func:`judge` made.
            others: Cores that other programs used while each figure was measured, where that was looked at.
        """
        busy = sorted(others)
        spread = [round(pick(busy), 2) for pick in (min, median, max)] if busy else None
        document = self._about | {
            "machine": machine() | {"load_before": self._load, "load_after": os.getloadavg()[0],
                                    "cores_used_by_others": spread},
            "seconds": round(time.time() - self._began, 1), "goals": list(goals), "figures": figures,
        }  # fmt: skip
        self._results.mkdir(parents=True, exist_ok=True)
        names = (self._about[key] for key in ("benchmark", "day", "commit"))
        file = self._results / f"{'-'.join(names)}-{self._about['settings_hash'][:6]}.json"
        file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        print(json.dumps(document))
        return file


def judge(goal: str, figure: float, keep: Literal["<=", ">="], limit: float, sentence: str, **more: Any) -> Judged:
    """Judge a figure.

    Args:
        goal: The goal's number; several figures may have the same.
        figure: What was measured.
        keep: Whether it must be at most, or at least, the limit.
        limit: The limit.
        sentence: What the figure is.
        more: What else is to be known of it.
    """
    met = figure <= limit if keep == "<=" else figure >= limit
    return {"goal": goal, "figure": figure, "keep": keep, "limit": limit, "met": met, "sentence": sentence} | more


def told(goals: Iterable[Judged]) -> str:
    """Show goals to people, a line each."""
    return "\n".join(f"{goal['goal']:5}{'met' if goal['met'] else 'NOT MET':9}{goal['figure']:10,.2f}  {goal['keep']} "
                     f"{goal['limit']:g} {goal['sentence']}" for goal in goals)  # fmt: skip


def plain(text: str) -> str:
    """Return a message without addresses and paths, which differ from machine to machine."""
    return re.sub(r"\w+://\S+|(?<!\w)/[\w.\-]+/\S*", "…", " ".join(text.split()))[:300]


def commit() -> str:
    """Return the commit, with a plus sign if files other than results differ from it; ``unknown`` without git."""
    git = ["git", "-C", str(ROOT)]
    try:
        told = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        apart = [*git, "status", "--porcelain", "--", str(ROOT), f":(exclude){RESULTS}"]
        changed = subprocess.run(apart, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return told.stdout.strip() + ("+" if changed.stdout else "")


def used(process: int | None = None) -> float:
    """Return the CPU seconds that the machine, or one process, has used by now."""
    if process is None:
        user, nice, system, _, _, irq, soft = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:8])
        return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")
    user, system = map(int, Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13])
    return (user + system) / os.sysconf("SC_CLK_TCK")
