"""A run in a shell or a pod: signals, the limit on open files, and what ends with which exit code.

This file decides when a signal ends a run and which outcome is an error. What a run does is
:mod:`evoselfcode.datagen.pipeline.run`; which commands there are is :mod:`evoselfcode.cli`.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from evoselfcode.errors import EvoselfcodeError, Interrupted, RequestsGivenUp, StorageError, UsageError
from evoselfcode.terminal import say

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

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

SPARE_FILES = 64
"""Open files of a run besides its connections."""

T = TypeVar("T")


def run_in_shell(stage: Stage[Any], config: RunConfig, arms: tuple[str, ...], *, new_run: bool, quiet: bool) -> None:
    """Run a stage with progress, signals and the card at the end."""
    import anyio

    from evoselfcode import terminal
    from evoselfcode.clients import OpenAICompletionClient
    from evoselfcode.datagen.pipeline.reporting import reported
    from evoselfcode.datagen.pipeline.run import run_stage

    for warning in config.warnings():
        say(f"warning: {warning}")
    if config.api.base_url != "local:":
        allow_sockets(config.api.concurrency)
    client = OpenAICompletionClient.from_config(config)
    begin = partial(run_stage, stage, client, config, arms=arms or None, new_run=new_run)

    async def run(stop: Stop) -> Summary:
        with terminal.display(config.output.heartbeat_seconds, quiet=quiet) as shown:
            return await begin(stop=stop, report=shown.update)

    summary = anyio.run(until_signalled, run)
    with standard_output():
        terminal.card(summary)
        if summary.sent or not reported(summary.folder):
            _report(summary)
    meter = summary.meter
    if meter.dead > MOST_GIVEN_UP * meter.settled:
        raise RequestsGivenUp(
            f"{meter.dead} of {meter.settled} requests were given up",
            hint=f'why is in {summary.folder / "journal.jsonl"}, under "failure"',
        )


def _report(summary: Summary) -> None:
    """Write the report of a run that has ended and print its card; say how to, where it is long or cannot be made here.

    Raises:
        OSError: The standard output cannot be written to.
        StorageError: The report's files cannot.
    """
    from evoselfcode.datagen.pipeline.reporting import report_run
    from evoselfcode.terminal_report import report_card

    how = f"what it found, and which arm is better: evoselfcode report {summary.folder}"
    if summary.meter.draws.total() > MOST_REPORTED:
        say(how)
        return
    try:
        made = report_run(summary.folder)
    except UsageError:  # the statistics libraries are an extra; the command says which
        say(how)
        return
    report_card(made)


@contextmanager
def standard_output() -> Iterator[None]:
    """Turn an error of the standard output, where results go, into a message."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"cannot write to the standard output: {error.strerror or error}") from error


def allow_sockets(wanted: int) -> None:
    """Raise the limit on open files where `wanted` connections do not fit; say so if they cannot.

    Without, a connection that this system refuses looks like an endpoint that is away.
    """
    import resource

    needed = wanted + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < needed:
        say(f"warning: {most} files may be open at once (ulimit -n), too few for api.concurrency {wanted}")
        say(f"hint: set api.concurrency to {max(1, most - SPARE_FILES)} or less")


async def until_signalled(run: Callable[[Stop], Awaitable[T]]) -> T:
    """Run to the end; the first SIGINT or SIGTERM lets attempts in flight end, the second cancels them.

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
                say("stopping: attempts in flight may end; once more to cancel them")
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
        raise Interrupted("cancelled while requests were in flight", hint="run the same command again to resume")
    return result[0]
