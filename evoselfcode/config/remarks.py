"""Remarks on settings that are allowed and probably not meant. Each is one sentence and a hint."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from evoselfcode.config.arms import Cell, cells, contrasts

if TYPE_CHECKING:
    from evoselfcode.config.schema import RunConfig


IN_THE_QUEUE = 120.0
"""Seconds that the default timeout leaves for the server's queue."""


def remarks(config: RunConfig) -> list[str]:
    """Return the remarks on a configuration."""
    return [*_boundary(config), *_global_prefix(config), *_arms(config), *_timeout(config)]


def _boundary(config: RunConfig) -> list[str]:
    found = []
    literal = {
        name: cell for name, cell in cells(config).items() if cell.boundary == "literal" and not cell.first_words
    }
    after_space = [name for name, cell in literal.items() if not cell.fim and cell.prefix.endswith(" ")]
    if after_space and config.api.base_url != "local:":
        found.append(
            f"{_prompts(after_space)} in a space: byte-pair models put the space into a name's first token, so the arm "
            "is handicapped by the prompt, not by the mode\nhint: prompts.boundary: token strips it in all arms"
        )
    bare = [name for name, cell in literal.items() if not cell.prefix[-1:].isspace()]
    if bare and any(not stop.strip(" ") for stop in config.namegen.stop):
        found.append(
            f"namegen.stop contains a space and {_prompts(bare)} in no white space: a name whose first token begins "
            "with a space ends before it begins\nhint: take the space out of namegen.stop, or set prompts.boundary: "
            "token"
        )
    return found


def _prompts(arms: Iterable[str]) -> str:
    names = list(arms)
    return f"the {names[0]} prompt ends" if len(names) == 1 else f"the prompts of {', '.join(names)} end"


def _timeout(config: RunConfig) -> list[str]:
    if config.api.timeout is None or config.api.timeout >= IN_THE_QUEUE:
        return []
    return [
        f"api.timeout is {config.api.timeout:g} s: what waits longer in the server's queue is cut off and asked for "
        "again, and what was generated of it is lost\nhint: leave it out; null allows 120 s and what the answer takes"
    ]


def _global_prefix(config: RunConfig) -> list[str]:
    if config.prompts.global_prefix == type(config.prompts)().global_prefix:
        return []
    given = {
        "prompts.funcname.fim.prefix": config.prompts.funcname.fim.prefix,
        "prompts.funcname.l2r.prompt": config.prompts.funcname.l2r.prompt,
        "prompts.codegen.template": config.prompts.codegen.template,
    }
    return [
        f"prompts.global_prefix has no effect on {key}, which is given and used as written\nhint: leave {key} out to "
        "build it from global_prefix"
        for key, text in given.items()
        if text is not None and not text.startswith(config.prompts.global_prefix)
    ]


def _arms(config: RunConfig) -> list[str]:
    """Say which comparisons are of more than one factor."""
    arms = cells(config)
    pairs = contrasts(arms)
    found = [
        f"the arms {a} and {b} differ in more than one factor: {', '.join(factors)}\nhint: make all but one equal, or "
        "read the comparison as one of all of them together"
        for (a, b), factors in pairs.items()
        if len(factors) > 1
    ]
    alike: dict[Cell, list[str]] = {}
    for name, cell in arms.items():
        alike.setdefault(cell, []).append(name)
    found += [
        f"the arms {', '.join(names[:-1])} and {names[-1]} ask for the same\nhint: vary a factor in one of them, or "
        "keep them as an A/A test"
        for names in alike.values()
        if len(names) > 1
    ]
    alone = [name for name in arms if len(arms) > 2 and not any(name in pair for pair in pairs)]
    found += [
        f"the arm {name} differs from every other in more than one factor, so it is compared with none\nhint: add an "
        "arm between them"
        for name in alone
    ]
    return found
