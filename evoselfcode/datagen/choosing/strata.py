"""Among which functions each is ranked: those of its topic that are about as complex.

A function is compared with its like, so that what is ranked is how well a task is done and not which task it is. This
file decides the strata, and how small ones are joined. It refuses to rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from evoselfcode.stats.ranking import Floats, Groups

ANY = "any"
"""What stands for the topic or the band of a stratum that is of several, or whose rows have none."""


class Stratum(NamedTuple):
    """A topic and a band of complexity, such as ``2-4``."""

    topic: str
    band: str


def strata_of(
    topics: Sequence[str | None], complexities: Floats, edges: Sequence[int], least: int
) -> tuple[Groups, list[Stratum]]:
    """Return the stratum of each row, and the strata in order.

    Rows of a stratum with fewer than `least` join those of the same band in small strata of other topics; where these
    are still fewer, all such join. What is left may be small: then there is nothing to compare with.

    Args:
        topics: The topic of each row, ``None`` where there is none.
        complexities: The cyclomatic complexity of each row, not a number where it is not known.
        edges: Complexities at which the next band begins, rising.
        least: Fewest rows of a stratum.
    """
    bands = [ANY, *_labels(edges)]
    known = ~np.isnan(complexities)
    band = np.where(known, 1 + np.searchsorted(np.array(edges), complexities, side="right"), 0)
    names = [ANY, *sorted({topic for topic in topics if topic is not None})]
    numbers = {name: number for number, name in enumerate(names)}
    topic = np.array([0 if name is None else numbers[name] for name in topics], np.int64)
    topic = np.where(_small(topic * len(bands) + band, least), 0, topic)
    lonely = _small(topic * len(bands) + band, least)
    topic, band = np.where(lonely, 0, topic), np.where(lonely, 0, band)
    found, groups = np.unique(topic * len(bands) + band, return_inverse=True)
    return groups.astype(np.int64), [Stratum(names[key // len(bands)], bands[key % len(bands)]) for key in found]


def _small(keys: Groups, least: int) -> npt.NDArray[np.bool_]:
    _, places, counts = np.unique(keys, return_inverse=True, return_counts=True)
    small: npt.NDArray[np.bool_] = counts[places] < least
    return small


def _labels(edges: Sequence[int]) -> list[str]:
    begins = [1, *edges]
    ends = [f"-{edge - 1}" if edge - 1 > begin else "" for begin, edge in zip(begins, edges, strict=False)]
    return [f"{begin}{end}" for begin, end in zip(begins, [*ends, "+"], strict=True)]
