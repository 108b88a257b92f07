"""AsyncOpenAI 3.x over aiohttp, which its README recommends for many requests at once: ``DefaultAioHttpClient``.

A semaphore and gather, as in openai3.py.
"""

import asyncio
import contextlib

from openai import AsyncOpenAI, DefaultAioHttpClient
from work import MODEL, NAMES, PROMPT, SAMPLING, Work, asked, line, tell


async def main(work: Work) -> None:
    slots = asyncio.Semaphore(work.in_flight) if work.in_flight else contextlib.nullcontext()
    ok = 0
    with work.out.open("w", encoding="utf-8") as file:
        async with AsyncOpenAI(base_url=work.url, api_key="key", http_client=DefaultAioHttpClient()) as client:

            async def ask(number: int) -> None:
                nonlocal ok
                async with slots:
                    reply = await client.completions.create(
                        model=MODEL, prompt=PROMPT, n=NAMES, seed=number, **SAMPLING
                    )
                file.write(line(number, (choice.text for choice in reply.choices)))
                ok += len(reply.choices) == NAMES

            await asyncio.gather(*(ask(number) for number in range(work.requests)))
    tell(ok)


asyncio.run(main(asked()))
