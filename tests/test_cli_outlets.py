"""The command line where its output goes nowhere, and where it is told to stop before it has begun to ask."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from serve_process import serve

from evoselfcode.config import RunConfig
from evoselfcode.datagen.pipeline.namegen import NAMES
from evoselfcode.datagen.pipeline.stage import requests
from evoselfcode.records import Completion, Outcome
from evoselfcode.storage import Draw, Journal, make_entry, read_manifest

MODULE = f"{sys.executable} -m evoselfcode.cli"
RUN = f"{MODULE} datagen-names --set namegen.num_requests=5"
FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")


def shell(folder: Path, line: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-o", "pipefail", "-c", line]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=60, env=os.environ | environ
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_the_card_is_printed_in_any_encoding(folder: Path, encoding: str) -> None:
    """Its names end in an ellipsis. Sabotage: do not reconfigure the standard output."""
    done = shell(folder, RUN, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert "combined_raw.jsonl" in done.stdout


@pytest.mark.parametrize("command", [RUN, f"{MODULE} doctor"])
def test_a_reader_that_leaves_is_no_failure(folder: Path, command: str) -> None:
    """Sabotage: keep rich's own ``on_broken_pipe``, which exits with 1."""
    done = shell(folder, f"{command} | true")
    assert (done.returncode, done.stderr) == (0, "")


@FULL
@pytest.mark.parametrize("command", [RUN, f"{MODULE} doctor"])
def test_a_full_standard_output_is_one_message(folder: Path, command: str) -> None:
    """Sabotage: print without ``standard_output``."""
    done = shell(folder, f"{command} > /dev/full")
    assert done.returncode == 5
    assert done.stderr.startswith("error: cannot write to the standard output")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("away", ["2>&-", pytest.param("2> /dev/full", marks=FULL), "2> >(true)"])
def test_a_run_ends_well_where_nobody_can_be_told_of_its_progress(folder: Path, away: str) -> None:
    """A log's disk is full, its reader has left. Sabotage: let ``say`` raise."""
    done = shell(folder, f"{RUN} --set output.heartbeat_seconds=0.001 {away}")
    assert done.returncode == 0
    assert "combined_raw.jsonl" in done.stdout


def test_a_low_limit_on_open_files_is_raised_as_far_as_it_goes(folder: Path) -> None:
    """Else refused sockets look like an endpoint that is away. Sabotage: do not call ``with_room``."""
    settings = "--set model=evoselfcode-ngram --set namegen.num_requests=40 --set api.outage_limit=1"
    settings += " --set api.concurrency=64"
    with serve("--latency", "100ms") as server:
        line = f"{RUN} {settings} --set api.base_url={server.url}"
        raised = shell(folder, f"ulimit -S -n 48; {line}")
        assert raised.returncode == 0, raised.stderr
        assert "failed attempts" not in raised.stdout


def test_what_does_not_fit_is_refused_with_the_numbers(folder: Path) -> None:
    """C15. Sabotages: go on with a warning; count no spare files; let auto grow to where sockets are refused."""
    at = "--set api.base_url=http://127.0.0.1:9 --set model=m"
    refused = shell(folder, f"ulimit -n 256; {RUN} {at} --set api.concurrency=1000")
    assert refused.returncode == 2
    assert (
        "error: 256 files may be open at once (ulimit -n), too few for 1000 requests in flight, which need 1072\n"
        "hint: set api.concurrency to 184 or less, or raise the limit\n"
    ) in refused.stderr
    auto = shell(folder, f"ulimit -n 256; {RUN} {at}")
    assert "warning: 256 files may be open at once (ulimit -n): room for 184 requests in flight\n" in auto.stderr
    assert auto.returncode == 6
    two = shell(folder, f"ulimit -n 2000; {RUN} {at} --set api.base_url=http://127.0.0.1:9,http://127.0.0.1:11")
    assert "room for 960 requests in flight to each of 2 replicas\n" in two.stderr
    assert "hint: raise the limit, or set api.max_concurrency to 960" in two.stderr


def test_a_stop_during_the_preflight_ends_it_at_once(folder: Path) -> None:
    """A server that never answers. Sabotage: connect without ``unless_stopped``."""
    with serve("--fault", "stall:1") as server:
        at = ("--set", f"api.base_url={server.url}", "--set", "model=evoselfcode-ngram")
        process = subprocess.Popen(
            [sys.executable, "-m", "evoselfcode.cli", "datagen-names", *at],
            cwd=folder,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        # The remark on the prompt is printed just before signals are received.
        assert process.stderr.readline().startswith("warning: ")
        while not (folder / "data/generated/names/.lock").exists():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        stderr = process.communicate(timeout=20)[1]
    assert process.returncode == 75, stderr
    assert "stopped before anything was asked" in stderr


def test_a_stop_while_a_long_journal_is_read_ends_it_at_once(folder: Path) -> None:
    """Sabotage: start the run before the signal receiver: SIGTERM then kills the process."""
    names = folder / "data/generated/names"
    assert shell(folder, RUN).returncode == 0
    before = read_manifest(names / "manifest.json")
    config = RunConfig.from_mapping({"namegen": {"temperature": 1.0, "num_requests": 20_000}})
    journal = Journal(names)
    draw = Draw(raw_text="same", text="same", reason="duplicate")
    for request in requests(NAMES, config, "evoselfcode-ngram", None, ("FIM", "L2R")):
        journal.append(make_entry(Outcome(request, Completion(()), 1, 0.1), (draw,)))
    journal.close(0.0)
    lock = names / ".lock"
    lock.unlink()
    process = subprocess.Popen(
        [*RUN.split()[:-1], "namegen.num_requests=20000"], cwd=folder, stderr=subprocess.PIPE, text=True
    )
    while not lock.exists():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    stderr = process.communicate(timeout=20)[1]
    assert process.returncode == 75, stderr
    assert read_manifest(names / "manifest.json") == before
