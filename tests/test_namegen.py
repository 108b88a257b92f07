"""The names stage as data: the plan, its keys and seeds, the rows, and the library calls."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Iterable

import anyio
import pytest
from embedded import Embedded
from hypothesis import given
from hypothesis import strategies as st

from evoselfcode import OpenAICompletionClient, RunConfig, generate_funcnames_fim, stream_funcnames
from evoselfcode.datagen.pipeline.namegen import NAMES, NameRow, plan, views
from evoselfcode.datagen.pipeline.stage import requests
from evoselfcode.errors import UsageError
from evoselfcode.records import Fim, L2r, Usage
from evoselfcode.storage import Draw, Entry


def config(**namegen: object) -> RunConfig:
    return RunConfig.from_mapping({"namegen": {"num_requests": 6, "temperature": 1.0, "top_p": 1.0, **namegen}})


def test_each_arm_asks_with_its_own_prompt_and_the_same_sampling() -> None:
    (fim,), (l2r,) = (list(plan(config(num_requests=1), "m", arm)) for arm in ("FIM", "L2R"))
    assert fim.prompt == Fim("This is an algorithm function.\n\ndef ", "():\n")
    assert l2r.prompt == L2r("This is an algorithm function.\n\ndef ")
    for name in ("n", "temperature", "top_p", "max_new_tokens", "stop", "logprobs"):
        assert getattr(fim.sampling, name) == getattr(l2r.sampling, name)


def test_the_token_boundary_strips_the_space_in_both_arms_and_the_stop_of_spaces() -> None:
    settings = RunConfig.from_mapping({"prompts": {"boundary": "token"}, "namegen": {"num_requests": 1}})
    (fim,), (l2r,) = (list(plan(settings, "m", arm)) for arm in ("FIM", "L2R"))
    assert fim.prompt == Fim("This is an algorithm function.\n\ndef", "():\n")
    assert l2r.prompt == L2r("This is an algorithm function.\n\ndef")
    assert fim.sampling.stop == l2r.sampling.stop == ("(", "\n")


@given(n=st.integers(1, 128), seed=st.integers(0, 2**62), count=st.integers(1, 40))
def test_no_draw_of_a_plan_has_the_seed_of_another(n: int, seed: int, count: int) -> None:
    """Servers give choice i the seed s + i. Sabotage: space the seeds by one."""
    settings = config(n=n, seed=seed, num_requests=count)
    seeds = [request.sampling.seed or 0 for request in plan(settings, "m", "L2R")]
    draws = [first + i for first in seeds for i in range(n)]
    assert len(set(draws)) == n * count


def test_keys_are_content_not_position() -> None:
    """D14. A longer plan, another concurrency or output folder asks nothing anew; all else does."""
    keys = [request.key for request in plan(config(), "m", "L2R")]
    longer = [request.key for request in plan(config(num_requests=9), "m", "L2R")]
    assert longer[:6] == keys
    assert len(set(longer)) == 9
    for other in (config(temperature=0.9), config(n=5), config(seed=1), config(stop=["("])):
        assert not set(keys) & {request.key for request in plan(other, "m", "L2R")}
    assert not set(keys) & {request.key for request in plan(config(), "other", "L2R")}
    assert not set(keys) & {request.key for request in plan(config(), "m", "FIM")}


def test_the_arms_take_turns() -> None:
    arms = [request.arm for request in requests(NAMES, config(), "m", None, ("FIM", "L2R"))]
    assert arms == ["FIM", "L2R"] * 6


def entries() -> list[Entry]:
    def entry(arm: str, number: int, *draws: tuple[str, str | None]) -> Entry:
        return Entry(
            key=f"{arm}{number}",
            stage="names",
            arm=arm,
            number=number,
            seed=10 * number,
            attempts=1,
            seconds=0.0,
            usage=Usage(1, 1),
            draws=tuple(Draw(raw_text=f" {name}", text=name, reason=reason) for name, reason in draws),
        )

    return [
        entry("FIM", 0, ("merge_sort", None), ("foo", "weak")),
        entry("L2R", 0, ("merge_sort", None), ("find_path", None)),
        entry("FIM", 1, ("find_path", None), ("merge_sort", "duplicate")),
        entry("L2R", 1, ("find_path", "duplicate"), ("", "empty")),
    ]


def test_views_do_not_depend_on_the_order_over_the_network() -> None:
    """Sabotage: show the draw that came first."""

    def shown(order: Iterable[Entry]) -> dict[str, list[NameRow]]:
        return {name: list(rows) for name, rows in views(config(), order).items()}

    expected = shown(entries())
    assert [row["func_name"] for row in expected["fim_raw.jsonl"]] == ["merge_sort", "find_path"]
    assert [row["func_name"] for row in expected["l2r_raw.jsonl"]] == ["merge_sort", "find_path"]
    assert expected["combined_raw.jsonl"][0] == {"func_name": "merge_sort", "source": "FIM", "raw_text": " merge_sort"}
    assert len(expected["combined_raw.jsonl"]) == 4
    for order in itertools.permutations(entries()):
        assert shown(order) == expected


def test_the_sync_call_returns_rows_of_one_mode() -> None:
    rows = generate_funcnames_fim(OpenAICompletionClient(), config(), mode="FIM")
    assert rows
    assert all(set(row) == {"func_name", "source", "raw_text"} for row in rows)
    assert {row["source"] for row in rows} == {"FIM"}
    assert len({row["func_name"] for row in rows}) == len(rows)


def test_the_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    first, again, other = (generate_funcnames_fim(OpenAICompletionClient(), config(seed=s), "L2R") for s in (3, 3, 4))
    assert first == again != other


def test_an_unknown_mode_is_refused_in_words() -> None:
    with pytest.raises(UsageError, match="expected one of 'FIM', 'L2R'"):
        generate_funcnames_fim(OpenAICompletionClient(), config(), mode="fim")


async def test_the_sync_call_works_inside_a_running_loop() -> None:
    assert generate_funcnames_fim(OpenAICompletionClient(), config(), mode="L2R")


async def test_the_stream_yields_the_rows_of_the_sync_call() -> None:
    rows = [row async for row in stream_funcnames(OpenAICompletionClient(), config(), mode="L2R")]
    whole = generate_funcnames_fim(OpenAICompletionClient(), config(), mode="L2R")
    assert sorted(row["func_name"] for row in rows) == sorted(row["func_name"] for row in whole)


async def test_the_stream_is_back_pressured() -> None:
    """While a row is held, requests stop. Sabotage: an unbounded queue in ``engine.pool``."""
    server = Embedded()
    settings = RunConfig.from_mapping({"api": {"concurrency": 4}, "namegen": {"num_requests": 5000}})
    stream = stream_funcnames(server.client(), settings, mode="L2R")
    await anext(stream)
    asked = -1
    while asked != len(server.bodies):
        asked = len(server.bodies)
        for _ in range(50):
            await anyio.lowlevel.checkpoint()
    assert asked < 5 * 4 + 6  # what stream_funcnames promises, and the preflight
    await stream.aclose()


@pytest.mark.parametrize("rows_wanted", [1, 100])
async def test_cancelling_the_stream_in_a_task_group_leaves_nothing_behind(rows_wanted: int) -> None:
    """Warnings are errors in this suite: a socket, task or generator left behind turns this red."""
    before = asyncio.all_tasks()
    seen = 0

    async def consume(scope: anyio.CancelScope) -> None:
        nonlocal seen
        async for _ in stream_funcnames(OpenAICompletionClient(), config(num_requests=5000, n=8), mode="L2R"):
            seen += 1
            if seen >= rows_wanted:
                scope.cancel()
                await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        group.start_soon(consume, group.cancel_scope)
    for _ in range(20):
        await asyncio.sleep(0)
    assert seen == rows_wanted
    assert asyncio.all_tasks() == before


async def test_two_streams_share_a_task_group() -> None:
    names: dict[str, int] = {}

    async def consume(mode: str) -> None:
        async for row in stream_funcnames(OpenAICompletionClient(), config(), mode=mode):
            names[row["source"]] = names.get(row["source"], 0) + 1
            await anyio.sleep(0.001 * random.random())

    async with anyio.create_task_group() as group:
        group.start_soon(consume, "FIM")
        group.start_soon(consume, "L2R")
    assert set(names) == {"FIM", "L2R"}
