"""Shards on the command line: each command finds its part in the environment, and merge makes one run of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SHARDING = ("JOB_COMPLETION_INDEX", "EVOSELFCODE_SHARDS", "SLURM_ARRAY_TASK_ID", "RANK", "WORLD_SIZE")
SMALL = ("--set", "namegen.num_requests=6", "--quiet")


def run(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in SHARDING}
    return subprocess.run(
        [sys.executable, "-m", "evoselfcode.cli", *arguments],
        cwd=folder, capture_output=True, text=True, check=False, timeout=120, env=clean | environ,
    )  # fmt: skip


def test_pods_of_a_job_and_then_merge(folder: Path) -> None:
    """The parts, the whole, the report, and the same command once more. Sabotage: report on each part."""
    for index in (1, 0):
        done = run(folder, "datagen-names", *SMALL, JOB_COMPLETION_INDEX=str(index), EVOSELFCODE_SHARDS="2")
        assert done.returncode == 0, done.stderr
        assert f"this is shard {index}/2\n" in done.stderr
        assert done.stderr.endswith("when all shards are complete: evoselfcode merge data/generated/names\n")
        assert done.stdout.startswith(f"names, shard {index}/2: ")
        assert "report.html" not in done.stdout
    refused = run(folder, "datagen-names", *SMALL)
    assert refused.returncode == 2
    assert "holds shards of 2 that are not merged" in refused.stderr
    merged = run(folder, "merge", "data/generated/names")
    assert merged.returncode == 0, merged.stderr
    assert "12 requests, merged from 2 shards; no request was sent." in merged.stdout
    assert "report.html" in merged.stdout
    again = run(folder, "datagen-names", *SMALL)
    assert again.returncode == 0, again.stderr
    assert "no request was sent" in again.stdout
    manifest = json.loads((folder / "data/generated/names/manifest.json").read_bytes())
    assert (manifest["merged"], manifest["state"]) == (2, "complete")


def test_stage_b_is_cut_and_merged_too(folder: Path) -> None:
    """Its filter looks at the whole. Sabotage: leave ``code`` out of what follows a merge."""
    names = folder / "names.jsonl"
    names.write_text("".join(f'{{"func_name": "add_{word}"}}\n' for word in ("one", "two", "three", "four", "five")))
    options = ("--names", "names.jsonl", "--set", "codegen.max_new_tokens=24", "--quiet")
    for index in range(2):
        done = run(folder, "datagen-code", *options, "--shard", f"{index}/2")
        assert done.returncode == 0, done.stderr
    assert not list((folder / "data/generated/code").rglob("filtered.jsonl"))
    merged = run(folder, "merge", "data/generated/code", "--quiet")
    assert merged.returncode == 0, merged.stderr
    rows = (folder / "data/generated/code/raw.jsonl").read_text().splitlines()
    assert {json.loads(row)["func_name"] for row in rows} == {
        f"add_{w}" for w in ("one", "two", "three", "four", "five")
    }


@pytest.mark.parametrize(
    ("command", "environ", "told"),
    [
        (("datagen-names", "--shard", "0/2"), {"JOB_COMPLETION_INDEX": "1"}, "disagree about which shard this is"),
        (("datagen-names", "--shard", "2/2"), {}, "there is no shard 2"),
        (("datagen-names",), {"JOB_COMPLETION_INDEX": "0"}, "nobody says of how many"),
        (("datagen-all",), {"RANK": "0", "WORLD_SIZE": "2"}, "this process is shard 0/2, and datagen-all goes through"),
        (("merge", "nowhere"), {}, "there are no shards in nowhere"),
    ],
)
def test_what_cannot_be_is_one_message_and_exit_code_2(
    folder: Path, command: tuple[str, ...], environ: dict[str, str], told: str
) -> None:
    """K4. Sabotage: leave ``_refuse_shards`` out of datagen-all."""
    done = run(folder, *command, **environ)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert done.stderr.count("error: ") == 1
