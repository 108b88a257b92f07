"""AsyncOpenAI 2.x, a semaphore, and gather: the same as openai3.py, on httpx 0.28.

The client's own pool (httpx) keeps 100 idle connections by default; here it may keep as many as are in flight, for
its users are told to raise ``limits`` where they ask for more at once. Left to itself it is as it comes.
"""

import asyncio
import contextlib

import httpx
from openai import AsyncOpenAI, DefaultAsyncHttpxClient
from work import MODEL, NAMES, PROMPT, SAMPLING, Work, asked, line, tell


async def main(work: Work) -> None:
    raised = work.in_flight and httpx.Limits(max_connections=work.in_flight, max_keepalive_connections=work.in_flight)
    http_client = DefaultAsyncHttpxClient(limits=raised) if raised else None
    slots = asyncio.Semaphore(work.in_flight) if work.in_flight else contextlib.nullcontext()
    ok = 0
    with work.out.open("w", encoding="utf-8") as file:
        async with AsyncOpenAI(base_url=work.url, api_key="key", http_client=http_client) as client:

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
