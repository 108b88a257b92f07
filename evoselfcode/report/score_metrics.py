"""What scores, static quality and ratings are called on a page, in which unit, and which end of them is the good one.

This file decides names and units, and where the bars of a distribution stand. It refuses to count.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import numpy as np

from evoselfcode.stats.clusters import Clusters, Values

FAMILIES = {"rating": "Ratings by a model", "scores": "Scores by log-probabilities", "quality": "Static quality"}
"""The parts of a row that hold metrics, in the order of the page. Their p-values are adjusted together (Holm)."""

BINS = 20
"""About so many bars where a metric is no rating and has many values."""

FEW = 24
"""Whole numbers that span no more than this have a bar each."""


class Metric(NamedTuple):
    """What one metric is.

    Attributes:
        title: What it is called.
        unit: What it counts.
        better: ``higher`` or ``lower``, whichever end is the good one; empty where neither is.
        meaning: What it says, in a sentence.
    """

    title: str
    unit: str
    better: str = ""
    meaning: str = ""


RATING_UNIT, SHARE = "points, 1 to 5", "from 0 to 1"

METRICS: dict[str, dict[str, Metric]] = {
    "rating": {
        "problem": Metric("Problem", RATING_UNIT, "higher", "Whether the task is one that makes sense."),
        "definition": Metric("Definition", RATING_UNIT, "higher", "Whether the description says what to do."),
        "correctness": Metric("Correctness", RATING_UNIT, "higher", "Whether the code does what is described."),
        "efficiency": Metric("Efficiency", RATING_UNIT, "higher", "Whether it does so without needless work."),
        "readability": Metric("Readability", RATING_UNIT, "higher", "Whether it is easily read."),
    },
    "scores": {
        "perplexity": Metric("Perplexity", "per token", "", "How surprised the model is: low is usual, not correct."),
        "bits_per_byte": Metric("Bits per byte", "bits", "", "The same, whatever the tokens and the length."),
        "body_logprob": Metric("Body log-probability", "nats per token", "higher", "Of the body, given its header."),
        "docstring_pmi": Metric("Docstring PMI", "nats per token", "higher",
                                "How much more probable the docstring makes the body."),
        "ifd": Metric("IFD", "ratio", "", "How hard the body stays with its description; from 1 it does not help."),
        "coder_reviewer": Metric("Coder–reviewer", "nats", "",
                                 "Of the body given its text, and of that given the body: a sum, lower the longer."),
        "tail_logprob": Metric("5th-percentile token", "nats", "higher", "Slips that means hide."),
        "least_logprob": Metric("Least probable token", "nats", "higher", "The worst slip."),
        "name_recoverability": Metric("Name recoverability", "nats", "higher",
                                      "How much more probable the body makes the name."),
        "tokens": Metric("Tokens", "tokens", "", "What the scores are of."),
    },
    "quality": {
        "lint": Metric("Lint", SHARE, "higher", "Findings of ruff against the number of statements: 1 is none."),
        "docstring": Metric("Docstring", SHARE, "higher", "How complete it is."),
        "typing": Metric("Typing", SHARE, "higher", "Share of the parameters and the result that are annotated."),
        "size": Metric("Size", SHARE, "higher", "Whether the number of statements is an ordinary one."),
        "band": Metric("Complexity band", SHARE, "higher", "Whether the cyclomatic complexity is an ordinary one."),
        "statements": Metric("Statements", "statements", "", "Docstrings aside."),
        "complexity": Metric("Cyclomatic complexity", "paths", "", "Ways through the code."),
        "cognitive": Metric("Cognitive complexity", "points", "", "How much a reader has to hold in mind."),
    },
}  # fmt: skip


def metric_of(family: str, name: str) -> Metric:
    """Return what is known of a metric; of one that is not known, its name, as far as that is plain."""
    plain = re.sub(r"[^A-Za-z0-9 .-]", " ", name[:24]).strip() or "metric"
    return METRICS.get(family, {}).get(name) or Metric(plain, RATING_UNIT if family == "rating" else "")


def title_of(key: str) -> str:
    """Return what a metric of a choice is called: ``lint``, ``rating_correctness``; of another one, its plain name."""
    for family, metrics in METRICS.items():
        if found := metrics.get(key.removeprefix("rating_") if family == "rating" else key):
            return f"{found.title} (rating)" if family == "rating" else found.title
    return metric_of("", key).title


def edges_of(metric: Metric, values: Values) -> list[float]:
    """Return where the bars of a distribution begin and end.

    Those of ratings stand around 1 to 5, those of what lies between 0 and 1 in tenths. Others stand at round numbers
    and hold the values between the 1st and the 99th percentile; what lies beyond is put into the bars at the ends.
    """
    if not len(values):
        return []
    if metric.unit == RATING_UNIT:
        return [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]
    if metric.unit == SHARE:
        return [tenth / 10 for tenth in range(11)]
    low, high = (float(edge) for edge in np.quantile(values, (0.01, 0.99)))
    if high - low <= FEW and not np.any(values % 1):
        return [edge - 0.5 for edge in range(math.floor(low), math.ceil(high) + 2)]
    step = _round_step((high - low) / BINS, max(abs(low), abs(high)))
    first, last = math.floor(low / step), math.ceil(high / step)
    return [float(f"{step * place:.9g}") for place in range(first, max(last, first + 1) + 1)]


def _round_step(step: float, size: float) -> float:
    """Return the next round number that is no smaller, and that tells numbers of this size apart."""
    step = max(step, size * 1e-6, 1e-9)
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * digit for digit in (1, 2, 5, 10, 20) if power * digit >= step)


def places_of(edges: list[float], values: Values) -> Clusters:
    """Return in which bar each value stands; those beyond the ends stand in the bars at the ends."""
    return np.clip(np.searchsorted(edges, values, "right") - 1, 0, len(edges) - 2).astype(np.int64)
