"""Fixtures that several files share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from llama_server import LlamaServer


@pytest.fixture(scope="session")
def llama() -> Iterator[LlamaServer]:
    """A real llama.cpp server with a model of 2 M parameters that knows fill-in-the-middle; for reading only."""
    with LlamaServer() as server:
        yield server
