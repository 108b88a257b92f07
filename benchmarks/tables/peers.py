"""The tables of ``benchmarks/peers.py``: the same requests through other programs."""

from __future__ import annotations

from typing import Any

from tables.writing import Document, goal_rows, markdown, method, number

NOT_TOOLS = ("ours", "bare_loop")
"""What is measured beside the others, and is no choice that anybody has."""


def ratios(document: Document) -> str:
    """How many times less than the others: for a reader who has a minute."""
    rows = [[f"{row['title']} {version(row)}", number(row["times_ours"]["cpu_us"]), number(row["times_ours"]["wall_s"]),
             f"{row['requests']:,}"]
            for row in sorted(measured(document), key=lambda row: -float(row["times_ours"]["cpu_us"]))
            if row["peer"] not in NOT_TOOLS]  # fmt: skip
    rows += [[f"{row['title']}", "not measured", row["reason"], f"{row['requests']:,}"]
             for row in document["figures"]["not_measured"]]  # fmt: skip
    settings = document["settings"]
    rounds = "one round" if settings["rounds"] == 1 else f"median of {settings['rounds']} rounds"
    about = (f"{settings['in_flight']} in flight, a server that takes {settings['latency']}, from the start of a "
             f"process to its exit, {rounds}. {method(document)}")  # fmt: skip
    head = ["the same requests through", "times our CPU", "times our wall time", "requests"]
    return f"{about}\n\n{markdown(head, rows)}"


def measured(document: Document) -> list[dict[str, Any]]:
    """Return the rows that have a ratio: those whose number of requests ours was measured at, too."""
    return [row for row in document["figures"]["peers"] if row["times_ours"]["cpu_us"]]


def version(row: dict[str, Any]) -> str:
    """Return the version of the program itself."""
    return str(next(iter(row["versions"].values()), ""))


def figures(document: Document) -> str:
    """Everything that was measured of each."""
    rows = []
    for row in document["figures"]["peers"]:
        middle, least, most = row["cpu_us"]
        served = [run["server"] for run in row["runs"]]
        versions = ", ".join(f"{name} {told}" for name, told in row["versions"].items())
        rows.append([
            f"{row['title']} ({versions})" + (f": {row['remark']}" if row["remark"] else ""), f"{row['requests']:,}",
            f"{middle:,.0f} [{least:,.0f}–{most:,.0f}]", f"{row['wall_s'][0]:,.1f}", f"{row['per_s'][0]:,.0f}",
            f"{row['rss_mb'][0]:,.0f}", f"{max(it['most_in_flight'] for it in served):,}",
            f"{max(it['connections'] for it in served):,}",
        ])  # fmt: skip
    head = ["program", "requests", "µs of CPU a request", "wall s", "requests/s", "MB", "in flight", "connections"]
    absent = [f"Not measured: {row['title']}, {row['requests']:,} requests: {row['reason']}"
              for row in document["figures"]["not_measured"]]  # fmt: skip
    return "\n\n".join([method(document), markdown(head, rows), *absent])


def goals(document: Document) -> str:
    """G3 to G6."""
    open_ = document["figures"].get("not_judged")
    return goal_rows(document["goals"]) + (
        f"\n\nNot judged, for the peer was not measured: {', '.join(open_)}." if open_ else ""
    )
