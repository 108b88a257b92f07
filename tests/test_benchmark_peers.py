"""The benchmark of peers drops none silently, compares like with like, and counts all processes of a tree."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import checkout
import pytest

sys.path.append(str(checkout.ROOT / "benchmarks"))

import peer_registry
import peers
import whole_tree
from peer_registry import GOALS, OURS, PEERS, Peer

ENVIRONMENTS = sorted({peer.environment for peer in PEERS if peer.environment})


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_a_peer_has_a_script_and_a_row_in_the_documentation(peer: Peer) -> None:
    """Sabotage: rename a script, or change how many requests a peer makes without changing the page."""
    assert checkout.read(f"benchmarks/peers/{peer.name}.py").startswith('"""')
    rows = {row[0].strip("`"): row for row in checkout.table(checkout.read("docs/explanation/peers.md"), "peers")}
    assert rows[peer.name][1] == peer.title
    assert [int(count.replace(",", "")) for count in rows[peer.name][2].split(", ")] == list(peer.requests)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_peer_is_locked_by_hashes_without_an_address(name: str) -> None:
    """Sabotage: take a ``--hash`` line out of requirements/peers/openai3.txt, or add a version to tell."""
    wanted = re.findall(r"^([\w\-]+)", checkout.read(f"requirements/peers/{name}.in"), re.MULTILINE)
    lock = checkout.read(f"requirements/peers/{name}.txt")
    pins = dict(re.findall(r"^([\w.\-]+)==(.*)$", re.sub(r"\\\n *", "", lock), re.MULTILINE))
    told = {package for peer in PEERS if peer.environment == name for package in peer.packages}
    assert set(wanted) | told <= set(pins)
    assert "://" not in lock
    assert all("--hash=sha256:" in rest for rest in pins.values())


def test_every_script_and_every_lock_belongs_to_a_peer() -> None:
    """Sabotage: leave a peer out of the registry and its files in the folders."""
    scripts = {path.stem for path in (checkout.ROOT / "benchmarks" / "peers").glob("*.py")} - {"work"}
    locks = {path.stem for path in (checkout.ROOT / "requirements" / "peers").glob("*.txt")}
    assert scripts == {peer.name for peer in PEERS}
    assert sorted(locks) == ENVIRONMENTS
    assert {goal.peer for goal in GOALS} <= scripts


