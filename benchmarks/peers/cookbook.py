"""A script of the kind that the OpenAI cookbook describes for many requests: ``api_request_parallel_processor``.

Our own, from its description: a loop takes one request after the other while the budgets of requests and tokens a
minute allow it, makes a task of each, and sleeps for a millisecond; what failed goes to a queue and is taken first; a
rate limit pauses all for 15 seconds; each answer is appended to the file as it comes. The budgets are far above what is
measured, and it has no limit on what is in flight: where one is given, a task is made when fewer are.
"""

import asyncio
import time
from collections import deque

import aiohttp
from work import MODEL, NAMES, PROMPT, SAMPLING, Work, asked, line, tell

REQUESTS_A_MINUTE, TOKENS_A_MINUTE = 10_000_000.0, 1_000_000_000.0
PAUSE, ATTEMPTS, COST = 15.0, 5, 64 + NAMES * 16


async def main(work: Work) -> None:
    waiting: deque[tuple[int, int]] = deque()
    requests, tokens, at = REQUESTS_A_MINUTE, TOKENS_A_MINUTE, time.monotonic()
    tasks, numbers, ok, paused_until = set[asyncio.Task[None]](), iter(range(work.requests)), 0, 0.0

    async def ask(session: aiohttp.ClientSession, number: int, left: int) -> None:
        nonlocal ok, paused_until
        body = {"model": MODEL, "prompt": PROMPT, "n": NAMES, "seed": number} | SAMPLING
        try:
            async with session.post(f"{work.url}/completions", json=body) as reply:
                if reply.status == 429:
                    paused_until = time.monotonic() + PAUSE
                reply.raise_for_status()
                texts = [choice["text"] for choice in (await reply.json())["choices"]]
        except aiohttp.ClientError:
            if left:
                waiting.append((number, left - 1))
            return
        with work.out.open("a", encoding="utf-8") as file:
            file.write(line(number, texts))
        ok += len(texts) == NAMES

    async with aiohttp.ClientSession(headers={"authorization": "Bearer key"}) as session:
        due: tuple[int, int] | None = None
        while True:
            if due is None and waiting:
                due = waiting.popleft()
            elif due is None and (number := next(numbers, None)) is not None:
                due = (number, ATTEMPTS)
            now = time.monotonic()
            requests = min(requests + REQUESTS_A_MINUTE * (now - at) / 60, REQUESTS_A_MINUTE)
            tokens, at = min(tokens + TOKENS_A_MINUTE * (now - at) / 60, TOKENS_A_MINUTE), now
            free = work.in_flight is None or len(tasks) < work.in_flight
            if due is not None and free and requests >= 1 and tokens >= COST and now >= paused_until:
                requests, tokens = requests - 1, tokens - COST
                tasks.add(task := asyncio.create_task(ask(session, *due)))
                task.add_done_callback(tasks.discard)
                due = None
            if due is None and not tasks and not waiting:
                break
            await asyncio.sleep(0.001)
    tell(ok)


asyncio.run(main(asked()))
