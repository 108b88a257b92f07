"""How a run was made, as it is written beside its rows.

This file decides what a manifest says of a run that has come this far. When it is written is the runner's part
(:mod:`evoselfcode.datagen.pipeline.run`).
"""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import msgspec

from evoselfcode.config import RunConfig
from evoselfcode.datagen.pipeline.summary import Summary
from evoselfcode.storage import Manifest

LIBRARIES = ("evoselfcode", "httpx", "anyio", "msgspec")
"""Packages whose versions the manifest records."""


def manifest_of(
    config: RunConfig, fingerprint: dict[str, Any], base_url: str, summary: Summary, *, started: str, state: str
) -> Manifest:
    """Write down how a run was made and what it has come to.

    Args:
        config: Its configuration.
        fingerprint: What of it, and of the files that it reads, shapes results.
        base_url: Where the server was.
        summary: What the run has come to.
        started: When it was first started.
        state: ``running``, ``complete``, ``stopped`` or ``failed``.
    """
    return Manifest(
        stage=summary.stage,
        versions={"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
        fingerprint=fingerprint,
        config=config.to_public(),
        base_url=base_url,
        preflight=msgspec.to_builtins(summary.findings),
        started=started,
        updated=now(),
        state=state,
        counts=summary.meter.counts(),
        ended_early=summary.saturated,
        arms=summary.arms,
        shard=None if summary.shard is None else str(summary.shard),
        merged=None if summary.sent else summary.merged,  # what was asked since is in no shard
    )


def now() -> str:
    """Return the time as a manifest has it: UTC, ISO 8601, in seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")
