"""Fixtures that several files share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from llama_server import LlamaServer

# The same examples in every run, so that a red test is the change's; `--hypothesis-profile=explore` looks for new ones.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=500, deadline=None)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def llama() -> Iterator[LlamaServer]:
    """A real llama.cpp server with a model of 2 M parameters that knows fill-in-the-middle; for reading only."""
    with LlamaServer() as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to run the commands in, with a short configuration."""
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "datagen.yaml").write_text("namegen:\n  temperature: 1.0\n")
    return tmp_path
