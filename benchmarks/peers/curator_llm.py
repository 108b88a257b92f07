"""Bespoke Labs' curator: an ``LLM`` over a dataset, on its backend for OpenAI-compatible servers.

``max_concurrent_requests`` is what is in flight; the limits a minute, which it guesses low where a server names none,
are far above what is measured, as its documentation tells for a server of one's own. The whole reply is kept
(``return_completions_object``), for otherwise three of four texts would be thrown away. No cache of an earlier run, no
viewer, no telemetry, no panel. Left to itself: its own guesses.
"""

import os
import tempfile
from pathlib import Path

os.environ |= {
    "TELEMETRY_ENABLED": "false", "CURATOR_DISABLE_RICH_DISPLAY": "1", "CURATOR_VIEWER": "0",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
}  # fmt: skip

from bespokelabs import curator
from datasets import Dataset
from work import MODEL, NAMES, PROMPT, SAMPLING, Work, asked, line, tell


class Namer(curator.LLM):
    """Asks for names of functions."""

    return_completions_object = True

    def prompt(self, row: dict) -> str:
        return PROMPT

    def parse(self, row: dict, response: dict) -> dict:
        return {"number": row["number"], "texts": [choice["message"]["content"] for choice in response["choices"]]}


def main(work: Work) -> None:
    parameters = {"max_retries": 3, "base_url": work.url, "api_key": "key"}
    if work.in_flight:
        parameters |= {"max_concurrent_requests": work.in_flight, "max_requests_per_minute": 10_000_000,
                       "max_tokens_per_minute": 10_000_000_000}  # fmt: skip
    namer = Namer(model_name=MODEL, backend="openai", backend_params=parameters,
                  generation_params=SAMPLING | {"n": NAMES})  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        rows = Dataset.from_dict({"number": list(range(work.requests))})
        found = namer(rows, working_dir=str(Path(folder)))
        found = getattr(found, "dataset", found)
        ok = 0
        with work.out.open("w", encoding="utf-8") as file:
            for row in found:
                file.write(line(row["number"], row["texts"]))
                ok += len(row["texts"]) == NAMES
    tell(ok)


main(asked())
