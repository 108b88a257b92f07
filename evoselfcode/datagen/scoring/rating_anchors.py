"""Functions with ratings, which show a rater what a rating means. Written for this, every one of them.

This file decides what good, middling and bad look like. None is best or worst in all respects: a rater that has seen
nothing but fives gives nothing but fives.
"""

from __future__ import annotations

import msgspec

DIMENSIONS: tuple[str, ...] = ("problem", "definition", "correctness", "efficiency", "readability")
"""What is rated, each by itself from 1 to 5."""

SCALES: dict[str, str] = {
    "problem": "is the task well defined and worth a function? 1 is no task at all, 3 is clear but trivial or oddly "
    "chosen, 5 is clear, useful and of some substance",
    "definition": "do name, parameters, types and docstring say what the function takes and gives? 1 is misleading, 3 "
    "leaves out something one must know, 5 leaves nothing open",
    "correctness": "does the code do what its name and docstring say, on every input they allow? 1 fails on ordinary "
    "inputs, 3 fails in rare cases, 5 never fails",
    "efficiency": "does it take no more time and memory than the task needs? 1 is needlessly of another order, 3 is "
    "somewhat wasteful, 5 could hardly be better",
    "readability": "is it easy to follow? 1 must be deciphered, 3 takes a second look, 5 reads like prose",
}


class Anchor(msgspec.Struct, frozen=True):
    """A function and how it is to be rated.

    Attributes:
        code: The function.
        ratings: One for each of :data:`DIMENSIONS`, in their order.
    """

    code: str
    ratings: tuple[int, int, int, int, int]


ANCHORS: tuple[Anchor, ...] = (
    Anchor(
        '''\
def longest_run(values: list[int]) -> int:
    """Return the length of the longest run of equal values that stand next to each other; 0 for an empty list."""
    best = current = 0
    previous = None
    for value in values:
        current = current + 1 if current and value == previous else 1
        best = max(best, current)
        previous = value
    return best
''',
        (4, 5, 5, 5, 4),
    ),
    Anchor(
        '''\
def moving_average(values, size):
    """Compute the moving average of a list of numbers."""
    averages = []
    for start in range(len(values) - size):
        averages.append(sum(values[start:start + size]) / size)
    return averages
''',
        (4, 3, 1, 3, 4),
    ),
    Anchor(
        '''\
def handle_items(data, flag=True, x=None):
    """Handle the items."""
    result = []
    for item in data:
        result.append(item)
    return result
''',
        (1, 1, 3, 4, 3),
    ),
    Anchor(
        '''\
def common_letters(first: str, second: str) -> list[str]:
    """Return the letters that both words hold, sorted, each once."""
    found = []
    for a in first:
        for b in second:
            if a == b and a not in found:
                found = sorted(found + [a])
    return found
''',
        (3, 4, 5, 1, 2),
    ),
    Anchor(
        '''\
def parse_duration(text: str) -> int:
    """Turn a duration such as "1h30m" or "45s" into seconds. Raises ValueError for anything else."""
    f, t, n = {"h": 3600, "m": 60, "s": 1}, 0, ""
    for c in text:
        if c.isdigit(): n += c
        else: t, n = t + f[c] * int(n), ""
    return t
''',
        (5, 4, 2, 5, 1),
    ),
    Anchor(
        '''\
def is_leap(year: int) -> bool:
    """Say whether a year is a leap year."""
    if year % 4 == 0:
        return True
    return False
''',
        (2, 4, 3, 5, 5),
    ),
)
