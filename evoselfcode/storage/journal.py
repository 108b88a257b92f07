"""The journal: the truth about what was asked and what came of it, one line per settled request.

This file decides what is remembered of a request and when it counts as remembered. Every draw is in it, kept or
dropped and why; so is every request that was given up. It refuses to judge anything itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from evoselfcode.errors import StorageError
from evoselfcode.records import Candidate, Failure, FailureKind, Outcome, Task, Usage, Verdict
from evoselfcode.spans import Span
from evoselfcode.storage import jsonl

COMMIT_ROWS = 256
"""Entries after which a commit is due: fdatasync then costs less than 5 µs an entry."""

COMMIT_SECONDS = 1.0
"""Seconds after which a commit is due: what a kill can cost, besides the requests in flight."""


DUPLICATE = "duplicate"
"""Reason of a draw that every gate accepts and that repeats one that was kept."""


class Draw(msgspec.Struct, frozen=True, omit_defaults=True):
    """One choice and what was made of it.

    Attributes:
        raw_text: The text as the server sent it.
        text: What the parser made of it.
        reason: ``None`` if it was kept, else why it was dropped.
        finish_reason: Why it ended.
        logprob: Sum of its token log-probabilities in nats.
        parts: Of a text that was scored: the numbers of its parts, by name.
    """

    raw_text: str
    text: str
    reason: str | None = None
    finish_reason: str | None = None
    logprob: float | None = None
    parts: dict[str, Span] | None = None

    @property
    def accepted(self) -> bool:
        """Whether no gate objects: the draw is the first of its text, or repeats it."""
        return self.reason in (None, DUPLICATE)


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What one request finally came to: ``draws``, or the ``failure`` it died of.

    Attributes:
        key: The request's key; the journal never holds a key twice.
        stage: The stage that asked.
        arm: The arm of the A/B test.
        number: The request's position in the plan.
        seed: The seed that was sent.
        attempts: Attempts made.
        seconds: Wall time from the first attempt to the end.
        failures: Kinds of the attempts that failed on the way.
        usage: Tokens as counted by the server.
        model: The model as named by the server.
        topic: What it asked about, where its arm has topics.
        task: The function it was about, in Stage B.
        row: What the journal calls the row of a file that it was about, in stages that look at written code.
        draws: The choices, in the server's order.
        failure: Why the request was given up.
        at: When it settled: Unix time in seconds, to the millisecond; ``None`` in journals that did not note it.
    """

    key: str
    stage: str
    arm: str
    number: int
    seed: int | None = None
    attempts: int
    seconds: float
    failures: tuple[FailureKind, ...] = ()
    usage: Usage = Usage()
    model: str | None = None
    topic: str | None = None
    task: Task | None = None
    row: str | None = None
    draws: tuple[Draw, ...] = ()
    failure: Failure | None = None
    at: float | None = None


def make_entry(outcome: Outcome, draws: tuple[Draw, ...], at: float | None = None) -> Entry:
    """Write down an outcome, its draws and when it settled (Unix time in seconds) as one entry."""
    request, result = outcome.request, outcome.result
    failure = result if isinstance(result, Failure) else None
    return Entry(
        key=request.key,
        stage=request.stage,
        arm=request.arm,
        number=request.number,
        seed=request.sampling.seed,
        attempts=outcome.attempts,
        seconds=round(outcome.seconds, 6),
        failures=outcome.failures,
        usage=Usage() if isinstance(result, Failure) else result.usage,
        model=None if isinstance(result, Failure) else result.model,
        topic=request.topic,
        task=request.task,
        row=request.row,
        draws=draws,
        failure=failure,
        at=None if at is None else round(at, 3),
    )


def draw_of(candidate: Candidate, verdict: Verdict) -> Draw:
    """Write down a candidate and its verdict."""
    return Draw(
        raw_text=_utf8(candidate.raw_text),
        text=_utf8(candidate.text),
        reason=verdict.reason,
        finish_reason=candidate.finish_reason,
        logprob=candidate.logprob,
        parts=candidate.parts,
    )


def _utf8(text: str) -> str:
    """Replace lone surrogates, which no UTF-8 file can hold, by U+FFFD."""
    try:
        text.encode()  # a tenth of the time of what follows: the event loop waits for it
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


class Journal:
    """Appends entries; an entry is acknowledged when :meth:`commit` has returned.

    Args:
        path: The journal's file; a torn tail is repaired.

    Raises:
        StorageError: The file cannot be opened or repaired.
    """

    def __init__(self, path: Path) -> None:
        self._file = jsonl.Appender(path)
        self._encoder = msgspec.json.Encoder()
        self._committed_at: float | None = None

    def append(self, entry: Entry) -> None:
        """Take an entry; never blocks."""
        self._file.append(self._encoder.encode(entry))

    def due(self, now: float) -> bool:
        """Say whether a commit is due at `now` (seconds on any steady clock)."""
        if self._committed_at is None:
            self._committed_at = now
        return self._file.pending >= COMMIT_ROWS or (
            self._file.pending > 0 and now - self._committed_at >= COMMIT_SECONDS
        )

    def commit(self, now: float) -> None:
        """Make all entries taken durable. Blocks for the disk: call it off the event loop.

        Raises:
            StorageError: The entries are not acknowledged; the journal must be opened anew.
        """
        self._file.commit()
        self._committed_at = now

    def close(self, now: float) -> None:
        """Commit and close. Blocks for the disk.

        Raises:
            StorageError: The last entries are not acknowledged.
        """
        try:
            self.commit(now)
        finally:
            self._file.close()


_decoder = msgspec.json.Decoder(Entry)


def read_entries(path: Path) -> Iterator[Entry | jsonl.Damage]:
    """Yield the entries of a journal in the order in which they were written; none if there is no file.

    Raises:
        StorageError: The file cannot be read, or holds an entry of another version: its row is paid for, and must not
            be asked again because it cannot be read.
    """
    if not path.exists():
        return
    try:
        yield from jsonl.read_as(path, _decoded)
    except msgspec.ValidationError as error:
        raise StorageError(
            f"{path} has an entry that this version cannot read: {error}",
            hint="go on with the version that wrote it, or use --new-run to begin anew beside it",
        ) from error


def read_once(path: Path) -> Iterator[Entry | jsonl.Damage]:
    """Do as :func:`read_entries`, and yield an entry whose key was there before no more."""
    seen: set[str] = set()
    for entry in read_entries(path):
        if isinstance(entry, Entry):
            if entry.key in seen:
                continue
            seen.add(entry.key)
        yield entry


def _decoded(document: bytes) -> Entry | None:
    """Read an entry, or return ``None`` if it is no JSON."""
    try:
        return _decoder.decode(document)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
