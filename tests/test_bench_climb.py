"""The climb in virtual time: at a toy server it finds the slots, and what ends it early leaves what was measured."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import anyio
import pytest
from bench_climbs import climbed
from endpoints import DONE, Scripted
from sim.toy import Toy
from sim.toy_endpoint import ToyEndpoint
from virtual_time import VirtualLoop, in_virtual_time

from evoselfcode.bench.measuring import Climb, Wish
from evoselfcode.bench.processor import Used
from evoselfcode.bench.verdict import verdict
from evoselfcode.bench.watching import Watch
from evoselfcode.engine import Fleet, Stop
from evoselfcode.errors import EndpointDown
from evoselfcode.records import Completion, Failure, Request
from evoselfcode.wire.load import Load

WISH = Wish(seconds=30.0, most=1024, max_seconds=1e9)


def quick(seconds: float = 0.1, **options: Any) -> Scripted:
    """An endpoint that answers all after the same time, however many there are."""

    async def send(request: Request) -> Completion:
        await anyio.sleep(seconds)
        return DONE

    return Scripted(send, **options)


@pytest.mark.parametrize(("slots", "numbers"), [(32, True), (32, False), (256, True)])
@in_virtual_time
async def test_the_knee_is_found_to_15_per_cent_and_the_server_is_the_limit(slots: int, numbers: bool) -> None:
    """Answers take 26 s. Sabotage: count answers in the place of Little's law, or those that began before the level."""
    book = await climbed([ToyEndpoint(Toy(slots), numbers=numbers)], WISH)
    assert book.ladder.knee is not None
    assert 0.85 * slots <= book.ladder.knee.limit <= 1.15 * slots
    found = verdict(book.ladder, book.cut, fast_loop=True, rated=False)
    assert (found.limit, book.cut) == ("server", None)
    assert ("waited at the server" in found.why) is numbers


@in_virtual_time
async def test_each_level_gives_what_the_server_can_give_there() -> None:
    """Also the one that follows a level of four times as many. Sabotage: no ``before`` in the warm-up."""
    toy = Toy(32)
    book = await climbed([ToyEndpoint(toy, numbers=False)], WISH)
    for limit, level in book.ladder.levels.items():
        if limit <= 32:
            assert level.goodput == pytest.approx(toy.peak * limit / (limit + toy.half), rel=0.02)
            assert level.in_flight == pytest.approx(limit, rel=0.02)
    assert list(book.ladder.levels)[-3:] == [23, 27, 29]


@in_virtual_time
async def test_a_process_that_has_no_time_left_is_the_limit() -> None:
    """Each answer costs a millisecond of this process, at a server without an end. Sabotage: leave ``core`` out."""
    used = 0.0

    async def send(request: Request) -> Completion:
        nonlocal used
        await anyio.sleep(0.01)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.pass_by(0.001)
        used += 0.001
        return DONE

    book = await climbed([Scripted(send)], Wish(seconds=2.0, most=1024), processor=lambda: Used(used, 0.0))
    found = verdict(book.ladder, book.cut, fast_loop=True, rated=False)
    assert found.limit == "client"
    assert book.ladder.knee is not None
    assert 8 <= book.ladder.knee.limit <= 32
    assert max(book.ladder.levels) <= 64
    assert book.ladder.knee.client.cpu_us_per_request == pytest.approx(1000, rel=0.05)


@in_virtual_time
async def test_a_server_without_an_end_is_nobodys_limit() -> None:
    book = await climbed([quick()], Wish(seconds=1.0, most=64))
    found = verdict(book.ladder, book.cut, fast_loop=True, rated=False)
    assert found.limit == "neither"
    assert found.advice.startswith("raise --max-concurrency to 256")
    assert book.ladder.levels[64].latency_s.p99 == pytest.approx(0.1, rel=0.01)
    assert book.ladder.levels[64].requests_per_second == pytest.approx(640, rel=0.02)


@in_virtual_time
async def test_what_the_server_refuses_bounds_the_knee() -> None:
    """It takes 48 and answers 429 to the rest. Sabotage: do not count failures of the warm-up."""
    under_way = 0

    async def send(request: Request) -> Completion | Failure:
        nonlocal under_way
        if under_way >= 48:
            return Failure("rate_limited", "too many", 429, 1.0)
        under_way += 1
        await anyio.sleep(0.5)
        under_way -= 1
        return DONE

    book = await climbed([Scripted(send)], Wish(seconds=10.0, most=1024))
    found = verdict(book.ladder, book.cut, fast_loop=True, rated=False)
    assert found.limit == "server"
    assert "rate_limited" in found.why
    assert book.ladder.knee is not None
    assert 40 <= book.ladder.knee.limit <= 48


