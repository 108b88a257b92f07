"""A real llama.cpp server in a process of its own: ``python llama_server.py MODEL PORT SLOTS CONTEXT``.

Prints the address when it listens, and lives until its standard input closes or it is killed. Port 0 takes a free one.
"""

from __future__ import annotations

import socket
import sys


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main(model: str, port: int, slots: int, context: int) -> None:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.hostnames = ["127.0.0.1"]
    params.port = port or free_port()
    params.n_parallel = slots
    params.n_ctx = context * slots
    params.cpuparams.n_threads = 1  # two threads spin against each other on a shared machine
    params.cpuparams_batch.n_threads = 1
    params.n_gpu_layers = 0
    params.ui = False
    params.endpoint_metrics = True
    params.model_alias = {"evo-tiny"}
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1], *(int(argument) for argument in sys.argv[2:5]))
