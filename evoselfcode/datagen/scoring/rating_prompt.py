"""The prompt of the rater: scales, functions that are rated already, and the one that is to be rated.

This file decides what a rater is shown, and in which order. Which arm wrote a function is not shown, and the orders
change from row to row: raters lean towards what stands first and last (docs/explanation/ratings.md).
"""

from __future__ import annotations

from hashlib import blake2b
from random import Random

import msgspec

from evoselfcode.datagen.scoring.rating_anchors import ANCHORS, DIMENSIONS, SCALES

STOP = "\n###"
"""Where the next example would begin, where a prompt is completed."""

_HEAD = """\
Python functions, each rated from 1 to 5 on five scales. The scales do not depend on each other: tidy code can be \
wrong, and right code can be slow. The whole range is used; 5 is for what could hardly be better.

"""

_ASK = """\
Rate function {number} as the functions before it are rated. Answer with its five lines and nothing else.
"""


class Order(msgspec.Struct, frozen=True):
    """In which order things are shown.

    Attributes:
        dimensions: The scales.
        anchors: Numbers of the examples.
    """

    dimensions: tuple[str, ...]
    anchors: tuple[int, ...]


def order_of(seed: int, row: str, *, again: bool = False) -> Order:
    """Draw an order for a row; it depends on nothing else.

    Args:
        seed: The seed of the stage.
        row: The row's id.
        again: Whether it is for the second time: both orders differ from those of the first.
    """
    random = Random(f"{seed}/{row}")
    first = _drawn(random)
    second = _drawn(random)
    while again and (second.dimensions == first.dimensions or second.anchors == first.anchors):
        second = _drawn(random)
    return second if again else first


def _drawn(random: Random) -> Order:
    dimensions, anchors = list(DIMENSIONS), list(range(len(ANCHORS)))
    random.shuffle(dimensions)
    random.shuffle(anchors)
    return Order(tuple(dimensions), tuple(anchors))


def prompt_of(code: str, description: str, order: Order, *, chat: bool = False) -> str:
    """Write the prompt for one function.

    Args:
        code: The function.
        description: What it was said to do, on one line, or ``""``.
        order: In which order things are shown.
        chat: Whether a chat model is asked, which is told what to answer with; else the text ends where the ratings
            begin.
    """
    parts = [_HEAD, *(f"- {name}: {SCALES[name]}\n" for name in order.dimensions)]
    for number, anchor in enumerate(order.anchors, 1):
        ratings = dict(zip(DIMENSIONS, ANCHORS[anchor].ratings, strict=True))
        lines = "".join(f"{name}: {ratings[name]}\n" for name in order.dimensions)
        parts.append(_function(number, "", ANCHORS[anchor].code) + _begin(number) + lines)
    number = len(order.anchors) + 1
    parts.append(_function(number, description, code))
    parts.append("\n" + _ASK.format(number=number) if chat else _begin(number))
    return "".join(parts)


def _function(number: int, description: str, code: str) -> str:
    task = f"Task: {description}\n" if description else ""
    return f"\n### Function {number}\n{task}```python\n{code.rstrip()}\n```\n"


def _begin(number: int) -> str:
    return f"### Ratings {number}\n"


_SHOWN = prompt_of("", "", Order(DIMENSIONS, tuple(range(len(ANCHORS)))), chat=True)
PROMPT_ID = blake2b(_SHOWN.encode(), digest_size=8).hexdigest()
"""Changes with the text of the prompt: ratings of two texts are not compared."""
