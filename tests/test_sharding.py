"""Cutting a plan into shards: disjoint, complete, and never guessed from an environment that disagrees."""

from __future__ import annotations

import re
from hashlib import blake2b
from pathlib import Path

import pytest
from embedded import Embedded
from hypothesis import given
from hypothesis import strategies as st
from test_run import config, run

from evoselfcode.datagen.pipeline.sharding import Shard, shard_of
from evoselfcode.errors import RunMismatch, UsageError

JOB = {"JOB_COMPLETION_INDEX": "2", "EVOSELFCODE_SHARDS": "4"}
ARRAY = {
    "SLURM_ARRAY_TASK_ID": "7",
    "SLURM_ARRAY_TASK_MIN": "3",
    "SLURM_ARRAY_TASK_STEP": "2",
    "SLURM_ARRAY_TASK_COUNT": "4",
}
TORCH = {"RANK": "2", "WORLD_SIZE": "4"}
KEYS = [blake2b(str(number).encode(), digest_size=16).hexdigest() for number in range(1000)]


@pytest.mark.parametrize("of", [*range(1, 65), 1000])
def test_every_request_is_in_exactly_one_shard(of: int) -> None:
    """K4. Sabotage: use ``hash(key)``, or take the remainder of ``of - 1``."""
    shards = [Shard(index, of) for index in range(of)]
    assert all(sum(shard.holds(key) for shard in shards) == 1 for key in KEYS)
    assert all(Shard(int(key[:8], 16) % of, of).holds(f"{key}.0-1") for key in KEYS[:50])


@given(st.integers(1, 64))
def test_shards_are_about_equal(of: int) -> None:
    sizes = [sum(Shard(index, of).holds(key) for key in KEYS) for index in range(of)]
    assert max(sizes) < 1000 / of + 6 * (1000 / of) ** 0.5


@pytest.mark.parametrize("environ", [JOB, ARRAY, TORCH, JOB | TORCH], ids=["job", "array", "torch", "two"])
def test_the_environment_says_which_shard_it_is(environ: dict[str, str]) -> None:
    """Sabotage: take SLURM_ARRAY_TASK_ID as it is, though an array may begin at 3 and go in twos."""
    assert shard_of(None, environ) == Shard(2, 4)
    assert shard_of("4", environ) == Shard(2, 4)
    assert shard_of("2/4", environ) == Shard(2, 4)


@pytest.mark.parametrize(
    ("given", "environ", "shard"),
    [
        (None, {}, None),
        (None, {"RANK": "3"}, None),
        (None, {"RANK": "0", "WORLD_SIZE": "1"}, None),
        (None, {"JOB_COMPLETION_INDEX": "0", "EVOSELFCODE_SHARDS": "1"}, None),
        (None, {"WORLD_SIZE": "8"}, None),
        (None, {"SLURM_ARRAY_TASK_COUNT": "8"}, None),
        ("0/1", {}, Shard(0, 1)),
        ("3/8", {}, Shard(3, 8)),
        ("8", {"RANK": "3"}, Shard(3, 8)),
        ("16", ARRAY | {"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_MIN": "5"}, Shard(5, 16)),
        (
            "4/16",
            {"SLURM_ARRAY_TASK_ID": "4", "SLURM_ARRAY_TASK_MIN": "4", "SLURM_ARRAY_TASK_COUNT": "1"},
            Shard(4, 16),
        ),
        (" 3/8 ", {"EVOSELFCODE_SHARDS": "", "RANK": " "}, Shard(3, 8)),
    ],
)
def test_what_is_given_and_what_is_not(given: str | None, environ: dict[str, str], shard: Shard | None) -> None:
    """A part of an array may be submitted anew (``--array=5-8``): then the option says of how many."""
    assert shard_of(given, environ) == shard


@pytest.mark.parametrize(
    ("given", "environ", "told"),
    [
        ("1/4", JOB, "--shard 1/4 and JOB_COMPLETION_INDEX disagree about which shard this is: 1 and 2"),
        ("2/8", JOB, "--shard 2/8 and EVOSELFCODE_SHARDS disagree about how many shards there are: 8 and 4"),
        (None, JOB | {"RANK": "1"}, "JOB_COMPLETION_INDEX and RANK disagree about which shard this is: 2 and 1"),
        (None, JOB | {"RANK": "2", "WORLD_SIZE": "8"}, "EVOSELFCODE_SHARDS and WORLD_SIZE disagree"),
        (None, {"JOB_COMPLETION_INDEX": "0"}, "JOB_COMPLETION_INDEX says that this is shard 0, and nobody says"),
        (None, {"EVOSELFCODE_SHARDS": "4"}, "EVOSELFCODE_SHARDS says 4 shards, and nobody says which one this is"),
        ("4", {}, "--shard 4 says 4 shards, and nobody says which one this is"),
        ("4/4", {}, "there is no shard 4 (--shard 4/4) of 4 (--shard 4/4)"),
        ("2", {"RANK": "2"}, "there is no shard 2 (RANK) of 2 (--shard 2)"),
        ("0/0", {}, "says 0 shards, expected 1 to 100,000"),
        ("0/100001", {}, "expected 1 to 100,000"),
        ("1:4", {}, "--shard: got '1:4', expected I/N or N"),
        ("-1/4", {}, "--shard: got '-1/4'"),
        ("½/4", {}, "--shard: got '½/4'"),
        (None, {"JOB_COMPLETION_INDEX": "two", "EVOSELFCODE_SHARDS": "4"}, "JOB_COMPLETION_INDEX='two' in the env"),
        (None, ARRAY | {"SLURM_ARRAY_TASK_ID": "6"}, "SLURM_ARRAY_TASK_ID=6 is none of the tasks from 3 in steps of 2"),
    ],
)
def test_what_cannot_be_is_refused_and_both_are_named(given: str | None, environ: dict[str, str], told: str) -> None:
    """K4: exit code 2. Sabotage: let the first source win."""
    with pytest.raises(UsageError, match=re.escape(told)) as raised:
        shard_of(given, environ)
    assert raised.value.exit_code == 2


async def test_a_shard_runs_into_a_folder_of_its_own_and_says_which_it_is(tmp_path: Path) -> None:
    server = Embedded()
    summary = await run(server, config(tmp_path), shard=Shard(1, 3))
    assert summary.folder == tmp_path / "names" / "shard-1-of-3"
    assert summary.shard == Shard(1, 3)
    assert '"shard": "1/3"' in (summary.folder / "manifest.json").read_text()
    assert 0 < len(server.bodies) < 12
    again = Embedded()
    await run(again, config(tmp_path), shard=Shard(1, 3))
    assert again.messages == 0


async def test_another_cut_is_refused_with_the_way_out(tmp_path: Path) -> None:
    """K4: resumed with another N, rows would be paid again. Sabotage: leave ``folder_of`` out of ``run_stage``."""
    await run(Embedded(), config(tmp_path), shard=Shard(0, 3))
    server = Embedded()
    for shard, told in ((Shard(0, 4), "holds shards of 3, and this is shard 0/4"), (None, "that are not merged")):
        with pytest.raises(RunMismatch, match=told) as raised:
            await run(server, config(tmp_path), shard=shard)
        assert "evoselfcode merge" in str(raised.value.hint)
    assert server.messages == 0


async def test_a_whole_run_is_not_cut_afterwards(tmp_path: Path) -> None:
    await run(Embedded(), config(tmp_path))
    server = Embedded()
    with pytest.raises(RunMismatch, match="holds a run that was not cut into shards"):
        await run(server, config(tmp_path), shard=Shard(0, 4))
    assert server.messages == 0
