"""litellm: ``acompletion`` behind a semaphore, with gather, as its documentation has it for many requests.

The map of prices is the one that comes with it (``LITELLM_LOCAL_MODEL_COST_MAP``), for the newest would be fetched;
telemetry is off. Over its own transport on aiohttp, which it uses by default.
"""

import asyncio
import contextlib
import os

os.environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}

import litellm
from work import MODEL, NAMES, PROMPT, SAMPLING, Work, asked, line, tell

litellm.telemetry = False


async def main(work: Work) -> None:
    slots = asyncio.Semaphore(work.in_flight) if work.in_flight else contextlib.nullcontext()
    messages, ok = [{"role": "user", "content": PROMPT}], 0
    with work.out.open("w", encoding="utf-8") as file:

        async def ask(number: int) -> None:
            nonlocal ok
            async with slots:
                reply = await litellm.acompletion(
                    model=f"openai/{MODEL}", api_base=work.url, api_key="key", messages=messages, n=NAMES,
                    seed=number, **SAMPLING,
                )  # fmt: skip
            file.write(line(number, (choice.message.content for choice in reply.choices)))
            ok += len(reply.choices) == NAMES

        await asyncio.gather(*(ask(number) for number in range(work.requests)))
    tell(ok)


asyncio.run(main(asked()))
