"""httpx2.AsyncClient: one client for all requests, as its documentation has it; as many tasks as are in flight.

``max_connections`` is raised to that, for its default of 100 would hold the tasks up. It keeps 100 connections idle, as
openai's clients do: to keep all of them makes no difference here. Left to itself, 100 tasks ask.
"""

import asyncio

import httpx2
from work import MODEL, NAMES, PROMPT, SAMPLING, Work, asked, line, tell


async def main(work: Work) -> None:
    flying = work.in_flight or 100
    limits = httpx2.Limits(max_connections=flying, max_keepalive_connections=100)
    numbers, ok = iter(range(work.requests)), 0
    with work.out.open("w", encoding="utf-8") as file:
        async with httpx2.AsyncClient(limits=limits, timeout=120, headers={"authorization": "Bearer key"}) as client:

            async def worker() -> None:
                nonlocal ok
                for number in numbers:
                    body = {"model": MODEL, "prompt": PROMPT, "n": NAMES, "seed": number} | SAMPLING
                    reply = await client.post(f"{work.url}/completions", json=body)
                    texts = [choice["text"] for choice in reply.raise_for_status().json()["choices"]]
                    file.write(line(number, texts))
                    ok += len(texts) == NAMES

            await asyncio.gather(*(worker() for _ in range(flying)))
    tell(ok)


asyncio.run(main(asked()))
