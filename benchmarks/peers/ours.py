"""evoselfcode: the stage of names as ``datagen-names`` runs it, but for the report of the end, which no peer makes.

Preflight, both arms, retries, deadlines, four names of each reply parsed and judged, duplicates, the journal with its
checksums and syncs, the views. Left to itself it finds out how many are to be in flight (``api.concurrency: auto``).
The answers are the rows of the journal, in a folder of the run's own. That the server takes ``suffix`` is said, for it
knows names only and would not pass for a model that fills in the middle; log-probabilities, which are asked for by
default, are not, for no peer asks for them.
"""

import shutil
from pathlib import Path

from work import MODEL, asked, tell

from evoselfcode.clients import OpenAICompletionClient
from evoselfcode.config import RunConfig
from evoselfcode.datagen.pipeline.namegen import NAMES
from evoselfcode.datagen.pipeline.run import run_stage
from evoselfcode.loops import run

work = asked()
folder = Path(f"{work.out}.run")
config = RunConfig.from_mapping({
    "model": MODEL,
    "api": {"base_url": work.url, "concurrency": work.in_flight or "auto", "fim": {"mode": "suffix"}},
    "namegen": {"num_requests": work.requests // 2, "logprobs": False},
    "output": {"dir": str(folder)},
})  # fmt: skip


async def main() -> None:
    summary = await run_stage(NAMES, OpenAICompletionClient.from_config(config), config)
    meter = summary.meter
    if meter.dead:
        raise SystemExit(f"{meter.dead} requests were given up")
    tell(meter.settled, kept=meter.kept.total())


run(main)
with work.out.open("wb") as out:
    for file in sorted(folder.rglob("journal/*.jsonl")):
        with file.open("rb") as journal:
            shutil.copyfileobj(journal, out)
