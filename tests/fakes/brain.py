"""The brain behind every fake server: one deterministic function from prompt and seed to text.

It knows the preflight's forced middles and otherwise writes function names. A middle depends on both prefix and
suffix; distinct seeds give distinct names (within :data:`NAMES`); at a temperature of at most 0.01 the seed does not
matter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from zlib import crc32

from evoselfcode.clients.findings import PREFIX
from evoselfcode.clients.probe_fim import SUFFIXES

VERBS = (
    "quick", "merge", "find", "count", "parse", "build", "split", "check",
    "load", "rank", "filter", "group", "scale", "trim", "hash", "walk",
)  # fmt: skip
NOUNS = (
    "sort", "list", "graph", "tree", "matrix", "words", "primes", "lines", "nodes", "paths", "dates", "pairs",
    "digits", "edges", "tokens", "keys", "rows", "bits", "frames", "points", "ranges", "scores", "shards", "items",
    "fields", "weights", "labels", "chunks", "colors", "routes", "stacks",
)  # fmt: skip
NAMES = tuple(f"{verb}_{noun}" for verb in VERBS for noun in NOUNS)
STRIDE = 211
"""Prime to ``len(NAMES)``, so that consecutive seeds walk through all names before one returns."""

MIDDLES = dict(zip(SUFFIXES, ("math.sqrt", '"/"'), strict=True))
"""What a strong code model writes between the preflight's prefix and each of its suffixes."""

ONWARDS = "math.sqrt(16)\nprint(value)\n"
"""What it writes after that prefix alone: left-to-right text in which the forced middle occurs all the same."""


@dataclass(frozen=True)
class Draw:
    """How one text is drawn."""

    seed: int
    temperature: float


def _name(basis: str, draw: Draw) -> str:
    seed = 0 if draw.temperature <= 0.01 else draw.seed + 1
    return NAMES[(crc32(basis.encode()) + seed * STRIDE) % len(NAMES)]


def middle(prefix: str, suffix: str, draw: Draw) -> str:
    """Write what goes between `prefix` and `suffix`."""
    if prefix == PREFIX and suffix in MIDDLES:
        return MIDDLES[suffix]
    return _name(f"{prefix}\0{suffix}", draw)


def continuation(prompt: str, draw: Draw) -> str:
    """Write what follows `prompt`."""
    if prompt.rstrip(" ").endswith(PREFIX.rstrip(" ")):
        return ONWARDS
    return f"{_name(prompt, draw)}(items):\n    return [item for item in items if item]\n"


def chatter(prompt: str, draw: Draw) -> str:
    """Write what a chat model answers when the prompt became a user message; it depends on the prompt, too."""
    if not prompt:
        return "Hello! How can I help you today?"
    name = _name(prompt, draw)
    return f"Sure! Here is `{name}`, a function you could use:\n```python\ndef {name}():\n    pass\n```\n"


def garbage(prompt: str, draw: Draw) -> str:
    """Write what a model makes of a prompt whose sentinels are token 0: it depends on the prompt and means nothing."""
    return f"_{_name(prompt, draw)} = None, None"


def tokens(text: str) -> list[str]:
    """Cut `text` into tokens, as a byte-pair vocabulary would: a space belongs to the word behind it."""
    return re.findall(r" ?\w+|\n\s*| ?[^\w\s]|\s", text)


def logprob(token: str) -> float:
    """Return the log-probability of a token, in nats; a fixed number per token."""
    return -0.05 * (1 + crc32(token.encode()) % 40)
