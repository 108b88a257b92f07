"""The tables of ``benchmarks/journal.py``: writing it, and going on from it."""

from __future__ import annotations

from typing import Any

from tables.writing import Document, goal_rows, markdown, method, number

WAYS = {
    "resume": "**going on**, the journal closed in order",
    "killed": "going on after a kill",
    "unnoted": "going on without recaps, as after an older version",
    "saturating": "going on where arms may end early: each entry, in order",
    "bytes": "the checksum of all bytes, nothing understood: the floor",
    "keys": "a file of nothing but keys, into a `set`",
    "json": "`json.loads` of every line, nothing compared",
}


def writing(document: Document) -> str:
    """Microseconds of CPU of a row's way into the journal."""
    found = document["figures"]["writing"]
    rows = [[name, f"{value:.1f}"] for name, value in found.items() if name != "bytes a row"]
    return (
        f"A row is {found['bytes a row']:.0f} bytes. {method(document, 'msgspec')}\n\n{markdown(['what', 'µs'], rows)}"
    )


def resuming(document: Document) -> str:
    """Seconds of CPU and memory, by the way and the number of rows."""
    told: dict[str, dict[str, Any]] = document["figures"]["resuming"]
    rows = [[text, *(f"{number(found[way]['cpu'])} s, {found[way]['mib']:,.0f} MiB" if way in found else ""
                     for found in told.values())] for way, text in WAYS.items()]  # fmt: skip
    return markdown(["CPU, and the most memory of the process", *(f"{int(size):,} rows" for size in told)], rows)


def goals(document: Document) -> str:
    """G12 and G13."""
    return goal_rows(document["goals"])
