"""A run's journal as lines, for tests that look at them, change them or damage them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from evoselfcode.records import (
    Candidate,
    Choice,
    Completion,
    Failure,
    L2r,
    Outcome,
    Request,
    Sampling,
    Usage,
    Verdict,
)
from evoselfcode.storage import (
    JOURNAL,
    Entry,
    Journal,
    compact,
    draw_of,
    journal_files,
    make_entry,
    read_entries,
    read_once,
)


def entries(folder: Path) -> list[Entry]:
    """Return all entries of the journal in the folder of a run."""
    return [entry for entry in read_entries(folder) if isinstance(entry, Entry)]


def segments(folder: Path) -> list[Path]:
    """Return the journal's files, in the order of writing."""
    return [segment.path for segment in journal_files(folder)]


def lines(folder: Path) -> list[bytes]:
    """Return the journal's lines but for the heads, each with its newline."""
    return [line for segment in journal_files(folder)
            for line in segment.path.read_bytes()[segment.begin :].splitlines(keepends=True)]  # fmt: skip


def rewrite(folder: Path, wanted: Iterable[bytes]) -> Path:
    """Let the journal be one file with these lines; return it."""
    first, *_ = journal_files(folder)
    head = first.path.read_bytes()[: first.begin]
    for path in (folder / JOURNAL).iterdir():
        if path != first.path:
            path.unlink()
    first.path.write_bytes(head + b"".join(wanted))
    return first.path


def begin(folder: Path) -> int:
    """Return where the first entry of the journal's first file begins."""
    return journal_files(folder)[0].begin


def entry(key: str = "00", text: str = "quick_sort", reason: str | None = None) -> Entry:
    """Make an entry of one draw."""
    request = Request(key=key, prompt=L2r("p"), sampling=Sampling(max_new_tokens=4, seed=7), stage="names", arm="L2R")
    candidate = Candidate(arm="L2R", number=0, index=0, text=text, raw_text=text, finish_reason="stop")
    outcome = Outcome(request, Completion((Choice(text, "stop"),), Usage(3, 4), "m"), 1, 0.5)
    return make_entry(outcome, (draw_of(candidate, Verdict(reason)),))


def dead(key: str) -> Entry:
    """Make an entry of a request that was given up."""
    request = Request(key=key, prompt=L2r("p"), sampling=Sampling(max_new_tokens=4), stage="names", arm="L2R")
    return make_entry(Outcome(request, Failure("server_error", "no luck", 502), 5, 0.5), ())


def write(folder: Path, *written: Entry) -> None:
    """Write entries as one process does."""
    journal = Journal(folder)
    for one in written:
        journal.append(one)
    journal.close(0.0)


def settled_keys(folder: Path) -> set[bytes]:
    """Return the keys of what counts in the journal."""
    return {compact(one.key) for one in read_once(folder) if isinstance(one, Entry)}


def keys(folder: Path) -> list[str]:
    """Return the keys of all entries, in the order of writing."""
    return [one.key for one in entries(folder)]
