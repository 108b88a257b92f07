"""Function names: what counts as one in a model's text, and which ones are dropped and why.

The parser is blind to the arm, so that it cannot favour one. The gates are ordered by what they say about the
model's text: first whether a name was written at all, then whether it is a name we want, last whether it is new.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Callable, Collection

from evoselfcode.records import Candidate, Choice, Request, Verdict
from evoselfcode.wire.sentinels import cut_leak

NAME_REASONS: dict[str, str] = {
    "special_token": "a special token of the model leaked into the text",
    "empty": "the text does not begin with an identifier",
    "truncated": "the text ended by length, so that the name may go on",
    "malformed": "the identifier is followed by something else than ( or the end",
    "regex": "filters.name_regex does not match",
    "dunder": "a dunder name such as __init__",
    "keyword": "a keyword of Python, soft keywords included",
    "builtin": "the name of a builtin",
    "test": "a test: test, or test_…",
    "weak": "on namegen.weaklist",
    "duplicate": "kept before in this arm",
}
"""Every reason a name can be dropped for, in the order of the gates."""

LONGEST = 255
"""Letters of a name that ``filters.name_regex`` is asked about: a pattern may take time that grows with the text."""

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_GOES_ON = re.compile(r"[A-Za-z0-9_]+")
_BEGUN = re.compile(r"(?<![A-Za-z0-9_])def[ \t]+([A-Za-z_][A-Za-z0-9_]*)\Z")
_KEYWORDS = frozenset(keyword.kwlist) | frozenset(keyword.softkwlist)
_BUILTINS = frozenset(dir(builtins))


def parse_name(request: Request, index: int, choice: Choice) -> Candidate:
    """Read a name off a choice: the longest identifier that the text begins with, leading white space aside.

    Where the prompt ends within a name (``def compute_``), the text goes on with it and the two are the name; a text
    that adds nothing gives none.
    """
    begun = begun_name(request.before)
    found = _GOES_ON.match(choice.text) if begun else _IDENTIFIER.match(choice.text.lstrip())
    return Candidate.of(request, index, choice, begun + found.group() if found else "", begun if found else "")


def begun_name(before: str) -> str:
    """Return the beginning of a name that a prompt ends in, or ``""``."""
    found = _BEGUN.search(before, max(0, len(before) - LONGEST))
    return found[1] if found else ""


def canonical(name: str) -> str:
    """Return what a name is counted by: ``quick_sort``, ``quicksort`` and ``quickSort`` say the same.

    Lower case without underscores, the key of SelfCodeAlign's sanitiser (arXiv 2410.24198).
    """
    return name.replace("_", "").lower()


class NameJudge:
    """Judges the names of one arm; remembers those it kept, to know a duplicate.

    Args:
        name_regex: What a name must match (``filters.name_regex``).
        weaklist: Names to drop (``namegen.weaklist``), compared exactly.
    """

    def __init__(self, name_regex: str, weaklist: Collection[str]) -> None:
        matches = re.compile(name_regex).search
        weak = frozenset(weaklist)
        self._seen: set[str] = set()
        self._gates: tuple[tuple[str, Callable[[Candidate], object]], ...] = (
            ("special_token", _leaks),
            ("empty", lambda candidate: not candidate.text),
            ("truncated", _is_truncated),
            ("malformed", _is_malformed),
            ("regex", lambda candidate: len(candidate.text) > LONGEST or not matches(candidate.text)),
            ("dunder", lambda candidate: candidate.text[:2] == candidate.text[-2:] == "__"),
            ("keyword", lambda candidate: candidate.text in _KEYWORDS),
            ("builtin", lambda candidate: candidate.text in _BUILTINS),
            ("test", lambda candidate: candidate.text == "test" or candidate.text.startswith("test_")),
            ("weak", lambda candidate: candidate.text in weak),
            ("duplicate", lambda candidate: candidate.text in self._seen),
        )

    def __call__(self, candidate: Candidate) -> Verdict:
        """Keep a candidate, and remember it, or drop it for the first gate that objects."""
        for reason, objects in self._gates:
            if objects(candidate):
                return Verdict(reason)
        self.remember(candidate.text)
        return Verdict()

    def remember(self, text: str) -> None:
        """Count `text` as kept, so that it is a duplicate from now on."""
        self._seen.add(text)


def _leaks(candidate: Candidate) -> bool:
    return cut_leak(candidate.raw_text)[1]


def _rest(candidate: Candidate) -> str:
    """Return what follows the identifier."""
    if candidate.begun:
        return candidate.raw_text[len(candidate.text) - len(candidate.begun) :]
    return candidate.raw_text.lstrip()[len(candidate.text) :]


def _is_truncated(candidate: Candidate) -> bool:
    return candidate.finish_reason == "length" and not _rest(candidate)


def _is_malformed(candidate: Candidate) -> bool:
    rest = _rest(candidate)
    return bool(rest.strip()) and not rest.lstrip(" ").startswith("(")
