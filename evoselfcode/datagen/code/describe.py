"""The describe stage: names in, one sentence about each out. A name alone makes a poor prompt for code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypedDict

from evoselfcode.config import RunConfig
from evoselfcode.datagen.code.rowstage import TaskJudge, first_kept, row_stage
from evoselfcode.datagen.code.tasks import DESCRIPTION_FILE, plan_tasks
from evoselfcode.datagen.filters.descriptions import judge_description, parse_description
from evoselfcode.datagen.pipeline.stage import Stage
from evoselfcode.records import Request, Task
from evoselfcode.storage import Draw, Entry


class DescriptionRow(TypedDict):
    """A name and what its function does, as the file shows it."""

    func_name: str
    description: str


def plan(config: RunConfig, model: str, arm: str) -> Iterator[Request]:
    """Yield one request for each name."""
    return plan_tasks(config, "describe", config.describe, config.prompts.describe.text, model=model, arm=arm)


def row(arm: str, task: Task, draw: Draw) -> DescriptionRow:
    """Show a kept draw."""
    return DescriptionRow(func_name=task.func_name, description=draw.text)


def views(config: RunConfig, entries: Iterable[Entry]) -> dict[str, list[DescriptionRow]]:
    """Rebuild the file of the stage: for each name the first of its draws that was kept."""
    return {DESCRIPTION_FILE: [row(arm, task, draw) for arm, task, draw in first_kept(entries)]}


DESCRIBE: Stage[DescriptionRow] = row_stage(
    "describe",
    lambda config: config.describe,
    plan=plan,
    parse=parse_description,
    judge=lambda config: TaskJudge(judge_description),
    row=row,
    views=views,
)
