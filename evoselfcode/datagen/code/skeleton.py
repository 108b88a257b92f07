"""The skeleton stage: a name and a description in, a typed signature with a docstring out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypedDict

from evoselfcode.config import RunConfig
from evoselfcode.datagen.code.rowstage import TaskJudge, first_kept, row_stage
from evoselfcode.datagen.code.tasks import SKELETON_FILE, plan_tasks
from evoselfcode.datagen.filters.skeletons import judge_skeleton, parse_skeleton, signature_of
from evoselfcode.datagen.pipeline.stage import Stage
from evoselfcode.records import Request, Task
from evoselfcode.storage import Draw, Entry


class SkeletonRow(TypedDict):
    """A function without its body, as the file shows it."""

    func_name: str
    description: str
    signature: str
    skeleton: str


def plan(config: RunConfig, model: str, arm: str) -> Iterator[Request]:
    """Yield one request for each name."""
    return plan_tasks(config, "skeleton", config.skeleton, config.prompts.skeleton.text, model=model, arm=arm)


def row(arm: str, task: Task, draw: Draw) -> SkeletonRow:
    """Show a kept draw."""
    return SkeletonRow(
        func_name=task.func_name,
        description=task.description,
        signature=signature_of(draw.text),
        skeleton=draw.text,
    )


def views(config: RunConfig, entries: Iterable[Entry]) -> dict[str, list[SkeletonRow]]:
    """Rebuild the file of the stage: for each name the first of its draws that was kept."""
    return {SKELETON_FILE: [row(arm, task, draw) for arm, task, draw in first_kept(entries)]}


SKELETON: Stage[SkeletonRow] = row_stage(
    "skeleton",
    lambda config: config.skeleton,
    plan=plan,
    parse=parse_skeleton,
    judge=lambda config: TaskJudge(judge_skeleton),
    row=row,
    views=views,
)
