"""The figures of the pages, made from the records that the benchmarks kept.

A page marks a region by ``<!-- figures: TABLE RECORD -->`` and ``<!-- /figures -->``; TABLE names a function here,
RECORD a file of ``benchmarks/results/``. What stands between is what the function makes of the record, to the letter:
``scripts/write_performance.py`` writes it, and a test compares it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from tables import client, data, generator, goodput, journal, peers
from tables.writing import Document

REGION = re.compile(
    r"<!-- figures: (?P<table>\S+) (?P<record>\S+) -->\n\n(?P<text>.*?)\n?<!-- /figures -->", re.DOTALL
)  # fmt: skip

TABLES: dict[str, Callable[[Document], str]] = {
    "ceiling.rates": client.target,
    "data_path.sizes": data.sizes,
    "duplicates.cost": data.duplicates,
    "export.ways": data.exports,
    "filters.goals": data.filter_goals,
    "filters.ways": data.filters,
    "generator.costs": generator.costs,
    "generator.g1": generator.against_bare,
    "generator.goals": generator.goals,
    "goodput.goals": goodput.goals,
    "goodput.runs": goodput.runs,
    "goodput.untuned": goodput.untuned,
    "governor.servers": goodput.governed,
    "journal.goals": journal.goals,
    "journal.resuming": journal.resuming,
    "journal.writing": journal.writing,
    "peers.figures": peers.figures,
    "peers.goals": peers.goals,
    "peers.ratios": peers.ratios,
    "pieces.costs": client.pieces,
    "soak-new.growth": client.soak,
    "soak.growth": client.soak,
    "transport.lanes": client.lanes,
}
"""What makes a region's text of a record, by its name: the benchmark's, a point, and what it shows."""


def load(file: Path) -> Document:
    """Read a record."""
    return dict(json.loads(file.read_text(encoding="utf-8")))


def filled(region: re.Match[str], results: Path, record: str | None = None) -> str:
    """Return a region as its record says, or as another record says.

    Raises:
        KeyError: There is no such table.
        OSError: There is no such record.
    """
    record = record or region["record"]
    text = TABLES[region["table"]](load(results / record)).rstrip("\n")
    return f"<!-- figures: {region['table']} {record} -->\n\n{text}\n\n<!-- /figures -->"


def newest(results: Path, benchmark: str, like: str = "") -> str | None:
    """Return the name of the last record of a benchmark.

    Args:
        results: The folder of the records.
        benchmark: The benchmark.
        like: A record of it; if it is there, one with the same settings is returned, so that no trial is taken for it.
    """
    files = list(results.glob(f"{benchmark}-????-??-??-*.json"))
    if (results / like).is_file():
        settings = load(results / like)["settings_hash"]
        files = [file for file in files if load(file)["settings_hash"] == settings]
    found = max(files, key=lambda file: str(load(file)["at"]), default=None)
    return found.name if found else None
