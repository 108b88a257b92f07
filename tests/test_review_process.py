"""``evoselfcode review-names`` as a process: what it prints, what it serves, and how it ends."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from review_runs import decided, write_run
from serve_process import review


def command(*arguments: str, before: str = "") -> tuple[int, str]:
    program = f"import sys\n{before}\nfrom evoselfcode.cli import main\nmain()"
    ended = subprocess.run(
        [sys.executable, "-c", program, "review-names", *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    return ended.returncode, ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_names_are_reviewed_until_a_signal_and_a_restart_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    """Sabotage: leave SIGTERM to its default; use one token for ever."""
    run = write_run(tmp_path / "run", {"FIM": ["gcd", "lcm", "quick_sort"]})
    with review(str(run)) as server:
        address = re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", server.url)
        assert address
        with httpx.Client(base_url=server.url) as client:  # its connection stays open over the end
            assert "Review names" in client.get("").text
            answer = client.post("api/decisions", json={"func_name": "gcd", "decision": "accept"})
            assert answer.json()["totals"]["accepted"] == 1
            assert "server" not in answer.headers
            said = f"1 accepted, 0 rejected, 2 undecided: {run / 'decisions.jsonl'}\n"
            server.signal(number)
            assert server.ended() == (0, "", said)
    with (run / "decisions.jsonl").open("a") as file:
        file.write('nonsense\n{"func_name":"lcm","dec')
    with review(str(run), "--port", "0") as again:
        assert again.url.rsplit("/", 2)[1] != server.url.rsplit("/", 2)[1]
        names = httpx.get(f"{again.url}api/names").json()["names"]
        assert [name["decision"] for name in names] == ["accept", "undo", "undo"]
        assert command(str(run)) == (2, f"error: another process reviews the names in {run} (process "
                                        f"{(run / '.review.lock').read_text().strip()})\nhint: use the page that it "
                                        "serves; two tabs of it do not disturb each other\n")  # fmt: skip
        assert again.warnings == ["warning: lines of decisions.jsonl that cannot be read, and are left out: 1\n"]
        again.signal(number)
        assert again.ended()[0] == 0
    assert (run / "decisions.jsonl.torn").read_text() == '{"func_name":"lcm","dec\n'
    (run / "decisions.jsonl").write_bytes((run / "decisions.jsonl").read_bytes().replace(b"nonsense\n", b""))
    assert [row[:2] for row in decided(run)] == [("gcd", "accept")]


def test_only_the_loopback_address_listens(tmp_path: Path) -> None:
    """Sabotage: listen on 0.0.0.0. Linux answers on every 127/8 address then."""
    with review(str(write_run(tmp_path, {"FIM": ["gcd"]}))) as server, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", httpx.URL(server.url).port or 0), timeout=5).close()


def test_what_cannot_be_reviewed_ends_with_2_and_a_hint(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"FIM": ["gcd"]})
    assert command(str(tmp_path / "no"))[1].startswith(f"error: {tmp_path / 'no'} is no folder\nhint: ")
    (tmp_path / "empty").mkdir()
    assert command(str(tmp_path / "empty")) == (
        2,
        f"error: {tmp_path / 'empty'} holds no names: it has neither selected.jsonl nor combined_raw.jsonl\n"
        "hint: name the folder of a run that has ended, such as data/generated/names\n",
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, said = command(str(run), "--port", str(taken.getsockname()[1]))
    assert (code, "hint: --port 0 takes a free port" in said) == (2, True)
    missing = command(str(run), before="sys.modules['uvicorn'] = None")
    assert missing == (2, 'error: the server needs uvicorn\nhint: pip install "evoselfcode[serve]"\n')