@in_virtual_time
async def test_replicas_share_each_level_and_their_queues_add_up() -> None:
    """Sabotage: give every replica the whole level."""
    there = [quick(name=f"http://{name}:1", load=Load(3, 1)) for name in "abc"]
    book = await climbed(there, Wish(seconds=1.0, most=12))
    assert list(book.ladder.levels) == [3, 6, 12]
    last = book.ladder.levels[12]
    assert last.in_flight == pytest.approx(12, abs=0.5)
    assert last.server is not None
    assert (last.server.running, last.server.waiting) == (9, 3)


@in_virtual_time
async def test_no_more_requests_are_sent_than_allowed() -> None:
    """Sabotage: count answers, not attempts; or send on until the level is over."""
    sent = 0

    async def send(request: Request) -> Completion:
        nonlocal sent
        sent += 1
        await anyio.sleep(0.1)
        return DONE

    book = await climbed([Scripted(send)], Wish(seconds=1.0, most=64, max_requests=100))
    assert (sent, book.attempts, book.cut) == (100, 100, "requests")
    assert list(book.ladder.levels) == [1, 2]


@in_virtual_time
async def test_no_level_begins_that_the_time_is_too_short_for() -> None:
    """Sabotage: begin it, and cut it off."""
    began = anyio.current_time()
    book = await climbed([quick()], Wish(seconds=10.0, most=64, max_seconds=30.0))
    assert anyio.current_time() - began < 28.0
    assert (list(book.ladder.levels), book.cut) == ([1, 2], "time")


@in_virtual_time
async def test_a_server_that_hangs_ends_with_the_time() -> None:
    """Sabotage: wait for the warm-up without the deadline: this would never end."""
    book = await climbed([quick(1e6)], Wish(seconds=1.0, most=64, max_seconds=30.0))
    assert (book.ladder.levels, book.cut) == ({}, "time")


@in_virtual_time
async def test_a_stop_keeps_what_was_measured_and_abandons_what_is_in_flight() -> None:
    """Sabotage: let what is in flight end: a server that hangs would hold the end up."""
    stop = Stop()
    told = []

    def tell(level: Any) -> None:
        told.append(level.limit)
        if level.limit == 4:
            stop.set()

    book = await climbed([quick()], Wish(seconds=1.0, most=64), stop=stop, told=tell)
    assert (list(book.ladder.levels), told, book.cut) == ([1, 2, 4], [1, 2, 4], "stopped")


@in_virtual_time
async def test_an_endpoint_that_goes_away_ends_it_with_what_was_measured() -> None:
    """Sabotage: let the error of the engine end the climb before the book is written."""
    began = anyio.current_time()

    async def send(request: Request) -> Completion | Failure:
        if anyio.current_time() > began + 5:
            endpoint.away = Failure("connect", "refused")
            return endpoint.away
        await anyio.sleep(0.1)
        return DONE

    endpoint = Scripted(send)
    book = await climbed([endpoint], Wish(seconds=1.0, most=64, max_seconds=1e4))
    assert (list(book.ladder.levels), book.cut) == ([1, 2, 4], "endpoint")
    assert isinstance(book.error, EndpointDown)


@in_virtual_time
async def test_a_rate_of_the_configuration_is_found_to_be_the_limit() -> None:
    """Sabotage: count requests that wait for their start as in flight."""
    book = await climbed([quick(1.0)], Wish(seconds=20.0, most=256), requests_per_second=5.0)
    assert verdict(book.ladder, book.cut, fast_loop=True, rated=True).limit == "configuration"
    assert max(book.ladder.levels) <= 16


@in_virtual_time
async def test_a_replica_that_comes_back_gets_its_part_again() -> None:
    """It is another member of the fleet then. Sabotage: remember parts by name."""
    one, other = quick(name="http://a:1"), quick(name="http://b:1")
    there = [one, other]

    async def members() -> Sequence[Scripted]:
        return there

    fleet = Fleet(members, most=1)
    watch = Watch(members, anyio.current_time, most=None, spent=lambda: None)
    climb = Climb(fleet, watch, Wish(seconds=1.0, most=16))
    for now in ([one, other], [one], [one, other]):
        there[:] = now
        await fleet.refresh()
        climb._share(8)
    assert [member.limit for member in fleet.members] == [4, 4]
