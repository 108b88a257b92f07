"""Select names: read a names run, rank its names by soft scores, and write which are in and why others are not.

This file decides the order of the reasons and what the rows hold. What a score rewards is
:mod:`evoselfcode.datagen.filters.name_scores`; when two names are nearly the same is
:mod:`evoselfcode.datagen.filters.name_neighbours`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from evoselfcode.datagen.filters import canonical, name_scores
from evoselfcode.datagen.filters.benchmarks import benchmark_of
from evoselfcode.datagen.filters.name_neighbours import Find, Neighbours, compared, similar
from evoselfcode.datagen.pipeline.reading import read_run
from evoselfcode.errors import UsageError
from evoselfcode.review.decisions import DECISIONS, Decision, standing
from evoselfcode.storage import Entry, write_rows
from evoselfcode.storage.files import make_folder

SELECTED, REJECTED, QUARANTINED = "selected.jsonl", "rejected.jsonl", "quarantined.jsonl"

MIN_SCORE = 0.7
"""Names with a lower score are not selected, unless told otherwise. A function that takes no argument gets at most
9/13 = 0.69, whatever else speaks for its name."""

SHOWN = 10
"""Names that the lines for people show."""

SELECT_REASONS: dict[str, str] = {
    "reviewed_reject": "a reviewer rejected it",
    "quarantined": "a benchmark has a task of this name",
    "low_score": "its score is below the least that was asked for",
    "near_duplicate": "a better name that is selected says the same",
    "beyond_top": "better names filled the number that was asked for",
}
"""Every reason a name is not selected for, in the order in which they are looked at."""


@dataclass
class Name:
    """A canonical name and what the run knows of it.

    Attributes:
        canonical: What it is counted by.
        spellings: How often each spelling was drawn.
        arms: The arms that drew it.
        logprobs: Log-probability of each draw that has one, in nats per byte.
        scores: Its soft scores by name.
        score: Their weighted mean.
        reason: Why it is not selected; ``None`` if it is.
        because: What the reason points to: the better name, or the benchmark.
    """

    canonical: str
    spellings: Counter[str] = field(default_factory=Counter)
    arms: set[str] = field(default_factory=set)
    logprobs: list[float] = field(default_factory=list)
    scores: dict[str, float | None] = field(default_factory=dict)
    score: float = 0.0
    reason: str | None = None
    because: str | None = None

    @property
    def func_name(self) -> str:
        """The spelling that was drawn most often; of several, the one with the most words."""
        return min(self.spellings.items(), key=lambda item: (-item[1], -item[0].count("_"), item[0]))[0]

    def row(self) -> dict[str, Any]:
        """Show the name as the files do."""
        return {
            "func_name": self.func_name,
            "canonical": self.canonical,
            "score": self.score,
            "scores": {name: self.scores[name] for name in name_scores.WEIGHTS},
            "count": self.spellings.total(),
            "arms": sorted(self.arms),
        }


@dataclass
class Selection:
    """What a selection came to.

    Attributes:
        folder: Where its files are.
        names: Canonical names looked at.
        selected: The rows of ``selected.jsonl``.
        reasons: How many names each reason kept out.
        warnings: What a reader should know.
    """

    folder: Path
    names: int
    selected: list[dict[str, Any]]
    reasons: dict[str, int]
    warnings: list[str]

    def lines(self) -> list[str]:
        """Say it in some lines for people. They hold text of the model."""
        told = [f"{len(self.selected)} of {self.names} names selected: {self.folder / SELECTED}"]
        told += [f"  {row['score']:.4f}  {row['func_name']}" for row in self.selected[:SHOWN]]
        if self.names > len(self.selected):
            told.append(f"{self.names - len(self.selected)} are not: {self.folder / REJECTED}")
        told += [f"  {count:>6}  {reason}: {SELECT_REASONS[reason]}" for reason, count in self.reasons.items() if count]
        return told


def select_names(folder: Path, *, out: Path | None = None, top: int | None = None,
                 min_score: float = MIN_SCORE) -> Selection:  # fmt: skip
    """Select the good names of the run in `folder`.

    Writes ``selected.jsonl``, ``rejected.jsonl`` (all others, each with its reason) and ``quarantined.jsonl`` (those of
    the rejected that are named like a task of a benchmark).

    The same journal and decisions give the same files, whatever the order of the journal's rows.

    Args:
        folder: The folder of a names run.
        out: Folder to write into; the run's own if left out.
        top: Most names to select, those that a reviewer accepted first; all good ones if left out.
        min_score: Least score of a selected name, from 0 to 1.

    Raises:
        UsageError: There is no names run in the folder, a library is not installed, or `min_score` is no score.
        StorageError: A file cannot be read or written.
    """
    if not 0 <= min_score <= 1:  # NaN too
        raise UsageError(f"the least score is a number from 0 to 1, not {min_score}")
    run = read_run(folder, "names")
    names, warnings = gather(run.entries), run.remarks
    decisions = standing(folder / DECISIONS, warnings)
    strange = sum(name not in names for name in decisions)
    if strange:
        warnings.append(f"{strange} reviewed names are not among those of the run")
    ranked = rank(names.values(), decisions, top=top, min_score=min_score)
    chosen = [{**name.row(), "rank": at} for at, name in enumerate((n for n in ranked if n.reason is None), 1)]
    left = [_rejected(name) for name in ranked if name.reason is not None]
    target = folder if out is None else out
    make_folder(target)
    write_rows(target / REJECTED, left)
    write_rows(target / QUARANTINED, [row for row in left if row["reason"] == "quarantined"])
    write_rows(target / SELECTED, chosen)
    counts = Counter(row["reason"] for row in left)
    return Selection(target, len(ranked), chosen, {reason: counts[reason] for reason in SELECT_REASONS}, warnings)


def gather(entries: Iterable[Entry]) -> dict[str, Name]:
    """Collect the canonical names of all draws that no gate objects to."""
    names: dict[str, Name] = {}
    for entry in entries:
        for draw in entry.draws:
            if not draw.accepted:
                continue
            key = canonical(draw.text)
            name = names.setdefault(key, Name(key))
            name.spellings[draw.text] += 1
            name.arms.add(entry.arm)
            if draw.logprob is not None and math.isfinite(draw.logprob):
                name.logprobs.append(draw.logprob / max(1, len(draw.raw_text.encode())))
    return names


def rank(names: Iterable[Name], decisions: dict[str, Decision], *, top: int | None, min_score: float) -> list[Name]:
    """Score the names, give each that is not selected its reason, and return them all, best first.

    Names are looked at from the best on, by the scores that need no other name; so a near duplicate is dropped for the
    better one. What a reviewer accepted comes first and stays.
    """
    ordered = _first_scores(names)
    said: dict[str, str] = {key: decision.decision for key, decision in decisions.items()}
    ordered.sort(key=lambda name: (said.get(name.canonical) != "accept", -name.score, name.canonical))
    _decide(ordered, said, min_score)
    ordered.sort(key=lambda name: (-name.score, name.canonical))
    if top is not None:
        good = [name for name in ordered if name.reason is None]
        free = max(0, top - sum(said.get(name.canonical) == "accept" for name in good))
        for name in [name for name in good if said.get(name.canonical) != "accept"][free:]:
            name.reason = "beyond_top"
    return ordered


def _first_scores(names: Iterable[Name]) -> list[Name]:
    """Give all names the scores that do not depend on which others are selected."""
    ordered = list(names)
    total = sum(name.spellings.total() for name in ordered)
    means = [math.fsum(name.logprobs) / len(name.logprobs) if name.logprobs else None for name in ordered]
    known = english()
    for name, typical in zip(ordered, name_scores.typicality(means), strict=True):
        words = name_scores.words_of(name.func_name)
        name.scores = {
            "dictionary": name_scores.dictionary(words, known),
            "words": name_scores.word_count(words),
            "shape": name_scores.shape(words),
            "typicality": typical,
            "specificity": name_scores.specificity(name.spellings.total(), total),
            "arguments": name_scores.arguments(words),
        }
        name.score = name_scores.mean(name.scores)
    return ordered


def _decide(ordered: list[Name], said: dict[str, str], min_score: float) -> None:
    """Give each name, from the best on, its last score and the first reason that keeps it out."""
    neighbours, crowd = Neighbours(_similar()), name_scores.Crowd()
    for name in ordered:
        words = compared(name.func_name).split()
        name.scores["distance"] = crowd.distance(words)
        name.score = name_scores.mean(name.scores)
        name.scores = {part: value if value is None else round(value, 4) for part, value in name.scores.items()}
        match said.get(name.canonical):
            case "accept":
                pass
            case "reject":
                name.reason = "reviewed_reject"
            case _:
                name.reason, name.because = _objection(name, neighbours, min_score)
        if name.reason is None:
            neighbours.keep(name.func_name)
            crowd.add(words)


def _objection(name: Name, neighbours: Neighbours, min_score: float) -> tuple[str | None, str | None]:
    """Return the first reason that keeps a name out, and what it points to."""
    benchmark = benchmark_of(name.canonical)
    if benchmark is not None:
        return "quarantined", benchmark
    if name.score < min_score:
        return "low_score", None
    twin = neighbours.near(name.func_name)
    return (None, None) if twin is None else ("near_duplicate", twin)


def _rejected(name: Name) -> dict[str, Any]:
    because = {} if name.because is None else {"of": name.because}
    return {**name.row(), "reason": name.reason, **because}


def english() -> Callable[[str], bool]:
    """Return what says whether a word is known."""
    try:
        from wordfreq import zipf_frequency
    except ImportError as error:
        raise _missing(error) from error
    return cache(lambda word: zipf_frequency(word, "en") >= name_scores.KNOWN_ZIPF)


def _similar() -> Find:
    try:
        return similar()
    except ImportError as error:
        raise _missing(error) from error


def _missing(error: ImportError) -> UsageError:
    return UsageError(f"select-names needs {error.name}", hint='pip install "evoselfcode[select]"')
