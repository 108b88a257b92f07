"""Commands that serve, each in a process of its own, ended by its own process id."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager


class Server:
    """A running server.

    Args:
        arguments: The command and its options.
        ready: How the line begins that tells its address.

    Attributes:
        url: Its address.
        warnings: Lines that it printed before.
    """

    def __init__(self, *arguments: str, ready: str) -> None:
        command = [sys.executable, "-m", "evoselfcode.cli", *arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr
        self.warnings: list[str] = []
        while not (line := self._process.stderr.readline()).startswith(ready):
            assert line.startswith("warning: "), line + self._process.communicate()[1]
            self.warnings.append(line)
        self.url = line.removeprefix(ready).strip()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def ended(self, within: float = 60) -> tuple[int, str, str]:
        """Wait for its end, some seconds at most; return the exit code and all it printed after it was ready."""
        stdout, stderr = self._process.communicate(timeout=within)
        return self._process.returncode, stdout, stderr

    def end(self) -> None:
        """Stop it, whatever it does."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def running(*arguments: str, ready: str) -> Iterator[Server]:
    """Run a command that serves until the end of the block."""
    server = Server(*arguments, ready=ready)
    try:
        yield server
    finally:
        server.end()


def serve(*arguments: str) -> AbstractContextManager[Server]:
    """Run ``evoselfcode serve`` on a free port of the loopback address."""
    return running("serve", "--port", "0", *arguments, ready="serving the embedded model at ")


def review(*arguments: str) -> AbstractContextManager[Server]:
    """Run ``evoselfcode review-names``."""
    return running("review-names", *arguments, ready="review the names at ")
