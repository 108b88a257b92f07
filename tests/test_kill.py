"""SIGKILL at any moment of a real run: nothing that was acknowledged is lost, and next to nothing is paid twice."""

from __future__ import annotations

import json
import os
from pathlib import Path
from random import Random

from journal_lines import keys, segments, settled_keys
from killed_run import CONCURRENCY, NameServer, Run

from evoselfcode.storage import Damage, compact, read_entries

KILLS = int(os.environ.get("EVOSELFCODE_KILLS", "30"))
"""``make kill`` takes 300."""

REQUESTS = 10_000
WORKERS = CONCURRENCY + CONCURRENCY // 2 + 1
MOST_PAID_AGAIN = CONCURRENCY + WORKERS + 256 + WORKERS
"""In flight, settled and not taken yet, and one commit, which the last list that was taken may overshoot."""


def test_kills_lose_no_acknowledged_row_and_pay_for_few_again(tmp_path: Path) -> None:
    """D1 D3 D4 D13.

    Sabotages: tell keys when they are appended; commit once in ten seconds; ask for what is settled.
    """
    random, killed, most, folder = Random(0), 0, 0, tmp_path / "0"
    with NameServer() as server:
        acknowledged: set[str] = set()
        while killed < KILLS:
            before, run = server.generations, Run(folder, server, REQUESTS)
            if random.random() < 0.5:
                ended = run.wait_for_news(random.random() * 0.4)
            else:  # before anything is acknowledged, often
                server.wait_for(before + random.randrange(1, 1000), run.process)
                ended = run.process.poll() is not None
            told = run.kill()
            killed += not ended
            acknowledged.update(told)
            there = settled_keys(folder / "names")
            assert acknowledged <= {key.hex() for key in there}
            most = max(most, server.generations - before - len(told))
            assert most <= MOST_PAID_AGAIN
            if ended:
                check(folder)
                folder, acknowledged = tmp_path / str(killed), set()
        finish(folder, server)
    check(folder)
    print(f"{killed} kills, at most {most} requests paid again by one")


def finish(folder: Path, server: NameServer) -> None:
    """Let the run end, and ask nothing more."""
    run = Run(folder, server, REQUESTS)
    run.process.wait()
    run.kill()
    asked = server.generations
    again = Run(folder, server, REQUESTS)
    again.process.wait()
    assert again.kill() == []
    assert server.generations == asked


def check(folder: Path) -> None:
    """Each request is there exactly once, every line is JSON, no name is shown twice."""
    found = keys(folder / "names")
    assert len(found) == len(set(found)) == REQUESTS
    assert len({compact(key) for key in found}) == REQUESTS
    assert not [one for one in read_entries(folder / "names") if isinstance(one, Damage)]
    for path in segments(folder / "names"):
        for line in path.read_bytes().splitlines():
            json.loads(line)
    rows = [json.loads(line) for line in (folder / "names" / "combined_raw.jsonl").read_bytes().splitlines()]
    assert len({row["func_name"] for row in rows}) == len(rows) > 1000
