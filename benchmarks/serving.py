"""The load target as a process beside a benchmark: started, asked what it saw, and ended."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]


class At(NamedTuple):
    """A running target: the port it listens on, and the number of its process."""

    port: int
    process: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def counters(self, since: float = 0.0, until: float = 1e9) -> dict[str, Any]:
        """Ask what it saw; of a toy also what it did from second `since` to second `until` after the first request."""
        return dict(json.loads(self.read(f"/target/counters?since={since}&until={until}")))

    def read(self, path: str) -> bytes:
        """Read a path, over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        finally:
            connection.close()


@contextmanager
def target(*options: str) -> Iterator[At]:
    """Run ``benchmarks/target.py`` with these options until the end of the block."""
    command = [sys.executable, str(ROOT / "benchmarks" / "target.py"), *options]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": path}
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if not (port := process.stdout.readline()):
            raise SystemExit(f"the load target did not start with {' '.join(options)}")
        try:
            yield At(int(port), process.pid)
        finally:
            process.stdin.close()
