"""What the journal costs: writing, reading its keys, reading its entries, each beside what it is made of.

    python benchmarks/journal.py [--rows N]

Ceilings first. Nobody can write a row cheaper than its JSON and one ``write``: *plain*, without checksum, envelope
or sync. Reading keys is compared with ``json.loads`` of every line, which is what a program without a reader of its own
does. G13 is CPU per row of append, checksum, write and fdatasync of 256 rows; G12 is time and memory for the keys of a
million rows of 400 bytes, in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from evoselfcode.records import Candidate, Choice, Completion, L2r, Outcome, Request, Sampling, Usage, Verdict
from evoselfcode.storage import Entry, Journal, draw_of, journal_files, make_entry

N = 4
VERDICT, DROPPED = Verdict(), Verdict("duplicate")


def outcome(number: int) -> Outcome:
    """Make what a request of four names comes to."""
    request = Request(
        key=f"{number * 2654435761 % (1 << 128):032x}", prompt=L2r("This is an algorithm function.\n\ndef "),
        sampling=Sampling(max_new_tokens=16, n=N, seed=number), stage="names", arm="L2R", number=number,
    )  # fmt: skip
    choices = tuple(Choice(f"quick_sort_{number}_{index}", "stop") for index in range(N))
    return Outcome(request, Completion(choices, Usage(11, 16), "qwen"), 1, 0.5123456)


def candidates(one: Outcome) -> list[Candidate]:
    assert isinstance(one.result, Completion)
    return [Candidate.of(one.request, index, choice, choice.text) for index, choice in enumerate(one.result.choices)]


def entry(one: Outcome, drawn: list[Candidate]) -> Entry:
    draws = (draw_of(drawn[0], VERDICT), *(draw_of(candidate, DROPPED) for candidate in drawn[1:]))
    return make_entry(one, draws, 1_790_000_000.123456)


def clocked(work: Callable[[], object]) -> tuple[float, float]:
    """Return CPU and wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


def writing(folder: Path, rows: int) -> dict[str, float]:
    """Measure a row's way into the journal, in microseconds of CPU."""
    outcomes = [outcome(number) for number in range(rows)]
    drawn = [candidates(one) for one in outcomes]
    entries = [entry(one, them) for one, them in zip(outcomes, drawn, strict=True)]
    encode = msgspec.json.Encoder().encode
    found: dict[str, float] = {}

    def make() -> None:
        for one, them in zip(outcomes, drawn, strict=True):
            entry(one, them)

    def plain() -> None:
        with (folder / "plain").open("wb", buffering=1 << 20) as file:
            for one in entries:
                file.write(encode(one) + b"\n")

    def journalled() -> None:
        journal = Journal(folder)
        journal.due(0.0)
        for one in entries:
            journal.append(one)
            if journal.due(0.0):
                journal.commit(0.0)
        journal.close(0.0)

    for name, work in (("make entry and draws", make), ("plain write, no checksum, no sync", plain),
                       ("journal, synced every 256", journalled)):  # fmt: skip
        best = min(clocked(work) for _ in range(3))
        found[name] = best[0] / rows * 1e6
    found["bytes a row"] = (folder / "plain").stat().st_size / rows
    return found


CHILD = """
import json, sys, time
from pathlib import Path
from evoselfcode.storage import journal_files, settled_keys, read_once
folder, way = Path(sys.argv[1]), sys.argv[2]
def most_memory():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
before = most_memory()
wall, cpu = time.perf_counter(), time.process_time()
if way == "keys":
    found = settled_keys(folder)
elif way == "json":
    found = set()
    for segment in journal_files(folder):
        with segment.path.open("rb") as file:
            found |= {key for line in file if (key := json.loads(line).get("entry", {}).get("key"))}
else:
    found = range(sum(1 for _ in read_once(folder)))
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
most = most_memory()
print(json.dumps([len(found), wall, cpu, before / 1024, most / 1024]))
"""


def reading(folder: Path, way: str) -> list[float]:
    """Read a journal in a process of its own: rows, wall and CPU seconds, MiB before and at most."""
    best: list[float] = []
    for _ in range(3 if way == "keys" else 1):
        done = subprocess.run([sys.executable, "-c", CHILD, str(folder), way], capture_output=True, check=True)
        found: list[float] = json.loads(done.stdout)
        best = min(best, found, key=lambda it: it[2]) if best else found
    return best


def write_rows_of(folder: Path, rows: int, size: int) -> None:
    """Write a journal of entries of `size` bytes or a little more."""
    journal = Journal(folder)
    for number in range(rows):
        one = outcome(number)
        made = entry(one, candidates(one)[:1])
        padded = msgspec.structs.replace(made.draws[0], raw_text="x" * max(0, size - 290))
        journal.append(msgspec.structs.replace(made, draws=(padded,)))
        if number % 20_000 == 0:
            journal.commit(0.0)
    journal.close(0.0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows whose keys are read")
    parser.add_argument("--written", type=int, default=40_000, help="rows that are written")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="journal-"))
    card: dict[str, object] = {"rows": given.rows}
    try:
        for name, value in writing(folder / "w" if (folder / "w").mkdir() is None else folder, given.written).items():
            print(f"  {value:8.2f} {'' if 'bytes' in name else 'µs  '}{name}")
            card[name] = round(value, 2)
        write_rows_of(folder / "r", given.rows, 400)
        megabytes = sum(segment.length for segment in journal_files(folder / "r")) / 1e6
        print(f"\n{given.rows:,} rows, {megabytes:.0f} MB")
        for way in ("keys", "json", "entries"):
            count, wall, cpu, before, most = reading(folder / "r", way)
            assert count == given.rows
            print(f"  {wall:6.2f} s wall  {cpu:6.2f} s CPU  {most:5.0f} MiB at most ({before:.0f} before)  {way}")
            card[way] = {"wall": round(wall, 3), "cpu": round(cpu, 3), "mib": round(most), "before": round(before)}
        print(json.dumps(card))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
