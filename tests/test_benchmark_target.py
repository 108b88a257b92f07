"""The load target of the benchmarks, over real sockets: what it answers, when, what goes wrong, and what it counts."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any, ClassVar

import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

from serving import At, target

from evoselfcode.wire.load import read_load

TEXT, CHAT = "/v1/completions", "/v1/chat/completions"


class Client:
    """One keep-alive connection, closed with all others at the end of the test."""

    made: ClassVar[list[Client]] = []

    def __init__(self, at: At) -> None:
        self.line = http.client.HTTPConnection("127.0.0.1", at.port, timeout=30)
        self.made.append(self)

    def post(self, path: str = TEXT, **body: Any) -> tuple[int, dict[str, str], bytes]:
        self.line.request("POST", path, json.dumps({"model": "m", "prompt": 'def "n": 9 '} | body))
        with self.line.getresponse() as reply:
            return reply.status, dict(reply.getheaders()), reply.read()

    def said(self, path: str = TEXT, **body: Any) -> Any:
        status, _, text = self.post(path, **body)
        assert status == 200
        return json.loads(text)


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while Client.made:
        Client.made.pop().line.close()


def until(is_so: Callable[[], bool]) -> None:
    """Look until something is so, for a minute at the most."""
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end


@pytest.fixture(scope="module")
def names() -> Iterator[At]:
    with target("--names", "50") as at:
        yield at


def test_n_choices_are_given_as_text_and_as_chat(names: At) -> None:
    """Sabotage: always give four; or take the ``"n": 9`` within the prompt for a key."""
    client = Client(names)
    for n in (1, 2, 4, 7):
        texts = [choice["text"] for choice in client.said(n=n)["choices"]]
        talks = [choice["message"]["content"] for choice in client.said(CHAT, n=n)["choices"]]
        assert (len(texts), texts) == (n, talks)
    assert len(client.said()["choices"]) == 1


def test_each_reply_has_other_names_and_they_come_again_in_turn(names: At) -> None:
    """Sabotage: give the first reply for ever."""
    client = Client(names)
    told = [json.dumps(client.said(CHAT, n=3)["choices"]) for _ in range(100)]
    assert len(set(told[:50])) > 45
    assert told[:50] == told[50:]


def test_log_probabilities_are_given_where_they_are_asked_for(names: At) -> None:
    """Sabotage: take ``"logprobs": null`` for a wish."""
    client = Client(names)
    assert client.said(n=4, logprobs=None)["choices"][0]["logprobs"] is None
    assert client.said(CHAT, n=2, logprobs=False)["choices"][0]["logprobs"] is None
    lists = client.said(n=4, logprobs=1)["choices"][0]["logprobs"]
    assert len(lists["tokens"]) == len(lists["token_logprobs"]) == len(lists["top_logprobs"]) > 0
    content = client.said(CHAT, n=2, logprobs=True)["choices"][0]["logprobs"]["content"]
    assert all(token["logprob"] < 0 for token in content)


def test_a_stream_brings_the_same_texts_as_events(names: At) -> None:
    """Sabotage: leave the usage out where ``include_usage`` asks for it, or ``[DONE]``."""
    for path, text in ((TEXT, lambda choice: choice["text"]), (CHAT, lambda choice: choice["delta"].get("content"))):
        _, headers, body = Client(names).post(path, n=2, stream=True, stream_options={"include_usage": True})
        assert headers["content-type"].startswith("text/event-stream")
        lines = [line.removeprefix("data: ") for line in body.decode().split("\n\n") if line]
        assert lines[-1] == "[DONE]"
        events = [json.loads(line) for line in lines[:-1]]
        assert [choice["index"] for event in events for choice in event["choices"] if text(choice)] == [0, 1]
        assert events[-1]["usage"]["completion_tokens"] == 20


def test_the_one_reply_has_579_bytes_and_is_taken_for_vllms() -> None:
    """Sabotage: send it without its padding; or list models of another owner."""
    with target() as at:
        status, headers, body = Client(at).post(n=4)
        assert (status, len(body), headers["content-length"]) == (200, 579, "579")
        assert json.loads(at.read("/v1/models"))["data"][0]["owned_by"] == "vllm"
        assert Client(at).post("/v1/nothing")[0] == 404


def test_requests_are_told_apart_however_they_are_cut() -> None:
    """Two in one packet, one in many; sabotage: take what one read brings for a request."""
    body = b'{"n": 4}'
    request = b"POST /v1/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    with target() as at, socket.create_connection(("127.0.0.1", at.port), timeout=30) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.sendall(request * 2)
        for byte in request:
            line.sendall(bytes([byte]))
        got = b""
        while got.count(b"HTTP/1.1 200 OK") < 3 or not got.endswith(b'x"}'):
            got += line.recv(65536)
        assert at.counters()["requests"] == 3


def seconds(at: At, times: int) -> list[float]:
    """Return how long requests took, 20 at once."""

    def ask(_: int) -> float:
        client = Client(at)
        client.line.connect()
        began = time.perf_counter()
        client.said(n=4)
        return time.perf_counter() - began

    with ThreadPoolExecutor(20) as threads:
        return sorted(threads.map(ask, range(times)))


def test_latencies_are_what_was_asked_for() -> None:
    """Sabotage: draw one latency for all, or take the median of the log-normal for its mean."""
    with target("--latency", "200ms") as at:
        took = seconds(at, 20)
        assert took[0] >= 0.199
        assert median(took) < 0.6
        assert at.counters()["most_in_flight"] > 10
    with target("--latency", "uniform:100ms..500ms") as at:
        took = seconds(at, 100)
        assert took[0] >= 0.099
        assert 0.2 < median(took) < 0.6
        assert took[90] - took[10] > 0.15
    with target("--latency", "lognormal:100ms,0.7") as at:
        took = seconds(at, 100)
        assert 0.06 < median(took) < 0.4
        assert took[90] > 1.5 * took[50]


@pytest.mark.parametrize("wrong", [["--latency", "5"], ["--fault", "200:0.1"], ["--slots", "-1"], ["--tokens", "0"]])
def test_what_cannot_be_read_is_refused_in_a_sentence(wrong: list[str]) -> None:
    """Sabotage: let the parser's exception through."""
    file = Path(__file__).parents[1] / "benchmarks" / "target.py"
    done = subprocess.run([sys.executable, str(file), *wrong], capture_output=True, text=True, input="", check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert wrong[0] in done.stderr
    assert "Traceback" not in done.stderr


def test_faults_strike_their_share_and_their_range() -> None:
    """Sabotage: draw a fault for what is no generation, or count the first request as number 0."""
    with target("--fault", "429:0.2,retry-after=3", "--fault", "503@10..20") as at:
        client, statuses = Client(at), list[int]()
        for _ in range(1000):
            status, headers, _ = client.post(n=4)
            statuses.append(status)
            assert (headers.get("retry-after") == "3") == (status == 429)
            at_models = len(statuses) % 100 == 0 and at.read("/v1/models")
            assert at_models is False or b"vllm" in at_models
        assert set(statuses[9:20]) <= {503, 429}
        assert statuses.count(503) == 11 - statuses[9:20].count(429)
        assert 140 < statuses.count(429) < 260
        counted = at.counters()
        assert counted["faults"] == 1000 - statuses.count(200)
        assert counted["answered"] == statuses.count(200)


def test_replies_are_lost_cut_and_replaced() -> None:
    """Sabotage: answer after a drop; send the whole of a reply that is cut."""
    with target("--fault", "drop@1", "--fault", "truncate@2", "--fault", "html@3") as at:
        with pytest.raises(http.client.RemoteDisconnected):
            Client(at).post(n=4)
        with pytest.raises(http.client.IncompleteRead):
            Client(at).post(n=4)
        assert Client(at).post(n=4)[1]["content-type"] == "text/html"
        assert Client(at).post(n=4)[0] == 200


def test_slots_run_so_many_and_the_others_wait_in_the_order_they_came() -> None:
    """All sequences have one length. Sabotage: fill slots from the queue's end, or run one more than there are."""
    with target("--slots", "2", "--tokens", "8", "--sigma", "0.0001") as at, ThreadPoolExecutor(6) as threads:
        ends: list[int] = []

        def ask(number: int) -> int:
            Client(at).said(n=1)
            ends.append(number)
            return number

        asked = []
        for number in range(6):
            asked.append(threads.submit(ask, number))
            until(lambda number=number: at.counters()["requests"] > number)  # type: ignore[misc]
        load = read_load("vllm", 200, at.read("/metrics"))
        assert load is not None
        assert load.running <= 2
        assert [one.result() for one in asked] == [0, 1, 2, 3, 4, 5]
        assert [{*ends[place : place + 2]} for place in (0, 2, 4)] == [{0, 1}, {2, 3}, {4, 5}]
        until(lambda: len(at.counters()["series"]["busy"]) > 0)
        told = at.counters()
        assert told["tokens"] == 6 * 8
        assert told["ended"] == told["most_in_flight"] == 6
        assert max(told["series"]["busy"]) <= 2.0
        assert told["late_s"] < 1.0
        assert 8 / 26.1 < told["latency"]["p50_s"] < 3


def test_a_request_for_three_takes_three_slots_and_a_client_that_goes_frees_them() -> None:
    """Sabotage: count a request as one sequence; or go on decoding for a connection that was closed."""
    with target("--slots", "8", "--tokens", "400") as at:
        gone = Client(at)
        gone.line.request("POST", TEXT, '{"n": 3}')
        stays = Client(at)
        stays.line.request("POST", TEXT, '{"n": 7}')
        until(lambda: running(at) == (8, 2))
        gone.line.close()
        until(lambda: running(at) == (7, 0))
        assert at.counters()["most_in_flight"] == 2


def running(at: At) -> tuple[float, float]:
    load = read_load("vllm", 200, at.read("/metrics"))
    assert load is not None
    return load.running, load.waiting


def test_the_queue_is_not_told_where_it_is_switched_off() -> None:
    """Sabotage: forget ``--no-metrics``."""
    with target("--slots", "8", "--no-metrics") as at:
        assert read_load("vllm", 404, at.read("/metrics")) is None
        assert b"no such path" in at.read("/metrics")


def test_seconds_are_counted_as_the_physics_has_them() -> None:
    """A full second of four busy slots decodes 104 tokens; sabotage: count tokens when their reply is sent."""
    with target("--slots", "4", "--tokens", "200", "--sigma", "0.0001") as at:
        client = Client(at)
        client.line.request("POST", TEXT, '{"n": 6}')
        until(lambda: len(at.counters()["series"]["busy"]) >= 3)
        told = at.counters(1, 3)
        assert told["series"]["busy"] == [4.0, 4.0]
        assert told["series"]["waiting"] == [2.0, 2.0]
        assert told["series"]["tokens"] == pytest.approx([told["ceiling_tokens_per_s"]] * 2, abs=0.01)
        assert told["ceiling_tokens_per_s"] == pytest.approx(4 * 9000 / (256 + 90))
        assert 0.1 < told["cpu_s"] < 10
