"""The pool: every request comes to one outcome, waits hold no slot, and nothing stays behind however it is left."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

import anyio
import pytest
from endpoints import DONE, Scripted, as_it_is, collect, fleet_of, requests
from virtual_time import in_virtual_time

from evoselfcode.engine import Stop, outcomes
from evoselfcode.errors import EndpointRefused
from evoselfcode.records import Completion, Failure, Outcome, Request


@in_virtual_time
async def test_every_request_comes_to_one_outcome() -> None:
    async def send(request: Request) -> Completion | Failure:
        await anyio.lowlevel.checkpoint()
        return DONE

    found = await collect(fleet_of(Scripted(send)))
    assert sorted(outcome.request.number for outcome in found) == list(range(20))
    assert {outcome.attempts for outcome in found} == {1}


@in_virtual_time
async def test_a_row_costs_at_most_max_attempts() -> None:
    """R1: 100 rows of 1,000 always fail with 500: 500 requests. Sabotage: count no server error as spent."""
    sent: Counter[str] = Counter()

    async def send(request: Request) -> Completion | Failure:
        sent[request.key] += 1
        assert sent[request.key] <= 5  # else a policy that counts nothing would never end
        await anyio.sleep(1.0)
        return DONE if request.number % 10 else Failure("server_error", "boom", 500)

    found = await collect(fleet_of(Scripted(send)), 1000)
    failed = [outcome for outcome in found if isinstance(outcome.result, Failure)]
    assert len(failed) == 100
    assert {outcome.failures for outcome in failed} == {("server_error",) * 5}
    assert {outcome.attempts for outcome in failed} == {5}
    assert sum(sent.values()) == 900 + 500


@in_virtual_time
async def test_deterministic_refusals_are_not_repeated() -> None:
    async def send(request: Request) -> Completion | Failure:
        return Failure("too_long", "", 400)

    assert {outcome.attempts for outcome in await collect(fleet_of(Scripted(send)))} == {1}


@in_virtual_time
async def test_a_waiting_request_holds_no_slot() -> None:
    """With one slot, a request that waits for its retry lets the others pass. Sabotage: pause inside the gate."""
    order: list[int] = []
    first_failed = anyio.Event()

    async def send(request: Request) -> Completion | Failure:
        order.append(request.number)
        if request.number == 0 and not first_failed.is_set():
            first_failed.set()
            return Failure("server_error", "", 500, retry_after=5.0)
        await anyio.lowlevel.checkpoint()
        return DONE

    found = await collect(fleet_of(Scripted(send), slots=1), 5)
    assert len(found) == 5
    assert order[-1] == 0


@pytest.mark.parametrize("kind", ["auth", "payment", "no_model", "no_route"])
@in_virtual_time
async def test_what_every_request_would_meet_ends_the_run(kind: str) -> None:
    """R11: requests at most those in flight. Sabotage: give the row up instead."""
    sent = 0

    async def send(request: Request) -> Completion | Failure:
        nonlocal sent
        sent += 1
        await anyio.lowlevel.checkpoint()
        return Failure(kind, "no", 401)  # type: ignore[arg-type]

    with pytest.raises(EndpointRefused):
        await collect(fleet_of(Scripted(send)), 1000)
    assert sent <= 8


@in_virtual_time
async def test_outcomes_settled_before_the_end_are_delivered_first() -> None:
    async def send(request: Request) -> Completion | Failure:
        return DONE if request.number < 3 else Failure("auth", "no", 401)

    found: list[int] = []

    async def collect_numbers() -> None:
        async for batch in outcomes(requests(10), fleet_of(Scripted(send), slots=1), finish=as_it_is):
            found.extend(outcome.request.number for outcome in batch)

    with pytest.raises(EndpointRefused):
        await collect_numbers()
    assert found == [0, 1, 2]


@pytest.mark.parametrize("workers_met", [1, 20])
@in_virtual_time
async def test_a_mistake_of_the_program_ends_the_run_with_its_traceback(workers_met: int) -> None:
    """Sabotage: tell the taker of the end only when the workers ended well, and it waits for ever."""

    async def send(request: Request) -> Completion | Failure:
        await anyio.lowlevel.checkpoint()
        if request.number < workers_met:
            raise ZeroDivisionError
        return DONE

    with pytest.raises(ExceptionGroup) as raised:
        await collect(fleet_of(Scripted(send)))
    assert raised.value.subgroup(ZeroDivisionError)


@in_virtual_time
async def test_a_mistake_is_told_though_a_refusal_ends_the_run_at_the_same_moment() -> None:
    """Sabotage: raise the refusal, whatever else went wrong."""

    async def send(request: Request) -> Completion | Failure:
        await anyio.sleep(1.0)
        if request.number == 0:
            raise ZeroDivisionError
        return Failure("auth", "no", 401)

    with pytest.raises(ExceptionGroup) as raised:
        await collect(fleet_of(Scripted(send)))
    assert raised.value.subgroup(ZeroDivisionError)
    assert raised.value.subgroup(EndpointRefused)


@in_virtual_time
async def test_an_attempt_that_cancels_itself_ends_the_run_as_a_mistake() -> None:
    """Its whole group would end, and the run with a part of its rows. Sabotage: do not look at ``cancel_called``."""

    async def send(request: Request) -> Completion | Failure:
        await anyio.sleep(1.0)
        if request.number == 3:
            raise asyncio.CancelledError
        return DONE

    with pytest.raises(RuntimeError, match="nobody cancelled it"):
        await collect(fleet_of(Scripted(send)))


@in_virtual_time
async def test_the_plan_is_pulled_lazily_and_outcomes_are_back_pressured() -> None:
    """Sabotage: list(plan) at the start, or an unbounded queue."""
    pulled = 0

    def plan() -> Iterator[Request]:
        nonlocal pulled
        for request in requests(100_000):
            pulled += 1
            yield request

    async def send(request: Request) -> Completion | Failure:
        return DONE

    stream = outcomes(plan(), fleet_of(Scripted(send), slots=4), finish=as_it_is)
    await anext(stream)
    for _ in range(50):
        await anyio.lowlevel.checkpoint()
    assert pulled <= 40
    await stream.aclose()


@in_virtual_time
async def test_stop_lets_attempts_in_flight_end_and_starts_none() -> None:
    stop, release, sent = Stop(), anyio.Event(), 0

    async def send(request: Request) -> Completion | Failure:
        nonlocal sent
        sent += 1
        await release.wait()
        return DONE

    found: list[Outcome] = []

    async def run() -> None:
        async for batch in outcomes(requests(100), fleet_of(Scripted(send), slots=4), finish=as_it_is, stop=stop):
            found.extend(batch)

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await anyio.wait_all_tasks_blocked()
        stop.set()
        release.set()
    assert sent == 4
    assert len(found) == 4


@in_virtual_time
async def test_stop_ends_waits_without_an_outcome() -> None:
    stop = Stop()

    async def send(request: Request) -> Completion | Failure:
        return Failure("overloaded", "", 503, retry_after=200.0)

    async with anyio.create_task_group() as group:

        async def run() -> None:
            stream = outcomes(requests(3), fleet_of(Scripted(send), slots=4), finish=as_it_is, stop=stop)
            assert [batch async for batch in stream] == [[]]

        group.start_soon(run)
        await anyio.wait_all_tasks_blocked()
        stop.set()


@in_virtual_time
async def test_a_tick_without_news_yields_an_empty_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evoselfcode.engine.pool.TICK", 0.001)
    release = anyio.Event()

    async def send(request: Request) -> Completion | Failure:
        await release.wait()
        return DONE

    stream = outcomes(requests(1), fleet_of(Scripted(send), slots=1), finish=as_it_is)
    assert await anext(stream) == []
    release.set()
    while not await anext(stream):
        pass
    await stream.aclose()


def leftovers() -> set[asyncio.Task[object]]:
    return asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]


@pytest.mark.parametrize("how", ["break", "raise", "cancel", "aclose"])
@in_virtual_time
async def test_leaving_early_leaves_nothing_behind(how: str) -> None:
    """Sabotage: do not await the host task in ``outcomes``."""
    running = 0

    async def send(request: Request) -> Completion | Failure:
        nonlocal running
        running += 1
        try:
            await anyio.sleep(0 if request.number < 10 else 60)
        finally:
            running -= 1
        return DONE

    fleet = fleet_of(Scripted(send))

    async def consume(scope: anyio.CancelScope) -> None:
        stream = outcomes(requests(1000), fleet, finish=as_it_is)
        try:
            async for _ in stream:
                if how == "raise":
                    raise ValueError
                if how == "cancel":
                    scope.cancel()
                else:
                    break
        finally:
            if how != "break":
                with anyio.CancelScope(shield=True):
                    await stream.aclose()

    before = leftovers()
    with anyio.CancelScope() as scope:
        try:
            await consume(scope)
        except ValueError:
            assert how == "raise"
    for _ in range(20):  # a broken-off generator is closed by the loop's own hook
        await asyncio.sleep(0)
    assert leftovers() == before
    assert running == 0
    assert fleet.statistics().in_flight == 0
