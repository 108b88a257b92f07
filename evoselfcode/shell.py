"""A run in a shell or a pod: signals, the limit on open files, and what ends with which exit code.

This file decides when a signal ends a run and which outcome is an error. What a run does is
:mod:`evoselfcode.datagen.pipeline.run`; which commands there are is :mod:`evoselfcode.cli`.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from evoselfcode import loops
from evoselfcode.errors import EvoselfcodeError, Interrupted, RequestsGivenUp, StorageError, UsageError
from evoselfcode.sockets import with_room
from evoselfcode.terminal import say

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

    from evoselfcode.clients import OpenAICompletionClient
    from evoselfcode.config import RunConfig
    from evoselfcode.datagen.pipeline.stage import Stage
    from evoselfcode.datagen.pipeline.summary import Summary
    from evoselfcode.engine import Stop

GRACE_SECONDS = 60.0
"""Time that attempts in flight have to end after the first signal; a pod's default grace is 30 s, and a second
signal (or SIGKILL) is survived too: only what is in flight is asked again."""

MOST_GIVEN_UP = 0.05
"""Share of a run's requests that may be given up before its exit code says so."""

MOST_REPORTED = 200_000
"""Draws of a run up to which its report is made at its end: about ten seconds."""

T = TypeVar("T")


def run_in_shell(
    stage: Stage[Any],
    config: RunConfig,
    arms: tuple[str, ...] = (),
    *,
    new_run: bool,
    quiet: bool,
    client: OpenAICompletionClient | None = None,
    then: Callable[[Summary], None] = lambda summary: None,
) -> None:
    """Run a stage with progress, signals and the card at the end; `then` is called when it is complete.

    The client is the one that the configuration describes, unless another is given.
    """
    from evoselfcode import terminal
    from evoselfcode.clients import OpenAICompletionClient
    from evoselfcode.datagen.pipeline.run import run_stage

    for warning in stage.warnings(config):
        say(f"warning: {warning}")
    config = with_room(config, stage.concurrency(config))
    client = client or OpenAICompletionClient.from_config(config)
    begin = partial(run_stage, stage, client, config, arms=arms or None, new_run=new_run)

    async def run(stop: Stop) -> Summary:
        with terminal.display(config.output.heartbeat_seconds, quiet=quiet) as shown:
            return await begin(stop=stop, report=shown.update)

    summary = loops.run(until_signalled, run)
    with standard_output():
        terminal.card(summary)
    then(summary)
    meter = summary.meter
    if meter.dead > MOST_GIVEN_UP * meter.settled:
        raise RequestsGivenUp(
            f"{meter.dead} of {meter.settled} requests were given up",
            hint=f'why is in {summary.folder / "journal.jsonl"}, under "failure"',
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
    from evoselfcode.terminal_beat import Beat
    from evoselfcode.terminal_code import code_card

    async def run(stop: Stop) -> dict[str, Any]:
        beat = Beat("filter", inf if quiet else config.output.heartbeat_seconds)
        progress = partial(beat, "looked_at", "draws")
        return await filter_code(folders, config, out=out, again=again, stop=stop, progress=progress)

    looked = partial(until_signalled, under_way="the functions that are looked at")
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

    made = loops.run(partial(until_signalled, under_way="the programs that are looked at"), run)
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


async def until_signalled(run: Callable[[Stop], Awaitable[T]], *, under_way: str = "attempts in flight") -> T:
    """Run to the end; the first SIGINT or SIGTERM lets what is under way end, the second cancels it.

    Args:
        run: Runs until it has ended or been told to stop.
        under_way: What may end after the first signal, as people are told.

    Raises:
        Interrupted: The run was cancelled.
    """
    import anyio

    from evoselfcode.engine import Stop

    stop = Stop()
    result: list[T] = []
    errors: list[EvoselfcodeError] = []

    async def watch(*, task_status: TaskStatus[None]) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            async for _ in signals:
                if stop.is_set():
                    group.cancel_scope.cancel()
                    return
                stop.set()
                say(f"stopping: {under_way} may end; once more to cancel them")
                group.start_soon(grace)

    async def grace() -> None:
        await anyio.sleep(GRACE_SECONDS)
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        await group.start(watch)  # not before a signal can be caught: reading a long journal takes a while
        try:
            result.append(await run(stop))
        except EvoselfcodeError as error:
            errors.append(error)
        group.cancel_scope.cancel()
    if errors:
        raise errors[0]
    if not result:
        raise Interrupted(f"cancelled with {under_way}", hint="run the same command again to resume")
    return result[0]
