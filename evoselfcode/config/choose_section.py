"""What is chosen of the functions that are kept, and what counts how much for it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

_Weight = Annotated[float, Meta(ge=0, le=1000)]
_Most = Annotated[int, Meta(ge=1)]
_Share = Annotated[float, Meta(gt=0, le=1)]
_Edge = Annotated[int, Meta(ge=2, le=1000)]

ParetoKey = Literal["evidence", "docstring_pmi", "novelty", "lint", "docstring", "typing", "body_logprob",
                    "tail_logprob", "name_recoverability", "rating_correctness"]  # fmt: skip
"""Metrics that can span the short list."""


class Weights(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What each metric weighs where ranks are joined; 0 leaves it out."""

    evidence: Annotated[_Weight, Meta(description="Share of the name's draws that agree with it.")] = 3
    typical: Annotated[
        _Weight, Meta(description="How near its length is to the middle of its name's draws; within a name only.")
    ] = 2
    lint: Annotated[_Weight, Meta(description="Ruff's findings against its statements.")] = 1
    docstring: Annotated[_Weight, Meta(description="How complete its docstring is.")] = 1
    typing: Annotated[_Weight, Meta(description="Share of its parameters and result that are annotated.")] = 0.5
    size: Annotated[_Weight, Meta(description="Whether its number of statements is an ordinary one.")] = 0.5
    band: Annotated[_Weight, Meta(description="Whether its cyclomatic complexity is an ordinary one.")] = 0.5
    novelty: Annotated[
        _Weight, Meta(description="Share of its code that no function for another name has; between names only.")
    ] = 1
    logprob: Annotated[_Weight, Meta(description="Log-probability per byte when it was drawn; within a name only.")] = 0
    perplexity: Annotated[_Weight, Meta(description="Perplexity, the lower the better.")] = 0
    bits_per_byte: Annotated[_Weight, Meta(description="Bits per byte, the lower the better.")] = 0
    body_logprob: Annotated[_Weight, Meta(description="Log-probability per token of the body, given its head.")] = 1
    docstring_pmi: Annotated[_Weight, Meta(description="How much its docstring tells of its body.")] = 1
    ifd: Annotated[
        _Weight, Meta(description="Instruction-following difficulty: the higher the better below 1, and 1 is worst.")
    ] = 0
    coder_reviewer: Annotated[
        _Weight,
        Meta(description="Log-probability of the body given its docstring and back; within a name only."),
    ] = 1
    tail_logprob: Annotated[_Weight, Meta(description="Log-probability of its least probable twentieth.")] = 1
    least_logprob: Annotated[_Weight, Meta(description="Log-probability of its least probable token.")] = 0
    name_recoverability: Annotated[_Weight, Meta(description="How much its body tells of its name.")] = 1
    rating_problem: Annotated[_Weight, Meta(description="Rating of the problem.")] = 0.5
    rating_definition: Annotated[_Weight, Meta(description="Rating of how the function is defined.")] = 0.5
    rating_correctness: Annotated[_Weight, Meta(description="Rating of its correctness.")] = 1
    rating_efficiency: Annotated[_Weight, Meta(description="Rating of its efficiency.")] = 0.5
    rating_readability: Annotated[_Weight, Meta(description="Rating of its readability.")] = 0.5


class Strata(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Among which functions each is ranked."""

    topics: Annotated[
        bool, Meta(description="Rank among functions of one topic, where the names were drawn by topics.")
    ] = True
    bands: Annotated[
        tuple[_Edge, ...],
        Meta(
            max_length=16,
            description="Cyclomatic complexities, rising, at which the next band begins; none ranks all together.",
        ),
    ] = (2, 5, 8, 16)
    least: Annotated[
        int, Meta(ge=1, description="Fewest functions of a stratum; smaller ones are joined, topics first.")
    ] = 20


class Tail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Drawing among a name's verified functions towards high perplexity, in place of its best ones (GiFT)."""

    enabled: Annotated[
        bool, Meta(description="Draw; needs perplexities (datagen-score) and verified functions (filters.execute).")
    ] = False
    k: Annotated[int, Meta(ge=1, le=1024, description="Draws for each name, with replacement.")] = 8
    sharpness: Annotated[
        float, Meta(ge=0, le=100, description="Weight of perplexity: exp(sharpness * perplexity).")
    ] = 2.0
    seed: Annotated[int, Meta(ge=0, le=2**62, description="Seed; each name's own is derived from it.")] = 0


class Choose(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is chosen of the functions that are kept."""

    per_name: Annotated[int, Meta(ge=1, le=1024, description="Most functions of one name.")] = 1
    top: Annotated[_Most | None, Meta(description="Most functions in all; null takes the best of every name.")] = None
    share: Annotated[_Share, Meta(description="Share of what per_name leaves that is taken, the best first.")] = 1.0
    pareto: Annotated[
        tuple[ParetoKey, ...],
        Meta(max_length=3, description="Metrics of the short list, in which no chosen function is beaten in all."),
    ] = ("evidence", "docstring_pmi", "novelty")
    weights: Weights = Weights()
    strata: Strata = Strata()
    tail: Tail = Tail()
