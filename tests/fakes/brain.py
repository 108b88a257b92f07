"""The brain behind every fake server: one deterministic function from prompt and seed to text.

It knows a few forced middles (the preflight's questions) and otherwise writes function names. A middle depends on
both prefix and suffix; distinct seeds give distinct names (within :data:`NAMES`); at a temperature of at most
0.01 the seed does not matter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from zlib import crc32

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

CANARY = "import math\nimport os\n\nvalue = "
CANARIES = {"(16)": "math.sqrt", '("data")': "os.path.exists"}

CHATTY = "Sure! Here is a function you could use:\n```python\ndef example():\n    pass\n```\n"


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
    if prefix.rstrip(" ").endswith(CANARY.rstrip(" ")):
        for begin, forced in CANARIES.items():
            if suffix.startswith(begin):
                return forced
    return _name(f"{prefix}\0{suffix}", draw)


def continuation(prompt: str, draw: Draw) -> str:
    """Write what follows `prompt`."""
    if prompt.rstrip(" ").endswith(CANARY.rstrip(" ")):
        return 'os.path.join("a", "b")\nprint(value)\n'
    return f"{_name(prompt, draw)}(items):\n    return [item for item in items if item]\n"


def garbage(draw: Draw) -> str:
    """Write what a model makes of a prompt whose sentinels are token 0: nothing to do with the prompt."""
    return f"_{_name('garbage', draw)} = None, None"


def tokens(text: str) -> list[str]:
    """Cut `text` into tokens, as a byte-pair vocabulary would: a space belongs to the word behind it."""
    return re.findall(r" ?\w+|\n\s*| ?[^\w\s]|\s", text)


def logprob(token: str) -> float:
    """Return the log-probability of a token, in nats; a fixed number per token."""
    return -0.05 * (1 + crc32(token.encode()) % 40)
