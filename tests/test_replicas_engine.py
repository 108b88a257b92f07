"""Replicas in a run: C8 and C9, health that lies, and comings and goings, by the real engine in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
from pods import Pod, Pods
from virtual_time import START, in_virtual_time

from evoselfcode.engine import Event, Fleet, outcomes
from evoselfcode.records import Completion, Failure, L2r, Outcome, Request, Sampling

REFUSED = Failure("connect", "Connection refused")


def plan(count: int) -> Iterator[Request]:
    for number in range(count):
        yield Request(key=f"{number:032x}", prompt=L2r("def "), sampling=Sampling(max_new_tokens=4, seed=number))


async def as_it_is(outcome: Outcome) -> Outcome:
    return outcome


async def run(
    pods: Pods, count: int, *, concurrency: int | None = None, at: dict[float, Callable[[], None]] | None = None
) -> list[Event]:
    """Ask for `count` completions, do things at times from the start on, and look that none is lost."""
    events: list[Event] = []
    fleet = Fleet(pods.connection.members, concurrency=concurrency, on_event=events.append)
    settled: list[Outcome] = []
    loop = asyncio.get_running_loop()
    for seconds, action in (at or {}).items():
        loop.call_at(START + seconds, action)
    async for batch in outcomes(plan(count), fleet, finish=as_it_is):
        settled += batch
    assert len({outcome.request.key for outcome in settled}) == len(settled) == count
    assert all(isinstance(outcome.result, Completion) for outcome in settled)
    await pods.connection.aclose()
    return events


def kinds(events: list[Event], pod: Pod) -> list[str]:
    return [event.kind for event in events if event.endpoint == f"http://{pod.at}:8000" and event.kind != "limit"]


@pytest.mark.parametrize(("numbers", "concurrency"), [(True, None), (False, 32)], ids=["auto", "fixed"])
@in_virtual_time
async def test_a_slow_replica_gets_little_and_slows_nobody(numbers: bool, concurrency: int | None) -> None:
    """C8: one of four is 4 × slower. Sabotage: in ``Fleet._pick``, ``if True:`` for the first free slot."""
    pods = [Pod(f"10.0.0.{number}", seconds=4.0 if number == 4 else 1.0, numbers=numbers) for number in range(1, 5)]
    await run(Pods(*pods), 3000, concurrency=concurrency)
    ended = max(max(pod.ended) for pod in pods) - START
    share = len(pods[3].ended) / 3000
    assert share <= 0.15
    assert 3000 / ended >= 0.9 * (3 * 8 / 1.0 + 8 / 4.0)


@in_virtual_time
async def test_a_replica_that_dies_is_asked_five_times_and_then_probed() -> None:
    """C8. Sabotages: in ``Replica.probe``, say that it answered; park at 50 failures in a row."""
    pods = [Pod(f"10.0.0.{number}") for number in range(1, 5)]
    dead = pods[3]
    events = await run(Pods(*pods), 6000, at={60.0: lambda: dead.die(REFUSED)})
    asked = sum(at > START + 60.0 for at in dead.asked)
    assert asked - dead.probes <= 5
    assert 5 <= dead.probes <= 15
    assert kinds(events, dead) == ["parked"]
    assert len(dead.ended) > 300


@in_virtual_time
async def test_a_replica_whose_health_lies_is_parked_and_comes_back() -> None:
    """Its list of models answers, its engine hangs. Sabotage: probe by ``list_models``; or with a generation's time."""
    pods = [Pod(f"10.0.0.{number}", seconds=4.0) for number in range(1, 4)]
    liar = pods[2]

    def heal() -> None:
        liar.hangs = False
        liar.free_all()

    events = await run(Pods(*pods), 4400, at={30.0: lambda: setattr(liar, "hangs", True), 600.0: heal})
    assert kinds(events, liar)[:2] == ["parked", "returned"]
    probed = [at - START for at in liar.asked if 149 < at - START < 600]
    assert 7 <= len(probed) <= 12  # each has 30 s, and the waits between grow to 30 s
    assert liar.answered(START + 660, START + 700) >= 0.8 * 8 * 10


@in_virtual_time
async def test_a_replica_that_lists_the_model_and_refuses_the_key_stays_out(caplog: pytest.LogCaptureFixture) -> None:
    """Its key was changed for completions alone. Sabotages: in ``why_not``, trust what it lists; in ``probe``, pass the
    refusal on: it would be parked and back once a second, and the same be said each time."""
    pods = [Pod(f"10.0.0.{number}") for number in range(1, 4)]
    stranger = pods[2]
    refusal = Failure("auth", "Unauthorized", 401)
    events = await run(Pods(*pods), 1500, at={12.0: lambda: setattr(stranger, "refuses", refusal)})
    assert kinds(events, stranger) == ["parked", "left"]
    assert sum(at > START + 12.0 for at in stranger.asked) <= 30
    assert [record.getMessage() for record in caplog.records if "10.0.0.3" in record.getMessage()] == [
        "http://10.0.0.3:8000 is left out: it refuses the requests (auth (HTTP 401): Unauthorized)"
    ]


@in_virtual_time
async def test_a_replica_that_comes_gets_its_share_within_a_minute() -> None:
    """C9. Sabotages: ``LOOK_SECONDS = 600``; join with the limit of a replica that returns, and do not double it."""
    pods = Pods(Pod("10.0.0.1"), Pod("10.0.0.2"))
    new = Pod("10.0.0.3")
    events = await run(pods, 4000, at={45.0: lambda: pods.add(new)})
    assert kinds(events, new) == ["joined"]
    since = START + 105.0
    window = [pod.answered(since, since + 30.0) for pod in pods.all.values()]
    assert window[2] >= 0.8 * sum(window) / 3
    assert sum(window) >= 0.9 * 3 * 8 * 30
    gaps = [later - sooner for sooner, later in zip(pods.resolved, pods.resolved[1:], strict=False)]
    assert 30.0 <= min(gaps) <= max(gaps) <= 31.0


@in_virtual_time
async def test_a_replica_that_goes_gets_no_new_work_and_loses_no_row() -> None:
    """C9: a Deployment that is scaled down. Sabotages: cancel what is in flight there; keep asking who left."""
    pods = Pods(*(Pod(f"10.0.0.{number}", seconds=5.0) for number in range(1, 4)))
    gone = pods.all["10.0.0.3"]
    events = await run(pods, 1200, at={45.0: lambda: pods.remove(gone)})
    assert kinds(events, gone) == ["left"]
    assert max(gone.asked) <= START + 45.0 + 30.0
    assert len(gone.ended) == len(gone.asked)
    assert max(gone.ended) > max(gone.asked)


@in_virtual_time
async def test_all_are_rolled_over_under_the_run() -> None:
    """A rolling restart: each pod is replaced by one of another address, one a minute; nothing is lost."""
    pods = Pods(*(Pod(f"10.0.0.{number}") for number in range(1, 4)))

    def replace(number: int) -> None:
        pods.remove(pods.all[f"10.0.0.{number}"])
        pods.add(Pod(f"10.0.1.{number}"))
        asyncio.get_running_loop().call_later(40.0, pods.all[f"10.0.0.{number}"].die, REFUSED)

    events = await run(pods, 7000, at={60.0 * number: lambda number=number: replace(number) for number in range(1, 4)})
    assert [event.kind for event in events if event.kind in ("left", "joined", "parked", "outage")].count("left") == 3
    assert not any(event.kind in ("parked", "outage") for event in events)
    assert all(pods.all[f"10.0.1.{number}"].ended for number in range(1, 4))
