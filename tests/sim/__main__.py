"""Play seeds: ``python -m sim 17`` tells all of one, ``python -m sim 0-9999`` names those that break a promise."""

from __future__ import annotations

import logging
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from sim.run import play
from sim.scenario import scenario

JOBS = 2


def broken(seed: int) -> tuple[int, list[str]]:
    """Play a seed and return it with the promises that it breaks."""
    with TemporaryDirectory() as folder:
        try:
            return seed, play(scenario(seed), Path(folder)).broken
        except Exception as error:
            return seed, [f"{type(error).__name__}: {error}"]


def tell(seed: int) -> int:
    """Play one seed and print everything that happens."""
    print(scenario(seed))
    with TemporaryDirectory() as folder:
        history = play(scenario(seed), Path(folder), telling=True)
    print(*history.notes, sep="\n")
    print(f"trace {history.trace}")
    print(*(f"BROKEN {told}" for told in history.broken), sep="\n")
    return 1 if history.broken else 0


def quiet() -> None:
    """Keep what runs tell their users out of what a search prints."""
    logging.disable(logging.WARNING)


def search(seeds: range) -> int:
    """Play seeds, two at a time, and name those that break a promise."""
    began, failed = time.perf_counter(), 0
    with ProcessPoolExecutor(JOBS, initializer=quiet) as pool:
        for seed, told in pool.map(broken, seeds, chunksize=8):
            failed += bool(told)
            if told:
                more = f" (and {len(told) - 1} more)" if told[1:] else ""
                print(f"seed {seed}: {told[0]}{more}", flush=True)
    took = time.perf_counter() - began
    print(f"{len(seeds)} seeds in {took:.0f} s, {failed} broken")
    if failed:
        print("replay one: scripts/sim 17 tells everything that happens in seed 17")
    return 1 if failed else 0


def traces(seeds: range) -> int:
    """Print a hash of everything that happens in each seed."""
    for seed in seeds:
        with TemporaryDirectory() as folder:
            print(seed, play(scenario(seed), Path(folder)).trace)
    return 0


def main(*words: str) -> int:
    first, dash, last = words[-1].partition("-")
    seeds = range(int(first), int(last or first) + 1)
    if words[0] == "--traces":
        return traces(seeds)
    return search(seeds) if dash else tell(int(first))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:] or ["0-9999"]))
