"""Where a request's time goes: each piece of the stage of names by itself, in microseconds of CPU per request.

Run it with ``python benchmarks/pieces.py``: ten seconds. Each piece does the work of the same 20,000 requests of four
names, alone, with warm caches; the median of five rounds. What the pieces do not add up to in a whole run is the event
loop, the kernel, and that between two requests more is touched than the caches hold.
"""

from __future__ import annotations

import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

from card import Record
from replies import replies

from evoselfcode.config import RunConfig
from evoselfcode.datagen.filters import NameJudge
from evoselfcode.datagen.pipeline.namegen import NAMES
from evoselfcode.datagen.pipeline.settled import Settled
from evoselfcode.datagen.pipeline.stage import requests
from evoselfcode.engine import Meter
from evoselfcode.records import Outcome
from evoselfcode.storage import draw_of, make_entry, read_entries
from evoselfcode.storage.journal import Journal
from evoselfcode.wire import messages
from evoselfcode.wire.dialect import Dialect, endpoint

REQUESTS, ROUNDS = 20_000, 5


def timed(work: Callable[[], Iterable[Any]]) -> float:
    """Return the microseconds of CPU per request; what is made is thrown away at once, as it is in a run."""
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        deque(work(), maxlen=0)
        found.append(1e6 * (time.process_time() - began) / REQUESTS)
    return median(found)


def measure(*, logprobs: bool) -> dict[str, float]:
    config = RunConfig.from_mapping({"model": "m", "namegen": {"num_requests": REQUESTS // 2, "logprobs": logprobs}})
    dialect, where = Dialect(server="vllm", model="m", fim="suffix"), endpoint("http://127.0.0.1:8000")
    bodies, arms = replies(REQUESTS, logprobs=logprobs), NAMES.arms(config)
    told: dict[str, float] = {}

    def planned() -> Any:
        return requests(NAMES, config, "m", None, arms)

    told["plan: prompt, seed, key"] = timed(planned)
    asked = list(planned())
    told["is it settled"] = timed(lambda: (it.key in Settled(None) for it in asked))
    told["body"] = timed(lambda: (messages.call(it, dialect, where) for it in asked))
    pairs = list(zip(asked, bodies, strict=True))
    told["decode the reply"] = timed(lambda: (messages.read(it, dialect, 200, {}, body) for it, body in pairs))
    outcomes = [Outcome(it, messages.read(it, dialect, 200, {}, body), 1, 0.123456789) for it, body in pairs]

    def parse() -> Iterable[Any]:
        for it in outcomes:
            yield [NAMES.parse(it.request, index, choice) for index, choice in enumerate(it.result.choices)]

    told["names: parse"] = timed(parse)
    parsed = list(parse())

    def judge() -> Iterable[Any]:
        judges = {arm: NameJudge(config.filters.name_regex, config.namegen.weaklist) for arm in arms}
        for it, candidates in zip(outcomes, parsed, strict=True):
            yield [judges[it.request.arm](candidate) for candidate in candidates]

    told["names: judge, duplicates"] = timed(judge)
    verdicts = list(judge())
    told["draws"] = timed(lambda: (tuple(map(draw_of, *it)) for it in zip(parsed, verdicts, strict=True)))
    draws = [tuple(map(draw_of, *it)) for it in zip(parsed, verdicts, strict=True)]
    told["entry"] = timed(lambda: (make_entry(it, drawn, 1e9) for it, drawn in zip(outcomes, draws, strict=True)))
    entries = [make_entry(it, drawn, 1e9) for it, drawn in zip(outcomes, draws, strict=True)]

    def count() -> Iterable[None]:
        meter = Meter()
        for entry in entries:
            yield meter.add(entry.arm, [draw.reason for draw in entry.draws], prompt_tokens=1, completion_tokens=1)

    told["count"] = timed(count)
    with tempfile.TemporaryDirectory() as folder:
        number = iter(range(100))

        def journal() -> Iterable[None]:
            here = Path(folder) / str(next(number))
            here.mkdir()
            kept = Journal(here)
            for entry in entries:
                yield kept.append(entry)
                if kept.due(0.0):
                    kept.commit(0.0)
            kept.close(0.0)

        told["journal: encode, checksum, write, sync"] = timed(journal)
        told["read the journal"] = timed(lambda: read_entries(Path(folder) / "0"))
    told["views"] = timed(lambda: chain.from_iterable(NAMES.views(config, entries).values()))
    return told


def main() -> None:
    record = Record("pieces", {}, ("msgspec",))
    plain, scored = measure(logprobs=False), measure(logprobs=True)
    print(f"{'microseconds of CPU per request of 4 names':44}{'plain':>8}{'log-probabilities':>20}")
    for name, value in plain.items():
        print(f"{name:44}{value:>8.2f}{scored[name]:>20.2f}")
    print(f"{'sum':44}{sum(plain.values()):>8.2f}{sum(scored.values()):>20.2f}")
    record.keep({"plain": plain, "logprobs": scored})


if __name__ == "__main__":
    main()
