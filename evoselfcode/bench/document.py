"""What a bench found, as plain data for machines, and as a configuration to paste.

This file decides what is written down of the machine, the settings and the levels, and which settings follow. It
refuses to know how any of it is shown. A key is in neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from math import ceil
from typing import Any

import msgspec
import orjson

from evoselfcode.bench import HIGHEST
from evoselfcode.bench.asking import Asked
from evoselfcode.bench.machine import machine, versions
from evoselfcode.bench.measuring import Wish
from evoselfcode.bench.verdict import Verdict, remarks
from evoselfcode.config import RunConfig
from evoselfcode.engine.governor import GROWTH

LIBRARIES = ("evoselfcode", "anyio", "httptools", "httpx", "msgspec", "uvloop")
"""Packages whose versions are written down."""


def document(config: RunConfig, wish: Wish, asked: Asked, judged: Verdict, *, fast_loop: bool) -> dict[str, Any]:
    """Return all that was found, as plain data.

    Args:
        config: What was asked for.
        wish: How long, how high.
        asked: What was found.
        judged: Who is the limit.
        fast_loop: Whether uvloop carried the event loop.
    """
    dialect, knee = asked.findings.dialect, asked.ladder.found
    settings = {
        "fingerprint": config.fingerprint("names"),
        "arms": list(asked.arms),
        "base_url": list(config.api.addresses),
        "model": dialect.model,
        "requests_per_second": config.api.requests_per_second,
        "tokens_per_minute": config.api.tokens_per_minute,
        "uvloop": fast_loop,
        **msgspec.to_builtins(wish),
    }
    return {
        "benchmark": "endpoint",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(*LIBRARIES),
        "machine": machine(),
        "settings": settings,
        "settings_hash": digest(settings),
        "endpoint": {
            "server": dialect.server,
            "model": dialect.model,
            "fim": dialect.fim,
            "l2r": dialect.l2r,
            "replicas": list(asked.replicas),
            "left_out": asked.left_out,
        },
        "attempts": asked.attempts,
        "levels": [msgspec.to_builtins(level) for _, level in sorted(asked.ladder.levels.items())],
        "knee": None if knee is None else knee.limit,
        "verdict": msgspec.to_builtins(judged),
        "cut": asked.cut,
        "remarks": remarks(asked.ladder, asked.cut, wish.seconds),
        "config": fragment(config, asked),
    }


def digest(settings: Mapping[str, Any]) -> str:
    """Hash settings: 64 bits of BLAKE2b over JSON with sorted keys, in hexadecimal."""
    return blake2b(orjson.dumps(settings, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()


def fragment(config: RunConfig, asked: Asked) -> str | None:
    """Write the settings that follow, as YAML that a configuration file may consist of; ``None`` without a knee."""
    knee, dialect = asked.ladder.found, asked.findings.dialect
    if knee is None:
        return None
    each = ceil(GROWTH * knee.limit / max(1, len(asked.replicas)))
    urls = config.api.addresses
    lines = [
        f"model: {_quoted(dialect.model)}",
        "api:",
        f"  base_url: {_quoted(urls[0]) if len(urls) == 1 else _quoted(list(urls))}",
    ]
    if config.api.headless:
        lines += ["  headless: true"]
    if config.api.api_key_file is not None:
        lines += [f"  api_key_file: {_quoted(config.api.api_key_file)}"]
    elif config.api.api_key:
        lines += ['  api_key: "${EVOSELFCODE_API_KEY:-}"']
    lines += [
        f"  concurrency: {knee.limit}  # or auto, which looks for it anew and follows it",
        f"  max_concurrency: {min(HIGHEST, each)}  # of each replica, with auto",
    ]
    if dialect.fim != "none":
        lines += ["  fim:", f"    mode: {dialect.fim}"]
        if dialect.fim == "sentinel" and dialect.family:
            lines += [f"    family: {_quoted(dialect.family)}"]
        if dialect.fim == "chat":
            lines += [
                f"    prefix_key: {_quoted(dialect.prefix_key)}",
                f"    suffix_key: {_quoted(dialect.suffix_key)}",
            ]
    return "\n".join(lines) + "\n"


def _quoted(value: object) -> str:
    """Write text, or a list of it, as JSON, which is YAML; a dollar sign would begin a variable."""
    return orjson.dumps(value).decode().replace("$", "$$")
