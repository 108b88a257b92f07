"""The command that finds out what an endpoint can take."""

from __future__ import annotations

import os
from functools import partial
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from evoselfcode import loops
from evoselfcode.bench import HIGHEST
from evoselfcode.cli_options import on_its_own, quietly, with_arms, with_settings
from evoselfcode.errors import EndpointDown, Interrupted, UsageError
from evoselfcode.shell import standard_output
from evoselfcode.signals import interruptible, until_signalled
from evoselfcode.sockets import with_room

if TYPE_CHECKING:
    from evoselfcode.bench.asking import Asked
    from evoselfcode.bench.measuring import Wish
    from evoselfcode.config import RunConfig
    from evoselfcode.engine import Stop


@click.command()
@click.option("--base-url", metavar="URL", default=None, help="The endpoint; several replicas with commas between.")
@click.option("--model", metavar="NAME", default=None, help="Model name; the one that the server lists if left out.")
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=None,
    help="Configuration file; configs/datagen.yaml if there is one, else the defaults.",
)
@with_settings
@with_arms
@click.option("--seconds", type=click.FloatRange(0.1), default=10.0, show_default=True, help="Seconds of one level.")
@click.option(
    "--max-concurrency",
    type=click.IntRange(1, HIGHEST),
    default=1024,
    show_default=True,
    help="Most requests in flight, of all replicas together.",
)
@click.option(
    "--max-time", type=click.FloatRange(1), default=600.0, show_default=True, help="Most seconds of all levels."
)
@click.option("--max-requests", type=click.IntRange(1), default=None, help="Most requests sent; no bound if left out.")
@quietly
def bench(
    base_url: str | None,
    model: str | None,
    config_path: Path | None,
    overrides: tuple[str, ...],
    arms: tuple[str, ...],
    seconds: float,
    max_concurrency: int,
    max_time: float,
    max_requests: int | None,
    quiet: bool,
) -> None:
    """Find out how many requests at once the endpoint is worth, what it gives then, and who is the limit.

    It is asked what a run of datagen-names would ask, at 1, 2, 4 ... requests in flight until more no longer pays, then
    between the last two. Nothing is written. A card goes to the standard output, settings to paste, and as its last
    line all of it as JSON. On an endpoint that costs money this costs money: --max-requests is a bound.
    """
    from evoselfcode.bench.measuring import Wish

    config = on_its_own(config_path, overrides, base_url, model, os.environ)
    if not config.api.is_server:
        raise UsageError(
            "there is no endpoint to measure: api.base_url is local:, the embedded model in this process",
            hint="give --base-url http://host:port; `evoselfcode serve` serves the embedded model",
        )
    with interruptible():
        config, most = _with_room(config, max_concurrency)
    wish = Wish(seconds=seconds, most=most, max_seconds=max_time, max_requests=max_requests)
    _run(config, wish, arms, quiet=quiet)


def _with_room(config: RunConfig, most: int) -> tuple[RunConfig, int]:
    """Raise the limit on open files as far as it goes; return the configuration and the highest level that fits."""
    many = len(config.api.addresses)
    # `most` is of all replicas together, however many pods a headless name turns out to have
    api = msgspec.structs.replace(config.api, max_concurrency=ceil(most / many), headless=False)
    fitted = with_room(msgspec.structs.replace(config, api=api), None)
    return config, min(most, many * (fitted.api.max_concurrency or most))


def _run(config: RunConfig, wish: Wish, arms: tuple[str, ...], *, quiet: bool) -> None:
    """Climb, print what was found however it ended, and raise what ended it.

    Raises:
        Interrupted: A signal ended it.
        EndpointDown: The endpoint went away, or not one request was answered.
        EvoselfcodeError: It could not begin.
    """
    from evoselfcode.bench.asking import Asked
    from evoselfcode.bench.asking import bench as climb
    from evoselfcode.clients import OpenAICompletionClient
    from evoselfcode.terminal_bench import announce, show

    asked = Asked()
    client = OpenAICompletionClient.from_config(config)

    def ready(asked: Asked) -> None:
        if not quiet:
            announce(wish, asked, config.namegen.n, config.namegen.max_new_tokens)

    async def climbed(stop: Stop) -> None:
        told = (lambda level: None) if quiet else show
        await climb(client, config, wish, asked, stop, arms=arms, ready=ready, told=told)

    watched = partial(until_signalled, grace=config.output.grace, under_way="what is being measured")
    try:
        loops.run(watched, climbed)
    except Interrupted:
        asked.cut = "stopped"
    if asked.replicas:
        _tell(config, wish, asked)
    if asked.cut == "stopped":
        raise Interrupted("the bench was stopped before it was done", hint="run the same command again")
    if asked.error is not None:
        raise asked.error
    if asked.ladder.knee is None and asked.ladder.levels:
        raise EndpointDown("no level was measured without trouble", hint="the card says what failed")


def _tell(config: RunConfig, wish: Wish, asked: Asked) -> None:
    import orjson

    from evoselfcode.bench.document import document
    from evoselfcode.bench.verdict import verdict
    from evoselfcode.terminal_bench import bench_card

    fast = loops.loop_factory() is not None
    rated = config.api.requests_per_second is not None or config.api.tokens_per_minute is not None
    judged = verdict(asked.ladder, asked.cut, fast_loop=fast, rated=rated)
    found = document(config, wish, asked, judged, fast_loop=fast)
    with standard_output():
        bench_card(found, [level for _, level in sorted(asked.ladder.levels.items())])
        click.echo(orjson.dumps(found).decode())
