"""The tables of ``benchmarks/goodput.py``: how much of a server is kept busy, with nobody tuning."""

from __future__ import annotations

from typing import Any

from tables.writing import Document, goal_rows, markdown, method

TITLES = {("auto", True): "**as it comes**", ("auto", False): "**as it comes**, the server does not tell its queue"}

LATE = 0.25
"""Seconds that the server may be late with an answer; above, the machine is the limit."""


def runs(document: Document) -> str:
    """Every run, by the size of the server."""
    parts = [method(document)]
    for slots in document["settings"]["slots"]:
        rows = [cells(run) for run in sorted(of(document, slots), key=order)]
        parts.append(markdown([f"{slots:,} slots", "goodput", "with its start", "queue", "p50 s", "p99 s", "in flight"],
                              rows))  # fmt: skip
    parts += [f"Not run: {name}, {why}." for name, why in document["figures"]["not_run"].items()]
    return "\n\n".join(parts)


def untuned(document: Document) -> str:
    """Ours as it comes and the best that a number could reach, for a reader who has a minute."""
    sizes = document["settings"]["slots"]
    rows = []
    for client, metrics in (("auto", True), ("auto", False)):
        found = {run["slots"]: run for run in document["figures"]["runs"]
                 if run["client"] == client and run["metrics"] == metrics}  # fmt: skip
        rows.append([TITLES[client, metrics], *(percent(found.get(slots)) for slots in sizes)])
    rows.append(["the best fixed concurrency", *(f"{best(document, slots):.1%}" for slots in sizes)])
    names = sorted({run["client"] for run in document["figures"]["runs"]} - {"auto", "static"})
    for name in names:
        found = {run["slots"]: run for run in document["figures"]["runs"] if run["client"] == name}
        rows.append([f"{name}, its own defaults", *(percent(found.get(slots)) for slots in sizes)])
    head = ["goodput, of what the server's slots can do", *(f"{slots:,} slots" for slots in sizes)]
    return f"{method(document)}\n\n{markdown(head, rows)}"


def goals(document: Document) -> str:
    """Of the best fixed concurrency, and of each peer's."""
    return goal_rows(document["goals"])


def of(document: Document, slots: int) -> list[dict[str, Any]]:
    """Return the runs against one server."""
    return [run for run in document["figures"]["runs"] if run["slots"] == slots]


def best(document: Document, slots: int) -> float:
    """Return the most goodput of a fixed concurrency."""
    static = (run for run in of(document, slots) if run["client"] == "static" and "failed" not in run)
    return max((float(run["goodput"]) for run in static), default=0.0)


def percent(run: dict[str, Any] | None) -> str:
    """Write the goodput of a run, and what waits at the server where that is more than half of what runs."""
    if run is None or "failed" in run:
        return "failed" if run else "not run"
    queue = f" ({run['waiting']:.1f} × waiting)" if run["waiting"] > 0.5 else ""
    return f"{run['goodput']:.1%}{queue}"


def order(run: dict[str, Any]) -> tuple[int, str, bool, int]:
    """Sort ours first, then the fixed ones by what they are fixed at."""
    place = {"auto": 0, "static": 1}.get(run["client"], 2)
    return place, run["client"], not run["metrics"], run["in_flight"] or 0


def cells(run: dict[str, Any]) -> list[str]:
    """Write a run as a row."""
    name = TITLES.get((run["client"], run["metrics"])) or (
        f"fixed at {run['in_flight']:,}" if run["client"] == "static" else f"{run['client']}, its own defaults"
    )
    if "failed" in run:
        return [f"{name}: {run['failed']}", "failed", *[""] * 5]
    took = ["" if run[key] is None else f"{run[key]:.1f}" for key in ("p50_s", "p99_s")]
    late = f" (server up to {run['late_s']:.1f} s late)" if run["late_s"] > LATE else ""
    return [name + late, f"{run['goodput']:.1%}", f"{run['goodput_whole']:.0%}", f"{run['waiting']:.2f}", *took,
            f"{run['most_in_flight']:,}"]  # fmt: skip


def governed(document: Document) -> str:
    """The governor on each toy server in virtual time, with and without queue numbers."""
    found = {(row["server"], row["numbers"]): row for row in document["figures"] if row["rule"] == "governor"}
    rows = []
    for server in dict.fromkeys(row["server"] for row in document["figures"]):
        cells = [server]
        for numbers in (True, False):
            row = found.get((server, numbers))
            cells += ["", "", ""] if row is None else [
                f"{row['goodput']:.1%}", "–".join(f"{limit:,}" for limit in row["limit"]), f"{row['waiting']:.0%}"
            ]  # fmt: skip
        rows.append(cells)
    head = ["server", "with numbers: of the best", "limit", "waiting", "without: of the best", "limit", "waiting"]
    return f"The worst of {document['settings']['seeds']} seeds. {method(document)}\n\n{markdown(head, rows)}"
