"""What the journal costs: going on from it, and writing it, each beside what it is made of.

    python benchmarks/journal.py [--large] [--folder FOLDER]

G12 is what a run does before it goes on from a million requests: it must know which are settled, what they came to and
which names were kept, of 440 MB. Ceilings first. Nobody can know that the bytes are what was written without looking at
all of them: *bytes* computes their checksum, and understands none. Nobody can hold keys in a ``set`` without making
objects of them: *keys* reads a file of nothing but keys, of which each is 16 bytes. What a program without a reader of
its own does is *json*: ``json.loads`` of every line, nothing compared. Each way runs in a process of its own, by turns
with the others, the files in the page cache; memory is the most that the whole process held.

A journal may be found in three states: *resume*, closed in order; *killed*, where the entries since the last block of
its recap have to be read; *unnoted*, where there is no recap, as after an older version, so that all of them have to.
*saturating* is a run whose arms may end early: it reads each entry, in order. With ``--large`` all is done with ten
million rows too, of 4.4 GB; ``--folder`` keeps the journals for the next time. That time grows as the number of rows
does is told by the slope of a straight line through the logarithms of both.

G13 is CPU per row of append, checksum, write and fdatasync of 256 rows. Nobody can write a row cheaper than its JSON
and one ``write``: *plain*, without checksum, envelope or sync.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from math import log
from pathlib import Path
from statistics import linear_regression, median
from typing import Literal

import card
import msgspec
from card import Judged, Record, judge, used

from evoselfcode.records import Candidate, Choice, Completion, L2r, Outcome, Request, Sampling, Usage, Verdict
from evoselfcode.storage import Draw, Entry, Journal, draw_of, journal_files, make_entry
from evoselfcode.storage.recap import SUFFIX, known_blocks, write_blocks

N = 4
VERDICT, DROPPED = Verdict(), Verdict("duplicate")
NEW = 20
"""Of so many requests one has a name that is new, as in a million of the soak test."""
SIZES, LARGE = (100_000, 300_000, 1_000_000), 10_000_000
MILLION = 1_000_000
ROUNDS = 3
RESUMES = ("resume", "killed", "unnoted")
LINEAR = (*RESUMES, "bytes", "keys")
WAYS = (*LINEAR, "saturating", "json")


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
        found[name] = median(clocked(work)[0] for _ in range(ROUNDS)) / rows * 1e6
    found["bytes a row"] = (folder / "plain").stat().st_size / rows
    return found


def rows_of(count: int) -> Iterator[Entry]:
    """Make entries of requests of two names, 440 bytes each as lines."""
    usage = Usage(11, 9)
    for number in range(count):
        name = f"merge_sorted_{number // NEW:07}"
        kept = None if number % NEW == 0 else "duplicate"
        draws = (Draw(name, name, kept, "stop"), Draw("quick_sort", "quick_sort", "duplicate", "stop"))
        yield Entry(
            key=key_of(number), stage="names", arm="FIM" if number & 1 else "L2R", number=number >> 1, seed=4 * number,
            attempts=1, seconds=0.512345, usage=usage, model="qwen", draws=draws, at=1_790_000_000.123,
        )  # fmt: skip


def key_of(number: int) -> str:
    return blake2b(b"%d" % number, digest_size=16).hexdigest()


def journal_of(folder: Path, count: int) -> Path:
    """Write a journal of so many rows, and a file of its keys, unless they are there."""
    made, done = folder / str(count), folder / str(count) / "keys"
    if done.exists():
        return made
    journal = Journal(made)
    for number, one in enumerate(rows_of(count)):
        journal.append(one)
        if number % 4096 == 0:
            journal.commit(0.0)
    journal.close(0.0)
    done.write_bytes(b"".join(bytes.fromhex(key_of(number)) for number in range(count)))
    return made


@contextmanager
def state(folder: Path, way: str) -> Iterator[None]:
    """Let the journal be as `way` finds it, and as it was afterwards."""
    recaps = {path: path.read_bytes() for path in sorted((folder / "journal").glob(f"*{SUFFIX}"))}
    try:
        if way == "killed":
            last = journal_files(folder)[-1]
            write_blocks(last.path.with_suffix(SUFFIX), list(known_blocks(last))[:-1])
        elif way == "unnoted":
            for path in recaps:
                path.unlink()
        yield
    finally:
        for path, written in recaps.items():
            path.write_bytes(written)


def reading(folder: Path, way: str) -> dict[str, float]:
    """Read a journal once; return rows, wall and CPU seconds, MiB before and at most, and cores that others used."""
    does = "resume" if way in RESUMES else way
    child = [sys.executable, str(Path(__file__).with_name("resuming.py")), does, str(folder)]
    with state(folder, way):
        began, before = time.perf_counter(), used()
        found: dict[str, float] = json.loads(subprocess.run(child, capture_output=True, check=True).stdout)
        took = time.perf_counter() - began
    return found | {"others": max(0.0, (used() - before) / took - 1)}


def resuming(folder: Path, sizes: tuple[int, ...]) -> dict[int, dict[str, dict[str, float]]]:
    """Return the median of each way at each size; what takes minutes is done once, or not at all."""
    told: dict[int, dict[str, dict[str, float]]] = {}
    for size in sizes:
        made = journal_of(folder, size)
        files = [segment.length for segment in journal_files(made)]
        print(f"\n{size:,} rows, {sum(files) / 1e6:,.0f} MB, {sum(files) / size:.0f} bytes each, {len(files)} files")
        ways = WAYS if size <= MILLION else LINEAR
        found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for number in range(ROUNDS):
            for way in ways:
                if number == 0 or size <= MILLION or way == "resume":
                    found[way].append(reading(made, way))
        told[size] = {}
        for way, rounds in found.items():
            told[size][way] = {key: median(one[key] for one in rounds) for key in rounds[0]} | {
                "rounds": len(rounds), "least_cpu": min(one["cpu"] for one in rounds),
                "most_cpu": max(one["cpu"] for one in rounds),
            }  # fmt: skip
            one = told[size][way]
            assert one["rows"] in (size, -1)
            print(f"  {one['cpu']:6.2f} s CPU [{one['least_cpu']:.2f}-{one['most_cpu']:.2f}]  {one['wall']:6.2f} s wall"
                  f"  {one['mib']:5.0f} MiB at most ({one['before']:.0f} before)  {way}")  # fmt: skip
    return told


def goals_of(told: dict[int, dict[str, dict[str, float]]], written: dict[str, float]) -> list[Judged]:
    """Judge G12 and G13."""
    goals: list[Judged] = []

    def goal(name: str, figure: float, keep: Literal["<=", ">="], limit: float, sentence: str) -> None:
        goals.append(judge(name, figure, keep, limit, sentence))

    if MILLION in told:
        for way in RESUMES[:2]:
            one = told[MILLION][way]
            goal("G12", one["cpu"], "<=", 1.5, f"seconds of CPU to go on from a million rows, {way}")
            goal("G12", one["wall"], "<=", 1.5, f"seconds on the wall for the same, {way}")
            goal("G12", one["mib"], "<=", 150, f"MiB that the whole process held at most, {way}")
        goal(
            "G12",
            told[MILLION]["json"]["cpu"] / told[MILLION]["resume"]["cpu"],
            ">=",
            4,
            "times less CPU than `json.loads`",
        )
    for way in RESUMES if len(told) > 1 else ():
        slope = linear_regression([log(size) for size in told], [log(ways[way]["cpu"]) for ways in told.values()]).slope
        goal("G12", slope, "<=", 1.05, f"the power of the rows that CPU grows with, {way}")
    for way in RESUMES[:2] if len(told) > 1 else ():
        before, last = sorted(told)[-2:]
        power = log(told[last][way]["cpu"] / told[before][way]["cpu"]) / log(last / before)
        goal("G12", power, "<=", 1.05, f"the same from {before:,} to {last:,} rows alone, {way}")
    goal("G13", written["journal, synced every 256"], "<=", 5, "µs of CPU for a row that is appended and synced")
    return goals


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the journal.")
    parser.add_argument("--rows", type=int, nargs="*", default=SIZES, help="sizes of the journals that are read")
    parser.add_argument("--large", action="store_true", help="ten million rows, too")
    parser.add_argument("--written", type=int, default=100_000, help="rows that are written")
    parser.add_argument("--folder", type=Path, help="keep the journals here, and use those that are there")
    given = parser.parse_args()
    sizes = (*given.rows, LARGE) if given.large else tuple(given.rows)
    record = Record("journal", {"rows": sizes, "written": given.written, "rounds": ROUNDS}, ["msgspec"])
    with tempfile.TemporaryDirectory(prefix="journal-") as passing:
        written = writing(Path(passing), given.written)
        for name, value in written.items():
            print(f"  {value:8.2f} {'' if 'bytes' in name else 'µs  '}{name}")
        told = resuming(given.folder or Path(passing), sizes)
    goals = goals_of(told, written)
    print()
    print(card.told(goals))
    others = [ways[way]["others"] for ways in told.values() for way in ways]
    record.keep({"writing": written, "resuming": told}, goals=goals, others=others)


if __name__ == "__main__":
    main()
