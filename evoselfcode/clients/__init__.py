"""The only rooms that open sockets. Importing this package opens nothing and imports no HTTP library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evoselfcode.clients.connection import Connection
from evoselfcode.clients.findings import Check, Findings
from evoselfcode.clients.openai import OpenAICompletionClient
from evoselfcode.clients.options import ChoiceDict

if TYPE_CHECKING:
    from evoselfcode.clients.lane.mounted import DirectTransport as DirectTransport

__all__ = ["Check", "ChoiceDict", "Connection", "DirectTransport", "Findings", "OpenAICompletionClient"]


def __getattr__(name: str) -> object:
    if name == "DirectTransport":
        from evoselfcode.clients.lane.mounted import DirectTransport

        return DirectTransport
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
