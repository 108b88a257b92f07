"""Descriptions: what counts as one in a model's text, and which are dropped and why."""

from __future__ import annotations

import re

from evoselfcode.datagen.filters.names import canonical
from evoselfcode.records import Candidate, Choice, Request, Task, Verdict
from evoselfcode.wire.sentinels import cut_leak

DESCRIPTION_REASONS: dict[str, str] = {
    "special_token": "a special token of the model leaked into the text",
    "empty": "the text is empty",
    "truncated": "the text ended by length, so that the sentence may go on",
    "code": "the text is code, or holds a piece of markup",
    "too_short": "it has fewer than three words",
    "too_long": "it has more than 400 characters",
    "echo": "it says no more than the name does",
}
"""Every reason a description can be dropped for, in the order of the gates."""

FEWEST_WORDS, LONGEST = 3, 400

_CODE = re.compile(r"^(?:def|class|import|from|return|assert)\b|```|\"\"\"|</?[a-z]+>|^[#>*|-]")


def parse_description(request: Request, index: int, choice: Choice) -> Candidate:
    """Read a description off a choice: its first line that is not blank, on one line, spaces at its ends aside."""
    lines = (" ".join(line.split()) for line in choice.text.splitlines())
    return Candidate.of(request, index, choice, next(filter(None, lines), ""))


def judge_description(task: Task, candidate: Candidate) -> Verdict:
    """Keep a description, or drop it for the first gate that objects."""
    text = candidate.text
    words = re.findall(r"[^\W\d_]+", text)
    gates = (
        ("special_token", cut_leak(candidate.raw_text)[1]),
        ("empty", not text),
        ("truncated", candidate.finish_reason == "length" and "\n" not in candidate.raw_text.strip()),
        ("code", bool(_CODE.search(text))),
        ("too_short", len(words) < FEWEST_WORDS),
        ("too_long", len(text) > LONGEST),
        ("echo", canonical("_".join(words)) == canonical(task.func_name)),
    )
    return Verdict(next((reason for reason, objects in gates if objects), None))
