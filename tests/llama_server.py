"""A real llama.cpp server in a process of its own.

``python llama_server.py MODEL PORT SLOTS CONTEXT [KEY]`` prints the address when it listens, and lives until its
standard input closes or it is killed; so it ends with the test that started it, however that ends.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

TINY = Path(__file__).parent / "data" / "evo-tiny-q8.gguf"


class LlamaServer:
    """A server that can be started, killed, and started again on the same port.

    Args:
        model: A GGUF file.
        slots: Requests computed at once; more wait in its queue.
        context: Tokens of prompt and completion together, per slot.
        key: API key that it asks for.
    """

    def __init__(self, model: Path = TINY, *, slots: int = 4, context: int = 512, key: str = "") -> None:
        self._arguments = [str(model), slots, context, *([key] if key else [])]
        self._process: subprocess.Popen[str] | None = None
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def launch(self) -> None:
        """Start it and do not wait. Skips the test on a machine where its library cannot be loaded."""
        skip_without_llama()
        model, *rest = self._arguments
        command = [sys.executable, __file__, *map(str, (model, self.port, *rest))]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def start(self) -> None:
        """Start it and wait until it listens and the model is loaded."""
        self.launch()
        assert self._process is not None
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != self.url:
            self.stop()
            raise RuntimeError(f"the server did not start at {self.url}")

    def stop(self) -> None:
        """Let it end, and wait for it."""
        self._end(kill=False)

    def kill(self) -> None:
        """Kill it as the kernel's out-of-memory killer would."""
        self._end(kill=True)

    def _end(self, *, kill: bool) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        with process:  # closes its pipes and waits
            if kill:
                process.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


@cache
def why_not() -> str:
    """Say why the library cannot be loaded, or nothing: its wheel needs ``libgomp.so.1``, which a bare Debian lacks."""
    loaded = subprocess.run([sys.executable, "-c", "import xllamacpp"], capture_output=True, text=True, check=False)
    return "" if loaded.returncode == 0 else loaded.stderr.strip().rpartition("\n")[2]


def skip_without_llama() -> None:
    """Skip the test that calls this if there is no llama.cpp here; where changes are judged, fail instead."""
    import pytest

    if why_not():
        text = f"no real llama.cpp server: {why_not()} (Debian: apt-get install libgomp1)"
        if os.environ.get("CI"):
            pytest.fail(text)
        pytest.skip(text)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main(model: str, port: int, slots: int, context: int, key: str = "") -> None:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_parallel = slots
    params.n_ctx = context * slots
    params.cpuparams.n_threads = 1  # two threads spin against each other on a shared machine
    params.cpuparams_batch.n_threads = 1
    params.n_gpu_layers = 0
    params.ui = False
    params.endpoint_metrics = True
    params.model_alias = {"evo-tiny" if model == str(TINY) else Path(model).stem.lower()}
    params.api_keys = [key] if key else []
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1], *(int(argument) for argument in sys.argv[2:5]), *sys.argv[5:])
