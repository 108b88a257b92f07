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
from evoselfcode.storage import DUPLICATE, Draw, Entry, make_entry


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


def views(config: RunConfig, entries: Iterable[Entry]) -> dict[str, Iterator[NameRow]]:
    """Rebuild the files of the stage from its journal.

    Of several draws of one name, an arm shows the one that comes first in the plan, whatever came first over the
    network: the same answers give the same files. The arms that fill in the middle go to ``fim_raw.jsonl``, the others
    to ``l2r_raw.jsonl``. Rows are made as they are written; held is, for each, its name and its place in the plan.
    """
    arms = cells(config)
    names = _Names(arms)
    for entry in entries:
        names.add(entry)
    fim = {arm for arm, cell in arms.items() if cell.fim}
    return {
        "fim_raw.jsonl": names.rows(fim),
        "l2r_raw.jsonl": names.rows(set(arms) - fim),
        "combined_raw.jsonl": names.rows(set(arms)),
    }


_SEED_BITS, _ARM_BITS = 64, 16
_LAST_ARM = (1 << _ARM_BITS) - 1


class _Names:
    """The names that no gate objects to, each with the first of its draws in the plan of its arm.

    A place in the plan is one whole number: that of the request, the arm's rank, the seed of the choice.
    """

    def __init__(self, arms: Iterable[str]) -> None:
        self._arms = sorted(arms)
        self._ranks = {arm: rank << _SEED_BITS for rank, arm in enumerate(self._arms)}
        self._places: dict[str, dict[str, int]] = {arm: {} for arm in self._arms}
        self._raw: dict[int, str] = {}
        self._names: dict[int, str] = {}

    def add(self, entry: Entry) -> None:
        places = self._places[entry.arm]
        # Choice i has the seed + i, also where the choices were asked for one by one.
        place = entry.number << _SEED_BITS + _ARM_BITS | self._ranks[entry.arm] | (entry.seed or 0)
        for draw in entry.draws:
            if draw.reason is None or draw.reason == DUPLICATE:  # it is accepted
                text = draw.text
                before = places.get(text)
                if before is None or place < before:
                    places[text] = place
                    if before is not None:
                        self._raw.pop(before, None)
                    if draw.raw_text != text:
                        self._raw[place] = draw.raw_text
            place += 1

    def rows(self, wanted: set[str]) -> Iterator[NameRow]:
        for places in self._places.values():
            while places:  # one of the two at a time: there may be millions
                name, place = places.popitem()
                self._names[place] = name
            places.clear()  # which gives its memory back; to be empty is not enough
        arms, names, raw = self._arms, self._names, self._raw
        for place in sorted(names):
            arm = arms[place >> _SEED_BITS & _LAST_ARM]
            if arm in wanted:
                name = names[place]
                yield {"func_name": name, "source": arm, "raw_text": raw.get(place, name)}


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

    return list(views(config, run_sync(collect))["combined_raw.jsonl"])


def _arm(config: RunConfig, mode: str) -> str:
    if mode in config.namegen.arms:
        return mode
    raise UsageError(f"mode is {mode!r}, expected one of {', '.join(map(repr, config.namegen.arms))}")
