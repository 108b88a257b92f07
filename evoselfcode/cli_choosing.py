"""The command that chooses among the functions that a filter kept."""

from __future__ import annotations

from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evoselfcode import loops
from evoselfcode.cli_options import load, quietly, with_config, with_settings
from evoselfcode.shell import standard_output, with_code_report
from evoselfcode.signals import until_signalled

if TYPE_CHECKING:
    from evoselfcode.engine import Stop


@click.command("choose-code")
@click.argument("run", type=click.Path(path_type=Path), required=False)
@with_config
@with_settings
@click.option(
    "--scores",
    type=click.Path(path_type=Path),
    default=None,
    help="File of scores; score/scores.jsonl beside the run if left out.",
)
@click.option(
    "--ratings",
    type=click.Path(path_type=Path),
    default=None,
    help="File of ratings; rating/ratings.jsonl beside the run if left out.",
)
@click.option("--per-name", type=click.IntRange(min=1), default=None, help="Most functions of one name.")
@click.option("--top", type=click.IntRange(min=1), default=None, help="Most functions in all.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=None, help="Folder to write into; the run's own if left out."
)
@quietly
def choose_code(
    run: Path | None,
    config_path: Path,
    overrides: tuple[str, ...],
    scores: Path | None,
    ratings: Path | None,
    per_name: int | None,
    top: int | None,
    out: Path | None,
    quiet: bool,
) -> None:
    """Rank the functions that a filter kept, and choose the best of each name. No request is sent, and no code is run.

    RUN is the folder of a code run that was filtered (default: the one below output.dir). Of the functions of one name,
    a group that agrees on asserts comes first; then ranks decide, by quality and, where there are any, by scores and
    ratings. ranked.jsonl has every function with every number, chosen.jsonl those that are chosen, choice.json totals;
    the run's report is made again.
    """
    from evoselfcode.datagen.choosing.choosing import choose_code as choose
    from evoselfcode.terminal_choosing import choice_card
    from evoselfcode.terminal_work import Work

    given = {"per_name": per_name, "top": top}
    settings = (*overrides, *(f"choose.{key}={value}" for key, value in given.items() if value is not None))
    config = load(config_path, settings)
    folder = run or Path(config.output.dir) / "code"

    async def chosen(stop: Stop) -> dict[str, Any]:
        work = Work("choose", inf if quiet else config.output.heartbeat_seconds)
        progress = partial(work, "looked_at", "functions")
        return await choose(folder, config, scores=scores, ratings=ratings, out=out, stop=stop, progress=progress)

    watched = partial(until_signalled, grace=config.output.grace, under_way="the functions that are looked at")
    made = loops.run(watched, chosen)
    with standard_output():
        choice_card(made, out or folder)
    if out is None:
        with_code_report(folder, made["rows"], again=True)


CHOOSING = (choose_code,)
"""The commands."""
