"""The only rooms that open sockets. Importing this package opens nothing and imports no HTTP library."""

from evoselfcode.clients.connection import Connection
from evoselfcode.clients.findings import Check, Findings
from evoselfcode.clients.openai import OpenAICompletionClient
from evoselfcode.clients.options import ChoiceDict

__all__ = ["Check", "ChoiceDict", "Connection", "Findings", "OpenAICompletionClient"]
