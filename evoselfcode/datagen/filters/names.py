"""Function names: what counts as one in a model's text, and which ones are dropped and why.

The parser is blind to the arm, so that it cannot favour one. The gates are ordered by what they say about the
model's text: first whether a name was written at all, then whether it is a name we want, last whether it is new.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Collection
from functools import lru_cache

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

LOOKED_AT = 65_536
"""Letters of a text in which special tokens are looked for: the event loop waits, 0.05 µs for each ``<`` in them."""

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_GOES_ON = re.compile(r"[A-Za-z0-9_]+")
_BEGUN = re.compile(r"(?<![A-Za-z0-9_])def[ \t]+([A-Za-z_][A-Za-z0-9_]*)\Z")
_KEYWORDS = frozenset(keyword.kwlist) | frozenset(keyword.softkwlist)
_BUILTINS = frozenset(dir(builtins))
_VERDICTS = {reason: Verdict(reason) for reason in NAME_REASONS}
_KEPT, _DUPLICATE = Verdict(), _VERDICTS["duplicate"]


def parse_name(request: Request, index: int, choice: Choice) -> Candidate:
    """Read a name off a choice: the longest identifier that the text begins with, leading white space aside.

    Where the prompt ends within a name (``def compute_``), the text goes on with it and the two are the name; a text
    that adds nothing gives none.
    """
    begun, text = begun_name(request.before), choice.text
    if begun or not text.isidentifier() or not text.isascii():  # most texts are a name and nothing else
        found = _GOES_ON.match(text) if begun else _IDENTIFIER.match(text.lstrip())
        return Candidate.of(request, index, choice, begun + found[0] if found else "", begun if found else "")
    return Candidate(
        arm=request.arm,
        number=request.number,
        index=index,
        text=text,
        raw_text=text,
        finish_reason=choice.finish_reason,
        logprob=choice.logprob if choice.logprobs else None,
    )


@lru_cache(maxsize=256)
def begun_name(before: str) -> str:
    """Return the beginning of a name that a prompt ends in, or ``""``; the choices of a request have one prompt."""
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
        self._matches = re.compile(name_regex).search
        self._seen: set[str] = set()
        # In the order of the gates, backwards: a name that two object to is dropped by the first.
        self._listed = {
            **dict.fromkeys(weaklist, "weak"),
            "test": "test",
            **dict.fromkeys(_BUILTINS, "builtin"),
            **dict.fromkeys(_KEYWORDS, "keyword"),
        }

    def __call__(self, candidate: Candidate) -> Verdict:
        """Keep a candidate, and remember it, or drop it for the first gate that objects."""
        text = candidate.text
        if not text or text != candidate.raw_text or candidate.finish_reason == "length":
            reason = _objection_to_text(candidate)
            if reason is not None:
                return _VERDICTS[reason]
        if text in self._seen:  # kept before, so nothing else objects
            return _DUPLICATE
        if len(text) > LONGEST or not self._matches(text):
            return _VERDICTS["regex"]
        if text[0] == "_" and text.startswith("__") and text.endswith("__"):
            return _VERDICTS["dunder"]
        reason = "test" if text.startswith("test_") else self._listed.get(text)
        if reason is not None:
            return _VERDICTS[reason]
        self._seen.add(text)
        return _KEPT

    def remember(self, text: str) -> None:
        """Count `text` as kept, so that it is a duplicate from now on."""
        self._seen.add(text)


def _objection_to_text(candidate: Candidate) -> str | None:
    """Say which gate objects to what was written, rather than to the name in it; each does little for most texts."""
    text, raw, begun = candidate.text, candidate.raw_text, candidate.begun
    if "<" in raw and cut_leak(raw[:LOOKED_AT])[1]:
        return "special_token"
    if not text:
        return "empty"
    # What follows the identifier.
    rest = raw[len(text) - len(begun) :] if begun else raw.lstrip()[len(text) :]
    if not rest:
        return "truncated" if candidate.finish_reason == "length" else None
    return "malformed" if rest.strip() and not rest.lstrip(" ").startswith("(") else None
