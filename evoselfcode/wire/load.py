"""How busy a server says it is: which page has its queue numbers, and which lines of it count.

This file decides where the numbers of each server are and how they add up. It refuses to know what is done about
them. A page of metrics has 100 to 200 kB, of which a few lines are looked at; what cannot be read is no numbers.

Sources: vLLM ``v1/metrics/loggers.py``, SGLang ``observability``, llama.cpp ``tools/server``, TGI ``router``, LMDeploy
``metrics/loggers.py``, all as of August 2026; the format is Prometheus' text exposition format 0.0.4.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import Final

import msgspec

from evoselfcode.wire.dialect import Call, Endpoint


class Load(msgspec.Struct, frozen=True):
    """What a server said of its queue at one time, of all its clients together.

    Attributes:
        running: Sequences being generated; a request for n choices is n of them, where the server counts so.
        waiting: Sequences queued in the server.
    """

    running: float
    waiting: float


class Gauges(msgspec.Struct, frozen=True):
    """Names of a server's gauges.

    Attributes:
        running: Those that add up to what runs.
        waiting: Those that add up to what waits.
    """

    running: tuple[str, ...]
    waiting: tuple[str, ...]


GAUGES: Final = {
    "vllm": Gauges(("vllm:num_requests_running",), ("vllm:num_requests_waiting", "vllm:num_requests_swapped")),
    "sglang": Gauges(("sglang:num_running_reqs",), ("sglang:num_queue_reqs",)),
    "llamacpp": Gauges(("llamacpp:requests_processing",), ("llamacpp:requests_deferred",)),
    "tgi": Gauges(("tgi_batch_current_size",), ("tgi_queue_size",)),
    "lmdeploy": Gauges(
        ("lmdeploy:num_requests_running",), ("lmdeploy:num_requests_waiting", "lmdeploy:num_api_requests_waiting")
    ),
    "evoselfcode": Gauges(("evoselfcode_serve_requests_running",), ("evoselfcode_serve_requests_waiting",)),
}
"""Server → its gauges. Each server of one page is read by its own names; the sum is over engines, models and ranks.

vLLM's ``num_requests_waiting_by_reason`` tells the same requests again and is none of them; ``num_requests_swapped`` is
of vLLM before 0.9. LMDeploy's ``num_api_requests_waiting`` are those that have not reached its engine yet.
"""

_LINE: Final = re.compile(
    rb"(?:\{(?P<labels>(?:[^\"{}\n]|\"(?:[^\"\\\n]|\\.)*\")*)\})?"
    rb"[ \t]+(?P<value>[-+]?[0-9][0-9.eE+-]*)(?:[ \t]+-?[0-9]+)?[ \t\r]*"
)
"""What follows the name: labels, a value and perhaps the time. NaN and infinities are no numbers of requests."""

_RANK: Final = re.compile(rb"(?:tp|pp|moe_ep)_rank=\"[0-9]*\",?")
"""Labels of SGLang's processes that work on the same requests: with metrics of all schedulers each tells them."""

_PRIORITY: Final = re.compile(rb"(?:^|,)priority=\"[^\"]")
"""SGLang tells the queue of each priority beside the whole queue, whose priority is empty."""

_LONGEST_LINE = 4096
"""Bytes of a line that is looked at; those that are longer are no gauge of a queue."""


def load_call(where: Endpoint, server: str) -> Call | None:
    """Return the call that asks for the numbers, or ``None`` if this server has none."""
    return Call("GET", where.root + "/metrics") if server in GAUGES else None


def read_load(server: str, status: int, body: bytes) -> Load | None:
    """Read the reply to :func:`load_call`; never raises.

    ``None`` if it has no numbers: SGLang tells none without ``--enable-metrics`` (404), llama.cpp none without
    ``--metrics`` (501).
    """
    gauges = GAUGES.get(server)
    if gauges is None or status != 200:
        return None
    running = [value for name in gauges.running if (value := _sum(body, name.encode())) is not None]
    waiting = [value for name in gauges.waiting if (value := _sum(body, name.encode())) is not None]
    if not running or not waiting:
        return None
    return Load(sum(running), sum(waiting))


def _sum(body: bytes, name: bytes) -> float | None:
    """Return the sum of a gauge over its labels, or ``None`` if the page has it nowhere."""
    series: dict[bytes, float] = {}
    at = body.find(name)
    while at >= 0:
        end = body.find(b"\n", at)
        end = len(body) if end < 0 else end
        if (at == 0 or body[at - 1] == 0x0A) and end - at <= _LONGEST_LINE:
            _read(body[at + len(name) : end], series)
        at = body.find(name, end)
    return sum(series.values()) if series else None


def _read(rest: bytes, series: dict[bytes, float]) -> None:
    """Keep the value of one line, unless another one tells the same."""
    line = _LINE.fullmatch(rest)
    if line is None:
        return
    labels = line["labels"] or b""
    try:
        value = float(line["value"])
    except ValueError:
        return
    if isfinite(value) and value >= 0 and not _PRIORITY.search(labels):
        key = _RANK.sub(b"", labels)
        series[key] = max(value, series.get(key, 0.0))
