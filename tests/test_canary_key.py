"""A key is in the Authorization header and nowhere else: a canary is looked for wherever a run leaves a trace."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import httpx
import pytest
from embedded import Embedded
from serve_process import serve
from signalled import begin, end, hear
from test_run import config, run
from test_terminal import summary

from evoselfcode import OpenAICompletionClient
from evoselfcode.errors import EvoselfcodeError
from evoselfcode.metrics import served
from evoselfcode.progress import Progress

CANARY = "sk-canary-5dbe0f6a91c34e77"


def traces(folder: Path) -> dict[str, str]:
    """Return all files below a folder, and their names."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): path.read_bytes().decode(errors="replace") for path in files}


@pytest.mark.parametrize("first", [400, 401, 403, 429, 500, 503])
async def test_no_failure_takes_a_key_to_a_log_a_file_or_a_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, first: int
) -> None:
    """S1, with DEBUG logs of everything. Sabotage: put the headers of a request into the message of a failure."""
    seen: list[str] = []

    def refuse(number: int, body: dict[str, Any]) -> httpx.Response | None:
        if number % 3 == 0:
            return None
        return httpx.Response(first, headers={"retry-after-ms": "1"}, text=f"refused {number}")

    settings = config(tmp_path, api={"api_key": CANARY, "max_attempts": 2, "outage_limit": 0.5})
    caplog.set_level(logging.DEBUG)
    progress = Progress("names")
    try:
        await run(Embedded(refuse), settings, report=progress.update)
    except EvoselfcodeError as error:
        seen.append("".join(traceback.TracebackException.from_exception(error, capture_locals=False).format()))
    seen += [repr(settings), repr(settings.api), str(settings), repr(OpenAICompletionClient.from_config(settings))]
    seen += [record.getMessage() for record in caplog.records]
    assert not [text[:300] for text in seen if CANARY in text]
    assert not [name for name, text in traces(tmp_path).items() if CANARY in text or CANARY in name]
    assert (tmp_path / "names").exists()


def test_a_process_shows_its_key_to_nobody(folder: Path) -> None:
    """S1: not in what it prints, serves or writes, nor on its command line. Sabotage: take ``--set api.api_key``."""
    key = folder / "key"
    key.write_text(CANARY + "\n")
    key.chmod(0o600)
    with serve("--slots", "4", "--latency", "50ms", "--fault", "500:0.1", "--fault", "429@40..42") as server:
        process = begin(
            folder, server.url, "--set", f"api.api_key_file={key}", "--set", "output.metrics_port=0",
            "--set", "output.metrics_host=127.0.0.1", "--set", "output.metrics_file=metrics.prom",
        )  # fmt: skip
        url = hear(process, "metrics: ").split()[1]
        hear(process, "settled=")
        shown = httpx.get(url, trust_env=False).text
        command = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()
        environ = Path(f"/proc/{process.pid}/environ").read_bytes().decode()
        time.sleep(2.2)  # the first beat is written
        process.terminate()
        _, errors = end(process)
    assert process.returncode == 75, errors
    key.unlink()
    found = traces(folder)
    assert {"heartbeat.json", "manifest.json", "metrics.prom"} <= {Path(name).name for name in found}
    assert "evoself_rows_total" in shown
    for text in (errors, shown, command, environ, *found.values()):
        assert CANARY not in text


def test_a_key_on_the_command_line_ends_the_command_and_is_not_repeated(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "evoselfcode.cli", "datagen-names", "--set", f"api.api_key={CANARY}"],
        cwd=folder, capture_output=True, text=True, check=False, env=os.environ,
    )  # fmt: skip
    assert done.returncode == 2
    assert "a key on the command line is seen by everybody on this machine (ps)" in done.stderr
    assert CANARY not in done.stderr


def test_metrics_know_no_key(tmp_path: Path) -> None:
    settings = config(tmp_path, api={"api_key": CANARY})
    progress = Progress("names")
    with served(progress, settings.output) as lines:
        assert lines is None
    assert CANARY not in repr(summary(tmp_path))
