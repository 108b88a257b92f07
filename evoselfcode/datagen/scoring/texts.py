"""The texts of a function whose log-probabilities are asked for. Each is an arm of the stage ``score``.

| text | what is scored | after |
| --- | --- | --- |
| ``code`` | all of it | nothing |
| ``bare`` | the body | the signature, without the docstring |
| ``body`` | the body | nothing |
| ``description`` | the description | the function without its docstring, and a prompt |
| ``name`` | the name | ``def``, and before the rest of the function (fill-in-the-middle) |
| ``plain_name`` | the name | ``def``, and before nothing (the same prompt, with an empty suffix) |

This file decides what each text is, and of which functions there is none. It refuses to know how it is asked for and
what the numbers come to.
"""

from __future__ import annotations

import re

from evoselfcode.config.score_section import SCORE_TEXTS
from evoselfcode.datagen.filters.function_parts import Parts, split
from evoselfcode.datagen.scoring.functions import Function
from evoselfcode.records import Given

TEXTS: tuple[str, ...] = SCORE_TEXTS
"""The texts in the order in which they are asked for."""

MIDDLES = ("name", "plain_name")
"""Texts that are the middle of a fill-in-the-middle prompt."""

DEF = "def "
"""What stands before a name that is scored: nothing else, so that both texts differ in what follows alone."""


def text_of(text: str, function: Function, description_prompt: str) -> Given | str:
    """Return a text of a function, or the reason why there is none.

    Args:
        text: Which.
        function: The function.
        description_prompt: What stands between a function and its description.
    """
    if text == "code":
        return Given(function.code)
    if text == "plain_name":
        return Given(function.func_name, DEF, "")
    parts = split(function.code, function.func_name)
    if parts is None:
        return "no_function"
    match text:
        case "bare":
            return _bare(parts)
        case "body":
            return Given(parts.body_text) if parts.body_text else "no_body"
        case "description":
            return _described(parts, function.told, description_prompt)
    return _named(parts, function.func_name)


def _bare(parts: Parts) -> Given | str:
    if not parts.has_docstring:
        return "no_docstring"
    return Given(parts.body_text, parts.header) if parts.body_text else "no_body"


def _described(parts: Parts, told: str, prompt: str) -> Given | str:
    """Ask for the description behind the code. The space before it is its own, as in most vocabularies."""
    if not told:
        return "no_description"
    return Given(f" {told}", (parts.header + parts.code[parts.body :]).rstrip() + prompt.rstrip(" "))


def _named(parts: Parts, name: str) -> Given | str:
    """Ask for the name between ``def`` and the rest, unless the rest tells it: a function that calls itself."""
    if parts.name is None:
        return "no_function"
    rest = parts.code[parts.name + len(name) : parts.docstring] + parts.body_text
    if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", rest):
        return "tells_its_name"
    return Given(name, DEF, rest)
