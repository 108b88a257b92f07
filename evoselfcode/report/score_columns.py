"""The numbers of many rows as columns of floats, by arm and metric, in bounded memory.

This file decides how many rows are looked at and which: all rows of a name, or none, so that names stay whole. It
refuses to know what a metric is. Where there are more rows than :data:`MOST_ROWS`, those of every second name are let
go, by the hash of the name, and again, until the rest fits: the order of the rows is of no importance. What stays is
eight bytes a number, for at most :data:`MOST_METRICS` metrics.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping
from hashlib import blake2b
from itertools import accumulate
from typing import Any

import numpy as np

from evoselfcode.stats.clusters import Clusters, Values

MOST_ROWS = 200_000
"""Rows of all arms together: with 40 metrics they are 66 MB."""

MOST_METRICS = 40

LARGEST = 1e12
"""A number of this size or above measures no function; it counts as unknown."""


def number_of(name: str) -> int:
    """Return the number that stands for a name, the same in every set of columns."""
    return int.from_bytes(blake2b(name.encode(errors="surrogatepass"), digest_size=8).digest(), "big") >> 1


class Sieve:
    """Lets whole names through: all of them, one in two, one in four …

    Attributes:
        one_in: Of how many names one is let through.
    """

    def __init__(self) -> None:
        self.one_in = 1

    def passes(self, number: int) -> bool:
        """Say whether the name with this number is let through."""
        return number % self.one_in == 0

    def narrow(self) -> None:
        """Let half as many names through from now on."""
        self.one_in *= 2


class Columns:
    """The numbers of rows.

    Args:
        most: Rows of all arms together that are kept.

    Attributes:
        rows: How many rows of each arm were offered.
        metrics: What was measured, in the order in which it was met.
        too_many: Metrics that were left out: there are too many of them.
        sieve: Which names are looked at.
    """

    def __init__(self, most: int = MOST_ROWS) -> None:
        self._most = most
        self._names: dict[str, array[int]] = {}
        self._values: dict[str, dict[str, array[float]]] = {}
        self._labels: dict[str, Clusters] = {}
        self.rows: dict[str, int] = {}
        self.metrics: dict[str, None] = {}
        self.too_many: set[str] = set()
        self.sieve = Sieve()

    @property
    def looked_at(self) -> int:
        """How many rows of all arms are looked at."""
        return sum(map(len, self._names.values()))

    def add(self, arm: str, func_name: str, values: Mapping[str, Any]) -> None:
        """Take a row; what is no finite number is unknown."""
        self.rows[arm] = self.rows.get(arm, 0) + 1
        self._labels = {}
        number = number_of(func_name)
        if not self.sieve.passes(number):
            return
        names = self._names.setdefault(arm, array("q"))
        columns = self._values.setdefault(arm, {})
        for metric, value in values.items():
            if self._is_counted(metric):
                column = columns.setdefault(metric, array("d"))
                column.extend([math.nan] * (len(names) - len(column)))
                column.append(float(value) if _is_number(value) else math.nan)
        names.append(number)
        while self.looked_at > self._most and self.sieve.one_in < 2**62:
            self._narrow()

    def _is_counted(self, metric: str) -> bool:
        if metric not in self.metrics and len(self.metrics) < MOST_METRICS:
            self.metrics[metric] = None
        if metric in self.metrics:
            return True
        if len(self.too_many) < MOST_METRICS:
            self.too_many.add(metric)
        return False

    def _narrow(self) -> None:
        self.sieve.narrow()
        for arm, names in self._names.items():
            through = np.array(names, np.int64) % self.sieve.one_in == 0
            for metric, column in self._values[arm].items():
                filled = self._filled(column, len(names))
                self._values[arm][metric] = array("d", filled[through].tobytes())
            self._names[arm] = array("q", np.array(names, np.int64)[through].tobytes())

    def known(self, arm: str, metric: str) -> tuple[Values, Clusters]:
        """Return the known values of a metric in an arm, and the name of each: whole numbers from 0, in all arms."""
        names = self._labelled().get(arm, np.array((), np.int64))
        values = self._filled(self._values.get(arm, {}).get(metric, array("d")), len(names))
        there = ~np.isnan(values)
        return values[there], names[there]

    def _labelled(self) -> dict[str, Clusters]:
        """Return the names of each arm's rows as small numbers; found out again where rows have come since."""
        if self._names and not self._labels:
            sizes = {arm: len(names) for arm, names in self._names.items()}
            every = np.concatenate([np.array(names, np.int64) for names in self._names.values()])
            labels = np.unique(every, return_inverse=True)[1].astype(np.int64)
            parts = np.split(labels, list(accumulate(sizes.values()))[:-1])
            self._labels = dict(zip(sizes, parts, strict=True))
        return self._labels

    def seen(self, arm: str) -> int:
        """Return how many rows of an arm are looked at."""
        return len(self._names.get(arm, ()))

    @staticmethod
    def _filled(column: array[float], rows: int) -> Values:
        return np.concatenate([np.array(column, np.float64), np.full(rows - len(column), np.nan)])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) < LARGEST
