"""What every script of this folder is asked, and how it says what came of it; it knows no peer.

``python benchmarks/peers/NAME.py JSON`` with ``{"url", "requests", "in_flight", "out"}``: the server's address up to
``/v1``, how many requests of four names are made, how many at once (null leaves that to the peer), and the file that
takes one line of JSON for each answer. The last line of the standard output says how many had all their names.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

MODEL = "m"
PROMPT = "This is an algorithm function.\n\ndef "
STOP = ["(", " ", "\n"]
SAMPLING: dict[str, Any] = {"max_tokens": 16, "temperature": 0.4, "top_p": 0.9, "stop": STOP}
NAMES = 4
"""Texts that a request asks for, as ``n``."""


class Work(NamedTuple):
    """What is to be done.

    Attributes:
        url: The server's address, with ``/v1``.
        requests: How many requests.
        in_flight: How many at once; None leaves it to the peer.
        out: The file for the answers.
    """

    url: str
    requests: int
    in_flight: int | None
    out: Path


def asked() -> Work:
    """Read the work from the command line."""
    told = json.loads(sys.argv[1])
    return Work(told["url"], told["requests"], told["in_flight"], Path(told["out"]))


def line(number: int, texts: Iterable[str]) -> str:
    """Write an answer as one line."""
    return json.dumps({"number": number, "texts": list(texts)}) + "\n"


def tell(ok: int, **more: Any) -> None:
    """Say how many requests came back with all that they asked for."""
    print("\n" + json.dumps({"ok": ok} | more), flush=True)
