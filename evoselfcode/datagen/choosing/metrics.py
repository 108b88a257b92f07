"""What functions are ranked by: where each metric comes from, which way is better, and where it may be compared.

This file is the table. It refuses to know what a metric weighs, which is the configuration's, and how ranks are joined.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from evoselfcode.stats.ranking import Floats

Source = Literal["row", "quality", "scores", "rating"]
Better = Literal["higher", "lower", "below_1"]
Scope = Literal["both", "name", "names"]


class Metric(NamedTuple):
    """One thing that functions are ranked by.

    Attributes:
        source: Which file or step it is from.
        key: What it is called there.
        better: Which way is better; ``below_1`` is higher up to 1, and from there on worst.
        scope: Whether it may be compared among the functions of one name, among those of all names, or both.
    """

    source: Source
    key: str
    better: Better = "higher"
    scope: Scope = "both"


METRICS: dict[str, Metric] = {
    "evidence": Metric("row", "evidence"),
    "typical": Metric("row", "typical", scope="name"),
    "lint": Metric("quality", "lint"),
    "docstring": Metric("quality", "docstring"),
    "typing": Metric("quality", "typing"),
    "size": Metric("quality", "size"),
    "band": Metric("quality", "band"),
    "novelty": Metric("row", "novelty", scope="names"),
    "logprob": Metric("row", "logprob", scope="name"),
    "perplexity": Metric("scores", "perplexity", "lower"),
    "bits_per_byte": Metric("scores", "bits_per_byte", "lower"),
    "body_logprob": Metric("scores", "body_logprob"),
    "docstring_pmi": Metric("scores", "docstring_pmi"),
    "ifd": Metric("scores", "ifd", "below_1"),
    "coder_reviewer": Metric("scores", "coder_reviewer", scope="name"),
    "tail_logprob": Metric("scores", "tail_logprob"),
    "least_logprob": Metric("scores", "least_logprob"),
    "name_recoverability": Metric("scores", "name_recoverability"),
    "rating_problem": Metric("rating", "problem"),
    "rating_definition": Metric("rating", "definition"),
    "rating_correctness": Metric("rating", "correctness"),
    "rating_efficiency": Metric("rating", "efficiency"),
    "rating_readability": Metric("rating", "readability"),
}
"""The metrics, by the keys of ``choose.weights``. Sums of log-probabilities grow with the length, so they are compared
within a name only. Cyclomatic and cognitive complexity are none: a simple task is not a better one."""

DIMENSIONS = tuple(metric.key for metric in METRICS.values() if metric.source == "rating")


def oriented(metric: Metric, values: Floats) -> Floats:
    """Return values of which the higher is the better."""
    match metric.better:
        case "higher":
            return values
        case "lower":
            return -values
        case "below_1":
            with np.errstate(invalid="ignore"):
                return np.where(values >= 1, -np.inf, values)
