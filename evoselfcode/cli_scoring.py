"""The commands that look at code that is written: score, rate."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evoselfcode.cli_options import load, with_config, with_path, with_run_options, with_settings
from evoselfcode.errors import EndpointError
from evoselfcode.shell import run_in_shell, standard_output

if TYPE_CHECKING:
    from evoselfcode.config import RunConfig
    from evoselfcode.datagen.pipeline.summary import Summary

with_rows = click.option(
    "--rows",
    type=click.Path(path_type=Path),
    default=None,
    help="JSONL file with func_name and code; what datagen-code has kept if left out.",
)


@click.command("datagen-score")
@with_config
@with_settings
@with_rows
@with_run_options
def datagen_score(config_path: Path, overrides: tuple[str, ...], rows: Path | None, **how: Any) -> None:
    """Ask how probable the model thinks each function that was kept, and write its scores.

    Nothing is drawn. Run the same command again to resume: what is settled is never asked again. Functions may be added
    meanwhile.
    """
    from evoselfcode.datagen.scoring.score import SCORE

    config = load(config_path, with_path(overrides, "score.rows", rows))
    run_in_shell(SCORE, config, config.score.texts, then=with_scores, **how)


def with_scores(summary: Summary) -> None:
    """Print what the scores of a run that has ended come to.

    Raises:
        StorageError: The scores cannot be read, or the standard output not written to.
    """
    from evoselfcode.datagen.scoring.metrics import read_metrics
    from evoselfcode.terminal_scores import score_card

    with standard_output():
        score_card(read_metrics(summary.folder))


@click.command("datagen-rate")
@with_config
@with_settings
@with_rows
@with_run_options
def datagen_rate(config_path: Path, overrides: tuple[str, ...], rows: Path | None, **how: Any) -> None:
    """Have a model rate each function that was kept in five dimensions, and check what its ratings are worth.

    Nothing needs it: a dimension that is not informative is left out when functions are chosen. Run the same command
    again to resume: what is settled is never asked again. Functions may be added meanwhile.
    """
    from evoselfcode.datagen.scoring.rating import RATINGS, rater, rater_client

    config = rater(load(config_path, with_path(overrides, "rating.rows", rows)))
    with of_the_rater(config):
        run_in_shell(RATINGS, config, client=rater_client(config), then=with_ratings, **how)


@contextmanager
def of_the_rater(config: RunConfig) -> Iterator[None]:
    """Name the rater's own settings in the hint of what its server refuses: those of the generator would mend nothing.

    Raises:
        EndpointError: It is raised within.
    """
    given = config.rating.api
    names = "base_url|api_key" if given.base_url is not None else "api_key" if given.api_key is not None else ""
    try:
        yield
    except EndpointError as error:
        if names and error.hint:
            hint = re.sub(rf"(?<![\w.])api\.({names})\b", r"rating.api.\1", error.hint)
            error.hint = hint.replace("EVOSELFCODE_API_KEY", "RATER_API_KEY")
        raise


def with_ratings(summary: Summary) -> None:
    """Print what the ratings of a run that has ended are worth.

    Raises:
        StorageError: They cannot be read, or the standard output not written to.
    """
    from evoselfcode.datagen.scoring.metrics import read_metrics
    from evoselfcode.terminal_scores import rating_card

    with standard_output():
        rating_card(read_metrics(summary.folder))


SCORING = (datagen_score, datagen_rate)
"""The commands, in the order of the work."""
