"""Prompts: from the configuration to the text that a stage asks with.

This file decides which text goes before and after the cursor and which strings end a choice. It refuses to know how
a prompt is put on the wire, and which topic, word or names a request was given.
"""

from __future__ import annotations

from collections.abc import Iterable

from evoselfcode.config import Cell, RunConfig
from evoselfcode.records import Fim, L2r, Prompt


def funcname_prompt(
    config: RunConfig, cell: Cell, *, topic: str | None = None, word: str | None = None, used: Iterable[str] = ()
) -> Prompt:
    """Return the prompt that asks for a function name.

    With the boundary ``token``, trailing spaces go: byte-pair vocabularies put the space into a name's first token
    (``" quick"``), and a prompt that ends in a space takes that token away from the model. For the same reason a
    first word is then written without the underscore that follows it.

    Args:
        config: The configuration.
        cell: The arm.
        topic: What to ask about; it goes into ``prompts.topic_prefix``, which takes the place of ``global_prefix``.
        word: What the name begins with.
        used: Names to show as taken; they stand behind ``global_prefix``, or what takes its place.
    """
    text = cell.prefix
    if topic is not None or used:
        prompts = config.prompts
        head = prompts.global_prefix if topic is None else prompts.topic_prefix.replace("{topic}", topic)
        shown = "".join(prompts.used_name.replace("{func_name}", name) for name in used)
        text = head + shown + text.removeprefix(prompts.global_prefix)
    if word is not None:
        text = f"{text.rstrip(' ')} {word}" + ("" if cell.boundary == "token" else "_")
    elif cell.boundary == "token":
        text = text.rstrip(" ")
    return L2r(text) if cell.suffix is None else Fim(text, cell.suffix, cell.order)


def funcname_stop(config: RunConfig, cell: Cell) -> tuple[str, ...]:
    """Return the strings that end a function name.

    With the boundary ``token`` a stop of spaces alone goes: the first token of the name begins with one.
    """
    stop = tuple(config.namegen.stop)
    if cell.boundary == "token":
        return tuple(string for string in stop if string.strip(" "))
    return stop
