"""What a rater's ratings are worth: checks of every run, before anything is chosen by them.

This file decides from which numbers on a dimension is informative. A rater that gives everything the best rating, or
something else the second time, or the same to a function with a bug, orders nothing (docs/explanation/ratings.md has
the sources). A check that has too little to go by is named and fails nothing; what has passed none is not informative.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from evoselfcode.config import RunConfig
from evoselfcode.datagen.scoring.metrics import METRICS
from evoselfcode.datagen.scoring.rating_anchors import DIMENSIONS
from evoselfcode.datagen.scoring.rating_files import REPLIES_FILE, ReplyRow
from evoselfcode.datagen.scoring.rating_rows import ARMS, FAILED, MUTANT, RATING, RETEST
from evoselfcode.stats.reliability import Estimate, auc, mean, ordinal_alpha, weighted_kappa
from evoselfcode.storage import Damage, read_rows

FEWEST = 20
"""Functions that a check needs; of each kind where there are two."""

BEST = 5
MOST_AT_BEST = 0.70
"""Share of ratings that may be the best one: above, they tell few functions apart."""

LEAST_KAPPA = 0.6
"""Agreement with oneself: "substantial" begins at 0.61 with Landis and Koch (1977), Biometrics 33."""

LEAST_DROP = 1.0
"""Points that a bug must take off the mean rating of correctness."""

JUDGED_BY_BUGS = "correctness"
"""The dimension that must tell code that works from code that does not."""


class _Seen:
    """The numbers of one dimension."""

    def __init__(self) -> None:
        self.given: Counter[int] = Counter()
        self.unparsed = 0
        self.outside: list[float] = []
        self.first: dict[str, tuple[int, float]] = {}
        self.again: dict[str, int] = {}
        self.mutants: dict[str, float] = {}
        self.passed: list[float] = []
        self.failed: list[float] = []


VERSION = 1
"""Of ``metrics.json``; raised when a field changes its meaning."""


def documents(config: RunConfig, folder: Path) -> dict[str, dict[str, Any]]:
    """Return ``metrics.json``: what the replies that were written say of the rater.

    Raises:
        StorageError: They cannot be read.
    """

    def replies() -> Iterator[ReplyRow]:
        rows = read_rows(folder / REPLIES_FILE, ReplyRow)
        return (row for row in rows if not isinstance(row, Damage))  # the next run writes a damaged one anew

    return {METRICS: {"version": VERSION, "stage": "rating", "rater": config.model} | health(replies)}


def health(replies: Callable[[], Iterable[ReplyRow]]) -> dict[str, Any]:
    """Check the ratings of a run.

    Args:
        replies: Returns the replies, each time from the first.

    Returns:
        How many replies there are, and by dimension whether it is informative, why not, and the numbers.
    """
    seen = {name: _Seen() for name in DIMENSIONS}
    asked: Counter[str] = Counter()
    unparsed: Counter[str] = Counter()
    # What is rated twice is known before the ratings themselves are read: of a million, a few hundred are kept.
    compared = {reply.id for reply in replies() if reply.arm in (RETEST, MUTANT)}
    for reply in replies():
        asked[reply.arm] += 1
        unparsed[reply.arm] += not any(reply.given.values())
        for name in DIMENSIONS:
            _take(seen[name], reply, name, reply.id in compared)
    return {
        "replies": {arm: {"asked": asked[arm], "unparsed": unparsed[arm]} for arm in ARMS},
        "dimensions": {name: _document(name, of) for name, of in seen.items()},
    }


def _take(seen: _Seen, reply: ReplyRow, name: str, compared: bool) -> None:
    given, rating, outside = reply.given[name], reply.rating[name], reply.outside[name]
    if given is None or rating is None:
        seen.unparsed += reply.arm == RATING
        return
    if outside is not None:
        seen.outside.append(outside)
    if reply.arm == RETEST:
        seen.again[reply.id] = given
    elif reply.arm == MUTANT:
        seen.mutants[reply.id] = rating
    elif reply.arm == FAILED:
        seen.failed.append(rating)
    else:
        seen.given[given] += 1
        if compared:
            seen.first[reply.id] = (given, rating)
        if reply.execution is not None:
            (seen.passed if reply.execution == "pass" else seen.failed).append(rating)


class _Findings:
    """What the checks of one dimension say."""

    def __init__(self) -> None:
        self.why: list[str] = []
        self.open: list[str] = []
        self.passed = 0

    def check(self, name: str, enough: bool, lacking: str, wrong: str | None) -> None:
        """Write down a check: `lacking` if there is not enough to go by, else what is `wrong`, if anything is."""
        if not enough:
            self.open.append(f"{name}: {lacking}")
        elif wrong is not None:
            self.why.append(wrong)
        else:
            self.passed += 1


def _document(name: str, seen: _Seen) -> dict[str, Any]:
    found, judged = _Findings(), name == JUDGED_BY_BUGS
    rated = seen.given.total()
    _spread(found, seen.given)
    retest = _retest(found, seen)
    execution = _execution(found if judged else _Findings(), seen)
    bugs = _bugs(found if judged else _Findings(), seen)
    if not found.passed and not found.why:
        unread = not rated and seen.unparsed
        found.why.append("no reply has a rating that can be read" if unread else "too few functions were rated")
    return {
        "informative": not found.why,
        "why": found.why,
        "not_checked": found.open,
        "rated": rated,
        "unparsed": seen.unparsed,
        "median": statistics.median(seen.given.elements()) if rated else None,
        "mean": _round(statistics.fmean(seen.given.elements())) if rated else None,
        "ratings": {str(rating): seen.given[rating] for rating in range(1, BEST + 1)},
        "at_best": _round(seen.given[BEST] / rated) if rated else None,
        "outside": _round(statistics.fmean(seen.outside)) if seen.outside else None,
        "retest": retest,
        "execution": execution,
        "mutants": bugs,
    }


def _spread(found: _Findings, given: Counter[int]) -> None:
    rated = given.total()
    at_best, (most, times) = given[BEST] / rated if rated else 0.0, next(iter(given.most_common(1)), (0, 0))
    wrong = None
    if at_best > MOST_AT_BEST:
        wrong = f"{_percent(at_best)} of the ratings are {BEST}"
    elif times == rated:
        wrong = f"all ratings are {most}"
    found.check("spread", rated >= FEWEST, _few(rated, "were rated"), wrong)


def _retest(found: _Findings, seen: _Seen) -> dict[str, Any]:
    pairs = [(seen.first[id_][0], again) for id_, again in seen.again.items() if id_ in seen.first]
    kappa, alpha = weighted_kappa(pairs), ordinal_alpha(pairs)
    wrong = None
    if kappa is None:
        wrong = "all ratings are the same the first time and the second"
    elif kappa < LEAST_KAPPA:
        wrong = f"a second rating, in another order, is another one (kappa {kappa:.2f}, and {LEAST_KAPPA} is asked for)"
    found.check("retest", len(pairs) >= FEWEST, _few(len(pairs), "were rated twice"), wrong)
    same = sum(a == b for a, b in pairs) / len(pairs) if pairs else None
    return {"pairs": len(pairs), "kappa": _round(kappa), "alpha": _round(alpha), "same": _round(same)}


def _execution(found: _Findings, seen: _Seen) -> dict[str, Any]:
    passed, failed = seen.passed, seen.failed
    area = auc(passed, failed) if min(len(passed), len(failed)) > 1 else None
    wrong = None
    if area is not None and area.low <= 0.5:
        wrong = (
            f"functions that pass are not rated above those that fail (AUC {area.value:.2f}, {area.low:.2f} to "
            f"{area.high:.2f})"
        )
    lacking = f"{len(passed)} that passed and {len(failed)} that failed were rated, and {FEWEST} of each are needed"
    found.check("execution", min(len(passed), len(failed)) >= FEWEST, lacking, wrong)
    return {"passed": len(passed), "failed": len(failed), "auc": _limits(area)}


def _bugs(found: _Findings, seen: _Seen) -> dict[str, Any]:
    drops = [seen.first[id_][1] - rating for id_, rating in seen.mutants.items() if id_ in seen.first]
    drop = mean(drops) if len(drops) > 1 else None
    unmoved = sum(one <= 0 for one in drops) / len(drops) if drops else None
    wrong = None
    if drop is not None and drop.value < LEAST_DROP:
        wrong = (
            f"a bug takes {drop.value:.2f} points off, and {LEAST_DROP:g} is asked for; "
            f"{_percent(unmoved or 0)} of the functions are rated no lower with one"
        )
    found.check("mutants", len(drops) >= FEWEST, _few(len(drops), "were rated with a bug"), wrong)
    return {"pairs": len(drops), "drop": _limits(drop), "unmoved": _round(unmoved)}


def _few(count: int, what: str) -> str:
    return f"{count} functions {what}, and {FEWEST} are needed"


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


def _limits(estimate: Estimate | None) -> Mapping[str, float] | None:
    if estimate is None:
        return None
    return {key: round(value, 4) for key, value in msgspec.structs.asdict(estimate).items()}


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
