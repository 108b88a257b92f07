"""Scenarios in which the simulator once found a promise broken, each with the defect that it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from sim.mutants import MUTANTS, dies_at
from sim.nemesis import Trouble
from sim.run import play
from sim.scenario import Death, Scenario


def test_a_replica_that_comes_later_shares_what_is_allowed_in_all(tmp_path: Path) -> None:
    """C1: it got its share while the others' old attempts, more than their new shares, were still in flight.

    Rows that wait for their retry, or were about to ask, took the new slots. Sabotage: let ``Fleet._total`` be endless.
    """
    troubles = (Trouble("vanished", 0.0, 70.0, (1,)), Trouble("storm", 75.0, 60.0, (0,)))
    world = Scenario(seed=11, replicas=2, slots=4, tokens=400.0, requests=120, n=1, concurrency=16, troubles=troubles)
    history = play(world, tmp_path)
    assert history.broken == []
    assert {attempt.replica for attempt in history.attempts if attempt.what == "row"} == {"replica-0", "replica-1"}
    assert max(attempt.open_all for attempt in history.attempts) == 16


@pytest.mark.parametrize("seed", [2, 6, 8, 9])
def test_a_row_that_was_in_flight_at_three_outages_is_no_poison(tmp_path: Path, seed: int) -> None:
    """R2: a replica that flaps. Sabotage: let ``Fleet.went_away`` say ``False``: each time rows die."""
    flapping = Trouble("flapping", 25.0, 300.0, (0,))
    history = play(Scenario(seed=seed, slots=4, tokens=400.0, spread=1.5, requests=52, troubles=(flapping,)), tmp_path)
    assert (history.broken, history.dead) == ([], 0)


@pytest.mark.parametrize("at", range(14, 28, 2))
def test_what_is_written_after_a_failed_sync_survives_a_loss_of_power(tmp_path: Path, at: int) -> None:
    """D6: the kernel calls pages clean that are on no disk, and a later line was glued to the hole they left.

    Sabotage: let ``disk.sync`` pass over an error.
    """
    deaths = (Death("disk", at, power=True),) * 2
    world = Scenario(seed=at, requests=40, failing_syncs=(1.5, 2.5), deaths=deaths, restart=1.0)
    assert play(world, tmp_path).broken == []


def test_a_cancellation_is_heard_while_a_full_disk_is_waited_for(tmp_path: Path) -> None:
    """It came while the disk was written to, whose error took its place, and the run waited on.

    Sabotage: leave ``being_cancelled()`` out of ``Committing.commit``.
    """
    for at in range(700, 760, 3):
        world = Scenario(
            seed=1988, slots=4, tokens=100.0, spread=0.1, requests=62, concurrency=8, full=((21.0, 58.0),),
            disk_wait=3600.0, deaths=(Death("step", at),),
        )  # fmt: skip
        assert play(world, tmp_path / f"{at}").broken == []


def test_a_mutant_of_every_kind_dies() -> None:
    """T2: the whole table, with the number of seeds that each needs, is `docs/explanation/simulation.md`'s."""
    kinds = (
        "rows are acknowledged before they are synced",
        "settled rows are forgotten",
        "nobody is parked",
        "a slot is held in back-off",
        "retries have no budget",
    )
    assert set(kinds) < set(MUTANTS)
    assert [name for name in kinds if dies_at(name) is None] == []
