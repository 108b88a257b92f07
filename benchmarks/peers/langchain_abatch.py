"""langchain-openai: ``ChatOpenAI.abatch`` with ``max_concurrency``, the interface that its documentation has for many.

``abatch`` hands back the first text of a reply; a callback sees all four. One client for all, as it makes itself.
Tracing is off, for it would send to a server. Left to itself, all requests are sent at once.
"""

import asyncio
import os

os.environ |= {"LANGSMITH_TRACING": "false", "LANGCHAIN_TRACING_V2": "false"}

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.outputs import LLMResult
from langchain_openai import ChatOpenAI
from work import MODEL, NAMES, PROMPT, SAMPLING, Work, asked, line, tell


class Keep(AsyncCallbackHandler):
    """Write all texts of a reply."""

    def __init__(self, work: Work) -> None:
        self.file, self.seen, self.ok = work.out.open("w", encoding="utf-8"), 0, 0

    async def on_llm_end(self, response: LLMResult, **_: object) -> None:
        texts = [generation.text for generation in response.generations[0]]
        self.file.write(line(self.seen, texts))
        self.seen, self.ok = self.seen + 1, self.ok + (len(texts) == NAMES)


async def main(work: Work) -> None:
    model = ChatOpenAI(base_url=work.url, api_key="key", model=MODEL, n=NAMES,
                       temperature=SAMPLING["temperature"], top_p=SAMPLING["top_p"], stop=SAMPLING["stop"],
                       max_tokens=SAMPLING["max_tokens"])  # fmt: skip
    keep = Keep(work)
    await model.abatch([PROMPT] * work.requests, {"max_concurrency": work.in_flight, "callbacks": [keep]})
    keep.file.close()
    tell(keep.ok)


asyncio.run(main(asked()))
