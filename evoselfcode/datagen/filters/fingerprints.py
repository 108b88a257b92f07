"""Fingerprints: what is kept of a benchmark's task, and what a candidate is looked up by.

Of a task's text nothing is kept that can be read: only hashes of overlapping pieces of it. This file decides what a
piece is, and it is blind to who asks: a task and a candidate are normalised by the same two functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b

import msgspec

from evoselfcode.datagen.filters.names import canonical

WINDOW = 50
"""Bytes of a window. Evidence: docs/explanation/contamination.md."""

STRIDE = 8
"""Bytes from one kept window of a task to the next; a candidate's are looked up at every byte."""

GRAM = 10
"""Words of an n-gram, as in Qwen2.5-Coder (arXiv 2409.12186) and BigCodeBench (arXiv 2406.15877)."""

LEAST = 32
"""Letters of an n-gram that is kept. ``while b: a, b = b, a % b return`` has 24, and everybody's gcd has it."""

PROMPTS = ("prompt", "text")
SOLUTIONS = ("canonical_solution", "completion", "solution", "code", "content")
"""Fields of a row that are read: a prompt, or a document on its own, and what answers it."""

HASH = 8
"""Bytes of a hash: 10^12 look-ups in 10^5 hashes are expected to hit 0.005 times by chance."""

_MARKS = str.maketrans("", "", "\"'`#")
_BOILERPLATE = re.compile(
    r"""^[ \t]*(?:async[ ]+)?def\s+\w+\s*\((?:[^()]|\([^()]*\))*+\)[^\n:]*:[ \t\r]*(?:\#[^\n]*)?$
      | ^[ \t]*(?:from[ ]+[\w.]+[ ]+)?import[ ].*$
      | \bwrite\ a\ (?:python\ )?function\ (?:to|for|that)\b(?:\ (?:find|check|get|return)\b)?""",
    re.MULTILINE | re.IGNORECASE | re.VERBOSE,
)
_DEF = re.compile(r"^(?:async[ \t]+)?def[ \t]+(\w+)", re.MULTILINE)
_NEXT = re.compile(r"\n(?=[^\s)\]}])")


class Task(msgspec.Struct, frozen=True):
    """What is kept of one task, or of one row of a user's file.

    Attributes:
        of: The task: ``HumanEval/12``.
        windows: Hashes of windows, 8 bytes each, in the order of their bytes, which is not that of the text.
        grams: Hashes of 10-grams, likewise.
        alphas: Alpha hashes of the reference solution.
        name: The canonical name of the function that is asked for, ``""`` if the row names none.
    """

    of: str
    windows: bytes
    grams: bytes
    alphas: tuple[str, ...]
    name: str = ""


def words(text: str) -> list[str]:
    """Return the words between white space, lower case, without quotes, backticks and ``#``.

    So neither the style of quotes nor a docstring that became a comment makes a difference.
    """
    return text.lower().translate(_MARKS).split()


def windows(said: list[str], stride: int = 1) -> Iterator[bytes]:
    """Yield the hashes of the windows of a text, which are blind to white space and where lines break.

    One begins every `stride` bytes, and one ends with the text. So whatever has a hash of a task's with `stride` *s*
    in common with it shares a run of at least ``WINDOW`` bytes, and whatever shares ``WINDOW + s - 1`` has one.

    Args:
        said: The words of the text.
        stride: Bytes between the beginnings of two windows.
    """
    letters = "".join(said).encode("utf-8", "surrogatepass")
    last = len(letters) - WINDOW
    if last >= 0:
        for at in (*range(0, last, stride), last):
            yield blake2b(letters[at : at + WINDOW], digest_size=HASH).digest()


def grams(said: list[str], least: int = 0) -> Iterator[bytes]:
    """Yield the hashes of all runs of ``GRAM`` words that have at least `least` letters together."""
    for at in range(len(said) - GRAM + 1):
        run = said[at : at + GRAM]
        if sum(map(len, run)) >= least:
            yield blake2b(" ".join(run).encode("utf-8", "surrogatepass"), digest_size=HASH).digest()


def task_of(name: str, number: int, row: object, alpha: Callable[[str], str | None]) -> Task:
    """Keep of a row what finds it again.

    Lines that import, signatures and "Write a function to find" are left out: they are everybody's.

    Args:
        name: The benchmark, or the file.
        number: The row's, from 1.
        row: Fields as in HumanEval, MBPP, or ``{prompt, completion}``; see :data:`PROMPTS` and :data:`SOLUTIONS`.
        alpha: Gives the alpha hash of a program, ``None`` if it does not parse.

    Raises:
        ValueError: The row is no object, has none of the fields, or a field that is no text.
    """
    if (complaint := _complaint(row)) is not None or not isinstance(row, Mapping):
        raise ValueError(f"{name}, row {number}: {complaint}")
    fields = _texts(row)
    asked = fields.pop("entry_point", "")
    pieces = [words(piece) for text in fields.values() for piece in _BOILERPLATE.split(text)]
    return Task(
        of=_called(name, number, row.get("task_id")),
        windows=_packed(hashed for said in pieces for hashed in windows(said, STRIDE)),
        grams=_packed(hashed for said in pieces for hashed in grams(said, LEAST)),
        alphas=tuple(dict.fromkeys(filter(None, map(alpha, _programs(fields, asked))))),
        name=canonical(asked),
    )


def _called(name: str, number: int, given: object) -> str:
    """Return what a task is called: its own id, which may have the benchmark's name in front, or the row's number."""
    if given is None:
        return f"{name}:{number}"
    return str(given) if "/" in str(given) else f"{name}/{given}"


def _packed(hashes: Iterator[bytes]) -> bytes:
    return b"".join(sorted(set(hashes)))


def _texts(row: object) -> dict[str, str]:
    """Return the fields of a row that are read."""
    if not isinstance(row, Mapping):
        return {}
    return {field: row[field] for field in (*PROMPTS, *SOLUTIONS, "entry_point") if row.get(field) is not None}


def _complaint(row: object) -> str | None:
    """Say what is wrong with a row, or ``None``."""
    if not isinstance(row, Mapping):
        return f"wanted an object with fields, got {type(row).__name__}"
    found = _texts(row)
    wrong = next((field for field, value in found.items() if not isinstance(value, str)), None)
    if wrong:
        return f"wanted text in {wrong}, got {type(found[wrong]).__name__}"
    if found.keys() <= {"entry_point"}:
        return (
            f"wanted at least one of {', '.join((*PROMPTS, *SOLUTIONS))}, got {', '.join(map(str, row)) or 'nothing'}"
        )
    return None


def _programs(fields: dict[str, str], asked: str) -> Iterator[str]:
    """Yield what may be the reference solution as a program, and the functions in it, alone, as a candidate is.

    A text without a function is none, and neither is a prompt without its solution: every function that is only a
    docstring would have its alpha hash.
    """
    prompt = fields.get("prompt") or fields.get("text", "")
    solutions = [fields[field] for field in SOLUTIONS if field in fields]
    for program in [*(prompt + solution for solution in solutions), *(solutions or [fields.get("text", "")])]:
        for nth, found in enumerate(_DEF.finditer(program)):
            if nth == 0:
                yield program
            if asked in ("", found[1]):
                end = _NEXT.search(program, found.end())
                yield program[found.start() : end.start() if end else None]
