"""The audit of the filters: what each gate drops of a corpus, and how many programs that are known to be good it loses.

This file decides what a corpus looks like and how losses are counted. Gates that are about other data than the program
itself (contamination, duplicates, execution) are left out.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from evoselfcode.config import RunConfig
from evoselfcode.datagen.code.crew import Crew
from evoselfcode.datagen.code.examiner import Draft, Rules
from evoselfcode.datagen.code.linting import AT_ONCE, lint, require_ruff
from evoselfcode.datagen.code.prompts import task_of
from evoselfcode.datagen.code.rules import rules_of, settings_of
from evoselfcode.datagen.filters.gates import CODE_REASONS, RUFF_GATE
from evoselfcode.engine import Stop
from evoselfcode.errors import Interrupted, UsageError
from evoselfcode.records import Task
from evoselfcode.storage import storage_errors

AUDIT = "audit.json"

KNOWN_AUDIT = Path(__file__).with_name("known_audit.json")
"""What the gates, as they are by default, do to a public corpus: written by ``scripts/write_gate_audit.py``."""

ABOUT_OTHERS = ("contaminated", "quarantined", "failed", "duplicate", "near_duplicate")
"""Gates that an audit leaves out."""

_DEF = re.compile(r"(?m)^(?:async[ \t]+)?def[ \t]+([A-Za-z_]\w*)")


class _Row(msgspec.Struct):
    """A line of a corpus: a program, or a prompt with a solution or several."""

    code: str | None = None
    func_name: str | None = None
    prompt: str = ""
    entry_point: str | None = None
    canonical_solution: str | None = None
    completion: str | None = None
    samples: tuple[str, ...] | None = None
    passed: tuple[bool, ...] | bool | None = None


class Program(NamedTuple):
    """A program of a corpus, and whether it is known to be good."""

    draft: Draft
    good: bool


def read_corpus(path: Path) -> Iterator[Program]:
    """Read the programs of a JSONL file, plain or compressed by gzip.

    A line has ``code``; or ``prompt`` with ``canonical_solution``, ``completion`` or ``samples``. ``passed`` says which
    are good, all if it is left out; ``func_name`` or ``entry_point`` what the function is called.

    Raises:
        UsageError: The file cannot be read as such.
        StorageError: It cannot be read at all.
    """
    if not path.is_file():
        raise UsageError(f"{path} is no file", hint="a corpus is a JSONL file of programs")
    decode = msgspec.json.Decoder(_Row).decode
    with storage_errors(path, "read"), _opened(path) as lines:
        try:
            for number, line in enumerate(lines, 1):
                try:
                    yield from _programs(decode(line))
                except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
                    raise UsageError(
                        f"{path} line {number}: {error}",
                        hint='expected {"code": …} or {"prompt": …, "samples": […], "passed": […]}, one a line',
                    ) from None
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UsageError(f"{path} is damaged: {error}") from None


def _opened(path: Path) -> Any:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _programs(row: _Row) -> Iterator[Program]:
    if row.code is not None:
        name = row.func_name or row.entry_point or _first_name(row.code)
        yield Program(Draft(Task(func_name=name), row.code), row.passed is not False)
        return
    texts = row.samples or tuple(filter(None, (row.canonical_solution, row.completion)))
    if not texts:
        raise ValueError("has neither code nor a solution of a prompt")
    good = row.passed if isinstance(row.passed, tuple) else (row.passed is not False,) * len(texts)
    if len(good) != len(texts):
        raise ValueError(f"has {len(texts)} texts and {len(good)} values of passed")
    name = row.entry_point or row.func_name or _first_name(row.prompt)
    task = task_of(row.prompt, name, "", "")
    for text, passed in zip(texts, good, strict=True):
        yield Program(Draft(task, text), passed)


def _first_name(text: str) -> str:
    found = _DEF.search(text)
    return found[1] if found else ""  # which no function is called: the gates say what it is


class _Count:
    """What gates do to programs of which some are good."""

    def __init__(self) -> None:
        self.programs = self.good = self.kept = self.kept_good = 0
        self.first: Counter[str] = Counter()
        self.first_good: Counter[str] = Counter()
        self.every: Counter[str] = Counter()
        self.every_good: Counter[str] = Counter()

    def add(self, reasons: Sequence[str], good: bool) -> None:
        self.programs += 1
        self.good += good
        self.kept += not reasons
        self.kept_good += good and not reasons
        self.every.update(reasons)
        self.first.update(reasons[:1])
        if good:
            self.every_good.update(reasons)
            self.first_good.update(reasons[:1])


async def audit(path: Path, config: RunConfig, stop: Stop | None = None) -> dict[str, Any]:
    """Ask every gate about every program of a corpus.

    Args:
        path: The corpus.
        config: Thresholds and gates, as a run has them; ruff is asked whether or not it is switched on.
        stop: Ends it early.

    Returns:
        ``programs``, ``good``, ``kept``, ``kept_good``, and for each gate whether it is ``on``, what it ``drops`` and
        ``loses`` of the good in its place of the ladder, and what ``alone``.

    Raises:
        UsageError: The corpus is none, or ruff is not installed.
        StorageError: It cannot be read.
        Interrupted: `stop` came before the end.
    """
    require_ruff()
    rules = rules_of(config)
    off = {*rules.limits.off, *(() if config.filters.enable_ruff else ("ruff",))}
    everything = msgspec.structs.replace(rules.limits, off=ABOUT_OTHERS)
    count = await _counted(read_corpus(path), Rules(limits=everything), off, stop or Stop())
    gates = [reason for reason in CODE_REASONS if reason not in ABOUT_OTHERS]
    return {
        "corpus": path.name,
        "programs": count.programs,
        "good": count.good,
        "kept": count.kept,
        "kept_good": count.kept_good,
        "gates": [
            {
                "gate": gate,
                "on": gate not in off,
                "drops": count.first[gate],
                "loses": count.first_good[gate],
                "alone": {"drops": count.every[gate], "loses": count.every_good[gate]},
            }
            for gate in gates
        ],
        "filters": settings_of(config),
    }


async def _counted(programs: Iterator[Program], rules: Rules, off: set[str], stop: Stop) -> _Count:
    count = _Count()
    async with aclosing(Crew(rules)) as crew:
        while chunk := list(islice(programs, AT_ONCE)):
            if stop.is_set():
                raise Interrupted("stopped while a corpus was looked at", hint="audit-filters does it again")
            found = await crew.look_at([program.draft for program in chunk])
            parsed = [number for number, it in enumerate(found) if it.examined.syntax_valid]
            broken = dict(zip(parsed, await lint([found[it].source.program for it in parsed], RUFF_GATE), strict=True))
            for number, (program, it) in enumerate(zip(chunk, found, strict=True)):
                objecting = {*it.examined.reasons, *(("ruff",) if broken.get(number) else ())}
                count.every.update(objecting & off)  # a gate that is off is asked all the same, and drops nothing
                count.every_good.update(objecting & off if program.good else ())
                count.add([reason for reason in CODE_REASONS if reason in objecting - off], program.good)
    return count
