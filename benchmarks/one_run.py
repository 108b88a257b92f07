"""One measurement of ``benchmarks/generator.py``, in a process of its own: a way, so many requests, so many in flight.

``python benchmarks/one_run.py JSON`` prints one line of JSON. CPU seconds are those of the process, all threads, user
and system. What is measured as the run alone begins after the imports and the preflight, and ends with the views; what
is measured until every row is safe ends when the last of them is acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured.

    Attributes:
        way: A way of :data:`WAYS`.
        port: Where the server is, on loopback.
        requests: How many are sent.
        flying: How many are in flight.
        n: Choices of a request.
        logprobs: Whether log-probabilities are asked for.
        uvloop: Whether uvloop carries it.
    """

    way: str
    port: int
    requests: int
    flying: int
    n: int = 4
    logprobs: bool = False
    uvloop: bool = False


async def bare(wanted: Wanted, told: dict[str, Any]) -> list[float]:
    from bare import bare

    with clocked(told):
        return await bare(wanted.port, wanted.flying, wanted.requests, wanted.n, logprobs=wanted.logprobs)


async def lane(wanted: Wanted, told: dict[str, Any]) -> list[float]:
    from bare import over_the_lane

    with clocked(told):
        return await over_the_lane(wanted.port, wanted.flying, wanted.requests)


async def by_hand(wanted: Wanted, told: dict[str, Any]) -> list[float]:
    from by_hand import by_hand

    with tempfile.TemporaryDirectory() as folder, clocked(told):
        return await by_hand(wanted.port, wanted.flying, wanted.requests, Path(folder) / "names.jsonl")


async def generator(wanted: Wanted, told: dict[str, Any], make: Callable[[], Any] | None = None) -> list[float]:
    """Run the stage of names into a folder, its two arms half of the requests each."""
    from evoselfcode.clients import OpenAICompletionClient
    from evoselfcode.config import RunConfig
    from evoselfcode.datagen.pipeline.namegen import NAMES
    from evoselfcode.datagen.pipeline.run import run_stage

    with tempfile.TemporaryDirectory() as folder:
        config = RunConfig.from_mapping({
            "model": "m",
            "api": {"base_url": f"http://127.0.0.1:{wanted.port}", "concurrency": wanted.flying,
                    "fim": {"mode": "suffix"}},
            "namegen": {"num_requests": wanted.requests // 2, "n": wanted.n, "logprobs": wanted.logprobs},
            "output": {"dir": folder},
        })  # fmt: skip
        own = make() if make is not None else None
        client = OpenAICompletionClient(config.api.base_url, "m", "key", fim_mode="suffix", http_client=own)
        async with client.connect(n=config.namegen.n):
            pass
        safe = began = time.process_time(), time.perf_counter()

        def acknowledged(keys: Sequence[str]) -> None:
            nonlocal safe
            safe = time.process_time(), time.perf_counter()

        with clocked(told):
            summary = await run_stage(NAMES, client, config, report=lambda *seen: None, acknowledged=acknowledged)
        told |= {"safe_cpu_s": safe[0] - began[0], "safe_wall_s": safe[1] - began[1]}
        if own is not None:
            await own.aclose()
        meter, took = summary.meter, latencies(Path(folder))
    if meter.settled != wanted.requests or meter.dead or len(took) != wanted.requests:
        raise AssertionError(f"{meter.counts()}, and {len(took)} lines in the journal")
    told["kept"] = meter.kept.total()
    return took


_SECONDS = re.compile(rb'"seconds":([0-9.e-]+)')


def latencies(folder: Path) -> list[float]:
    """Return how long each request took, as the journal says."""
    files = [path for path in folder.rglob("*.jsonl") if "journal" in (path.stem, path.parent.name)]
    return [float(found[1]) for path in files for line in path.open("rb") if (found := _SECONDS.search(line))]


async def mounted(wanted: Wanted, told: dict[str, Any]) -> list[float]:
    import httpx

    from evoselfcode.clients import DirectTransport

    return await generator(wanted, told, lambda: httpx.AsyncClient(transport=DirectTransport()))


async def lean(wanted: Wanted, told: dict[str, Any]) -> list[float]:
    from evoselfcode.clients import DirectTransport

    return await generator(wanted, told, DirectTransport)


async def stock(wanted: Wanted, told: dict[str, Any]) -> list[float]:
    import httpx

    limits = httpx.Limits(max_connections=wanted.flying, max_keepalive_connections=100)  # its default
    return await generator(wanted, told, lambda: httpx.AsyncClient(limits=limits, timeout=120))


@contextlib.contextmanager
def clocked(told: dict[str, Any]) -> Iterator[None]:
    """Write down what is inside: CPU and wall seconds, and the most memory of the process by then."""
    cpu, wall = time.process_time(), time.perf_counter()
    yield
    told |= {"run_cpu_s": time.process_time() - cpu, "run_wall_s": time.perf_counter() - wall}
    told["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


WAYS: dict[str, Callable[[Wanted, dict[str, Any]], Awaitable[list[float]]]] = {
    "bare": bare, "lane": lane, "generator": generator, "lean": lean, "mounted": mounted, "stock": stock,
    "aiohttp": by_hand,
}  # fmt: skip


def uvloop() -> Callable[[], Any]:
    import uvloop

    return uvloop.new_event_loop


def percentile(took: list[float]) -> float:
    return sorted(took)[int(0.99 * len(took))]


def main() -> None:
    wanted = msgspec.json.decode(sys.argv[1], type=Wanted)
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[0]})
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    told: dict[str, Any] = {}
    os.environ["EVOSELFCODE_UVLOOP"] = str(int(wanted.uvloop))
    if wanted.way in ("bare", "lane", "aiohttp"):
        with asyncio.Runner(loop_factory=uvloop() if wanted.uvloop else None) as runner:
            took = runner.run(WAYS[wanted.way](wanted, told))
    else:
        from evoselfcode.loops import run  # as the commands do

        took = run(WAYS[wanted.way], wanted, told)
    told["p99_s"] = percentile(took)
    told["p99_later_s"] = percentile(took[wanted.flying :] or took)  # the first of each lane opened its connection
    print(json.dumps(told))


if __name__ == "__main__":
    main()
