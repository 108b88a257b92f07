"""A run in a shell or a pod: which part of it this process is, the limit on open files, and what is an error.

This file decides what surrounds a run and which outcome is an error. What a run does is
:mod:`evoselfcode.datagen.pipeline.run`; when a signal ends it :mod:`evoselfcode.signals`; which commands there are
:mod:`evoselfcode.cli`.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evoselfcode import loops
from evoselfcode.errors import RequestsGivenUp, StorageError, UsageError
from evoselfcode.signals import interruptible, until_signalled
from evoselfcode.sockets import with_room
from evoselfcode.terminal import say

if TYPE_CHECKING:
    from evoselfcode.clients import OpenAICompletionClient
    from evoselfcode.config import RunConfig
    from evoselfcode.datagen.pipeline.settled import Retry
    from evoselfcode.datagen.pipeline.stage import Stage
    from evoselfcode.datagen.pipeline.summary import Summary
    from evoselfcode.engine import Stop

MOST_GIVEN_UP = 0.05
"""Share of a run's requests that may be given up before its exit code says so."""

MOST_REPORTED = 200_000
"""Draws of a run up to which its report is made at its end: about ten seconds."""


def run_in_shell(
    stage: Stage[Any],
    config: RunConfig,
    arms: tuple[str, ...] = (),
    *,
    shard: str | None,
    new_run: bool,
    retry: Retry | None = None,
    quiet: bool,
    client: OpenAICompletionClient | None = None,
    then: Callable[[Summary], None] = lambda summary: None,
) -> None:
    """Run a stage with progress, signals and the card at the end.

    Args:
        stage: The stage.
        config: The configuration.
        arms: The arms to run; all of the configuration's if there is none.
        shard: What was given for the part of the plan to ask; the environment says it if nothing was.
        new_run: Set the run that is there aside and begin anew.
        retry: Which settled requests to ask again, and no others.
        quiet: Show no progress.
        client: The client to ask with; the one that the configuration describes if left out.
        then: Called when the run is complete and is no part of one: parts are looked at when they are merged.

    Raises:
        UsageError: `new_run` and `retry` are both given.
        EvoselfcodeError: As the run ended.
    """
    from evoselfcode.datagen.pipeline.sharding import shard_of

    if retry and new_run:
        raise UsageError("--retry is for the run that --new-run sets aside", hint="give one of them")
    with interruptible():
        part = shard_of(shard, os.environ)
        for warning in stage.warnings(config):
            say(f"warning: {warning}")
        config = with_room(config, stage.concurrency(config))
        if part is not None:
            say(f"this is shard {part}")
        how = {"arms": arms or None, "shard": part, "new_run": new_run, "retry": retry}
        summary = loops.run(_shown(stage, config, client, quiet, **how))
    with interruptible():
        _tell(summary, then)


def _shown(
    stage: Stage[Any], config: RunConfig, client: OpenAICompletionClient | None, quiet: bool, **options: Any
) -> Callable[[], Awaitable[Summary]]:
    """Return what runs a stage until a signal ends it, and shows, writes and serves how it goes."""
    from evoselfcode.clients import OpenAICompletionClient
    from evoselfcode.datagen.pipeline.run import run_stage
    from evoselfcode.heartbeat import HEARTBEAT, Heart, written
    from evoselfcode.metrics import file_of, served
    from evoselfcode.progress import Progress
    from evoselfcode.terminal_progress import display

    begin = partial(run_stage, stage, client or OpenAICompletionClient.from_config(config), config, **options)
    shard, output = options["shard"], config.output
    folder = Path(output.dir) / stage.name / (shard.folder if shard else "")
    progress = Progress(stage.name, str(shard) if shard else None)

    async def shown() -> Summary:
        with display(output.heartbeat_seconds, quiet=quiet) as on, served(progress, output) as lines:
            beats = folder / HEARTBEAT if output.heartbeat_file is None else Path(output.heartbeat_file)
            files = [(beats, written), *file_of(output, lines)]
            heart = Heart(progress, folder, output.heartbeat_seconds, tell=on.show, every=on.every, files=files)

            async def run(stop: Stop) -> Summary:
                return await begin(stop=stop, report=progress.update)

            try:
                return await until_signalled(run, grace=output.grace, beside=heart.beats)
            finally:
                heart.last()

    return shown


def _tell(summary: Summary, then: Callable[[Summary], None]) -> None:
    """Print the card of a run that is complete, and go on with what follows it.

    Raises:
        RequestsGivenUp: Too many of its requests were given up.
        EvoselfcodeError: What follows raises it.
    """
    from evoselfcode.terminal_card import card

    with standard_output():
        card(summary)
    if summary.shard is None:
        then(summary)
    else:
        say(f"when all shards are complete: evoselfcode merge {summary.folder.parent}")
    meter = summary.meter
    if meter.dead > MOST_GIVEN_UP * meter.settled:
        raise RequestsGivenUp(
            f"{meter.dead} of {meter.settled} requests were given up",
            hint=f'why is in {summary.folder / "journal"}, under "failure"',
        )