def test_what_is_not_there_or_fails_is_listed_with_the_reason(tmp_path: Path) -> None:
    """A real run. Sabotage: leave peers without an environment out, or take the figures of one that ended with 1."""
    environments, results = tmp_path / "environments", tmp_path / "results"
    (environments / "openai2" / "bin").mkdir(parents=True)
    broken = environments / "openai2" / "bin" / "python"
    broken.write_text("#!/bin/sh\necho 'it broke' >&2\nexit 1\n")
    broken.chmod(0o700)
    (environments / "openai2" / ".installed").touch()
    (environments / "litellm.failed").write_text("ERROR: No matching distribution found for litellm==1.0\n")
    command = [sys.executable, str(checkout.ROOT / "benchmarks" / "peers.py"), "--rounds", "1", "--most", "20",
               "--environments", str(environments), "--results", str(results),
               "--peers", "openai3", "openai2", "litellm_chat"]  # fmt: skip
    path = os.pathsep.join([str(checkout.ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": path})
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout.splitlines()[-1])
    reasons = {row["peer"]: row["reason"] for row in document["figures"]["not_measured"]}
    assert reasons == {
        "openai3": "not installed",
        "openai2": "ended with 1: it broke",
        "litellm_chat": "cannot be installed: ERROR: No matching distribution found for litellm==1.0",
    }
    assert all(f"20 requests: {reason}" in done.stdout for reason in reasons.values())
    (row,) = document["figures"]["peers"]
    assert (row["peer"], row["requests"], row["times_ours"]) == ("ours", 20, {"cpu_us": 1.0, "wall_s": 1.0})
    assert row["runs"][0]["server"]["requests"] >= 20
    assert [json.loads(file.read_text())["settings"]["rounds"] for file in results.iterdir()] == [1]


def test_a_run_is_refused_that_says_more_than_the_server_saw() -> None:
    """Sabotage: believe the script's own count alone; or take the answers for all when some are missing."""
    runner = peers.Runner(Path("none"), 9.0, Path("none"))
    ended = {"timed_out": False, "code": 0}
    runner._check(ended, {"requests": 5}, 5, 'noise\n{"ok": 5}\n')
    for told, seen, log, said in (
        (ended, 3, '{"ok": 5}', "says 5 answers, where the server was asked 3 times"),
        (ended, 5, '{"ok": 4}', "4 answers to 5 requests"),
        (ended, 5, "", "no answers to 5 requests"),
        (ended | {"timed_out": True}, 2, "", "2 of 5 requests within 9 s, then stopped"),
        (ended | {"code": 3}, 2, "Error: https://x.test/y in /a/b.py", "ended with 3: Error: … in …"),
    ):
        with pytest.raises(peers.Failed, match=re.escape(said)):
            runner._check(told, {"requests": seen}, 5, log)


def run(cpu_us: float, wall_s: float = 1.0) -> dict[str, Any]:
    return {"cpu_us": cpu_us, "wall_s": wall_s}


def test_ratios_compare_medians_at_the_same_number_of_requests() -> None:
    """Sabotage: compare with ours at its most requests; or judge by a mean, or by the best round."""
    runs = {
        ("openai2", 5_000): [run(9_000, 50.0), run(8_000, 40.0), run(30_000, 900.0)],
        (OURS.name, 5_000): [run(200, 1.0), run(180, 1.0), run(220, 1.0)],
        (OURS.name, 20_000): [run(1, 0.1)],
        ("openai3", 20_000): [run(24.9, 1.3)],
        ("inspect_ai_eval", 1_000): [run(9)],
    }
    assert peer_registry.ratio(runs, "openai2", 5_000, "cpu_us") == 45
    assert peer_registry.ratio(runs, "inspect_ai_eval", 1_000, "cpu_us") is None
    told = [(goal["goal"], goal["limit"], round(goal["figure"], 1), goal["met"]) for goal in peer_registry.judged(runs)]
    assert told == [("G3", 25, 24.9, False), ("G3", 12, 13.0, True), ("G4", 40, 45, True), ("G4", 50, 45, False),
                    ("G4", 25, 50, True)]  # fmt: skip
    assert "G6 (inspect_ai_eval)" in peer_registry.unjudged(runs)
    assert "G5 (by_hand)" in peer_registry.unjudged(runs)
    assert "G3 (openai3)" not in peer_registry.unjudged(runs)


def tree(program: str, tmp_path: Path, limit: float = 60.0) -> dict[str, Any]:
    """Measure a program of Python as a tree of processes."""
    asked = {"command": [sys.executable, "-c", program], "cores": sorted(os.sched_getaffinity(0)), "limit_s": limit,
             "log": str(tmp_path / "log")}  # fmt: skip
    command = [sys.executable, whole_tree.__file__, json.dumps(asked)]
    return dict(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


BURN = "import time\nwhile time.process_time() < 0.3: pass"


def test_a_worker_that_outlives_its_parent_counts(tmp_path: Path) -> None:
    """Sabotage: adopt no orphans, or stop waiting when the command has ended."""
    told = tree(f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {BURN!r}])", tmp_path)
    assert (told["code"], told["timed_out"]) == (0, False)
    assert told["cpu_s"] > 0.3


def test_what_does_not_end_in_time_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    """Sabotage: kill the command alone; its child holds the pipe open, and this test does not end."""
    child = "import signal; signal.pause()"
    program = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {child!r}])\n{child}"
    told = tree(program, tmp_path, limit=0.5)
    assert (told["code"], told["timed_out"]) == (-9, True)
    assert told["wall_s"] < 30


def test_memory_is_that_of_the_whole_tree(tmp_path: Path) -> None:
    """Sabotage: take the largest process for all."""
    held = "x = bytearray(40 << 20)\nimport sys; sys.stdin.read()"
    program = (
        "import subprocess, sys, time\n"
        f"held = [subprocess.Popen([sys.executable, '-c', {held!r}], stdin=subprocess.PIPE) for _ in range(3)]\n"
        "while time.process_time() < 1.0: pass\n"
        "for process in held: process.communicate()\n"
    )
    assert tree(program, tmp_path)["rss_mb"] > 120
