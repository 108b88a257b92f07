"""Names of benchmark tasks: a dataset that trains on them should know it.

This file decides which names are kept aside. A name alone proves no contamination, ``is_prime`` is everybody's, so
such names are put in quarantine and never dropped in silence. The list is ``benchmark_names.json`` beside this file,
which ``scripts/write_benchmark_names.py`` writes from the benchmark's own file.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from evoselfcode.datagen.filters.names import canonical

BENCHMARK_NAMES = Path(__file__).with_name("benchmark_names.json")


class Benchmark(msgspec.Struct, frozen=True):
    """The entry points of one benchmark.

    Attributes:
        source: Where the names are from.
        licence: The licence of that.
        tasks: How many tasks were read.
        names: The distinct names, sorted.
    """

    source: str
    licence: str
    tasks: int
    names: tuple[str, ...]


@cache
def benchmarks() -> dict[str, Benchmark]:
    """Read the list that comes with the package."""
    return msgspec.json.decode(BENCHMARK_NAMES.read_bytes(), type=dict[str, Benchmark])


@cache
def _by_name() -> dict[str, str]:
    listed = reversed(benchmarks().items())  # the first that has a name keeps it
    return {canonical(name): title for title, benchmark in listed for name in benchmark.names}


def benchmark_of(name: str) -> str | None:
    """Return the first benchmark that has a task of this canonical name, or ``None``."""
    return _by_name().get(name)
