"""Arms that end when more draws no longer pay: what is asked, what a resume does, and what is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
from embedded import Embedded
from test_run import config, run

from evoselfcode.datagen.pipeline.reporting import report_run

RULES = {"gain": 0.5, "look": 20}


def settings(folder: Path, saturation: dict[str, Any], **namegen: Any) -> Any:
    return config(folder, num_requests=80, saturation=saturation, **namegen)


def narrow_fim(number: int, body: dict[str, Any]) -> httpx.Response | None:
    """Give the FIM arm two names for ever, and the other arm a new one with each draw."""
    if not number:
        return None
    fim = "suffix" in body
    texts = ("merge_sort", "find_path", "merge_sort", "find_path") if fim else [f"name_{number}_{i}" for i in range(4)]
    choices = [{"index": i, "text": text, "finish_reason": "stop"} for i, text in enumerate(texts)]
    usage = {"prompt_tokens": 10, "completion_tokens": 8}
    return httpx.Response(200, json={"choices": choices, "usage": usage})


async def test_an_arm_without_new_names_ends_and_the_other_goes_on(tmp_path: Path) -> None:
    """Sabotage: leave ``ended`` out of ``_to_ask``."""
    server = Embedded(narrow_fim)
    summary = await run(server, settings(tmp_path, RULES))
    fim = sum("suffix" in body for body in server.bodies)
    assert 10 <= fim < 20  # two looks of 20 draws, and what was in flight
    assert len(server.bodies) - fim == 80
    assert list(summary.saturated) == ["FIM"]
    assert summary.saturated["FIM"].startswith("twice the draws would give 0.0% more names, less than 50.0%")
    assert summary.meter.planned == summary.meter.settled == len(server.bodies)


async def test_a_run_that_ended_early_is_complete_and_asks_nothing_again(tmp_path: Path) -> None:
    """Sabotage: do not feed the rules what the journal holds."""
    first = await run(Embedded(narrow_fim), settings(tmp_path, RULES))
    again = Embedded(narrow_fim)
    summary = await run(again, settings(tmp_path, RULES))
    assert again.messages == 0
    assert summary.saturated == first.saturated
    assert '"state": "complete"' in (tmp_path / "names" / "manifest.json").read_text()
    assert f"FIM ended early: {first.saturated['FIM']}" in report_run(tmp_path / "names")["warnings"]


async def test_rules_may_be_loosened_and_the_arm_goes_on(tmp_path: Path) -> None:
    await run(Embedded(narrow_fim), settings(tmp_path, RULES))
    server = Embedded(narrow_fim)
    summary = await run(server, settings(tmp_path, {}))
    assert summary.meter.settled == 160
    assert all("suffix" in body for body in server.bodies)
    assert not summary.saturated


async def test_a_budget_of_tokens_ends_each_arm(tmp_path: Path) -> None:
    server = Embedded(narrow_fim)
    summary = await run(server, settings(tmp_path, {"tokens": 180}))
    assert set(summary.saturated) == {"FIM", "L2R"}
    assert 20 <= len(server.bodies) < 32
    assert summary.saturated["L2R"].startswith("the budget of 180 tokens is spent")


async def test_without_rules_every_request_is_asked(tmp_path: Path) -> None:
    server = Embedded(narrow_fim)
    await run(server, settings(tmp_path, {"look": 20}))
    assert len(server.bodies) == 160


def test_rules_without_the_libraries_are_one_message() -> None:
    code = (
        "import sys; sys.modules['scipy'] = None\n"
        "from evoselfcode.config import RunConfig\n"
        "from evoselfcode.datagen.pipeline.saturating import Saturating\n"
        "from evoselfcode.errors import UsageError\n"
        "config = RunConfig.from_mapping({'namegen': {'saturation': {'gain': 0.1}}})\n"
        "Saturating(RunConfig.from_mapping({}).namegen.saturation, ['FIM'], lambda draw: None)\n"
        "try: Saturating(config.namegen.saturation, ['FIM'], lambda draw: None)\n"
        "except UsageError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == 'namegen.saturation needs scipy\nhint: pip install "evoselfcode[report]"\n'
