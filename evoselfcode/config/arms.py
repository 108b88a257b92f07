"""What an arm comes to: its own settings over those of the run, and in what two arms differ.

This file decides how a named arm of ``namegen.arms`` is completed, and when a comparison of two is one of a single
factor. It refuses to know what a prompt looks like with a topic in it (:mod:`evoselfcode.datagen.prompts`).
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from evoselfcode.config.schema import RunConfig
    from evoselfcode.config.sections import ArmMode


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """An arm as it is run: one cell of the experiment. Every field is a factor of its own.

    Attributes:
        mode: How the name is asked for.
        prefix: Text before the name, as it is configured.
        suffix: Text after it; ``None`` where the mode has none.
        boundary: ``literal`` or ``token``.
        temperature: Sampling temperature.
        top_p: Nucleus mass.
        topics: Where the topics come from that are asked about in turn, or ``None``.
        first_words: The words that names are to begin with, in turn.
        used_names: Where the names come from that are shown as taken, or ``None``.
        used_names_shown: How many of them a prompt shows; 0 without any.
    """

    mode: ArmMode
    prefix: str
    suffix: str | None
    boundary: Literal["literal", "token"]
    temperature: float
    top_p: float
    topics: str | None
    first_words: tuple[str, ...]
    used_names: str | None
    used_names_shown: int

    @property
    def fim(self) -> bool:
        """Whether the name is filled into the middle."""
        return self.mode != "L2R"

    @property
    def order(self) -> Literal["PSM", "SPM"] | None:
        """The order of the raw prompt, where the arm prescribes one."""
        match self.mode:
            case "FIM-PSM":
                return "PSM"
            case "FIM-SPM":
                return "SPM"
        return None

    @property
    def levers(self) -> tuple[str, ...]:
        """What varies its prompt from request to request."""
        return tuple(name for name in ("topics", "first_words", "used_names") if getattr(self, name))


def cells(config: RunConfig) -> dict[str, Cell]:
    """Return every arm of the run by its name, in the order of the configuration."""
    return {name: _cell(config, name) for name in config.namegen.arms}


def _cell(config: RunConfig, name: str) -> Cell:
    arm, prompts, namegen = config.namegen.arms[name], config.prompts, config.namegen
    fim, l2r = prompts.funcname.fim, prompts.funcname.l2r
    if arm.mode == "L2R":
        prefix, suffix = l2r.prompt_or(prompts.global_prefix), None
    else:
        prefix, suffix = fim.prefix_or(prompts.global_prefix), fim.suffix if arm.suffix is None else arm.suffix
    return Cell(
        mode=arm.mode,
        prefix=prefix if arm.prefix is None else arm.prefix,
        suffix=suffix,
        boundary=arm.boundary or prompts.boundary,
        temperature=namegen.temperature if arm.temperature is None else arm.temperature,
        top_p=namegen.top_p if arm.top_p is None else arm.top_p,
        topics=arm.topics,
        first_words=arm.first_words,
        used_names=arm.used_names,
        used_names_shown=arm.used_names_shown if arm.used_names else 0,
    )


def differing(a: Cell, b: Cell) -> tuple[str, ...]:
    """Return the factors in which two arms differ. That only one of them has a suffix is part of the mode."""
    found = [name for name in Cell.__struct_fields__ if getattr(a, name) != getattr(b, name)]
    if a.fim != b.fim:
        found.remove("suffix")
    if "used_names" in found and "used_names_shown" in found:
        found.remove("used_names_shown")
    return tuple(found)


def contrasts(arms: dict[str, Cell]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the pairs of arms that are worth comparing, each with the factors in which they differ.

    Two arms are always compared. Of more, those that differ in at most one factor: what two factors did together,
    nobody could tell apart.
    """
    pairs = {(a, b): differing(arms[a], arms[b]) for a, b in combinations(arms, 2)}
    return pairs if len(arms) == 2 else {pair: factors for pair, factors in pairs.items() if len(factors) <= 1}
