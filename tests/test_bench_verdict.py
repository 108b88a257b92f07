"""Who is the limit, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest
from bench_climbs import FULL, IDLE, level
from endpoints import DONE

from evoselfcode.bench import HIGHEST
from evoselfcode.bench.ladder import Ladder
from evoselfcode.bench.levels import Begun, Client, Level, Queue, Tally, level_of
from evoselfcode.bench.verdict import Verdict, verdict
from evoselfcode.records import Failure


def judged(*levels: Level, most: int = 64, **how: Any) -> Verdict:
    ladder = Ladder(1, most)
    for one in levels:
        ladder.add(one)
    return verdict(ladder, how.pop("cut", None), **{"fast_loop": True, "rated": False, **how})


def flat(client: Client = IDLE, queue: Queue | None = None) -> tuple[Level, ...]:
    return level(16, 160.0), level(32, 160.0, client=client), level(64, 160.0, client=client, server=queue)


def test_goodput_that_stays_while_this_process_is_idle_is_the_server() -> None:
    found = judged(*flat())
    assert found.limit == "server"
    assert "goodput was 160 requests/s at 16 in flight and 160 requests/s at 64" in found.why
    assert "the median answer took 400 ms instead of 100 ms" in found.why
    assert "this process used 10% of a core" in found.why
    assert found.advice.startswith("keep about 16 in flight")


def test_goodput_that_stays_while_a_core_is_full_is_this_process() -> None:
    """Sabotage: do not look at ``strained``."""
    found = judged(*flat(FULL))
    assert found.limit == "client"
    assert "97% of a processor core" in found.why
    assert "--shard" in found.advice


def test_a_queue_at_the_server_outweighs_a_full_core() -> None:
    """What waits there cannot be answered sooner. Sabotage: drop ``crowded`` in ``verdict``."""
    found = judged(*flat(FULL, Queue(16, 48)))
    assert found.limit == "server"
    assert "48 waited at the server and 16 ran" in found.why


@pytest.mark.parametrize(("fast_loop", "told"), [(False, "install uvloop"), (True, "divide the run into shards")])
def test_uvloop_is_advised_where_it_is_not_in_use(fast_loop: bool, told: str) -> None:
    """Sabotage: advise it always."""
    assert judged(*flat(FULL), fast_loop=fast_loop).advice.startswith(told)


def test_a_core_that_others_use_is_said_to_be_so() -> None:
    """Used a fifth and waited for the rest. Sabotage: look at the processor time alone: the server would be blamed."""
    starved = Client(cpu_us_per_request=100.0, core=0.2, kept_waiting=0.75)
    found = judged(*flat(starved))
    assert found.limit == "client"
    assert "used 20% of a processor core and waited for one 75% of the time" in found.why
    assert found.advice.startswith("give this process a core of its own")


def test_goodput_that_still_rises_at_the_highest_level_is_nobody_yet() -> None:
    """Sabotage: call the highest level the knee and the server the limit."""
    found = judged(level(16, 160.0), level(32, 320.0), level(64, 640.0))
    assert found.limit == "neither"
    assert found.advice.startswith("raise --max-concurrency to 256")
    near, at = (judged(level(top // 2, 160.0), level(top, 320.0), most=top) for top in (2048, HIGHEST))
    assert near.advice.startswith(f"raise --max-concurrency to {HIGHEST:,}")
    assert "--shard" in at.advice


def test_a_full_core_at_the_highest_level_is_this_process() -> None:
    """Sabotage: ask for more concurrency of a process that has none to give."""
    assert judged(level(32, 160.0, client=FULL), level(64, 200.0, client=FULL)).limit == "client"


def test_refusals_are_the_servers_word() -> None:
    found = judged(level(16, 160.0), level(32, 160.0, failures={"rate_limited": 40, "disconnect": 2}))
    assert found.limit == "server"
    assert "of 1,000 attempts 42 failed (rate_limited 40, disconnect 2) at 32 in flight" in found.why
    assert "raise what it admits" in found.advice


def test_refusals_of_the_lowest_level_leave_no_knee() -> None:
    found = judged(level(1, 0.0, failures={"server_error": 900}))
    assert found.limit == "server"
    assert "the lowest level" in found.why
    assert found.advice == "look at the server's log"


def test_a_rate_of_the_configuration_is_named() -> None:
    found = judged(level(8, 80.0), level(16, 80.0, in_flight=9.0), rated=True)
    assert found.limit == "configuration"
    assert "only 9 of 16 were in flight" in found.why


def test_an_endpoint_that_went_away_is_no_rate_that_nobody_set() -> None:
    """Sabotage: blame the configuration whatever it says."""
    found = judged(level(32, 320.0), level(64, 320.0, in_flight=32.0, failures={"connect": 32}))
    assert found.limit == "unknown"
    assert "only 32 of 64 were in flight: an endpoint was away or paused" in found.why
    assert "connect 32" in found.why


def test_the_seconds_of_attempts_that_failed_give_nothing() -> None:
    """Of 204 in flight half hang until they time out. Sabotage: take all in flight for productive."""
    tally = Tally()
    for _ in range(960):
        tally.add(DONE, 1.0)
    for _ in range(36):
        tally.add(Failure("timeout", "late"), 30.0)
    found = level_of(204, 204.0, 10.0, Begun(), tally, None, client=IDLE, server=None)
    assert found.requests_per_second == pytest.approx(96, rel=0.01)


@pytest.mark.parametrize(
    ("cut", "told"), [("time", "--max-time"), ("requests", "--max-requests"), ("stopped", "stopped")]
)
def test_what_ended_on_the_way_up_says_nothing_of_the_limit(cut: str, told: str) -> None:
    """Sabotage: take the last level for the knee."""
    found = judged(level(1, 10.0), level(2, 20.0), cut=cut)
    assert found.limit == "unknown"
    assert told in found.why
    assert "still rose at 2 in flight" in found.why
    assert judged(cut=cut).limit == "unknown"


def test_what_ended_between_two_levels_keeps_its_verdict() -> None:
    """The climb was over. Sabotage: look at ``cut`` first."""
    assert judged(*flat(), cut="time").limit == "server"
