"""``evoselfcode serve`` in a process of its own, ended by its own process id."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

READY = "serving the embedded model at "


class Server:
    """A running server.

    Args:
        arguments: Of ``evoselfcode serve``.
    """

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "evoselfcode.cli", "serve", "--port", "0", *arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr
        line = self._process.stderr.readline()
        assert line.startswith(READY), line
        self.url = line.removeprefix(READY).strip()

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
def serve(*arguments: str) -> Iterator[Server]:
    """Run ``evoselfcode serve`` on a free port of the loopback address."""
    server = Server(*arguments)
    try:
        yield server
    finally:
        server.end()
