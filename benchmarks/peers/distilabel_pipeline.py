"""distilabel: a pipeline of one step of ``TextGeneration`` over ``OpenAILLM``, rows loaded from memory.

A step sends its rows in batches, one batch after the other, so ``input_batch_size`` is what is in flight; its
documentation has larger batches for more throughput. ``num_generations`` asks for the four names in one request. No
cache of an earlier run. Left to itself, 50 rows are in flight.
"""

import os

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}

from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration
from work import MODEL, NAMES, PROMPT, SAMPLING, Work, asked, line, tell


def main(work: Work) -> None:
    width = {"input_batch_size": work.in_flight} if work.in_flight else {}
    with Pipeline(name="names") as pipeline:
        rows = LoadDataFromDicts(
            data=[{"instruction": PROMPT, "number": number} for number in range(work.requests)],
            **({"batch_size": work.in_flight} if work.in_flight else {}),
        )
        names = TextGeneration(
            llm=OpenAILLM(
                model=MODEL, base_url=work.url, api_key="key",
                generation_kwargs={"max_new_tokens": SAMPLING["max_tokens"], "temperature": SAMPLING["temperature"],
                                   "top_p": SAMPLING["top_p"], "stop": SAMPLING["stop"]},
            ),
            num_generations=NAMES, group_generations=True, **width,
        )  # fmt: skip
        rows >> names
    table = pipeline.run(use_cache=False)["default"]["train"]
    ok = 0
    with work.out.open("w", encoding="utf-8") as file:
        for row in table:
            file.write(line(row["number"], row["generation"]))
            ok += len(row["generation"]) == NAMES
    tell(ok)


if __name__ == "__main__":
    main(asked())
