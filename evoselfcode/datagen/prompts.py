"""Prompts: from the configuration to the text that a stage asks with.

This file decides which text goes before and after the cursor and which strings end a choice. It refuses to know how
a prompt is put on the wire.
"""

from __future__ import annotations

from evoselfcode.config import RunConfig
from evoselfcode.records import Arm, Fim, L2r, Prompt


def funcname_prompt(config: RunConfig, arm: Arm) -> Prompt:
    """Return the prompt that asks for a function name.

    With ``prompts.boundary: token``, trailing spaces go: byte-pair vocabularies put the space into a name's first
    token (``" quick"``), and a prompt that ends in a space takes that token away from the model.
    """
    prompts = config.prompts
    if arm == "FIM":
        fim = prompts.funcname.fim
        return Fim(_boundary(config, fim.prefix_or(prompts.global_prefix)), fim.suffix)
    return L2r(_boundary(config, prompts.funcname.l2r.prompt_or(prompts.global_prefix)))


def funcname_stop(config: RunConfig) -> tuple[str, ...]:
    """Return the strings that end a function name.

    With ``prompts.boundary: token`` a stop of spaces alone goes: the first token of the name begins with one.
    """
    stop = tuple(config.namegen.stop)
    if config.prompts.boundary == "token":
        return tuple(string for string in stop if string.strip(" "))
    return stop


def _boundary(config: RunConfig, text: str) -> str:
    return text.rstrip(" ") if config.prompts.boundary == "token" else text
