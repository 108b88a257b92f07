"""Measure what a request costs the client: CPU microseconds over the direct lane, next to the ceiling and to peers.

Run it with ``python benchmarks/transport.py`` from a checkout: five minutes on two cores. It prints a card for people
and, last, one line of JSON for machines. Peers that are not installed are left out, and said to be.

The ceiling: no client in Python over asyncio can be cheaper than an event loop that reads bytes and writes bytes, with
no parser, no future, no task, no header. That is the *bare loop*, and every ratio is to it, measured in the same run.

The server is a process of its own on the other core: an epoll loop that answers each request of 271 bytes of JSON
(and headers) with 579 bytes, as a completion with four choices. The client's core does nothing else; what is measured
is CPU time of the client's process (user and system, all threads), which depends less on the machine's other work than
wall time does. Each measurement is a process of its own, warmed up until every connection is open. The ways take turns
(A B C A B C); a figure is the median of the rounds, with the smallest and the largest.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from card import Record
from replies import BODY, REPLY
from serving import target

ROOT = Path(__file__).parents[1]
HEADERS = {
    "accept": "application/json", "accept-encoding": "identity", "content-type": "application/json",
    "user-agent": "evoselfcode", "authorization": "Bearer key",
}  # fmt: skip
SECONDS, MOST = 1.5, 20_000
"""A measurement ends after this time (and six latencies) or this many requests, when each task has sent one."""

Send = Callable[[], Awaitable[Any]]


class Bare(asyncio.Protocol):
    """The ceiling: when as many bytes have come as a reply has, the next request is written."""

    def __init__(self, request: bytes, done: Callable[[], bool]) -> None:
        self.request, self.done = request, done
        self.got = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self.got += len(data)
        if self.got >= len(REPLY):
            self.got = 0
            if not self.done():
                self.transport.write(self.request)


async def bare(port: int, flying: int, seconds: float) -> dict[str, float]:
    """Run the bare loop: a round to warm up, then the measurement, over the same connections."""
    lines = {"host": f"127.0.0.1:{port}", **HEADERS, "content-length": len(BODY)}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    request = f"POST /v1/completions HTTP/1.1\r\n{head}\r\n".encode() + BODY
    loop, count, most, end = asyncio.get_running_loop(), 0, 0, 0.0
    done = asyncio.Event()

    def counted() -> bool:
        nonlocal count
        count += 1
        late = time.perf_counter() > end
        if count >= most or late:
            done.set()
        return count > most - flying or late

    made = [(await loop.create_connection(lambda: Bare(request, counted), "127.0.0.1", port))[1] for _ in range(flying)]
    for rounds in (flying, MOST):
        count, most, end, clock = 0, rounds, time.perf_counter() + seconds, Clock()
        done.clear()
        for protocol in made:
            protocol.transport.write(request)
        await done.wait()
    return clock.read(count)


class Clock:
    """CPU and wall time since it was made."""

    def __init__(self) -> None:
        self.cpu, self.wall = time.process_time(), time.perf_counter()

    def read(self, count: int) -> dict[str, float]:
        cpu, wall = time.process_time() - self.cpu, time.perf_counter() - self.wall
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return {"us": 1e6 * cpu / count, "per_s": count / wall, "requests": count, "rss_mb": memory}


@asynccontextmanager
async def opened(way: str, url: str, flying: int) -> AsyncIterator[Send]:
    """Open a client and return what sends a request and reads the whole reply."""
    if way in ("direct", "lanes", "mounted"):
        import httpx

        from evoselfcode.clients import DirectTransport
        from evoselfcode.clients.lane.direct import DirectLanes
        from evoselfcode.clients.transport import HttpxLanes, InjectedClient
        from evoselfcode.wire.dialect import Call

        call = Call("POST", url, BODY)
        client = httpx.AsyncClient(transport=DirectTransport())
        made: Any = {"direct": lambda: DirectLanes(HEADERS), "lanes": lambda: HttpxLanes(HEADERS),
                     "mounted": lambda: InjectedClient(client, HEADERS)}[way]()  # fmt: skip
        yield lambda: made.send(call, 120.0)
        await made.aclose()
        await client.aclose()
    elif way in ("httpx", "mounted_post"):
        import httpx

        from evoselfcode.clients import DirectTransport

        limits = httpx.Limits(max_connections=flying, max_keepalive_connections=flying)
        transport = DirectTransport() if way == "mounted_post" else None
        async with httpx.AsyncClient(timeout=120, limits=limits, transport=transport) as client:
            yield lambda: client.post(url, content=BODY, headers=HEADERS)
    elif way == "aiohttp":
        import aiohttp

        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=HEADERS) as session:

            async def post() -> bytes:
                async with session.post(url, data=BODY) as found:
                    return await found.read()

            yield post
    else:
        from pyreqwest.client import ClientBuilder

        async with ClientBuilder().pool_max_idle_per_host(flying).build() as rust:

            async def ask() -> Any:
                found = await rust.post(url).headers(HEADERS).body_bytes(BODY).build().send()
                return await found.bytes()

            yield ask


async def measure(way: str, port: int, flying: int, seconds: float) -> dict[str, float]:
    """Send from as many tasks as there are to be requests in flight."""
    if way == "bare":
        return await bare(port, flying, seconds)
    async with opened(way, f"http://127.0.0.1:{port}/v1/completions", flying) as send:
        await asyncio.gather(*(send() for _ in range(flying)))
        count, end, clock = 0, time.perf_counter() + seconds, Clock()

        async def worker() -> None:
            nonlocal count
            while True:
                await send()
                count += 1
                if count >= MOST or time.perf_counter() > end:
                    return

        await asyncio.gather(*(worker() for _ in range(flying)))
        return clock.read(count)


WAYS: dict[str, tuple[str, str]] = {
    "bare": ("bare loop: the ceiling", ""),
    "direct": ("direct lane", ""),
    "mounted": ("direct lane, mounted in httpx", ""),
    "mounted_post": ("  the same by client.post", ""),
    "lanes": ("an httpx transport for each", ""),
    "httpx": ("httpx.AsyncClient", ""),
    "aiohttp": ("aiohttp", "aiohttp"),
    "pyreqwest": ("pyreqwest (Rust)", "pyreqwest"),
    "bare_uvloop": ("bare loop, uvloop", "uvloop"),
    "direct_uvloop": ("direct lane, uvloop", "uvloop"),
}
"""Name, what it is, and the package that it needs."""


def ask_child(way: str, port: int, flying: int, seconds: float) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", way, str(port), str(flying), str(seconds)]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": path})
    if not done.stdout:  # pyreqwest's threads now and then abort the process when it has said all and ends
        raise SystemExit(f"{way} at {flying} in flight ended with {done.returncode}: {done.stderr}")
    return dict(json.loads(done.stdout))


def measure_all(ways: list[str], flights: list[int], rounds: int, latency: float) -> dict[str, Any]:
    with target("--latency", f"{latency:g}s") as server:
        found: dict[str, dict[int, list[dict[str, float]]]] = {way: {c: [] for c in flights} for way in ways}
        for _ in range(rounds):
            for flying in flights:
                for way in ways:
                    found[way][flying].append(ask_child(way, server.port, flying, SECONDS + 6 * latency))
    return {
        way: {
            flying: {
                key: [median(values), min(values), max(values)]
                for key in runs[0]
                if (values := [run[key] for run in runs])
            }
            for flying, runs in flights_of.items()
        }
        for way, flights_of in found.items()
    }


def card(found: dict[str, Any], flights: list[int], latency: float) -> str:
    lines = [
        f"CPU microseconds of the client for each request, median [least-most]; replies after {latency * 1000:g} ms",
        "",
        f"{'':32}"
        + "".join(f"{f'{c} in flight':>26}{'x bare':>8}" for c in flights)
        + f"{'req/s at ' + str(flights[-1]):>16}",
    ]
    for way, runs in found.items():
        line = f"{WAYS[way][0]:32}"
        for flying in flights:
            middle, least, most = runs[flying]["us"]
            line += f"{f'{middle:,.0f} [{least:,.0f}-{most:,.0f}]':>26}{middle / found['bare'][flying]['us'][0]:>8.1f}"
        lines.append(line + f"{runs[flights[-1]]['per_s'][0]:>16,.0f}")
    flat = found["direct"][flights[-1]]["us"][0] / found["direct"][flights[0]]["us"][0]
    return "\n".join([*lines, "", f"direct lane, {flights[-1]} in flight over {flights[0]}: {flat:.2f} x the CPU"])


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what a request costs the client.")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way is measured")
    parser.add_argument("--in-flight", type=int, nargs="+", default=[64, 256, 1024], help="requests in flight")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that the server takes")
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS), help="what is measured")
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if options.measure is not None:
        os.sched_setaffinity(0, {cores[0]})
        way, port, flying, seconds = options.measure
        if way.endswith("_uvloop"):
            import uvloop

            asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        return print(
            json.dumps(asyncio.run(measure(way.removesuffix("_uvloop"), int(port), int(flying), float(seconds))))
        )
    ways = [way for way in options.ways if not WAYS[way][1] or find_spec(WAYS[way][1])]
    settings = {"rounds": options.rounds, "in_flight": options.in_flight, "latency_s": options.latency, "ways": ways}
    packages = ("httptools", "httpx", "httpcore", "anyio", "aiohttp", "pyreqwest", "uvloop")
    record = Record("transport", settings, packages)
    found = measure_all(ways, options.in_flight, options.rounds, options.latency)
    print(card(found, options.in_flight, options.latency))
    if missing := [way for way in options.ways if way not in ways]:
        print(f"not installed, so not measured: {', '.join(missing)}")
    record.keep({"ways": found})
    return None


if __name__ == "__main__":
    main()
