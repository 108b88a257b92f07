"""One way of reading a journal before a run goes on, in a process of its own: what it took, as one line of JSON.

    python benchmarks/resuming.py WAY FOLDER

``resume`` is what a run does; ``saturating`` what it does where an arm may end early. The others are ceilings:
``bytes`` computes the checksum of every byte and understands none, ``keys`` makes a set of keys of 16 bytes that stand
in a file ``keys`` one after the other, ``json`` calls ``json.loads`` for each line and makes a set of the keys.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
import zlib
from pathlib import Path

from evoselfcode.clients import Findings
from evoselfcode.config import RunConfig
from evoselfcode.datagen.pipeline.namegen import NAMES
from evoselfcode.datagen.pipeline.recalling import Recall
from evoselfcode.datagen.pipeline.saturating import Saturating
from evoselfcode.datagen.pipeline.settled import Settled
from evoselfcode.datagen.pipeline.summary import Summary
from evoselfcode.engine import Meter, Stop
from evoselfcode.loops import run
from evoselfcode.storage import RunFolder, journal_files, split

ENDLESS = RunConfig.from_mapping({"namegen": {"saturation": {"tokens": 10**15}}}).namegen.saturation


def most_memory() -> float:
    """Return the most memory that this process has held, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


async def resume(folder: Path, *, ends_early: bool) -> int:
    """Read the journal as a run does that goes on; return how many requests are settled."""
    config, settled = RunConfig(), Settled(None)
    arms = NAMES.arms(config)
    judges = {arm: NAMES.judge(config) for arm in arms}
    saturating = Saturating(ENDLESS if ends_early else None, arms, NAMES.name_of)
    summary = Summary(NAMES.name, folder, Findings.unknown(), Meter())
    recall = Recall(NAMES.name, judges, NAMES.remembers, settled, saturating, summary)
    with RunFolder(folder) as locked:
        await recall.read(locked, Stop())
    return summary.meter.settled


def checked(folder: Path) -> int:
    """Compare nothing, but compute the checksum of all bytes."""
    crc32 = 0
    for segment in journal_files(folder):
        with segment.path.open("rb", buffering=0) as file:
            while block := file.read(1 << 18):
                crc32 = zlib.crc32(block, crc32)
    return -1


def keys(folder: Path) -> int:
    """Make a set of keys."""
    found: set[bytes] = set()
    with (folder / "keys").open("rb") as file:
        while block := file.read(1 << 20):
            found.update(split(block))
    return len(found)


def by_json(folder: Path) -> int:
    """Make a set of keys with the parser of the standard library."""
    found = set()
    for segment in journal_files(folder):
        with segment.path.open("rb") as file:
            found |= {key for line in file if (key := json.loads(line).get("entry", {}).get("key"))}
    return len(found)


def main() -> None:
    way, folder = sys.argv[1], Path(sys.argv[2])
    if way == "saturating":
        importlib.import_module("evoselfcode.stats.saturation")  # a second that is the statistics libraries' own
    before = most_memory()
    wall, cpu = time.perf_counter(), time.process_time()
    if way in ("resume", "saturating"):
        found = run(lambda: resume(folder, ends_early=way == "saturating"))
    else:
        found = {"bytes": checked, "keys": keys, "json": by_json}[way](folder)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(json.dumps({"rows": found, "wall": wall, "cpu": cpu, "before": before, "mib": most_memory()}))


if __name__ == "__main__":
    main()
