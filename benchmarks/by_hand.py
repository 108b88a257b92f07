"""What somebody writes by hand for the same work: aiohttp, as many tasks as requests in flight, a set, a file.

No resume, no retry, no checksum; the file is flushed and synced every 256 replies, as the journal is.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from pathlib import Path

import aiohttp

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


async def by_hand(port: int, flying: int, requests: int, path: Path) -> list[float]:
    """Send `requests` with `flying` of them in flight; return how long each took, in seconds."""
    plan, seen, took = iter(range(requests)), set[str](), list[float]()
    url, headers = f"http://127.0.0.1:{port}/v1/completions", {"authorization": "Bearer key"}
    with path.open("w", encoding="utf-8") as file:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers) as session:

            async def worker() -> None:
                for number in plan:
                    began = time.perf_counter()
                    document = {"model": "m", "prompt": "This is an algorithm function.\n\ndef ", "suffix": "():\n",
                                "max_tokens": 16, "temperature": 0.4, "top_p": 0.9, "n": 4, "seed": number,
                                "stop": ["(", " ", "\n"]}  # fmt: skip
                    async with session.post(url, json=document) as reply:
                        reply.raise_for_status()
                        choices = (await reply.json())["choices"]
                    for choice in choices:
                        found = NAME.match(choice["text"].lstrip())
                        kept = found is not None and found[0] not in seen
                        if found is not None and kept:
                            seen.add(found[0])
                        file.write(json.dumps({"seed": number, "text": choice["text"], "kept": kept}) + "\n")
                    took.append(time.perf_counter() - began)
                    if len(took) % 256 == 0:
                        file.flush()
                        os.fdatasync(file.fileno())

            await asyncio.gather(*(worker() for _ in range(flying)))
    return took
