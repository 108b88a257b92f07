"""The names stage: function names by FIM and by L2R.

This file is the stage as data: what is asked, how a name is read, who judges it, which files show it. How a stage is
run is :mod:`evoselfcode.datagen.pipeline.stage`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator
from hashlib import blake2b
from itertools import islice
from typing import TypedDict

from evoselfcode.clients import Findings, OpenAICompletionClient
from evoselfcode.clients.sync import run_sync
from evoselfcode.config import RunConfig, cells
from evoselfcode.config.check import SEEDS
from evoselfcode.datagen import prompts
from evoselfcode.datagen.filters.names import NameJudge, canonical, parse_name
from evoselfcode.datagen.pipeline.levers import digests, levers
from evoselfcode.datagen.pipeline.stage import OneByOne, Stage, in_memory, request_key, stream
from evoselfcode.errors import UsageError
from evoselfcode.records import Request, Sampling
from evoselfcode.storage import Draw, Entry, make_entry


class NameRow(TypedDict):
    """One kept name, as the files and the library calls show it."""

    func_name: str
    source: str
    raw_text: str


def plan(config: RunConfig, model: str, arm: str) -> Iterator[Request]:
    """Yield the requests of one arm, one at a time.

    Seeds are spaced by ``n``: a server draws choice *i* with ``seed + i``, and requests that lie closer would
    repeat each other's draws.

    Raises:
        ConfigError: A file that the arm takes topics or names from cannot be read.
    """
    cell = cells(config)[arm]
    settings = config.namegen
    stop = prompts.funcname_stop(config, cell)
    same = None if cell.levers else prompts.funcname_prompt(config, cell)
    first = int.from_bytes(blake2b(f"{settings.seed}/{arm}".encode(), digest_size=4).digest()) % SEEDS
    for number, given in enumerate(islice(levers(cell, settings.seed), settings.num_requests)):
        prompt = same or prompts.funcname_prompt(config, cell, topic=given.topic, word=given.word, used=given.used)
        sampling = Sampling(
            max_new_tokens=settings.max_new_tokens,
            n=settings.n,
            temperature=cell.temperature,
            top_p=cell.top_p,
            stop=stop,
            seed=(first + number * settings.n) % SEEDS,
            logprobs=0 if settings.logprobs else None,
        )
        key = request_key("names", arm, prompt, sampling, number, model)
        yield Request(
            key=key, prompt=prompt, sampling=sampling, stage="names", arm=arm, number=number, topic=given.topic
        )


def require(config: RunConfig, arm: str, findings: Findings) -> None:
    """Refuse an arm that this server cannot serve.

    Raises:
        FimUnavailable: It fills in the middle, and no way of that works, or not in the order that it prescribes.
    """
    cell = cells(config)[arm]
    if cell.fim:
        findings.require_fim(cell.order)


def judge(config: RunConfig) -> OneByOne:
    """Build the judge of one arm."""
    return OneByOne(NameJudge(config.filters.name_regex, config.namegen.weaklist))


def name_of(draw: Draw) -> str | None:
    """Return the canonical name of a draw that no gate objects to, a repeated one too."""
    return canonical(draw.text) if draw.accepted else None


def row(arm: str, draw: Draw) -> NameRow:
    """Show a kept draw."""
    return NameRow(func_name=draw.text, source=arm, raw_text=draw.raw_text)


def views(config: RunConfig, entries: Iterable[Entry]) -> dict[str, list[NameRow]]:
    """Rebuild the files of the stage from its journal.

    Of several draws of one name, an arm shows the one that comes first in the plan, whatever came first over the
    network: the same answers give the same files. The arms that fill in the middle go to ``fim_raw.jsonl``, the others
    to ``l2r_raw.jsonl``.
    """
    fim = {arm for arm, cell in cells(config).items() if cell.fim}
    best: dict[tuple[str, str], tuple[int, int, Draw]] = {}
    for entry in entries:
        for index, draw in enumerate(entry.draws):
            if draw.accepted:
                # Choice i has the seed + i, also where the choices were asked for one by one.
                place, name = (entry.number, (entry.seed or 0) + index, draw), (entry.arm, draw.text)
                best[name] = min(best.get(name, place), place, key=lambda found: found[:2])
    ordered = sorted((number, arm, seed, name) for (arm, name), (number, seed, _) in best.items())
    rows = [row(arm, best[arm, name][2]) for _, arm, _, name in ordered]
    return {
        "fim_raw.jsonl": [shown for shown in rows if shown["source"] in fim],
        "l2r_raw.jsonl": [shown for shown in rows if shown["source"] not in fim],
        "combined_raw.jsonl": rows,
    }


NAMES: Stage[NameRow] = Stage(
    name="names",
    arms=lambda config: tuple(config.namegen.arms),
    n=lambda config: config.namegen.n,
    plan=plan,
    fingerprint=lambda config: config.fingerprint("names") | digests(cells(config)),
    seed=lambda config: config.namegen.seed,
    rules=lambda config: config.namegen.saturation,
    warnings=RunConfig.warnings,
    require=require,
    parse=parse_name,
    judge=judge,
    name_of=name_of,
    row=lambda arm, task, draw: row(arm, draw),
    views=views,
)


def stream_funcnames(
    client: OpenAICompletionClient, config: RunConfig, mode: str = "FIM"
) -> AsyncGenerator[NameRow, None]:
    """Yield names as they are kept.

    Nothing is written. The stream is back-pressured: while you hold a row, at most five times ``api.concurrency``
    outcomes wait. It may be left by ``break``, by an exception or by cancellation, also from inside a task group; its
    workers and connections end with it.

    Args:
        client: The client to ask with.
        config: Prompts, sampling, filters and limits.
        mode: ``FIM``, ``L2R``, or another arm of ``namegen.arms``.

    Yields:
        Rows with ``func_name``, ``source`` and ``raw_text``; no name twice.

    Raises:
        FimUnavailable: ``mode`` is ``FIM`` and no way of FIM works on this server.
        EndpointDown: The endpoint was away for longer than ``api.outage_limit``.
        EndpointRefused: The endpoint refuses every request: key, model or URL.
    """
    return stream(NAMES, client, config, _arm(config, mode))


def generate_funcnames_fim(client: OpenAICompletionClient, config: RunConfig, mode: str = "FIM") -> list[NameRow]:
    """Generate function names in one mode and return those that were kept, in the order of the plan.

    The same answers give the same list, whatever their order over the network. The sync twin of
    :func:`stream_funcnames`; works in scripts, in threads and inside a running event loop.

    Args:
        client: The client to ask with.
        config: Prompts, sampling, filters and limits.
        mode: ``FIM`` (fill-in-the-middle), ``L2R`` (left-to-right), or another arm of ``namegen.arms``.

    Raises:
        FimUnavailable: ``mode`` is ``FIM`` and no way of FIM works on this server.
        EndpointDown: The endpoint was away for longer than ``api.outage_limit``.
        EndpointRefused: The endpoint refuses every request: key, model or URL.
    """
    arm = _arm(config, mode)

    async def collect() -> list[Entry]:
        batches = in_memory(NAMES, client, config, arm)
        return [make_entry(settled.outcome, settled.draws) async for batch in batches for settled in batch]

    return views(config, run_sync(collect))["combined_raw.jsonl"]


def _arm(config: RunConfig, mode: str) -> str:
    if mode in config.namegen.arms:
        return mode
    raise UsageError(f"mode is {mode!r}, expected one of {', '.join(map(repr, config.namegen.arms))}")
