"""The exceptions, each named by the situation and by whose move it is; each knows its exit code.

```
EvoselfcodeError                    1   something this package reports on purpose
├── UsageError                      2   the user's to mend before running again
│   ├── ConfigError                 2   a configuration file, a ``--set`` or an environment variable
│   ├── PromptError                 2   a prompt that this server or model family cannot take
│   ├── FimUnavailable              2   no way found to do fill-in-the-middle on this server
│   ├── ScoresUnavailable           2   no way found to get the log-probabilities of a given text from this server
│   └── RunMismatch                 2   the output folder holds a run with another configuration
├── EndpointError                   6   the endpoint's
│   ├── EndpointRefused             2   it answered, and refuses every request alike: key, model, URL
│   └── EndpointDown                6   it does not answer
├── CompletionFailed                6   one library call (``complete`` …) gave up
├── RequestsGivenUp                 3   the run is complete, and too many of its requests were given up
├── RowsUnaccounted                 4   the run is over, and its journal does not hold all that was planned
├── StorageError                    5   read-only, failed sync, half a file
│   └── DiskFull                    5   no space, or a quota used up: somebody may free some
└── Interrupted                    75   stopped on request while rows remain: run again to resume
```

Failures of single requests are not exceptions but :class:`evoselfcode.records.Failure` values: an exception ends
the run (or the library call). The whole table of exit codes is in ``docs/reference/exit-codes.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class EvoselfcodeError(Exception):
    """Report one situation in one message, with an optional hint.

    Args:
        message: What happened, where, and what was expected.
        hint: What to try; printed on a line of its own.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\nhint: {self.hint}"


class UsageError(EvoselfcodeError):
    """The user can mend this before running again."""

    exit_code: ClassVar[int] = 2


class ConfigError(UsageError):
    """A configuration that cannot be used. All its problems are reported at once.

    Args:
        problems: One line each: file, line, key path, what was found, what was expected, a suggestion.
        hint: What to try.
    """

    def __init__(self, problems: Sequence[str], *, hint: str | None = None) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems), hint=hint)


class PromptError(UsageError):
    """A prompt that this server or model family cannot take, such as user text that contains a sentinel."""


class FimUnavailable(UsageError):
    """No way was found to do fill-in-the-middle on this server."""


class ScoresUnavailable(UsageError):
    """No way was found to get the log-probabilities of a given text from this server."""


class RunMismatch(UsageError):
    """The output folder holds a run that was made with another configuration."""


class EndpointError(EvoselfcodeError):
    """The endpoint does not serve this run."""

    exit_code: ClassVar[int] = 6


class EndpointRefused(EndpointError):
    """The endpoint answers and refuses every request alike: wrong key, wrong model, wrong URL, no credit."""

    exit_code: ClassVar[int] = 2


class EndpointDown(EndpointError):
    """The endpoint does not answer."""


class CompletionFailed(EvoselfcodeError):
    """A library call gave up on its request; ``failure`` says why.

    Args:
        message: The failure in words.
        failure: The :class:`evoselfcode.records.Failure` of the last attempt.
    """

    exit_code: ClassVar[int] = 6

    def __init__(self, message: str, *, failure: object = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.failure = failure


class RequestsGivenUp(EvoselfcodeError):
    """The run is complete, and more of its requests were given up than a good run loses; the journal says why."""

    exit_code: ClassVar[int] = 3


class RowsUnaccounted(EvoselfcodeError):
    """The run is over, and its journal does not hold what was planned, or other sums than were counted."""

    exit_code: ClassVar[int] = 4


class StorageError(EvoselfcodeError):
    """The output cannot be written: disk full, read-only, failed sync."""

    exit_code: ClassVar[int] = 5


class DiskFull(StorageError):
    """There is no space for the output, or a quota is used up; somebody may free some."""


class Interrupted(EvoselfcodeError):
    """The run was stopped on request while rows remain; running the same command again resumes it."""

    exit_code: ClassVar[int] = 75
