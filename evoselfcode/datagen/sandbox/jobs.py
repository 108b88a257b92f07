"""What is handed to a sandbox and what it gives back: plain records."""

from __future__ import annotations

from typing import Literal

import msgspec

Level = Literal["bubblewrap", "namespaces", "landlock", "rlimits"]
"""How model-written code is held, best first; see docs/explanation/sandbox.md."""

STATUSES: dict[str, str] = {
    "pass": "it did what the check asks",
    "assert": "an assertion did not hold; of a call: it gave something else the second time, or changed its input",
    "exception:…": "it raised, and this is the name of the class",
    "timeout": "it took longer than it was given",
    "memory": "it asked for more memory than it was given",
    "crash": "the process ended without an outcome: a fault, a signal, an exit",
    "import": "it imports what is not in the standard library, or not for it",
    "sandbox_error": "the sandbox failed; this says nothing about the program and never counts against it",
}
"""Every status of an outcome, and what it says."""


NOT_RUN = "not run: the job's time or lives were used up"
"""Detail of a ``timeout`` that says nothing about the check itself."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is run once a program has been defined.

    Attributes:
        kind: ``assert`` runs a statement; ``call`` calls a function twice with the same arguments, anew; ``doctest``
            runs the examples of a docstring one behind the other.
        text: The statement, or the arguments as a tuple in Python's notation.
        name: The function that is called.
        in_place: Whether a call may change its arguments.
        examples: Per example its source, what is to be printed, and what is to be raised.
    """

    kind: Literal["assert", "call", "doctest"]
    text: str = ""
    name: str = ""
    in_place: bool = False
    examples: tuple[tuple[str, str, str | None], ...] = ()


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One program, run in one process of its own, and its checks.

    Attributes:
        program: Python text, executed as a module.
        checks: Run in this order; a check that ends the process takes none of the others with it.
        key: Handed back with the result.
    """

    program: str
    checks: tuple[Check, ...] = ()
    key: str = ""


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """What came of a program or of a check.

    Attributes:
        status: One of :data:`STATUSES`.
        detail: A few words, written by the model's code in part; at most 300 letters.
        value: Of a call that returned: a ``repr`` with sets in order and without addresses, at most 200 letters.
        seconds: Processor time.
    """

    status: str
    detail: str = ""
    value: str = ""
    seconds: float = 0.0


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a job.

    Attributes:
        key: The job's.
        level: How the code was held.
        program: What came of defining the program. Unless it passed, every check has the same outcome.
        checks: One outcome per check.
        output: What the code printed, both streams, at most ``Limits.output_bytes``.
    """

    key: str
    level: Level
    program: Outcome
    checks: tuple[Outcome, ...]
    output: str = ""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a program may use.

    Attributes:
        seconds: Wall-clock time of a job with all its checks.
        check_seconds: Processor time of the program's definition, and of each check. On the wall it is twice that, or
            half of `seconds` if that is more.
        memory_bytes: Address space (``RLIMIT_AS``).
        file_bytes: Size of a file (``RLIMIT_FSIZE``).
        folder_mebibytes: Size of the private folder, in mebibytes; at the levels that have one in memory.
        output_bytes: How much of what is printed is kept; the rest is read and thrown away.
        processes: ``RLIMIT_NPROC``, which counts all threads of the user: what bounds threads.
        open_files: ``RLIMIT_NOFILE``.
    """

    seconds: float = 4.0
    check_seconds: float = 1.0
    memory_bytes: int = 2 << 30
    file_bytes: int = 64 << 10
    folder_mebibytes: int = 16
    output_bytes: int = 64 << 10
    processes: int = 256
    open_files: int = 128


class Wall(msgspec.Struct, frozen=True, kw_only=True):
    """A level that was found to hold on this machine.

    Attributes:
        level: Its name; recorded with every result.
        own_users: Whether it takes a namespace of users.
        user: The id of the user that the code runs as, as it sees it.
        landlock: The ABI of Landlock that stands behind, 0 if there is none.
        missed: Better levels, and why each does not hold here.
    """

    level: Level
    own_users: bool = False
    user: int = -1
    landlock: int = 0
    missed: tuple[tuple[str, str], ...] = ()
