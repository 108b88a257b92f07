"""The page of servers in the documentation, written from the rows: ``PYTHONPATH=tests python -m fakes.table``."""

from __future__ import annotations

import sys

from .row import Row
from .rows import ROWS

INTRODUCTION = """# Servers

What `api.fim.mode: auto` finds on each server that the tests know, and what else the preflight learns there. The
table is written from the fake servers of the test suite, which behave as the real ones' sources and recordings show;
a test runs the preflight against each of them and compares. What *your* server does, `evoselfcode doctor` tells.

- **FIM by**: the value of `api.fim.mode` that the preflight settles on. `sentinel`: a raw prompt that carries the
  model family's sentinels. `suffix`: the field of `/v1/completions`. `infill`: llama.cpp's `/infill`. `vendor`:
  `/v1/fim/completions`. `ollama`: `/api/generate`. `none`: no way works, and the run says so before it begins.
- **n**: whether one request gives several choices; where not, each choice is asked for in a request of its own.
- **log-probabilities**: whether rows can carry them.
- **scores by**: the [way](dialects.md#scoring-a-given-text) in which it is asked for the log-probabilities of a text
  that is given. In brackets: without middles of fill-in-the-middle prompts.

"""
HEAD = (
    "| server | model in the test | FIM by | n | log-probabilities | scores by | peculiarities |\n"
    "| --- | --- | --- | --- | --- | --- | --- |\n"
)


def page() -> str:
    """Write the page."""
    return INTRODUCTION + HEAD + "".join(map(_line, ROWS))


def _line(row: Row) -> str:
    by = f"`{row.expected_fim}`" + (f" ({row.expected_family})" if row.expected_fim == "sentinel" else "")
    n = "yes" if row.gives_n else "no"
    if row.gives_n and row.n < 128:
        n = "up to its slots"
    logprobs = "yes" if row.gives_logprobs else "no"
    scores = "no" if row.expected_score == "none" else f"`{row.expected_score}`"
    scores = scores if row.expected_middles or scores == "no" else f"({scores})"
    return f"| {row.name} | {row.model} | {by} | {n} | {logprobs} | {scores} | {row.note} |\n"


if __name__ == "__main__":
    sys.stdout.write(page())
