"""How tables are written: Markdown, figures, and the sentence that says what they were measured with."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]
"""A record, as :meth:`card.Record.keep` writes it."""


def method(document: Document, *names: str) -> str:
    """Return when and with what a record was measured, in a sentence."""
    machine, versions = document["machine"], document["versions"]
    told = ", ".join(f"{name} {versions[name]}" for name in names if versions.get(name))
    year, month, day = document["day"].split("-")
    months = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
              "November", "December")  # fmt: skip
    busy = machine.get("cores_used_by_others")
    others = f" Other programs used {busy[1]:.2f} cores (median; at most {busy[2]:.2f})." if busy else ""
    with_ = f"; {told}" if told else ""
    return (f"{int(day)} {months[int(month) - 1]} {year}, commit {document['commit']}, {machine['cores']} cores of "
            f"{machine['processor']}, CPython {versions['python']}{with_}.{others}")  # fmt: skip


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """Write a table whose first column is text and whose others are figures."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float) -> str:
    """Write a figure with three digits that count, and no more than two behind the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def exact(value: float) -> str:
    """Write a figure so exactly that it does not look like its limit."""
    return f"{value:.3f}" if abs(value) < 10 else number(value)


def goal_rows(goals: list[dict[str, Any]]) -> str:
    """Write judged goals as a table."""
    rows = []
    for goal in goals:
        limit = f"at {'most' if goal['keep'] == '<=' else 'least'} {goal['limit']:g}"
        rows.append(
            [
                f"{goal['goal']}: {goal['sentence']}",
                exact(goal["figure"]),
                limit,
                "met" if goal["met"] else "**not met**",
            ]
        )
    return markdown(["goal", "figure", "limit", ""], rows)
