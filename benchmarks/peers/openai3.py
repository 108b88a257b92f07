"""AsyncOpenAI 3.x, a semaphore, and gather: what its users write when they have many requests.

The client is as it comes, on httpx2: it opens up to 1,000 connections and keeps 100 of them idle. To let it keep as
many as are in flight costs it more, for its pool looks through what it keeps.
"""

import asyncio
import contextlib

from openai import AsyncOpenAI
from work import MODEL, NAMES, PROMPT, SAMPLING, Work, asked, line, tell


async def main(work: Work) -> None:
    slots = asyncio.Semaphore(work.in_flight) if work.in_flight else contextlib.nullcontext()
    ok = 0
    with work.out.open("w", encoding="utf-8") as file:
        async with AsyncOpenAI(base_url=work.url, api_key="key") as client:

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
