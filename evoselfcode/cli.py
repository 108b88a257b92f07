"""The command line: the only owner of signals and exit codes.

This file decides which commands there are and how a run ends for the shell. What a run does is
:mod:`evoselfcode.datagen.pipeline.run`; what people see of it is :mod:`evoselfcode.terminal`.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from evoselfcode import __version__
from evoselfcode.errors import EvoselfcodeError, Interrupted, RequestsGivenUp, StorageError
from evoselfcode.terminal import leave, say

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

    from evoselfcode.config import RunConfig
    from evoselfcode.datagen.pipeline.stage import Stage
    from evoselfcode.engine import Stop

GRACE_SECONDS = 60.0
"""Time that attempts in flight have to end after the first signal; a pod's default grace is 30 s, and a second
signal (or SIGKILL) is survived too: only what is in flight is asked again."""

MOST_GIVEN_UP = 0.05
"""Share of a run's requests that may be given up before its exit code says so."""

SPARE_FILES = 64
"""Open files of a run besides its connections."""

T = TypeVar("T")


class _Group(click.Group):
    """Turns the package's exceptions into one message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EvoselfcodeError as error:
            if isinstance(error, Interrupted):  # what is left takes milliseconds; one more Ctrl-C would be a traceback
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            word = "stopped" if isinstance(error, Interrupted) else "error"
            say(f"{word}: {error}")
            ctx.exit(error.exit_code)
        finally:
            leave()


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="evoselfcode")
def main() -> None:
    """Generate synthetic Python code data from any code-model endpoint."""


_config = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=Path("configs/datagen.yaml"),
    show_default=True,
    help="Configuration file.",
)
_set = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override one setting, e.g. namegen.n=8."
)


@main.command("datagen-names")
@_config
@_set
@click.option(
    "--arm",
    "arms",
    multiple=True,
    type=click.Choice(["FIM", "L2R"], case_sensitive=False),
    help="Run this arm only; both if left out.",
)
@click.option("--new-run", is_flag=True, help="Set the run in the output folder aside and begin anew.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def datagen_names(
    config_path: Path, overrides: tuple[str, ...], arms: tuple[str, ...], new_run: bool, quiet: bool
) -> None:
    """Generate function names by FIM and by L2R, filter and save them.

    Run the same command again to resume: what is settled is never asked again.
    """
    from evoselfcode.datagen.pipeline.namegen import NAMES

    _run_stage(NAMES, _load(config_path, overrides), arms, new_run=new_run, quiet=quiet)


@main.command()
@_config
@_set
def doctor(config_path: Path, overrides: tuple[str, ...]) -> None:
    """Find out what the endpoint can do, and say what works, what does not, and why.

    At most six requests are sent. The exit code is 2 if no way of fill-in-the-middle works.
    """
    import anyio

    from evoselfcode.clients import Findings, OpenAICompletionClient
    from evoselfcode.terminal import findings_table

    config = _load(config_path, overrides)
    client = OpenAICompletionClient.from_config(config)

    async def look() -> Findings:
        async with client.connect(n=config.namegen.n) as connection:
            return connection.findings

    findings = anyio.run(look)
    with _standard_output():
        findings_table(findings, config.warnings())
    if any(check.level == "problem" for check in findings.checks):
        sys.exit(2)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option("--slots", type=click.IntRange(min=1), default=None, help="Generations at once; the rest queues.")
@click.option("--latency", metavar="TIME", default="0ms", help="Of each reply: 50ms, 50ms..200ms, lognormal:80ms,0.5.")
@click.option("--fault", "faults", metavar="KIND:SHARE", multiple=True, help="E.g. 429:0.05, drop:0.01, 503@10..20.")
@click.option(
    "--suffix",
    type=click.Choice(["honour", "refuse", "ignore"]),
    default="honour",
    show_default=True,
    help="What to do with the suffix field; refuse is what vLLM does.",
)
@click.option("--seed", default=0, show_default=True, help="Seeds the faults and latencies.")
def serve(
    host: str, port: int, slots: int | None, latency: str, faults: tuple[str, ...], suffix: Any, seed: int
) -> None:
    """Serve the embedded model over HTTP, with scripted faults and latencies for rehearsals."""
    from evoselfcode.local import serve as server

    app = server.make_app(
        suffix=suffix,
        slots=slots,
        latency=server.parse_latency(latency),
        faults=tuple(server.parse_fault(fault) for fault in faults),
        seed=seed,
    )
    server.run(app, host, port, on_ready=lambda url: say(f"serving the embedded model at {url}/v1"))


def _load(path: Path, overrides: tuple[str, ...]) -> RunConfig:
    from evoselfcode.config import RunConfig

    return RunConfig.from_file(path, overrides=overrides)


def _run_stage(stage: Stage[Any], config: RunConfig, arms: tuple[str, ...], *, new_run: bool, quiet: bool) -> None:
    """Run a stage with progress, signals and the card at the end."""
    import anyio

    from evoselfcode import terminal
    from evoselfcode.clients import OpenAICompletionClient
    from evoselfcode.datagen.pipeline.run import run_stage
    from evoselfcode.datagen.pipeline.summary import Summary

    for warning in config.warnings():
        say(f"warning: {warning}")
    if config.api.base_url != "local:":
        _allow_sockets(config.api.concurrency)
    client = OpenAICompletionClient.from_config(config)
    chosen: Any = [arm.upper() for arm in arms] or None

    async def run(stop: Stop) -> Summary:
        with terminal.display(config.output.heartbeat_seconds, quiet=quiet) as shown:
            return await run_stage(stage, client, config, arms=chosen, new_run=new_run, stop=stop, report=shown.update)

    summary = anyio.run(_until_signalled, run)
    with _standard_output():
        terminal.card(summary)
    meter = summary.meter
    if meter.dead > MOST_GIVEN_UP * meter.settled:
        raise RequestsGivenUp(
            f"{meter.dead} of {meter.settled} requests were given up",
            hint=f'why is in {summary.folder / "journal.jsonl"}, under "failure"',
        )


@contextmanager
def _standard_output() -> Iterator[None]:
    """Turn an error of the standard output, where results go, into a message."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"cannot write to the standard output: {error.strerror or error}") from error


def _allow_sockets(wanted: int) -> None:
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


async def _until_signalled(run: Callable[[Stop], Awaitable[T]]) -> T:
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


if __name__ == "__main__":
    main()