def with_report(summary: Summary) -> None:
    """Write the report of a run that has ended and print its card; say how to, where it is long or cannot be made here.

    Raises:
        StorageError: The report's files or the standard output cannot be written to.
    """
    from evoselfcode.datagen.pipeline.reporting import report_run, reported
    from evoselfcode.terminal_report import report_card

    if not summary.sent and reported(summary.folder):
        return
    how = f"what it found, and which arm is better: evoselfcode report {summary.folder}"
    if summary.meter.draws.total() > MOST_REPORTED:
        say(how)
        return
    try:
        made = report_run(summary.folder)
    except UsageError:  # the statistics libraries are an extra; the command says which
        say(how)
        return
    with standard_output():
        report_card(made)


def with_filters(summary: Summary, *, config: RunConfig, quiet: bool) -> None:
    """Filter the code of a run that has ended, unless it was by the same settings.

    Raises:
        StorageError: A file or the standard output cannot be written to.
    """
    filter_in_shell([summary.folder], config, out=None, again=False, quiet=quiet)


def filter_in_shell(folders: Sequence[Path], config: RunConfig, *, out: Path | None, again: bool, quiet: bool) -> None:
    """Filter code with progress and signals, and print the card."""

    from evoselfcode.datagen.code.filtering import filter_code
    from evoselfcode.terminal_code import code_card
    from evoselfcode.terminal_work import Work

    async def run(stop: Stop) -> dict[str, Any]:
        work = Work("filter", inf if quiet else config.output.heartbeat_seconds)
        progress = partial(work, "looked_at", "draws")
        return await filter_code(folders, config, out=out, again=again, stop=stop, progress=progress)

    looked = partial(until_signalled, grace=config.output.grace, under_way="the functions that are looked at")
    metrics, folder = loops.run(looked, run), out or folders[0]
    with standard_output():
        code_card(metrics, folder)
    with_code_report(folder, metrics["draws"], again=again)


def with_code_report(folder: Path, draws: int, *, again: bool) -> None:
    """Write the report of what was filtered, and chosen, and print where it is; say how to, where it cannot be here.

    Args:
        folder: The folder of a code run.
        draws: How many draws it has; the report of very many takes a while.
        again: Whether to write a report anew that is of the same files.

    Raises:
        StorageError: A file or the standard output cannot be written to.
    """
    from evoselfcode.datagen.code.reporting import report_code, reported_code
    from evoselfcode.terminal_code import code_report_card

    if not again and reported_code(folder):
        return
    if draws > MOST_REPORTED:
        say(f"what was dropped and why, with examples: evoselfcode report {folder}")
        return
    try:
        made = report_code(folder)
    except UsageError as error:  # the statistics libraries are an extra
        say(f"no report was written: {error}")
        return
    with standard_output():
        code_report_card(made, after_the_filter=True)


def report_in_shell(folder: Path) -> None:
    """Write the report of the run in `folder`, whichever stage it is of, and print its card.

    Raises:
        UsageError: There is no run in the folder, or one of a stage that has no report.
        StorageError: A file or the standard output cannot be read or written to.
    """
    from evoselfcode.datagen.code.reporting import is_filtered, report_code
    from evoselfcode.datagen.pipeline.reporting import report_run, stage_of
    from evoselfcode.terminal_code import code_report_card
    from evoselfcode.terminal_report import report_card

    stage = stage_of(folder)
    show: Callable[[Mapping[str, Any]], None]
    if stage == "code" or (stage is None and is_filtered(folder)):
        made, show = report_code(folder), code_report_card
    elif stage in ("names", None):
        made, show = report_run(folder), report_card
    else:
        raise UsageError(
            f"{folder} is a run of the stage {stage!r}, which has no report",
            hint="the stages names and code have one",
        )
    with standard_output():
        show(made)


def audit_in_shell(corpus: Path, config: RunConfig, out: Path | None) -> None:
    """Audit the filters with a corpus and print what each gate does to it."""

    from evoselfcode.datagen.code.auditing import audit
    from evoselfcode.storage import write_document
    from evoselfcode.terminal_code import audit_table

    if out is not None and (out.is_dir() or not out.parent.is_dir()):
        raise UsageError(f"{out} is no file that can be written", hint="name a file in a folder that is there by --out")

    async def run(stop: Stop) -> dict[str, Any]:
        return await audit(corpus, config, stop)

    made = loops.run(
        partial(until_signalled, grace=config.output.grace, under_way="the programs that are looked at"), run
    )
    if out is not None:
        write_document(out, made)
    with standard_output():
        audit_table(made)


@contextmanager
def standard_output() -> Iterator[None]:
    """Turn an error of the standard output, where results go, into a message."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"cannot write to the standard output: {error.strerror or error}") from error
