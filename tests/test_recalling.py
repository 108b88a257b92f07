"""A run that goes on knows what reading every entry would tell it, whatever became of journal and recaps meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_lines import segments

from evoselfcode.clients import Findings
from evoselfcode.config import RunConfig
from evoselfcode.datagen.pipeline.namegen import NAMES
from evoselfcode.datagen.pipeline.recalling import Recall
from evoselfcode.datagen.pipeline.reconciling import count_entry
from evoselfcode.datagen.pipeline.resume import entries_of
from evoselfcode.datagen.pipeline.saturating import Saturating
from evoselfcode.datagen.pipeline.settled import Retry, Settled
from evoselfcode.datagen.pipeline.stage import Judge
from evoselfcode.datagen.pipeline.summary import Summary
from evoselfcode.engine import Meter, Stop
from evoselfcode.errors import Interrupted, RunMismatch
from evoselfcode.records import Candidate, Failure, L2r, Request, Sampling, Usage, Verdict
from evoselfcode.storage import Damage, Draw, Entry, Journal, RunFolder, compact, read_entries, rewrite_journal
from evoselfcode.storage.layout import journal_files
from evoselfcode.storage.recap import SUFFIX, known_blocks, write_blocks

ARMS = ("FIM", "L2R")
_RANDOM = Random(3)
DIGESTS = ["0" * 32, "0" * 31 + "1", "0" * 30 + "10", "f" * 32, *(_RANDOM.randbytes(16).hex() for _ in range(6))]
KEYS = [digest + part for digest in DIGESTS for part in ("", ".0", ".1-2")]
ODD = ["0" * 31, "A" * 32, "x" * 32, "0" * 32 + ".x"]
"""Keys that no version of this package gives a request."""


class Kept:
    """A judge that is told what was kept."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def __call__(self, request: Request, candidates: Sequence[Candidate]) -> Sequence[Verdict]:
        raise AssertionError("nothing is judged here")

    def remember(self, text: str) -> None:
        self.texts.append(text)

    async def aclose(self) -> None:
        """Hold nothing."""


