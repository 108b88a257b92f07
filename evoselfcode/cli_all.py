"""The command that runs all others, from names to a dataset.

This file decides in which order the commands come and what may be left out. What each of them does is its own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from evoselfcode.cli_options import load, quietly, with_config, with_settings
from evoselfcode.errors import ScoresUnavailable, UsageError
from evoselfcode.terminal import say

STEPS = (
    "datagen-names", "select-names", "datagen-describe", "datagen-skeleton", "datagen-asserts", "datagen-code",
    "datagen-score", "datagen-rate", "choose-code", "export",
)  # fmt: skip
"""The commands, in the order of the work."""

ALSO = {
    "describe": "datagen-describe",
    "skeleton": "datagen-skeleton",
    "asserts": "datagen-asserts",
    "rate": "datagen-rate",
}
"""Those that are left out unless asked for."""


@click.command("datagen-all")
@with_config
@with_settings
@click.option("--top", type=click.IntRange(min=1), default=None, help="Most names to write functions for.")
@click.option("--also", multiple=True, type=click.Choice(list(ALSO)), help="Take this step too; may be repeated.")
@quietly
@click.pass_context
def datagen_all(
    ctx: click.Context,
    config_path: Path,
    overrides: tuple[str, ...],
    top: int | None,
    also: tuple[str, ...],
    quiet: bool,
) -> None:
    """Go all the way: names, selected ones, functions, filters, scores, the choice, the exported dataset.

    Each step is the command of its name with the same configuration. Run the same command again to resume: what is
    settled is never asked again, and an export is made anew. Where the server cannot score given text, the choice does
    without.
    """
    _refuse_shards()
    folder = Path(load(config_path, overrides).output.dir)
    left_out = {step for name, step in ALSO.items() if name not in also}
    steps = [step for step in STEPS if step not in left_out]
    shared: dict[str, Any] = {"config_path": config_path, "overrides": overrides, "quiet": quiet}
    own: dict[str, dict[str, Any]] = {
        "select-names": {"run": folder / "names", "top": top},
        "export": {**shared, "overwrite": True},
    }
    for number, step in enumerate(steps, 1):
        say(f"step {number} of {len(steps)}: {step}")
        try:
            ctx.invoke(_command(ctx, step), **own.get(step, shared))
        except ScoresUnavailable as error:
            say(f"warning: {error}")


def _refuse_shards() -> None:
    """Refuse to go all the way in a process that is one of several: what one stage wrote is merged before the next.

    Raises:
        UsageError: The environment says that it is.
    """
    from evoselfcode.datagen.pipeline.sharding import shard_of

    shard = shard_of(None, os.environ)
    if shard is not None:
        raise UsageError(
            f"this process is shard {shard}, and datagen-all goes through stages that need all of the one before",
            hint="run the commands one by one, and `evoselfcode merge` after each; or unset the variables",
        )


def _command(ctx: click.Context, name: str) -> click.Command:
    group = ctx.find_root().command
    found = group.get_command(ctx, name) if isinstance(group, click.Group) else None
    if found is None:
        raise LookupError(name)
    return found
