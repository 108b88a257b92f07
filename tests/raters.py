"""Raters with a character, behind a server without a socket; and a file of functions for them to rate."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import httpx
from embedded import Embedded

from evoselfcode.datagen.scoring.rating_anchors import DIMENSIONS

Rate = Callable[[str, str], Mapping[str, int] | str]
"""Given a function's code and the whole prompt, the ratings; or the text of a reply."""


def roll(text: str, sides: int) -> int:
    """Return a number below `sides` that depends on the text alone."""
    return int.from_bytes(blake2b(text.encode(), digest_size=6).digest()) % sides


def function(number: int) -> dict[str, Any]:
    """Return a row as datagen-code writes it, of a function with places for a bug."""
    code = f"def add_{number}(x: int) -> int:\n    # keep\n    return x * {number + 2} + {number}\n"
    return {
        "func_name": f"add_{number}", "source": "FIM" if number % 2 else "L2R", "description": "Add to a number.",
        "code": code, "key": f"{number:032x}", "index": 0, "reasons": [],
        "execution": {"status": "pass"},
    }  # fmt: skip


def failed(number: int) -> dict[str, Any]:
    """Return a row of a function that failed, and that nothing else is against."""
    row = function(number)
    return row | {"reasons": ["failed"], "execution": {"status": "exception TypeError"}}


def write(folder: Path, kept: int = 40, dropped: int = 25) -> list[dict[str, Any]]:
    """Write the files of a code run; functions from number 1,000 on are those that failed."""
    rows = [function(number) for number in range(kept)]
    bad = [failed(1000 + number) for number in range(dropped)]
    write_rows(folder, rows, bad)
    return rows


def write_rows(folder: Path, rows: list[dict[str, Any]], bad: list[dict[str, Any]]) -> None:
    (folder / "code").mkdir(parents=True, exist_ok=True)
    for name, of in (("filtered", rows), ("raw", [*rows, *bad])):
        text = "".join(json.dumps(row) + "\n" for row in of)
        (folder / "code" / f"{name}.jsonl").write_text(text, encoding="utf-8")


def truth(code: str) -> dict[str, int]:
    """Return what a function deserves: what failed, and what is not one of :func:`function`'s, is not correct."""
    number = int(re.search(r"add_(\d+)", code)[1])  # type: ignore[index]
    ratings = {name: 1 + roll(f"{name} {number}", 5) for name in DIMENSIONS}
    ratings["correctness"] = 4 + roll(f"c {number}", 2) if number < 1000 else 1 + roll(f"c {number}", 3)
    ratings["correctness"] -= 0 if roll(f"less {number}", 3) else 1
    if code.rstrip() != function(number)["code"].rstrip():
        ratings["correctness"] = max(1, ratings["correctness"] - 2)
    return {name: max(1, rating) for name, rating in ratings.items()}


def honest(code: str, prompt: str) -> Mapping[str, int]:
    """Give what is deserved; in one case of twelve, one point more or less, depending on the order."""
    off = {0: -1, 1: 1}
    return {name: min(5, max(1, of + off.get(roll(prompt + name, 24), 0))) for name, of in truth(code).items()}


def blind(code: str, prompt: str) -> Mapping[str, int]:
    """Do as :func:`honest`, and see no bug."""
    number = int(re.search(r"add_(\d+)", code)[1])  # type: ignore[index]
    return honest(function(number)["code"], prompt)


def saturated(code: str, prompt: str) -> Mapping[str, int]:
    return {name: 4 if roll(code + name, 10) == 0 else 5 for name in DIMENSIONS}


def random(code: str, prompt: str) -> Mapping[str, int]:
    return {name: 1 + roll(prompt + name, 5) for name in DIMENSIONS}


def rating(rate: Rate, *, alternatives: bool = False) -> Embedded:
    """Return a server whose model rates so; with `alternatives` it holds each rating for 60 % probable."""

    def instead(number: int, body: dict[str, Any]) -> httpx.Response | None:
        if not number:
            return None
        prompt = body["prompt"]
        last = prompt.rpartition("### Function ")[2]
        code = last.partition("```python\n")[2].partition("\n```\n")[0] + "\n"
        given = rate(code, prompt)
        text = given if isinstance(given, str) else "".join(f"{name}: {given[name]}\n" for name in _order(prompt))
        choice = {"index": 0, "text": text, "finish_reason": "stop", "logprobs": _told(text) if alternatives else None}
        usage = {"prompt_tokens": 9, "completion_tokens": 9}
        return httpx.Response(200, json={"id": "x", "model": "scripted", "choices": [choice], "usage": usage})

    return Embedded(instead)


def _order(prompt: str) -> list[str]:
    """Return the dimensions in the order of the last example."""
    lines = prompt.rpartition("### Function ")[0].rpartition("### Ratings ")[2].splitlines()[1:]
    return [line.partition(":")[0] for line in lines if line]


def _told(text: str) -> dict[str, Any]:
    """Cut a text as a byte-pair model would, `` 4`` being one token, and write the legacy arrays."""
    tokens = re.findall(r" ?[1-5]|\n|[^ \n]+", text)
    places = [_place(token) for token in tokens]
    return {"tokens": tokens, "token_logprobs": [place[token] for token, place in zip(tokens, places, strict=True)],
            "top_logprobs": places, "text_offset": []}  # fmt: skip


def _place(token: str) -> dict[str, float]:
    if token.strip() not in list("12345"):
        return {token: -0.01}
    digit = int(token)
    lower = digit - 1 if digit > 1 else 2
    return {token: math.log(0.6), f" {lower}": math.log(0.2), str(lower): math.log(0.1), "\n": math.log(0.05)}
