"""Printing for people: lines on the standard error, the console of the standard output, what is safe to print.

This file decides how text reaches a terminal or a log. Nothing is told by colour alone, and text that a model or a
server wrote is never read as markup and never drives a terminal. What is told is :mod:`.terminal_progress`,
:mod:`.terminal_card` and their like.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def say(text: str) -> None:
    """Print a line for people on the standard error, if somebody is there: nobody listening ends no run."""
    if sys.stderr is not None:  # it is where a program was started with the descriptor closed
        with suppress(OSError, ValueError):  # a full disk below a log, a pipe whose reader has left
            print(printable(text), file=sys.stderr, flush=True)


def leave() -> None:
    """Flush what was printed, and drop what cannot be written: Python would end with a code of its own, 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def printable(text: str) -> str:
    """Replace control characters, which could drive the terminal, by U+FFFD; newlines stay."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


def output() -> Console:
    """Make a console on the standard output that prints in any encoding and minds no reader that has left."""
    from rich.console import Console

    class Patient(Console):
        def on_broken_pipe(self) -> None:
            # As rich does, but it also ends the process with code 1; `| head` is no failure of a run.
            self.quiet = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return Patient(highlight=False, markup=False)
