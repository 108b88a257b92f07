"""inspect_ai: an evaluation of one task, ``generate()`` over a dataset in memory, on its provider for any such server.

``max_connections`` and ``max_samples`` are raised to what is in flight, as its page on parallelism has it (both, for a
running row holds a connection); the log is not streamed to a viewer. Left to itself it adapts its connections, 100 at
most. What it found is read from its log, which is part of what it does.
"""

import os
import tempfile

os.environ |= {"LOCAL_API_KEY": "key"}

from inspect_ai import Task, eval  # noqa: A004 - its name
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import read_eval_log_samples
from inspect_ai.solver import generate
from work import MODEL, NAMES, PROMPT, SAMPLING, Work, asked, line, tell


def main(work: Work) -> None:
    rows = MemoryDataset([Sample(id=number + 1, input=PROMPT) for number in range(work.requests)])
    width = {"max_connections": work.in_flight, "max_samples": work.in_flight} if work.in_flight else {}
    ok = 0
    with tempfile.TemporaryDirectory() as folder, work.out.open("w", encoding="utf-8") as file:
        (log,) = eval(
            Task(dataset=rows, solver=generate()), model=f"openai-api/local/{MODEL}", model_base_url=work.url,
            log_dir=folder, display="none", log_realtime=False, num_choices=NAMES, stop_seqs=SAMPLING["stop"],
            temperature=SAMPLING["temperature"], top_p=SAMPLING["top_p"], max_tokens=SAMPLING["max_tokens"], **width,
        )  # fmt: skip
        for row in read_eval_log_samples(log.location, all_samples_required=False):
            texts = [choice.message.text for choice in row.output.choices]
            file.write(line(int(row.id) - 1, texts))
            ok += len(texts) == NAMES
    tell(ok, status=log.status)


main(asked())
