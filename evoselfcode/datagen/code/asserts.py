"""The asserts stage: checks of functions that are not written yet, for the code that will be run against them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypedDict

from evoselfcode.config import RunConfig
from evoselfcode.datagen.code.rowstage import TaskJudge, in_plan_order, row_stage, task_of
from evoselfcode.datagen.code.tasks import ASSERTS_FILE, plan_tasks
from evoselfcode.datagen.filters.asserts import judge_asserts, parse_asserts
from evoselfcode.datagen.pipeline.stage import Stage
from evoselfcode.records import Request, Task
from evoselfcode.storage import Draw, Entry


class AssertsRow(TypedDict):
    """The checks of one function, as the file shows them."""

    func_name: str
    description: str
    asserts: list[str]


def plan(config: RunConfig, model: str, arm: str) -> Iterator[Request]:
    """Yield one request for each name."""
    return plan_tasks(config, "asserts", config.asserts, config.prompts.asserts.text, model=model, arm=arm)


def row(arm: str, task: Task, draw: Draw) -> AssertsRow:
    """Show a kept draw."""
    return AssertsRow(func_name=task.func_name, description=task.description, asserts=draw.text.split("\n"))


def views(config: RunConfig, entries: Iterable[Entry]) -> dict[str, list[AssertsRow]]:
    """Rebuild the file of the stage: for each function the asserts of all its draws, each once."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for entry in in_plan_order(entries):
        for draw in entry.draws:
            if draw.reason is None:
                task = task_of(entry)
                asserts = row(entry.arm, task, draw)["asserts"]
                found.setdefault((task.func_name, task.description), {}).update(dict.fromkeys(asserts))
    rows = [AssertsRow(func_name=name, description=said, asserts=list(of)) for (name, said), of in found.items()]
    return {ASSERTS_FILE: rows}


ASSERTS: Stage[AssertsRow] = row_stage(
    "asserts",
    lambda config: config.asserts,
    plan=plan,
    parse=parse_asserts,
    judge=lambda config: TaskJudge(judge_asserts),
    row=row,
    views=views,
)
