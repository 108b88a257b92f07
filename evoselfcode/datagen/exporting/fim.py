"""Fill-in-the-middle texts as a family of models is trained on them.

This file decides what of a function is left out, and which families have which order. How a prompt is written is
:mod:`evoselfcode.wire.sentinels`.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from evoselfcode.config import ExportFim
from evoselfcode.datagen.exporting.source import share_of
from evoselfcode.datagen.filters.function_parts import Parts
from evoselfcode.records import Fim, Order
from evoselfcode.wire.sentinels import Family, render

MiddleKind = Literal["body", "lines", "name"]

_FILLED_LINE = re.compile(r"^[^\n]*\S[^\n]*", re.MULTILINE)


class Middle(NamedTuple):
    """A function, cut in three: put together, the parts are its text."""

    kind: MiddleKind
    prefix: str
    middle: str
    suffix: str


def orders_of(family: Family) -> tuple[Order, ...]:
    """Return the orders that models of a family were trained on, as their makers say.

    That llama.cpp can put the parts of any prompt the other way round says nothing about the model.
    """
    return tuple(order for order in ("PSM", "SPM") if order == family.order or isinstance(family.other, tuple))


def middle_of(code: str, parts: Parts, identity: str, shares: ExportFim) -> Middle:
    """Cut a function in three, always the same way for the same `identity` and `shares`."""
    kind = _kind(identity, shares)
    begin, end = parts.body, parts.body_end
    if kind == "name" and parts.name is not None:
        begin, end = parts.name, parts.name_end
    elif kind == "lines":
        lines = [found.span() for found in _FILLED_LINE.finditer(code, parts.body, parts.body_end)]
        if len(lines) > 1:
            # Any run of lines but all of them: each has the same chance.
            runs = len(lines) * (len(lines) + 1) // 2 - 1
            first, last = _run(int(share_of("lines", identity) * runs), len(lines))
            begin, end = lines[first][0], lines[last][1]
        else:
            kind = "body"
    return Middle(kind, code[:begin], code[begin:end], code[end:])


def _kind(identity: str, shares: ExportFim) -> MiddleKind:
    weights: dict[MiddleKind, float] = {"body": shares.body, "lines": shares.lines, "name": shares.name}
    at = share_of("middle", identity) * sum(weights.values())
    for kind, weight in weights.items():
        if at < weight:
            return kind
        at -= weight
    return max(weights, key=weights.__getitem__)


def _run(number: int, lines: int) -> tuple[int, int]:
    """Return the first and the last of the run of lines with this number: the short ones come first."""
    length = 1
    while number >= lines - length + 1:
        number -= lines - length + 1
        length += 1
    return number, number + length - 1


def holds_special(code: str, family: Family) -> bool:
    """Say whether a model of the family would read a part of the code as one of its special tokens."""
    return any(token in code for token in family.reserved)


def text_of(cut: Middle, family: Family, order: Order, *, end_token: bool) -> str:
    """Write a text to train on: the prompt, the middle and, if asked for, what ends it."""
    prompt = render(family, Fim(cut.prefix, cut.suffix, order))
    end = family.stops[0] if end_token and family.stops else ""
    spaced = " " if end == "<EOT>" else ""  # Code Llama puts a space before it, as before its other tokens
    return prompt + cut.middle + spaced + end
