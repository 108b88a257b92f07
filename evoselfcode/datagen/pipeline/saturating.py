"""Ending an arm when more of its draws no longer pay.

This file decides which settings switch the rules on and what of a journal entry they are fed. The rules themselves are
:mod:`evoselfcode.stats.saturation`; that an arm which has ended is asked no more is the runner's part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec

from evoselfcode.config import SaturationRules
from evoselfcode.errors import UsageError
from evoselfcode.storage import Draw, Entry

if TYPE_CHECKING:
    from evoselfcode.stats.saturation import Saturation

SWITCHES = ("new_per_1000", "coverage", "gain", "tokens")
"""Settings of ``namegen.saturation`` of which one must be given for an arm to end early."""


class Saturating:
    """Follows every arm of a run; an arm whose rule fired has ended.

    Args:
        settings: The rules, or ``None`` where no arm of the stage ends early.
        arms: The arms.
        name_of: Returns what a draw counts as, or ``None`` if a gate dropped it.

    Raises:
        UsageError: A rule is set and the statistics libraries are not installed.
    """

    def __init__(
        self, settings: SaturationRules | None, arms: Iterable[str], name_of: Callable[[Draw], str | None]
    ) -> None:
        self._name_of = name_of
        self._arms: dict[str, Saturation] = {}
        if settings is None or all(getattr(settings, switch) is None for switch in SWITCHES):
            return
        try:
            from evoselfcode.stats.saturation import Saturation, StopRules
        except ImportError as error:
            raise UsageError(
                f"namegen.saturation needs {error.name}", hint='pip install "evoselfcode[report]"'
            ) from error
        rules = StopRules(**msgspec.structs.asdict(settings))
        self._arms = {arm: Saturation(rules) for arm in arms}

    @property
    def follows(self) -> bool:
        """Whether any arm may end early, so that the order of the draws matters."""
        return bool(self._arms)

    def add(self, entry: Entry) -> None:
        """Count a settled request of any process, in the order of settling."""
        arm = self._arms.get(entry.arm)
        if arm is not None:
            tokens = (entry.usage.prompt_tokens or 0) + (entry.usage.completion_tokens or 0)
            arm.add(map(self._name_of, entry.draws), tokens)

    def ended(self, arm: str) -> bool:
        """Say whether a rule has fired for `arm`."""
        followed = self._arms.get(arm)
        return followed is not None and followed.stop is not None

    def sentences(self) -> dict[str, str]:
        """Return, for each arm that has ended, which rule fired and what twice the draws would give."""
        return {arm: followed.stop.sentence() for arm, followed in self._arms.items() if followed.stop}
