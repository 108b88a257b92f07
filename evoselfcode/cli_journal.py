"""The command that works on the journal of a run that is there: refilter."""

from __future__ import annotations

from pathlib import Path

import click

from evoselfcode.cli_options import load, with_config, with_settings
from evoselfcode.shell import standard_output


@click.command("refilter")
@click.argument("run", type=click.Path(path_type=Path), required=False)
@with_config
@with_settings
def refilter(run: Path | None, config_path: Path, overrides: tuple[str, ...]) -> None:
    """Judge the names of a run again, by today's filters. No request is sent.

    RUN is the folder of a names run (default: the one below output.dir). Every draw of its journal is read again and
    judged by filters.name_regex and namegen.weaklist; journal, views and manifest are written anew, so that
    datagen-names with the same configuration goes on. Code is filtered by filter-code.
    """
    from evoselfcode.datagen.pipeline.refiltering import refilter as judge

    config = load(config_path, overrides)
    folder = Path(config.output.dir) / "names" if run is None else run
    made = judge(folder, config)
    with standard_output():
        click.echo(
            f"{made.kept:,} of {made.draws:,} draws are kept, {made.before:,} were; {made.changed:,} verdicts changed"
        )
        for name, rows in made.files.items():
            click.echo(f"  {rows:>8,}  {made.folder / name}")
        if made.damaged:
            click.echo(f"damaged journal lines that were left out: {made.damaged}; their requests will be asked again")
        click.echo(f"the report of it: evoselfcode report {made.folder}")
