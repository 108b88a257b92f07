"""``evoselfcode serve`` as a process: what it prints, what a real client meets, and how it ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from http.client import HTTPResponse

import httpx
import orjson
import pytest
from asgi import BODY
from serve_process import serve

from evoselfcode.local.answer import answer
from evoselfcode.local.serve import GRACE_SECONDS

PLAIN = answer("POST", "/v1/completions", BODY)[2]


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def begun(url: str) -> socket.socket:
    """Send a request on a connection of its own."""
    connection = socket.create_connection(_address(url))
    connection.sendall(b"POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY))
    return connection


def finished(connection: socket.socket) -> bytes:
    """Read the reply to the end."""
    with connection, HTTPResponse(connection) as reply:
        reply.begin()
        return reply.read()


def post(url: str, timeout: float = 30) -> httpx.Response:
    return httpx.post(f"{url}/completions", content=BODY, timeout=timeout)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_requests_in_flight_end_and_the_exit_code_is_0(number: signal.Signals) -> None:
    """uvicorn raises the signal again when it has finished; sabotage: leave SIGTERM to its default."""
    with serve("--latency", "300ms") as server:
        asked = [begun(server.url) for _ in range(3)]
        assert httpx.get(f"{server.url}/models").status_code == 200  # on a later connection: the others were read
        server.signal(number)
        assert [finished(connection) for connection in asked] == [PLAIN] * 3
        assert server.ended() == (0, "", "")


def test_a_second_signal_ends_the_wait_for_a_stalled_request() -> None:
    """Sabotage: leave the second SIGTERM to uvicorn, which waits on."""
    with serve("--fault", "stall:1") as server, begun(server.url):
        httpx.get(f"{server.url}/models")
        server.signal(signal.SIGTERM)
        while _accepts(server.url):  # it has seen the first signal when it takes no connection any more
            pass
        server.signal(signal.SIGTERM)
        assert server.ended(within=GRACE_SECONDS - 10) == (0, "", "")


def test_what_a_client_meets_for_each_fault() -> None:
    """The connection really breaks: nothing at all for a drop, a body shorter than announced for a truncation.

    Sabotage: end the reply in ``_act`` instead of closing the connection.
    """
    faults = ("429@1,retry-after=3", "drop@2", "truncate@3", "html@4", "drip@5", "stall@6")
    with serve(*(word for fault in faults for word in ("--fault", fault))) as server:
        limited = post(server.url)
        assert (limited.status_code, limited.headers["retry-after"]) == (429, "3")
        with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
            post(server.url)
        with pytest.raises(httpx.RemoteProtocolError, match="peer closed connection"):
            post(server.url)
        page = post(server.url)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html")
        with httpx.stream("POST", f"{server.url}/completions", content=BODY) as dripping:
            assert len(next(dripping.iter_raw())) == 1
        with pytest.raises(httpx.ReadTimeout):
            post(server.url, timeout=0.05)
        assert post(server.url).content == PLAIN


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")
def test_one_connection_serves_many_requests_and_ipv6_has_its_brackets() -> None:
    with serve("--host", "::1") as server, httpx.Client() as client:
        assert server.url.startswith("http://[::1]:")
        for _ in range(3):
            reply = client.post(f"{server.url}/completions", content=BODY)
            assert (reply.status_code, reply.content) == (200, PLAIN)
            assert "connection" not in reply.headers
        assert orjson.loads(client.get(f"{server.url}/models").content)["data"][0]["id"] == "evoselfcode-ngram"


def run_serve(*arguments: str, before: str = "") -> tuple[int, str]:
    program = f"import sys\n{before}\nfrom evoselfcode.cli import main\nmain()"
    ended = subprocess.run(
        [sys.executable, "-c", program, "serve", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    return ended.returncode, ended.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--fault", "oops:0.1"], "--fault: got 'oops:0.1', expected KIND:SHARE or KIND@FIRST..LAST"),
        (["--latency", "soon"], "--latency: got 'soon', expected a time such as 50ms"),
        (["--slots", "0"], "Invalid value for '--slots'"),
        (["--suffix", "maybe"], "'maybe' is not one of 'honour', 'refuse', 'ignore'"),
        (["--port", "70000"], "cannot listen on 127.0.0.1 port 70000"),
    ],
)
def test_a_wrong_option_ends_with_2_and_what_was_expected(arguments: list[str], said: str) -> None:
    code, stderr = run_serve(*arguments)
    assert code == 2
    assert said in stderr


def test_a_port_in_use_ends_with_2_and_a_hint() -> None:
    """Sabotage: let two servers share the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, stderr = run_serve("--port", port)
    assert code == 2
    assert f"error: cannot listen on 127.0.0.1 port {port}" in stderr
    assert "hint: --port 0 takes a free port" in stderr


@pytest.mark.parametrize("missing", ["uvicorn", "httptools"])
def test_a_missing_server_library_is_named_with_the_command_to_install_it(missing: str) -> None:
    code, stderr = run_serve("--port", "0", before=f"sys.modules[{missing!r}] = None")
    assert code == 2
    assert stderr == f'error: the server needs {missing}\nhint: pip install "evoselfcode[serve]"\n'


def _address(url: str) -> tuple[str, int]:
    parsed = httpx.URL(url)
    return parsed.host, parsed.port or 80


def _accepts(url: str) -> bool:
    try:
        socket.create_connection(_address(url), timeout=5).close()
    except OSError:
        return False
    return True
