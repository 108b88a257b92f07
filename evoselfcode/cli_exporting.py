"""The command that makes a dataset of what was chosen."""

from __future__ import annotations

from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evoselfcode import loops
from evoselfcode.cli_options import load, quietly, with_config, with_settings
from evoselfcode.errors import Interrupted, UsageError
from evoselfcode.shell import standard_output
from evoselfcode.signals import until_signalled

if TYPE_CHECKING:
    from evoselfcode.config import RunConfig
    from evoselfcode.datagen.exporting.made import Made
    from evoselfcode.engine import Stop

FORMATS = ("rows", "prompt-completion", "messages", "fim-psm", "fim-spm", "text")
FILES = ("parquet", "jsonl", "jsonl.zst")


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path), default=None, required=False)
@with_config
@with_settings
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Folder to write; <output.dir>/export.")
@click.option(
    "--format", "formats", multiple=True, type=click.Choice(FORMATS), help="Make this layout; may be repeated."
)
@click.option("--files", type=click.Choice(FILES), default=None, help="Kind of the files; export.files if left out.")
@click.option("--overwrite", is_flag=True, help="Replace the export that is there.")
@click.option("--push", "repository", metavar="OWNER/NAME", default=None, help="Send it to this dataset of a hub.")
@click.option("--public", is_flag=True, help="Let everybody read a repository that --push makes.")
@quietly
def export(
    run: Path | None,
    config_path: Path,
    overrides: tuple[str, ...],
    out: Path | None,
    formats: tuple[str, ...],
    files: str | None,
    overwrite: bool,
    repository: str | None,
    public: bool,
    quiet: bool,
) -> None:
    """Make a dataset of the functions that were chosen: files to train on, a card, and metadata.

    RUN is the folder of a code run (default: the one below output.dir) or a JSONL file of functions. Of a run,
    chosen.jsonl is taken, or filtered.jsonl where nothing was chosen. Nothing is sent anywhere without --push.
    """
    settings = [*overrides, *([f"export.files={files}"] if files else [])]
    settings += [f"export.formats=[{', '.join(formats)}]"] if formats else []
    config = load(config_path, tuple(settings))
    target = out or Path(config.output.dir) / "export"
    export_in_shell(
        run or Path(config.output.dir) / "code",
        target,
        config,
        overwrite=overwrite,
        repository=repository,
        public=public,
        quiet=quiet,
    )


def export_in_shell(
    run: Path, out: Path, config: RunConfig, *, overwrite: bool, repository: str | None, public: bool, quiet: bool
) -> None:
    """Export with progress and signals, print the card, and push if asked to.

    Raises:
        UsageError: It cannot be done so, or a library is not installed.
        StorageError: A file cannot be read or written.
        Interrupted: A signal came before the end; nothing is left of the export.
        EndpointError: The hub did not take it; the export is there.
    """
    import anyio.to_thread

    from evoselfcode.terminal_exporting import export_card
    from evoselfcode.terminal_work import Work

    try:
        from evoselfcode.datagen.exporting.exports import export_run
        from evoselfcode.datagen.exporting.pushing import destination, push
    except ImportError as error:
        raise UsageError(f"export needs {error.name}", hint='pip install "evoselfcode[export]"') from error
    to = None if repository is None else destination(repository, public=public)

    async def exported(stop: Stop) -> Made:
        work = Work("export", inf if quiet else config.output.heartbeat_seconds)

        def progress(doing: str, rows: int) -> None:
            if stop.is_set():
                raise Interrupted("stopped while a dataset was exported", hint="nothing is left of it; run it again")
            work(doing, "entries" if doing == "compared" else "rows", rows)  # entries: rare runs of lexemes

        export = partial(export_run, run, out, config.export, overwrite=overwrite, progress=progress)
        return await anyio.to_thread.run_sync(export)

    made = loops.run(partial(until_signalled, grace=config.output.grace, under_way="the export"), exported)
    with standard_output():
        export_card(made, out)
        if to is not None:
            click.echo(push(out, to))
