"""The names stage against ``evoselfcode serve`` over real HTTP: what the embedded model writes in process comes out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from serve_process import serve

FILES = ("fim_raw.jsonl", "l2r_raw.jsonl", "combined_raw.jsonl")
FAULTS = ("429:0.1", "drop:0.05", "503@10..20", "html:0.02", "truncate:0.02")


def datagen_names(folder: Path, base_url: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Run the command; return its three files and its manifest."""
    settings = {
        "api.base_url": base_url,
        "model": "evoselfcode-ngram",
        "output.dir": str(folder),
        "namegen.num_requests": 20,
        "namegen.temperature": 1.0,
    }
    options = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "evoselfcode.cli", "datagen-names", "--quiet", *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    names = folder / "names"
    return {name: (names / name).read_bytes() for name in FILES}, json.loads((names / "manifest.json").read_text())


@pytest.fixture(scope="module")
def in_process(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], dict[str, Any]]:
    return datagen_names(tmp_path_factory.mktemp("local"), "local:")


def test_a_server_like_vllm_ends_on_sentinels_with_the_names_of_the_model_in_process(
    tmp_path: Path, in_process: tuple[dict[str, bytes], dict[str, Any]]
) -> None:
    """The way FIM is asked for does not matter to this model: both arms' rows are the same bytes.

    Sabotage: honour the ``suffix`` field under ``--suffix refuse``.
    """
    files, manifest = in_process
    assert manifest["preflight"]["dialect"]["fim"] == "suffix"
    assert all(len(content.splitlines()) > 20 for content in files.values())
    with serve("--suffix", "refuse") as server:
        served, found = datagen_names(tmp_path, server.url)
    assert (found["preflight"]["dialect"]["fim"], found["preflight"]["dialect"]["family"]) == (
        "sentinel",
        "evoselfcode",
    )
    assert served == files
    assert found["counts"] == manifest["counts"]


def test_a_run_through_every_fault_settles_every_request_and_gives_the_same_names(
    tmp_path: Path, in_process: tuple[dict[str, bytes], dict[str, Any]]
) -> None:
    """Sabotage: take a reply that is cut short or an HTML page for a completion."""
    options = [word for fault in FAULTS for word in ("--fault", fault)]
    with serve("--suffix", "refuse", "--seed", "1", *options) as server:
        served, found = datagen_names(tmp_path, server.url)
    assert served == in_process[0]
    assert found["state"] == "complete"
    assert (found["counts"]["planned"], found["counts"]["settled"], found["counts"]["dead"]) == (40, 40, 0)


def test_the_manifest_says_what_the_names_depend_on(in_process: tuple[dict[str, bytes], dict[str, Any]]) -> None:
    """The corpus is this Python's library: another version may give other names from the same seed."""
    assert in_process[1]["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
