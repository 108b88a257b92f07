"""``evoselfcode bench`` as a process, against the embedded model served with slots, and what it is given to read."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fakes import fake, serving
from serve_process import serve

from evoselfcode.cli_bench import _with_room
from evoselfcode.cli_options import on_its_own
from evoselfcode.config import RunConfig
from evoselfcode.errors import ConfigError

QUICK = ("--seconds", "0.4", "--max-concurrency", "64")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "evoselfcode.cli", "bench", *arguments]


def run(folder: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), cwd=folder, capture_output=True, text=True, check=False, **options)


def document(stdout: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stdout.splitlines()[-1])
    return found


def test_the_slots_of_a_server_are_found_and_it_is_the_limit(tmp_path: Path) -> None:
    """Four slots, a quarter of a second for each answer; what is on its way keeps no slot, which takes long where
    others use the computer. Sabotage: leave the limit to the governor, which begins with 16.
    """
    with serve("--slots", "4", "--latency", "250ms") as server:
        done = run(tmp_path, "--base-url", server.url, "--seconds", "0.5", "--max-concurrency", "64")
    assert done.returncode == 0, done.stderr
    found = document(done.stdout)
    assert found["verdict"]["limit"] == "server", found["verdict"]
    assert 3 <= found["knee"] <= 12
    assert (found["endpoint"]["model"], found["endpoint"]["fim"]) == ("evoselfcode-ngram", "suffix")
    assert "waited at the server" in found["verdict"]["why"]
    assert {1, 2, 4, 8} <= {one["limit"] for one in found["levels"]}
    assert found["levels"][0]["latency_s"]["p50"] >= 0.25
    assert found["config"] in done.stdout
    path = tmp_path / "endpoint.yaml"
    path.write_text(found["config"], encoding="utf-8")
    assert RunConfig.from_file(path).api.concurrency == found["knee"]
    assert "up to 7 levels, to 64 in flight" in done.stderr
    assert "no bound on requests" in done.stderr
    assert "in_flight=4 requests/s=" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_no_more_is_sent_than_allowed_and_what_was_measured_is_told(tmp_path: Path) -> None:
    """Sabotage: let ``--max-requests`` bound what is planned, not what is sent."""
    with serving(fake("vllm-0.12")) as url:
        done = run(tmp_path, "--base-url", url, *QUICK, "--max-requests", "60", "--quiet")
    assert done.returncode == 0, done.stderr
    found = document(done.stdout)
    assert (found["attempts"], found["cut"], found["verdict"]["limit"]) == (60, "requests", "unknown")
    assert done.stderr == ""


def test_a_signal_ends_it_with_what_was_measured(tmp_path: Path) -> None:
    """Sabotage: print the card at a full end only."""
    with serve("--latency", "20ms") as server:
        process = subprocess.Popen(
            command("--base-url", server.url, *QUICK), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        assert process.stderr is not None
        while "in_flight=1 " not in (line := process.stderr.readline()):
            assert line, "it ended before its first level"
        process.send_signal(signal.SIGTERM)
        stdout, errors = process.communicate(timeout=30)
    assert process.returncode == 75, errors
    assert "stopped: the bench was stopped before it was done\nhint: run the same command again" in errors
    found = document(stdout)
    assert found["cut"] == "stopped"
    assert found["levels"][0]["limit"] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ((), 2, "there is no endpoint to measure"),
        (("--base-url", "http://127.0.0.1:9"), 6, "does not serve requests"),
        (("--base-url", "nowhere"), 2, "is not an http address"),
        (("--base-url", "http://127.0.0.1:9", "--set", "namegen.n=0"), 2, "namegen.n"),
        (("--config", "none.yaml"), 2, "none.yaml: there is no such file"),
        (("--max-requests", "0"), 2, "--max-requests"),
    ],
)
def test_what_cannot_begin_is_one_message(arguments: tuple[str, ...], code: int, told: str, tmp_path: Path) -> None:
    done = run(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_that_refuses_all_has_no_knee_and_is_an_error(tmp_path: Path) -> None:
    """The preflight's requests are served. Sabotage: exit with 0."""
    with serve("--fault", "400@5..1000000") as server:
        done = run(tmp_path, "--base-url", server.url, *QUICK, "--quiet")
    assert done.returncode == 6, done.stderr
    assert document(done.stdout)["knee"] is None
    assert "no level was measured without trouble" in done.stderr


def test_an_arm_that_cannot_be_asked_there_is_left_out_and_said_so(tmp_path: Path) -> None:
    """Sabotage: end as a run does, which needs every arm."""
    with serving(fake("llamacpp-smollm2")) as url:
        done = run(tmp_path, "--base-url", url, "--model", "smollm2-135m", *QUICK, "--max-requests", "40")
    assert done.returncode == 0, done.stderr
    assert document(done.stdout)["settings"]["arms"] == ["L2R"]
    assert "warning: left out: FIM: no way of fill-in-the-middle works" in done.stderr


def test_where_the_endpoint_and_its_key_are_read_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotage: send the key of the environment to the address of a file that names none."""
    monkeypatch.chdir(tmp_path)
    there = {"EVOSELFCODE_BASE_URL": "http://env:1", "EVOSELFCODE_API_KEY": "k"}
    Path("own.yaml").write_text("model: m\napi: {base_url: 'http://file:1'}\n", encoding="utf-8")
    Path("keyed.yaml").write_text("model: m\napi: {api_key: '${OTHER}'}\n", encoding="utf-8")

    def read(path: str | None, *sets: str, url: str | None = None, **environ: str) -> tuple[object, str, str | None]:
        config = on_its_own(path and Path(path), sets, url, None, there | environ)  # type: ignore[arg-type]
        return config.api.base_url, config.api.api_key, config.model

    assert read(None) == ("http://env:1", "k", None)
    assert read(None, url="http://option:1") == ("http://option:1", "k", None)
    assert read("own.yaml") == ("http://file:1", "", "m")
    assert read("own.yaml", url="http://a:1,http://b:1") == ("http://a:1,http://b:1", "k", "m")
    assert read(None, "api.base_url=http://set:1", "model=x") == ("http://set:1", "", "x")
    assert read("keyed.yaml", url="http://option:1", OTHER="o") == ("http://option:1", "o", "m")
    with pytest.raises(ConfigError, match="OTHER is not set"):
        read("keyed.yaml", url="http://option:1")


def test_more_replicas_than_may_be_in_flight_are_refused(tmp_path: Path) -> None:
    """Each has one in flight at least. Sabotage: climb with more than was allowed."""
    with serve() as one, serve() as other:
        done = run(tmp_path, "--base-url", f"{one.url},{other.url}", "--max-concurrency", "1")
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "2 replicas have one request in flight each, more than 1" in done.stderr


def test_pods_behind_a_name_share_the_files_that_may_be_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """The levels are of all together. Sabotage: leave room for each of sixteen pods to have as many."""
    monkeypatch.setattr("evoselfcode.sockets._raised", lambda needed: min(needed, 4096))
    config = RunConfig.from_mapping({"model": "m", "api": {"base_url": "http://pods:8000", "headless": True}})
    assert _with_room(config, 1024) == (config, 1024)
