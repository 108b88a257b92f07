"""A model that writes what a test says, for the stages of Stage B; and the files that they read and write."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx
from embedded import Embedded

from evoselfcode import RunConfig
from evoselfcode.datagen.pipeline.run import run_stage
from evoselfcode.datagen.pipeline.stage import Stage
from evoselfcode.datagen.pipeline.summary import Summary

Texts = Callable[[str], Iterable[str | tuple[str, str]]]
"""What is written after a prompt: a text, or a text and why it ended."""


def writing(texts: Texts) -> Embedded:
    """Return a server that writes `texts(prompt)`, repeated to as many choices as are asked for."""

    def instead(number: int, body: dict[str, Any]) -> httpx.Response | None:
        if not number:
            return None
        given = [it if isinstance(it, tuple) else (it, "stop") for it in texts(body["prompt"])]
        drawn = [given[index % len(given)] for index in range(body.get("n", 1))]
        choices = [
            {"index": index, "text": text, "finish_reason": why, "logprobs": None}
            for index, (text, why) in enumerate(drawn)
        ]
        usage = {"prompt_tokens": 5, "completion_tokens": 5 * len(drawn), "total_tokens": 5 + 5 * len(drawn)}
        return httpx.Response(200, json={"id": "x", "model": "scripted", "choices": choices, "usage": usage})

    return Embedded(instead)


def config(folder: Path, **sections: Any) -> RunConfig:
    """Return a configuration whose output goes into `folder` and whose names are those of :func:`names`."""
    given: dict[str, Any] = {
        "model": "evoselfcode-ngram",
        "api": {"concurrency": 4, "max_attempts": 2},
        "prompts": {"codegen": {"template": "{skeleton}"}},
        "output": {"dir": str(folder)},
    }
    for stage in ("describe", "skeleton", "asserts", "codegen"):
        given[stage] = {"names": str(folder / "names.jsonl")}
    for name, section in sections.items():
        given[name] = given.get(name, {}) | section
    return RunConfig.from_mapping(given)


def names(folder: Path, *rows: str | Mapping[str, str]) -> Path:
    """Write a file of names."""
    path = folder / "names.jsonl"
    lines = [json.dumps({"func_name": row} if isinstance(row, str) else row) + "\n" for row in rows]
    path.write_text("".join(lines), encoding="utf-8")
    return path


async def run(stage: Stage[Any], server: Embedded, settings: RunConfig, **options: Any) -> Summary:
    """Run a stage into its folder."""
    return await run_stage(stage, server.client(settings), settings, **options)


def rows(path: Path) -> list[dict[str, Any]]:
    """Read a file of rows."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
