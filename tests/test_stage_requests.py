"""The plan of several arms: they take turns until all are done, or come in an order of the stage's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import anyio
import pytest
from endpoints import DONE, Scripted, as_it_is, fleet_of

from evoselfcode import RunConfig
from evoselfcode.clients import Findings
from evoselfcode.datagen.pipeline.namegen import NAMES
from evoselfcode.datagen.pipeline.stage import request_key, requests
from evoselfcode.engine import outcomes
from evoselfcode.errors import FimUnavailable
from evoselfcode.records import Completion, L2r, Request, Sampling
from evoselfcode.wire.dialect import Dialect

LENGTHS = {"a": 3, "b": 0, "c": 1}
GREEDY = Sampling(max_new_tokens=1)


def plan(config: RunConfig, model: str, arm: str) -> Iterator[Request]:
    for number in range(LENGTHS[arm]):
        yield Request(key=f"{arm}{number}", prompt=L2r(""), sampling=GREEDY, arm=arm)


def together(config: RunConfig, model: str, arms: Sequence[str]) -> Iterator[Request]:
    for arm in arms:
        yield from plan(config, model, arm)


def test_arms_of_unequal_length_take_turns_until_all_are_done() -> None:
    """Sabotage: end with the shortest arm, or refuse what is longer."""
    stage = replace(NAMES, plan=plan)
    assert [it.key for it in requests(stage, RunConfig(), "m", None, "abc")] == ["a0", "c0", "a1", "a2"]
    ordered = replace(stage, together=together)
    assert [it.key for it in requests(ordered, RunConfig(), "m", None, "cab")] == ["c0", "a0", "a1", "a2"]


def test_a_key_is_of_a_row_where_it_is_about_one() -> None:
    """Journals of before hold their keys. Sabotage: hash a row that is none."""
    keys = [request_key("s", "a", L2r("p"), GREEDY, 0, "m", row) for row in (None, "1", "2")]
    assert keys[0] == "db2745cc7e09a0e7abe054bff34f1d7f"
    assert len(set(keys)) == 3


def test_what_a_server_cannot_serve_is_left_out_but_not_all_of_it() -> None:
    """Sabotage: require every arm, or none where all are left out."""
    left = replace(NAMES, left_out=lambda config, arm, findings: "too far" if arm == "FIM" else None)
    found = Findings(Dialect(fim="none"), (), 1)
    assert left.served(RunConfig(), ("FIM", "L2R"), found) == (("L2R",), {"FIM": "too far"})
    with pytest.raises(FimUnavailable):
        left.served(RunConfig(), ("FIM",), found)
    with pytest.raises(FimUnavailable):
        NAMES.served(RunConfig(), ("FIM", "L2R"), found)


async def test_a_plan_may_let_others_have_a_turn() -> None:
    """Sabotage: pass over ``None`` without a turn of the event loop, or take it for the end of the plan."""
    heard: list[str] = []
    begun = anyio.Event()

    async def send(request: Request) -> Completion:
        return DONE

    async def hear() -> None:
        await begun.wait()
        heard.append("a signal")

    def planned() -> Iterator[Request | None]:
        yield from plan(RunConfig(), "m", "a")
        begun.set()
        for _ in range(1000):
            if heard:
                break
            yield None
        yield Request(key="last" if heard else "nobody was heard", prompt=L2r(""), sampling=GREEDY)

    async with anyio.create_task_group() as group:
        found: list[str] = []
        group.start_soon(hear)
        async for batch in outcomes(planned(), fleet_of(Scripted(send), slots=1), finish=as_it_is):
            found += [outcome.request.key for outcome in batch]
    assert sorted(found) == ["a0", "a1", "a2", "last"]
