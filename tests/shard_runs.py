"""Runs that are cut into shards and merged again, on the embedded model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from embedded import Embedded
from test_run import config, run

from evoselfcode.datagen.pipeline.merging import Merged, merge_shards
from evoselfcode.datagen.pipeline.namegen import NAMES
from evoselfcode.datagen.pipeline.sharding import Shard


async def run_shards(folder: Path, of: int, order: list[int] | None = None, **namegen: Any) -> None:
    """Run the shards of a names run, one after the other."""
    for index in range(of) if order is None else order:
        await run(Embedded(), config(folder, **namegen), shard=Shard(index, of))


def merged(folder: Path, *, partial: bool = False) -> Merged:
    """Merge the shards of a names run."""
    return merge_shards(folder / "names", {"names": NAMES}, partial=partial, stopped=lambda: False)
