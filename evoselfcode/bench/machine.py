"""What figures were measured with: the computer, by no name that it has on a network, and what is installed."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


def versions(*packages: str) -> dict[str, str | None]:
    """Return the versions of Python and of these distributions; ``None`` for one that is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def machine() -> dict[str, Any]:
    """Describe this computer, by no name that it has on a network."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    kind = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": kind or platform.machine(),
        "cores": os.cpu_count(),
        "cores_allowed": allowed,
        "system": f"{platform.system()} {platform.release()}",
    }
