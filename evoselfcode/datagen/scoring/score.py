"""The score stage: functions in, log-probabilities of their texts out.

This file is the stage as data. An arm of it is a text that is asked about (:mod:`.texts`): nothing is drawn, and no
arm is compared with another. All texts of a function are asked about before those of the next, so that a run that ends
early has whole rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from evoselfcode.clients import Findings
from evoselfcode.config import RunConfig
from evoselfcode.datagen.filters.function_parts import AROUND, split
from evoselfcode.datagen.pipeline.stage import OneByOne, Stage, request_key
from evoselfcode.datagen.scoring.functions import Function, file_of, read_functions
from evoselfcode.datagen.scoring.metrics import documents
from evoselfcode.datagen.scoring.numbers import ScoreRow
from evoselfcode.datagen.scoring.spans import WHOLE, spans_of
from evoselfcode.datagen.scoring.tally import Tally
from evoselfcode.datagen.scoring.texts import MIDDLES, TEXTS, text_of
from evoselfcode.errors import ScoresUnavailable, UsageError
from evoselfcode.records import Candidate, Choice, Given, Request, Sampling, Task, Verdict
from evoselfcode.storage import Draw, Entry

SCORES_FILE = "scores.jsonl"

SCORE_REASONS: dict[str, str] = {"no_numbers": "the reply holds no number for any token of the text"}
"""Why a reply is of no use."""

WITHOUT = "choose-code then goes by the log-probabilities that the draws came with, where they have any"

_GIVEN = Sampling(max_new_tokens=1, temperature=0.0, logprobs=0)


def plan(config: RunConfig, model: str, arms: Sequence[str]) -> Iterator[Request]:
    """Yield the requests of the texts, function by function.

    Raises:
        UsageError: There is no file of functions, or a line of it is none.
    """
    return requests_about(read_functions(file_of(config)), config, model, arms)


def requests_about(
    functions: Iterable[Function], config: RunConfig, model: str, texts: Sequence[str]
) -> Iterator[Request]:
    """Yield the requests of the texts of functions. How probable a name is by itself is asked once for each name."""
    asked: set[str] = set()
    for number, function in enumerate(functions):
        for text in texts:
            given = text_of(text, function, config.score.description_prompt)
            if isinstance(given, str):
                continue
            row = None if text == "plain_name" else function.asked_as
            key = request_key("score", text, given, _GIVEN, 0, model, row)
            if row is None and key in asked:
                continue
            if row is None:
                asked.add(key)
            task = Task(func_name=function.func_name)
            yield Request(
                key=key, prompt=given, sampling=_GIVEN, stage="score", arm=text, number=number, task=task, row=row
            )


def left_out(config: RunConfig, arm: str, findings: Findings) -> str | None:
    """Say why a server that can score cannot score this text, or ``None`` if it can."""
    if findings.dialect.score == "get_ppl" and arm != "code":
        return "this server tells one mean for a whole text: no part of it can be scored"
    try:
        findings.require_scores(fim=arm in MIDDLES)
    except ScoresUnavailable as unavailable:
        return unavailable.message
    return None


def require(config: RunConfig, arm: str, findings: Findings) -> None:
    """Refuse a server that cannot score.

    Raises:
        ScoresUnavailable: With what was tried.
    """
    try:
        findings.require_scores()
    except ScoresUnavailable as unavailable:
        raise ScoresUnavailable(
            unavailable.message, hint="; ".join(filter(None, (unavailable.hint, WITHOUT)))
        ) from unavailable
    why = left_out(config, arm, findings)
    if why is not None:
        raise ScoresUnavailable(why, hint=f"let score.texts have more than {arm}; {WITHOUT}")


def parse(request: Request, index: int, choice: Choice) -> Candidate:
    """Sum up a text that was scored. What it says is in the file of functions, so it is not kept again."""
    prompt = request.prompt
    begins = isinstance(prompt, Given) and not prompt.before and prompt.suffix is None
    bounds: Sequence[tuple[int, str]] = ((0, WHOLE),)
    if request.arm == "code" and request.task is not None:
        parts = split(choice.text, request.task.func_name)
        bounds = ((0, AROUND),) if parts is None else parts.bounds
    spans = spans_of(choice, bounds, begins=begins)
    return msgspec.structs.replace(Candidate.of(request, index, choice, ""), raw_text="", logprob=None, parts=spans)


class _Judge:
    """Keeps what has a number."""

    def __call__(self, candidate: Candidate) -> Verdict:
        spans = (candidate.parts or {}).values()
        known = any(span.logprob is not None or span.mean is not None for span in spans)
        return Verdict(None if known else "no_numbers")

    def remember(self, text: str) -> None:
        """Do nothing: what was scored before changes no verdict."""


def warnings(config: RunConfig) -> list[str]:
    """Read the file once, and say what of it, and of the texts, is probably not meant.

    Raises:
        UsageError: It is not there, is empty, or a line of it is no function.
        StorageError: It cannot be read.
    """
    path = file_of(config)
    if not sum(1 for _ in read_functions(path)):  # all of it: before anything is asked
        raise UsageError(f"{path} holds no functions", hint="why none was kept: evoselfcode report RUN")
    texts, found = config.score.texts, []
    if "code" not in texts:
        found.append("score.texts is without code, which all scores but name_recoverability need")
    if ("name" in texts) != ("plain_name" in texts):
        found.append("score.texts has one of name and plain_name: name_recoverability needs both")
    return found


def views(config: RunConfig, entries: Iterable[Entry]) -> dict[str, Iterable[ScoreRow]]:
    """Rebuild the scores, in the order of the file of functions."""
    tally = Tally()
    for entry in entries:
        tally.add(entry)
    functions = read_functions(file_of(config))
    return {SCORES_FILE: (tally.row(function, config.score.description_prompt) for function in functions)}


def _no_row(arm: str, task: Task | None, draw: Draw) -> ScoreRow:
    raise TypeError("scores are made of several texts: there is no row of one draw")


SCORE: Stage[ScoreRow] = Stage(
    name="score",
    arms=lambda config: TEXTS,
    n=lambda config: 1,
    plan=lambda config, model, arm: plan(config, model, [arm]),
    together=plan,
    fingerprint=lambda config: config.fingerprint("score"),
    seed=lambda config: 0,
    rules=lambda config: None,
    warnings=warnings,
    require=require,
    left_out=left_out,
    parse=parse,
    judge=lambda config: OneByOne(_Judge()),
    name_of=lambda draw: None,
    row=_no_row,
    views=views,
    documents=lambda config, folder: documents(folder / SCORES_FILE),
    scores=True,
    remembers=False,
    fragile=True,
    concurrency=lambda config: config.score.concurrency,
)
