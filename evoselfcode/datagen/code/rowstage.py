"""Stages that ask once for each row of a file of names: what they have in common.

This file decides how such a stage is put together and in which order its draws are shown. What is asked, read off an
answer and kept is each stage's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from evoselfcode.clients import Findings
from evoselfcode.config import Asking, RunConfig
from evoselfcode.datagen.code import tasks
from evoselfcode.datagen.pipeline.stage import Judge, Stage
from evoselfcode.records import Candidate, Choice, Request, Task, Verdict
from evoselfcode.storage import Draw, Entry

Row = TypeVar("Row")


class TaskJudge:
    """Judges each candidate by itself, and knows which function it is about.

    Args:
        judge: Judges one candidate, in microseconds.
    """

    def __init__(self, judge: Callable[[Task, Candidate], Verdict]) -> None:
        self._judge = judge

    async def __call__(self, request: Request, candidates: Sequence[Candidate]) -> list[Verdict]:
        """Judge the candidates of one request."""
        return [self._judge(task_of(request), candidate) for candidate in candidates]

    def remember(self, text: str) -> None:
        """Do nothing: what was kept before changes no verdict."""

    async def aclose(self) -> None:
        """Hold nothing."""


def task_of(asked: Request | Entry) -> Task:
    """Return the function that a request of such a stage was about."""
    return _known(asked.task)


def _known(task: Task | None) -> Task:
    if task is None:
        raise ValueError("a request of Stage B has no task")
    return task


def row_stage(
    name: str,
    asking: Callable[[RunConfig], Asking],
    *,
    plan: Callable[[RunConfig, str, str], Iterator[Request]],
    parse: Callable[[Request, int, Choice], Candidate],
    judge: Callable[[RunConfig], Judge],
    row: Callable[[str, Task, Draw], Row],
    views: Callable[[RunConfig, Iterable[Entry]], dict[str, list[Row]]],
    arms: Callable[[RunConfig], tuple[str, ...]] = lambda config: ("L2R",),
    require: Callable[[RunConfig, str, Findings], None] = lambda config, arm, findings: None,
) -> Stage[Row]:
    """Put a stage together that reads names and draws as its section of the configuration says.

    Args:
        name: The stage's name.
        asking: Returns its section.
        plan: Yields its requests.
        parse: Makes a candidate of a choice.
        judge: Builds its judge.
        row: Shows a kept draw.
        views: Makes its files.
        arms: Its arms.
        require: Refuses an arm that the server cannot serve.
    """
    return Stage(
        name=name,
        arms=arms,
        n=lambda config: asking(config).n,
        plan=plan,
        fingerprint=lambda config: config.fingerprint(name),
        seed=lambda config: asking(config).seed,
        rules=lambda config: None,
        warnings=lambda config: tasks.warnings(config, name, asking(config)),
        require=require,
        parse=parse,
        judge=judge,
        name_of=lambda draw: None,
        row=lambda arm, task, draw: row(arm, _known(task), draw),
        views=views,
        remembers=False,
    )


def in_plan_order(entries: Iterable[Entry]) -> list[Entry]:
    """Sort entries by the plan, whatever came first over the network: the same answers give the same files."""
    return sorted(entries, key=lambda entry: (entry.number, entry.key))


def first_kept(entries: Iterable[Entry]) -> Iterator[tuple[str, Task, Draw]]:
    """Yield, for each row that was asked about, the first of its draws that was kept; none where all were dropped.

    Yields:
        The arm, the function, the draw.
    """
    shown: set[Task] = set()
    for entry in in_plan_order(entries):
        task = task_of(entry)
        kept = next((draw for draw in entry.draws if draw.reason is None), None)
        if kept is not None and task not in shown:  # a request that was split is several entries
            shown.add(task)
            yield entry.arm, task, kept