@contextmanager
def small(rows: int, segment: int) -> Iterator[None]:
    """Let blocks and segments end after a few entries."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("evoselfcode.storage.recap.BLOCK_ROWS", rows)
        patch.setattr("evoselfcode.storage.recap.LEAST_ROWS", 1)
        patch.setattr("evoselfcode.storage.history.LEAST_ROWS", 1)
        patch.setattr("evoselfcode.storage.history._STRETCH", min(rows, 2))
        patch.setattr("evoselfcode.storage.journal.SEGMENT_ROWS", segment)
        yield


def made(random: Random, key: str, *, stage: str = "names") -> Entry:
    """Make an entry: mostly two draws of which some are kept, sometimes a request that was given up."""
    usage = Usage(random.choice([None, random.randrange(50)]), random.choice([None, random.randrange(50)]))
    asked: dict[str, Any] = {"key": key, "stage": stage, "arm": random.choice(ARMS), "number": 0, "attempts": 1}
    if random.random() < 0.3:
        return Entry(**asked, seconds=0.5, failure=Failure("server_error", "no luck", 502))
    draws = tuple(
        Draw(text := f"name_{random.randrange(99)}", text, random.choice([None, None, "duplicate", "weak"]))
        for _ in range(random.randrange(4))
    )
    return Entry(**asked, seconds=0.5, usage=usage, draws=draws)


def recalled(folder: Path, retry: Retry | None) -> tuple[Settled, Summary, dict[str, Counter[str]]]:
    """Read the journal as a run does that goes on."""
    judges = {arm: Kept() for arm in ARMS}
    summary = Summary("names", folder, Findings.unknown(), Meter())
    known: dict[str, Judge] = dict(judges)
    settled = Settled(retry)
    recall = Recall("names", known, True, settled, Saturating(None, ARMS, NAMES.name_of), summary)
    anyio.run(recall.read, RunFolder(folder), Stop())
    return settled, summary, {arm: Counter(judge.texts) for arm, judge in judges.items()}


def check(folder: Path) -> None:
    """Compare what is recalled, with recaps and where none are left, with what each entry says."""
    for _ in range(2):  # what the first leaves beside the journal, the second may use
        for retry in (None, "dead"):
            compare(folder, retry)
    for path in (folder / "journal").glob(f"*{SUFFIX}"):
        path.unlink()
    compare(folder, None)


def compare(folder: Path, retry: Retry | None) -> None:
    last: dict[bytes, Entry] = {}
    damages = Summary("names", folder, Findings.unknown(), Meter())
    for found in read_entries(folder):
        if isinstance(found, Damage):
            damages.damage(found)
        else:
            last[compact(found.key)] = found
    meter, kept = Meter(), {arm: Counter[str]() for arm in ARMS}
    settled, dead = set(), set()
    for entry in last.values():
        if entry.stage != "names" or entry.key in ODD:
            damages.damage(None)
        elif retry == "dead" and entry.failure is not None:
            dead.add(entry.key[:32])
        else:
            settled.add(entry.key)
            count_entry(meter, entry, resumed=True)
            kept[entry.arm].update(draw.text for draw in entry.draws if draw.reason is None)
    found_settled, summary, found_kept = recalled(folder, retry)
    assert vars(summary.meter) | {"durations": None} == vars(meter) | {"durations": None}
    assert found_kept == kept
    assert (summary.damaged, sorted(summary.damages)) == (damages.damaged, sorted(damages.damages))
    for key in KEYS:
        assert (key in found_settled) == (key in settled or key[:32] in settled)
        asked = Request(key=key, prompt=L2r("p"), sampling=Sampling(max_new_tokens=4), stage="names", arm="L2R")
        assert found_settled.wants(asked) == (key not in found_settled and (retry is None or key[:32] in dead))


def damage(random: Random, paths: list[Path]) -> None:
    """Flip a bit of a file, cut it, or write behind its end."""
    path = random.choice(paths)
    whole = bytearray(path.read_bytes())
    what = random.randrange(3)
    if what == 0 and whole:
        whole[random.randrange(len(whole))] ^= 1 << random.randrange(8)
    elif what == 1:
        del whole[random.randrange(len(whole) + 1) :]
    else:
        whole += random.choice([b"{", b"\n", bytes(40)])
    path.write_bytes(whole)


def attempt(folder: Path, random: Random, *, odd: bool, ordered: Iterator[str] | None) -> None:
    """Write entries as one process does, which may be killed, or go on after another took over."""
    journal = Journal(folder)
    for _ in range(random.randrange(12)):
        key = random.choice(KEYS) if ordered is None else next(ordered, random.choice(KEYS))
        entry = made(random, random.choice(ODD) if odd and random.random() < 0.1 else key,
                     stage="code" if odd and random.random() < 0.1 else "names")  # fmt: skip
        journal.append(entry)
        if random.random() < 0.5:
            journal.commit(0.0)
    if random.random() < 0.2:
        newer = Journal(folder)
        for key in random.sample(KEYS, 3):  # what does not count any more, though it is noted
            journal.append(made(random, key if ordered is None else next(ordered, key)))
        with suppress(RunMismatch):
            journal.commit(0.0)
        journal = newer
    if random.random() < 0.7:
        journal.close(0.0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(1, 5), st.integers(2, 9), st.booleans(), st.booleans())
def test_recalling_comes_to_what_the_entries_say(seed: int, rows: int, segment: int, odd: bool, again: bool) -> None:
    """Journals of several processes, killed, fenced off, damaged, asked again, rewritten; recaps damaged and lost.

    Sabotages: do not compare ``crc32``, or ``end`` with the size, in ``known_blocks``; leave ``replaced`` out; do not
    take away in ``_add`` what was answered later; do not look at what ``pack`` yields.
    """
    random = Random(seed)
    with TemporaryDirectory() as made_here, small(rows, segment):
        folder = Path(made_here)
        ordered = None if again else iter(random.sample(KEYS, len(KEYS)))
        for _ in range(random.randrange(1, 4)):
            attempt(folder, random, odd=odd, ordered=ordered)
            paths = [*(folder / "journal").glob("*.jsonl")]
            recaps = [*(folder / "journal").glob(f"*{SUFFIX}")]
            if paths and random.random() < 0.3:
                damage(random, paths)
            if recaps and random.random() < 0.3:
                damage(random, recaps)
            if recaps and random.random() < 0.2:
                random.choice(recaps).unlink()
            if random.random() < 0.1:
                rewrite_journal(folder, lambda entry, counts: entry, {})
            check(folder)


def test_what_was_given_up_and_is_answered_later_needs_no_entry_read(tmp_path: Path) -> None:
    """Sabotage: read the entries as soon as any key is there twice."""
    random = Random(1)
    asked: dict[str, Any] = {"stage": "names", "arm": "L2R", "number": 0, "attempts": 5, "seconds": 1.0}
    failed = [Entry(**asked, key=key, failure=Failure("timeout", "")) for key in DIGESTS]
    with small(4, 100):
        for entries in (failed, [msgspec.structs.replace(made(random, key), failure=None) for key in DIGESTS[:7]]):
            journal = Journal(tmp_path)
            for entry in entries:
                journal.append(entry)
                journal.commit(0.0)
            journal.close(0.0)
        spoil_counts(tmp_path)
        settled, summary, _ = recalled(tmp_path, "dead")
    assert summary.meter.prompt_tokens == 1000 * 2
    assert (summary.meter.settled, summary.meter.dead) == (7, 0)
    assert [key in settled for key in DIGESTS] == [True] * 7 + [False] * 3


def spoil_counts(folder: Path) -> None:
    """Let each block of a recap that counts tokens say a thousand, to see who believes it."""
    for segment in journal_files(folder):
        blocks = list(known_blocks(segment))
        for block in blocks:
            for group in block.groups or ():
                group.prompt_tokens = 0
            if block.groups and any(group.answered for group in block.groups):
                next(group for group in block.groups if group.answered).prompt_tokens = 1000
        if blocks:
            write_blocks(segment.path.with_suffix(SUFFIX), blocks)


def test_a_recap_is_believed_where_its_bytes_are_there_and_nowhere_else(tmp_path: Path) -> None:
    """Sabotages: write no recap in ``_seal``; do not compare ``crc32``; forget the version."""
    random = Random(2)
    with small(3, 6):
        journal = Journal(tmp_path)
        for key in DIGESTS:
            journal.append(msgspec.structs.replace(made(random, key), failure=None, usage=Usage(1, 1)))
            journal.commit(0.0)
        journal.close(0.0)
        assert [len([*known_blocks(segment)]) for segment in journal_files(tmp_path)] == [2, 2]
        assert recalled(tmp_path, None)[1].meter.prompt_tokens == 10
        spoil_counts(tmp_path)
        assert recalled(tmp_path, None)[1].meter.prompt_tokens == 4000
        first, second = segments(tmp_path)
        whole = first.read_bytes()
        first.write_bytes(whole[:-1] + b" ")  # in the last line of its second block
        _, summary, _ = recalled(tmp_path, None)
        assert (summary.meter.prompt_tokens, summary.damaged) == (1000 + 2 + 2000, 1)
        first.write_bytes(whole)
        recap = second.with_suffix(SUFFIX)
        recap.write_bytes(recap.read_bytes().replace(b"recap 2", b"recap 3"))  # of another version
        assert recalled(tmp_path, None)[1].meter.prompt_tokens == 1000 + 3 + 4


def test_what_ends_arms_early_is_told_every_entry_in_order(tmp_path: Path) -> None:
    """Sabotage: take sums where a saturation rule is on."""
    rules = RunConfig.from_mapping({"namegen": {"saturation": {"tokens": 10}}}).namegen.saturation
    with small(2, 100):
        journal = Journal(tmp_path)
        for key in DIGESTS[:6]:
            journal.append(
                Entry(key=key, stage="names", arm="L2R", number=0, attempts=1, seconds=1.0, usage=Usage(1, 1))
            )
            journal.commit(0.0)
        journal.close(0.0)
        following = Saturating(rules, ARMS, NAMES.name_of)
        summary = Summary("names", tmp_path, Findings.unknown(), Meter())
        judges: dict[str, Judge] = {arm: Kept() for arm in ARMS}
        recall = Recall("names", judges, True, Settled(None), following, summary)
        anyio.run(recall.read, RunFolder(tmp_path), Stop())
    assert following.ended("L2R")
    assert not following.ended("FIM")
    assert summary.meter.settled == len([*entries_of("names", ARMS, RunFolder(tmp_path))]) == 6


@pytest.mark.parametrize("tokens", [2**64 - 1, 10**30, -(2**64)])
def test_a_server_that_claims_absurd_numbers_of_tokens_stops_no_run(tmp_path: Path, tokens: int) -> None:
    """MessagePack has no such numbers. Sabotage: note them."""
    with small(4, 100):
        journal = Journal(tmp_path)
        for number in range(9):
            entry = made(Random(number), f"{number:032x}")
            journal.append(msgspec.structs.replace(entry, usage=Usage(tokens, tokens)) if entry.draws else entry)
        journal.close(0.0)
        check(tmp_path)


def test_a_stop_is_heeded_while_what_was_kept_is_remembered(tmp_path: Path) -> None:
    """Sabotage: remember all of it at once."""
    judge, stop, summary = Kept(), Stop(), Summary("names", tmp_path, Findings.unknown(), Meter())
    judge.remember = lambda text: (judge.texts.append(text), stop.set())  # type: ignore[method-assign]
    with small(2, 100):
        journal = Journal(tmp_path)
        for number in range(40):
            journal.append(made(Random(number), f"{number:032x}"))
        journal.close(0.0)
        known = dict[str, Judge].fromkeys(ARMS, judge)
        recall = Recall("names", known, True, Settled(None), Saturating(None, ARMS, NAMES.name_of), summary)
        with pytest.raises(Interrupted):
            anyio.run(recall.read, RunFolder(tmp_path), stop)
    assert 0 < len(judge.texts) < 20
