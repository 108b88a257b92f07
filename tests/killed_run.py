"""A run that is killed again and again, and what it had acknowledged by then.

The run is a process of its own that tells each acknowledged key over a pipe, as any program may that calls
``run_stage(acknowledged=…)``; the parent believes nothing else.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

CONCURRENCY = 32

CHILD = """
import os, sys
from functools import partial
from evoselfcode import OpenAICompletionClient, RunConfig, loops
from evoselfcode.datagen.pipeline.namegen import NAMES
from evoselfcode.datagen.pipeline.run import run_stage

def acknowledged(keys):
    if keys:
        os.write(1, ("\\n".join(keys) + "\\n").encode())

config = RunConfig.from_mapping({
    "model": "names",
    "api": {"base_url": sys.argv[2], "concurrency": int(sys.argv[3]), "fim": {"mode": "none"}},
    "namegen": {"num_requests": int(sys.argv[4]), "n": 2, "arms": {"L2R": {"mode": "L2R"}}},
    "output": {"dir": sys.argv[1]},
})
client = OpenAICompletionClient.from_config(config)
loops.run(partial(run_stage, NAMES, client, config, acknowledged=acknowledged))
"""


def environ() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONUNBUFFERED": "1"}


class Counted:
    """Everything that comes out of a pipe, read by a thread as it comes."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self.content = b""
        self.came = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while block := os.read(self._pipe.fileno(), 1 << 16):
            self.content += block
            self.came.set()
        self.came.set()

    def ended(self) -> bytes:
        self._thread.join()
        self._pipe.close()
        return self.content


class NameServer:
    """The server of names, in a process of its own."""

    def __enter__(self) -> NameServer:
        command = [sys.executable, str(Path(__file__).with_name("name_server.py"))]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environ(), bufsize=0)
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}/v1"
        self._asked = Counted(self._process.stdout)
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()
        self._asked.ended()

    def wait_for(self, generations: int, process: subprocess.Popen[bytes]) -> None:
        """Wait until it was asked for so many generations, or the process that asks has ended."""
        while self.generations < generations and process.poll() is None:
            self._asked.came.clear()
            if self.generations < generations:
                self._asked.came.wait(1.0)

    @property
    def generations(self) -> int:
        """Requests that it was asked so far, which somebody pays for."""
        return len(self._asked.content)


class Run:
    """One process of a run.

    Args:
        folder: Its ``output.dir``.
        server: Whom it asks.
        requests: How many requests its plan has.
    """

    def __init__(self, folder: Path, server: NameServer, requests: int) -> None:
        command = [sys.executable, "-c", CHILD, str(folder), server.url, str(CONCURRENCY), str(requests)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ(), bufsize=0
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._told, self._said = Counted(self.process.stdout), Counted(self.process.stderr)

    def wait_for_news(self, seconds: float) -> bool:
        """Wait until a key is acknowledged, and then so long; return whether the process has ended."""
        self._told.came.wait()
        return self.wait(seconds)

    def wait(self, seconds: float) -> bool:
        """Wait so long; return whether the process has ended."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> list[str]:
        """Kill the process, if it still runs; return the keys that it had acknowledged."""
        self.process.kill()
        code = self.process.wait()
        told, said = self._told.ended(), self._said.ended().decode()
        assert code in (0, -9), said
        return told[: told.rfind(b"\n") + 1].decode().split()
