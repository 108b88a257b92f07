"""The command: what it writes, what it says, and how it ends; and what goes to a hub."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from export_rows import row, written

from evoselfcode.cli import main
from evoselfcode.datagen.exporting.pushing import destination
from evoselfcode.errors import UsageError

ROWS = [row(number) for number in range(10)]


def call(*arguments: str, environ: dict[str, str | None] | None = None) -> Any:
    return CliRunner().invoke(main, ["export", *arguments], env=environ)


def test_a_run_becomes_a_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotage: take the layouts of the configuration whatever ``--format`` says."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.yaml").write_text("output: {dir: data}\nexport: {validation: 0, files: jsonl}\n")
    written(tmp_path / "data", ROWS)
    done = call("--config", "run.yaml", "--format", "text", "--format", "fim-psm", "--files", "jsonl.zst")
    assert done.exit_code == 0, done.output
    assert {path.name for path in (tmp_path / "data" / "export" / "data").iterdir()} == {"text", "fim-psm"}
    assert "10 functions of chosen.jsonl: data/export" in done.stdout
    assert "warning: the licence of the dataset is unknown" in done.stdout
    again = call("--config", "run.yaml")
    assert again.exit_code == 2
    assert "--overwrite" in again.stderr
    assert call("--config", "run.yaml", "--overwrite", "--quiet", "--set", "export.license=mit").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "data" / "export" / "data" / "rows").iterdir()) == [
        "train-00000-of-00001.jsonl"
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nowhere",), "holds neither"),
        (("--format", "fim-psm", "--set", "export.fim.family=elf"), "export.fim.family: got 'elf'"),
        (("--set", "export.files=csv"), "export.files"),
        (("--set", "export.fim.body=0", "--set", "export.fim.lines=0", "--set", "export.fim.name=0"), "export.fim"),
        (("--set", "export.phrases=[Do it.]"), "export.phrases"),
        (("--push", "no-owner"), "OWNER/NAME"),
        (("--push", "me/mine"), "HF_TOKEN"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
) -> None:
    """Sabotage: find the token out after the export."""
    monkeypatch.chdir(tmp_path)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "run.yaml").write_text("output: {dir: data}\n")
    written(tmp_path / "data", ROWS)
    done = call("--config", "run.yaml", *arguments)
    assert done.exit_code == 2
    assert told in done.stderr
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["code"]


def test_a_signal_ends_it_and_leaves_nothing(tmp_path: Path) -> None:
    """Sabotage: let ``progress`` ignore the stop."""
    run = written(tmp_path, [json.dumps(row(number)).encode() + b"\n" for number in range(20)] * 3_000)
    (tmp_path / "run.yaml").write_text("output: {dir: data, heartbeat_seconds: 0.05}\n")
    command = [sys.executable, "-m", "evoselfcode", "export", str(run), "--config", "run.yaml", "--out", "out"]
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    with subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        env=os.environ | {"PYTHONPATH": paths},
    ) as process:  # fmt: skip
        assert process.stderr is not None
        first = process.stderr.readline()
        assert first.startswith("stage=export read="), first
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
    assert process.returncode == 75, rest
    assert "stopped while a dataset was exported" in rest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["code", "run.yaml"]


class Hub(BaseHTTPRequestHandler):
    """As much of a hub as an upload of small files asks for; it remembers what it was told."""

    said: list[tuple[str, str, Any]]
    refuse: bool

    def do_GET(self) -> None:
        self._answer(200, {"siblings": [], "sha": "0" * 40, "id": "me/mine"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        lines = [json.loads(line) for line in body.splitlines() if line]
        self.said.append((self.path, self.headers.get("Authorization", ""), lines))
        url = f"http://127.0.0.1:{self.server.server_address[1]}/datasets/me/mine"
        if self.refuse:
            self._answer(403, {}, said=f"no right to write with {self.headers.get('Authorization')}")
        elif self.path.endswith("/preupload/main"):
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False} for file in lines[0]["files"]
            ]
            self._answer(200, {"files": files})
        elif self.path.endswith("/commit/main"):
            self._answer(200, {"commitUrl": f"{url}/commit/{'1' * 40}", "commitOid": "1" * 40})
        else:
            self._answer(200, {"url": url, "errors": [], "warnings": []})

    def _answer(self, status: int, document: dict[str, Any], *, said: str = "") -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Error-Message", said)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def hub(*, refuse: bool = False) -> Iterator[tuple[str, list[tuple[str, str, Any]]]]:
    said: list[tuple[str, str, Any]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OneHub", (Hub,), {"said": said, "refuse": refuse}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", said
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("public", [False, True])
def test_an_export_goes_to_a_hub_in_one_commit(tmp_path: Path, public: bool) -> None:
    """Sabotage: make the repository public, or push the folder above."""
    run = written(tmp_path, ROWS)
    options = ["--out", str(tmp_path / "out"), "--push", "me/mine", *(["--public"] if public else [])]
    with hub() as (address, said):
        environ = {"HF_ENDPOINT": address, "HF_TOKEN": "hf_secret", "HF_HUB_OFFLINE": None,
                   "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}  # fmt: skip
        done = pushed(run, options, environ)
    assert done.returncode == 0, done.stderr
    assert "/datasets/me/mine/commit/" in done.stdout
    assert "hf_secret" not in done.stdout + done.stderr
    calls = {path: (token, lines) for path, token, lines in said}
    assert {token for token, _ in calls.values()} == {"Bearer hf_secret"}
    [made] = calls["/api/repos/create"][1]
    assert made["type"] == "dataset"
    assert made.get("visibility") == ("public" if public else "private")
    commit = calls["/api/datasets/me/mine/commit/main"][1]
    sent = {line["value"]["path"] for line in commit if line["key"] == "file"}
    there = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert sent == there


def test_a_hub_that_refuses_ends_in_a_message_without_the_token(tmp_path: Path) -> None:
    """Sabotage: let the library's exception through, or show it as it is."""
    run = written(tmp_path, ROWS)
    with hub(refuse=True) as (address, _):
        environ = {"HF_ENDPOINT": address, "HF_TOKEN": "hf_secret", "HF_HUB_OFFLINE": None}
        done = pushed(run, ["--out", str(tmp_path / "out"), "--push", "me/mine"], environ)
    assert done.returncode == 6
    assert "error: the hub did not take me/mine" in done.stderr
    assert "Traceback" not in done.stderr
    assert "hf_secret" not in done.stdout + done.stderr
    assert (tmp_path / "out" / "export.json").exists()


def pushed(run: Path, options: list[str], environ: dict[str, str | None]) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own: the library reads its environment when it is imported."""
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    (run.parent / "run.yaml").write_text("export: {files: jsonl, validation: 0, formats: [text]}\n")
    given = {name: value for name, value in (os.environ | environ | {"PYTHONPATH": paths}).items() if value is not None}
    return subprocess.run(
        [sys.executable, "-m", "evoselfcode", "export", str(run), "--config", str(run.parent / "run.yaml"), *options],
        capture_output=True, text=True, check=False, env=given, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize(
    "name", ["", "me", "me/", "/mine", "a/b/c", "../mine", "me/mi ne", "me/..", "-me/mine", "me/a--b"]
)
def test_names_of_repositories(name: str) -> None:
    """Sabotage: hand any text on to the library."""
    with pytest.raises(UsageError, match="no name of a dataset"):
        destination(name, {"HF_TOKEN": "hf_secret"})


def test_a_destination_shows_no_token() -> None:
    """Sabotage: leave its ``__repr__`` to NamedTuple."""
    to = destination("me/mine", {"HUGGING_FACE_HUB_TOKEN": " hf_secret\n"})
    assert (to.token, to.public) == ("hf_secret", False)
    assert "hf_secret" not in repr(to)
