"""A few functions out of many: chosen by their content, cut so that a page can show them.

This file decides which functions are shown and how much of one. It refuses to know why they are shown. What a model
wrote may be of any length; what is kept of it here is not.
"""

from __future__ import annotations

from bisect import insort
from hashlib import blake2b
from typing import Any, NamedTuple

LONGEST_NAME = 120
"""Characters of a function's name, and of what a reason points to."""


class Size(NamedTuple):
    """How many functions are shown, and how many lines and characters of each."""

    functions: int
    lines: int
    characters: int


DROPPED = Size(20, 24, 900)
"""Of each reason in each arm: some 30 of these in a run of two arms are half a megabyte."""

KEPT = Size(10, 40, 2_400)


class Chosen:
    """Keeps the functions with the smallest digests, each text once: by chance, and always the same.

    Args:
        size: How many, and how much of each.
    """

    def __init__(self, size: Size) -> None:
        self._size = size
        self._found: list[tuple[str, dict[str, Any]]] = []

    def offer(self, digest: str, func_name: str, code: str, of: str | None = None) -> None:
        """Take a function if it is among those with the smallest digests; the first of one digest counts."""
        full = len(self._found) == self._size.functions
        if (full and digest >= self._found[-1][0]) or any(digest == known for known, _ in self._found):
            return
        shown = {
            "func_name": cut(func_name),
            "of": of and cut(of),
            "lines": lines_of(code),
            "characters": len(code),
            "code": excerpt(code, self._size),
        }
        insort(self._found, (digest, shown), key=lambda found: found[0])
        del self._found[self._size.functions :]

    def shown(self) -> list[dict[str, Any]]:
        """Return what was chosen, by digest."""
        return [function for _, function in self._found]


def digest_of(code: str) -> str:
    """Return the hash of a text."""
    return blake2b(code.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def cut(name: str) -> str:
    """Return a name that is short enough to be shown."""
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def excerpt(code: str, size: Size) -> str:
    """Return the beginning of a function: so many lines, and so many characters."""
    return "\n".join(code[: size.characters].split("\n")[: size.lines])


def lines_of(code: str) -> int:
    """Count the lines of a function; the end of the last is none of its own."""
    return code.count("\n") + (not code.endswith("\n")) if code else 0
