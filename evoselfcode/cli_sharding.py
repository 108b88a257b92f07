"""The commands around shards: merge them into one run, and tell whether one is alive."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evoselfcode import loops
from evoselfcode.cli_options import quietly
from evoselfcode.cli_scoring import with_ratings, with_scores
from evoselfcode.shell import standard_output, with_filters, with_report
from evoselfcode.signals import until_signalled

if TYPE_CHECKING:
    from evoselfcode.datagen.pipeline.merging import Merged
    from evoselfcode.datagen.pipeline.stage import Stage
    from evoselfcode.engine import Stop

GRACE = 30.0
"""Seconds that a merge may take to notice that it is to stop; it has nothing in flight and ends at once."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--partial", is_flag=True, help="Merge what there is, though shards or requests are missing.")
@quietly
def merge(folder: Path, partial: bool, quiet: bool) -> None:
    """Make one run of its shards, in FOLDER, so that all other commands read it as one. No request is sent.

    FOLDER is the folder of a stage, such as data/generated/names, with its shards below it. They are checked first:
    all there, complete, of one configuration and model, each request in its own shard and none missing. Duplicates
    are found across all of them. May be repeated: what was merged before is replaced.
    """
    import anyio.to_thread

    from evoselfcode.datagen.pipeline.merging import merge_shards
    from evoselfcode.terminal_card import card

    async def work(stop: Stop) -> Merged:
        return await anyio.to_thread.run_sync(
            lambda: merge_shards(folder, _stages(), partial=partial, stopped=stop.is_set)
        )

    made = loops.run(functools.partial(until_signalled, grace=GRACE, under_way="the merge"), work)
    remarks = [f"missing shards: {', '.join(map(str, made.absent[:20]))}"] if made.absent else []
    remarks += [f"requests of the plan that no shard has: {made.gaps:,}"] if made.gaps else []
    with standard_output():
        card(made.summary, remarks)
    _next(made, quiet=quiet)


def _next(made: Merged, *, quiet: bool) -> None:
    """Do with a merged run what a run that was not cut does at its end."""
    then: dict[str, Callable[[], None]] = {
        "names": lambda: with_report(made.summary),
        "code": lambda: with_filters(made.summary, config=made.config, quiet=quiet),
        "score": lambda: with_scores(made.summary),
        "rating": lambda: with_ratings(made.summary),
    }
    then.get(made.summary.stage, lambda: None)()


def _stages() -> dict[str, Stage[Any]]:
    """Return the stages by name."""
    from evoselfcode.datagen.code.asserts import ASSERTS
    from evoselfcode.datagen.code.codegen import CODE
    from evoselfcode.datagen.code.describe import DESCRIBE
    from evoselfcode.datagen.code.skeleton import SKELETON
    from evoselfcode.datagen.pipeline.namegen import NAMES
    from evoselfcode.datagen.scoring.rating import RATINGS
    from evoselfcode.datagen.scoring.score import SCORE

    stages: tuple[Stage[Any], ...] = (NAMES, DESCRIBE, SKELETON, ASSERTS, CODE, SCORE, RATINGS)
    return {stage.name: stage for stage in stages}


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--max-age", type=click.FloatRange(min=0), default=180.0, show_default=True, help="Seconds.")
def alive(run: Path, max_age: float) -> None:
    """Tell whether a run works: exit code 0 if its last heartbeat is young, else 1.

    RUN is the run's folder, or its output.heartbeat_file. A run that waits for an endpoint is alive; one whose program
    hangs is not. Made for a liveness probe.
    """
    from evoselfcode.heartbeat import age_of

    age = age_of(run)
    if age is None or age > max_age:
        click.echo("no heartbeat" if age is None else f"the last heartbeat is {age:.0f} s old", err=True)
        sys.exit(1)
    click.echo(f"the last heartbeat is {age:.0f} s old")


SHARDING = (merge, alive)
"""The commands."""
