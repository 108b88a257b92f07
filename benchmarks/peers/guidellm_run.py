"""guidellm: its benchmark with as many concurrent streams as are in flight, over so many requests.

It is a load generator, not a maker of data; vLLM's own project publishes it. The text of a reply is kept in its report,
of four names the first; replies are not streamed, which is cheaper for it. So are as many processes as cores, where it
would start ten, each of which imports torch. The report is JSON alone. Left to itself: ten processes, and its profile
``throughput``, all that it can.
"""

import asyncio
import json
import os
import tempfile
from pathlib import Path

from work import MODEL, NAMES, PROMPT, SAMPLING, Work, asked, line, tell

if asked().in_flight:
    os.environ["GUIDELLM__MAX_WORKER_PROCESSES"] = str(os.cpu_count())

from guidellm.entrypoints import benchmark_generative_text
from guidellm.schemas.benchmark import BenchmarkScenario


async def main(work: Work) -> None:
    profile: dict[str, object] = {"kind": "throughput", "max_concurrency": None}
    if work.in_flight:
        profile = {"kind": "concurrent", "streams": [work.in_flight]}
    with tempfile.TemporaryDirectory() as folder:
        rows, report = Path(folder) / "prompts.jsonl", Path(folder) / "report.json"
        rows.write_text((json.dumps({"prompt": PROMPT}) + "\n") * work.requests, encoding="utf-8")
        spec = {
            "backend": {"kind": "openai_http", "target": work.url, "model": MODEL, "stream": False, "api_key": "key",
                        "request_format": "/v1/completions", "validate_backend": False,
                        "max_tokens": SAMPLING["max_tokens"],
                        "extras": {"body": {"n": NAMES, "stop": SAMPLING["stop"], "top_p": SAMPLING["top_p"],
                                            "temperature": SAMPLING["temperature"]}}},
            "profile": profile,
            "constraints": [{"kind": "max_requests", "count": work.requests}],
            "data": [{"kind": "json_file", "path": str(rows)}],
            "outputs": [{"kind": "json", "path": str(report)}],
        }  # fmt: skip
        await benchmark_generative_text(BenchmarkScenario.create(None, spec=spec), progress=False, console=None)
        (found,) = json.loads(report.read_text())["benchmarks"]
    done = found["requests"]["successful"]
    with work.out.open("w", encoding="utf-8") as file:
        file.writelines(line(number, [row["output"]]) for number, row in enumerate(done))
    tell(len(done), kept=1)


if __name__ == "__main__":
    asyncio.run(main(asked()))
